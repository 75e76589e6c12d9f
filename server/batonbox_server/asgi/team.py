"""Team members over HTTP: invitations, deactivation and reactivation."""

from __future__ import annotations

from typing import Annotated, Any, Final

from msgspec import Meta, Struct
from starlette.responses import Response

from batonbox_server.domain.model import Role
from batonbox_server.domain.policy import Action
from batonbox_server.service.views import frame_of_user
from batonbox_server.store.directory_port import Invite

from . import answers
from .endpoint import Call, Endpoint
from .origins import address_of, own_origin
from .session import begun
from .shapes import timestamp

__all__ = ["ENDPOINTS"]

Typed = Annotated[str, Meta(max_length=1024)]
Inboxes = Annotated[list[str], Meta(max_length=1000)]


class NewInvite(Struct, forbid_unknown_fields=True):
    """Body of POST invites; `user` is made of the name when left out."""

    name: Typed
    user: str | None = None
    role: Role = Role.MEMBER
    inboxes: Inboxes = []


class Code(Struct, forbid_unknown_fields=True):
    """Body of POST session/invite/look."""

    code: Typed


class Acceptance(Struct, forbid_unknown_fields=True):
    """Body of POST session/invite."""

    code: Typed
    password: Typed


class Reactivation(Struct, forbid_unknown_fields=True):
    """Body of POST reactivate: the inboxes to join."""

    inboxes: Inboxes = []


async def _invites(call: Call) -> dict[str, Any]:
    """The invitations that can still be accepted."""
    found = await call.services.invites.waiting()
    return {"items": [_invite_json(invite) for invite in found], "next": None}


async def _invite(call: Call) -> dict[str, Any]:
    """Invite somebody; code and link are shown this once."""
    body = await call.body(NewInvite)
    invite, code = await call.services.invites.create(
        user=body.user,
        name=body.name,
        role=body.role,
        inboxes=tuple(dict.fromkeys(body.inboxes)),
        by=call.principal.user,
    )
    link = f"{own_origin(call.request.scope)}/sign-in#invite={code}"
    return {**_invite_json(invite), "code": code, "link": link}


async def _revoke(call: Call) -> Response:
    """Revoke an invitation."""
    await call.services.invites.revoke(call.path("invite"))
    return Response(status_code=204)


async def _look(call: Call) -> dict[str, Any]:
    """Whom a code invites, and where to."""
    scope = call.request.scope
    call.services.origins.check(scope)
    body = await call.body(Code)
    invite = await call.services.invites.look(body.code, address=address_of(scope))
    return {
        "user": invite.user,
        "name": invite.name,
        "organisation": {"name": call.services.directory.name},
        "expires_at": timestamp(invite.expires_ms),
    }


async def _accept(call: Call) -> Response:
    """Accept an invitation with a password of one's own; signed in by it."""
    scope = call.request.scope
    call.services.origins.check(scope)
    body = await call.body(Acceptance)
    session = await call.services.invites.accept(
        body.code, password=body.password, address=address_of(scope)
    )
    return await begun(call, session)


async def _deactivate(call: Call) -> dict[str, Any]:
    """End all access of a team member at once; their conversations return to the inboxes."""
    user = call.path("user")
    await call.services.administration.deactivate_user(user)
    return frame_of_user(call.services.directory.users[user])


async def _reactivate(call: Call) -> dict[str, Any]:
    """Let a team member in again, into the inboxes named."""
    body, user = await call.body(Reactivation), call.path("user")
    inboxes = tuple(dict.fromkeys(body.inboxes))
    await call.services.administration.reactivate_user(user, inboxes=inboxes)
    return frame_of_user(call.services.directory.users[user])


def _invite_json(invite: Invite) -> dict[str, Any]:
    return {
        "id": invite.id,
        "user": invite.user,
        "name": invite.name,
        "role": str(invite.role),
        "inboxes": list(invite.inboxes),
        "by": invite.by,
        "created_at": timestamp(invite.created_ms),
        "expires_at": timestamp(invite.expires_ms),
    }


_A: Final = Action.ADMINISTER
_SECRET: Final = ("unauthorized", "forbidden", "rate_limited")
ENDPOINTS: Final = (
    Endpoint("GET", "/v1/admin/invites", _A, _invites, returns=answers.Items[answers.Invitation]),
    Endpoint(
        "POST",
        "/v1/admin/invites",
        _A,
        _invite,
        201,
        body=NewInvite,
        returns=answers.MadeInvitation,
        errors=("conflict", "not_found"),
    ),
    Endpoint("DELETE", "/v1/admin/invites/{invite}", _A, _revoke, status=204),
    Endpoint(
        "POST",
        "/v1/admin/users/{user}/deactivate",
        _A,
        _deactivate,
        returns=answers.User,
        errors=("conflict",),
    ),
    Endpoint(
        "POST",
        "/v1/admin/users/{user}/reactivate",
        _A,
        _reactivate,
        body=Reactivation,
        returns=answers.User,
    ),
    Endpoint(
        "POST",
        "/v1/session/invite",
        None,
        _accept,
        body=Acceptance,
        returns=answers.SignedIn,
        errors=(*_SECRET, "conflict"),
    ),
    Endpoint(
        "POST",
        "/v1/session/invite/look",
        None,
        _look,
        body=Code,
        returns=answers.Invited,
        errors=_SECRET,
    ),
)
