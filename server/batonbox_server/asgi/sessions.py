"""Where people are signed in, and signing them out there: one's own, and anybody's for admins."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct
from starlette.responses import Response

from batonbox_server.domain.policy import Action
from batonbox_server.errors import Refused
from batonbox_server.store.directory_port import Token

from . import answers
from .endpoint import Call, Endpoint
from .naming import known, listed
from .shapes import timestamp

__all__ = ["ENDPOINTS"]


class SessionEntry(Struct):
    """A browser in which somebody is signed in; `current` is the one that asks.

    `agent` is what the browser calls itself, `last_used_at` right to the minute.
    """

    id: str
    current: bool
    agent: str
    address: str
    created_at: str | None
    last_used_at: str | None
    expires_at: str | None


async def _own(call: Call) -> dict[str, Any]:
    """Where the caller is signed in, the newest first."""
    return await _sessions(call, call.principal.user)


async def _end_own(call: Call) -> Response:
    """End one of the caller's sessions: its pages are signed out at once."""
    return await _end(call, call.principal.user)


async def _anybodys(call: Call) -> dict[str, Any]:
    """Where a team member is signed in, the newest first."""
    known((await call.services.organisation.state()).users, call.path("user"))
    return await _sessions(call, call.path("user"))


async def _end_anybodys(call: Call) -> Response:
    """End a team member's session: its pages are signed out at once."""
    return await _end(call, call.path("user"))


async def _sessions(call: Call, user: str) -> dict[str, Any]:
    found = await call.services.organisation.sessions(user)
    return listed([_shown(session, current=call.principal.token) for session in found])


async def _end(call: Call, user: str) -> Response:
    name = call.path("session")
    found = await call.services.organisation.sessions(user)
    if name not in {session.id for session in found}:
        raise Refused("not_found", "There is no such session; it may have ended already.")
    await call.services.organisation.delete_token(name)
    return Response(status_code=204)


def _shown(session: Token, *, current: str) -> dict[str, Any]:
    return {
        "id": session.id,
        "current": session.id == current,
        "agent": session.agent,
        "address": session.address,
        "created_at": timestamp(session.created_ms),
        "last_used_at": timestamp(max(session.used_ms, session.created_ms)),
        "expires_at": timestamp(session.expires_ms),
    }


_OWN: Final = "/v1/sessions"
_USERS: Final = "/v1/admin/users/{user}/sessions"
_LIST: Final = answers.Items[SessionEntry]
ENDPOINTS: Final = (
    Endpoint("GET", _OWN, Action.ACCOUNT, _own, returns=_LIST),
    Endpoint("DELETE", f"{_OWN}/{{session}}", Action.ACCOUNT, _end_own, status=204, ends=True),
    Endpoint("GET", _USERS, Action.ADMINISTER, _anybodys, returns=_LIST),
    Endpoint(
        "DELETE", f"{_USERS}/{{session}}", Action.ADMINISTER, _end_anybodys, status=204, ends=True
    ),
)
