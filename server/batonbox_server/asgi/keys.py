"""API keys of people and bots over HTTP: their scopes, their last use, revoking them."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct
from starlette.responses import Response

from batonbox_server.domain.policy import Action, Scope
from batonbox_server.errors import Refused
from batonbox_server.service.identity import LIMITS
from batonbox_server.session.ports import Principal

from . import answers
from .endpoint import Call, Endpoint
from .naming import known, listed
from .shapes import token_json

__all__ = ["ENDPOINTS"]

Limit = Annotated[int, Meta(ge=1, le=1_000_000)]


class NewToken(Struct, forbid_unknown_fields=True):
    """Body of POST tokens; `limits` are raised for load tests.

    `scopes`: `read` (see, mark), `act` (assign, reply, ... what is theirs), `admin` (administer,
    dispatch, take over, others' conversations). Left out: everything the user may; for a bot read
    and act.
    """

    label: Annotated[str, Meta(max_length=120)] = ""
    limits: dict[str, Limit] = msgspec.field(default_factory=dict)
    scopes: list[Scope] | None = None


async def _tokens(call: Call) -> dict[str, Any]:
    """A team member's API tokens, without their secrets; `last_used_at` is right to the minute."""
    known((await call.services.organisation.state()).users, call.path("user"))
    found = await call.services.organisation.tokens(call.path("user"))
    return listed([token_json(token) for token in found])


async def _create_token(call: Call) -> dict[str, Any]:
    """Make an API token; its secret is shown this once. No token makes one of wider scopes."""
    body, user = await call.body(NewToken), call.path("user")
    unknown = set(body.limits) - LIMITS
    if unknown:
        raise Refused("bad_request", f"limits: one of {', '.join(sorted(LIMITS))}.")
    identity = call.services.identity
    _no_wider(call.principal, await identity.scopes_of_new(user, body.scopes))
    token, secret = await identity.make_token(
        user=user, label=body.label, limits=body.limits, scopes=body.scopes
    )
    return {**token_json(token), "token": secret}


def _no_wider(principal: Principal, scopes: tuple[str, ...]) -> None:
    wider = [scope for scope in scopes if scope not in principal.scopes]
    if wider:
        raise Refused(
            "forbidden",
            f"This API key lacks the scope {', '.join(wider)}, so it makes no key that has it; "
            "name `scopes` that it has.",
        )


async def _delete_token(call: Call) -> Response:
    """Revoke an API token; its connections close at once."""
    name, user = call.path("token"), call.path("user")
    found = await call.services.organisation.tokens(user)
    if name not in {token.id for token in found}:
        raise Refused("not_found", "This user has no such token.")
    await call.services.organisation.delete_token(name)
    return Response(status_code=204)


_A: Final = Action.ADMINISTER
_PATH: Final = "/v1/admin/users/{user}/tokens"
ENDPOINTS: Final = (
    Endpoint("GET", _PATH, _A, _tokens, returns=answers.Items[answers.Token]),
    Endpoint(
        "POST",
        _PATH,
        _A,
        _create_token,
        201,
        body=NewToken,
        returns=answers.MadeToken,
        errors=("conflict",),
    ),
    Endpoint("DELETE", f"{_PATH}/{{token}}", _A, _delete_token, status=204, ends=True),
)
