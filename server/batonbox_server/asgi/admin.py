"""Administration over HTTP: users, inboxes, memberships, tokens, passwords, numbers."""

from __future__ import annotations

import secrets
import time
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct
from starlette.responses import Response

from batonbox_server.domain.model import Role
from batonbox_server.domain.policy import Action
from batonbox_server.errors import Refused
from batonbox_server.service.identity import LIMITS
from batonbox_server.service.texts import check_id, e164
from batonbox_server.service.views import frame_of_inbox, frame_of_user
from batonbox_server.store.directory_port import Inbox, Route, User

from . import answers
from .endpoint import Call, Endpoint
from .shapes import timestamp, token_json

__all__ = ["ENDPOINTS"]

Name = Annotated[str, Meta(min_length=1, max_length=120)]
Limit = Annotated[int, Meta(ge=1, le=1_000_000)]


class NewUser(Struct, forbid_unknown_fields=True):
    """Body of POST users."""

    name: Name
    id: str | None = None
    role: Role = Role.MEMBER


class UserChange(Struct, forbid_unknown_fields=True):
    """Body of PATCH users."""

    name: Name | None = None
    role: Role | None = None


class NewInbox(Struct, forbid_unknown_fields=True):
    """Body of POST inboxes."""

    name: Name
    id: str | None = None
    numbers: list[str] = []
    members: list[str] = []


class InboxChange(Struct, forbid_unknown_fields=True):
    """Body of PATCH inboxes."""

    name: Name | None = None
    numbers: list[str] | None = None
    members: list[str] | None = None


class NewToken(Struct, forbid_unknown_fields=True):
    """Body of POST tokens; `limits` are raised for load tests."""

    label: Annotated[str, Meta(max_length=120)] = ""
    limits: dict[str, Limit] = msgspec.field(default_factory=dict)


class NewPassword(Struct, forbid_unknown_fields=True):
    """Body of PUT password."""

    password: Annotated[str, Meta(max_length=1024)]


class NewBinding(Struct, forbid_unknown_fields=True):
    """Body of PUT numbers."""

    inbox: str
    carrier: str


async def _users(call: Call) -> dict[str, Any]:
    """Every team member."""
    state = await call.services.organisation.state()
    return _list([frame_of_user(state.users[name]) for name in sorted(state.users)])


async def _create_user(call: Call) -> dict[str, Any]:
    """Add a team member; `id` is made up when left out."""
    body = await call.body(NewUser)
    user = User(_id(body.id, "usr"), body.name, body.role)
    await call.services.administration.create_user(user)
    return frame_of_user(user)


async def _edit_user(call: Call) -> dict[str, Any]:
    """Rename a team member or change their role."""
    body, name = await call.body(UserChange), call.path("user")
    await call.services.administration.edit_user(name, name=body.name, role=body.role)
    return frame_of_user(_known(call.services.directory.users, name))


async def _delete_user(call: Call) -> Response:
    """Remove a team member: their access ends at once, the last admin stays."""
    await call.services.administration.delete_user(call.path("user"))
    return Response(status_code=204)


async def _inboxes(call: Call) -> dict[str, Any]:
    """Every inbox."""
    state = await call.services.organisation.state()
    return _list([frame_of_inbox(state.inboxes[name]) for name in sorted(state.inboxes)])


async def _create_inbox(call: Call) -> dict[str, Any]:
    """Create an inbox; `id` is made up when left out."""
    body = await call.body(NewInbox)
    inbox = Inbox(
        _id(body.id, "ibx"), body.name, _unique(body.members), _numbers(body.numbers) or ()
    )
    await call.services.administration.create_inbox(inbox)
    return frame_of_inbox(inbox)


async def _edit_inbox(call: Call) -> dict[str, Any]:
    """Rename an inbox or replace its numbers or members."""
    body, name = await call.body(InboxChange), call.path("inbox")
    await call.services.administration.edit_inbox(
        name,
        name=body.name,
        members=None if body.members is None else _unique(body.members),
        numbers=_numbers(body.numbers),
    )
    return frame_of_inbox(_known(call.services.directory.inboxes, name))


async def _delete_inbox(call: Call) -> Response:
    """Delete an inbox with everything in it."""
    await call.services.administration.delete_inbox(call.path("inbox"))
    return Response(status_code=204)


async def _add_member(call: Call) -> Response:
    """Make somebody a member of the inbox."""
    return await _set_member(call, on=True)


async def _drop_member(call: Call) -> Response:
    """End a membership; the conversations return to the inbox."""
    return await _set_member(call, on=False)


async def _set_member(call: Call, *, on: bool) -> Response:
    inbox, user = call.path("inbox"), call.path("user")
    await call.services.administration.set_member(inbox=inbox, user=user, on=on)
    return Response(status_code=204)


async def _tokens(call: Call) -> dict[str, Any]:
    """A team member's API tokens, without their secrets."""
    await _user_exists(call)
    found = await call.services.organisation.tokens(call.path("user"))
    return _list([token_json(token) for token in found])


async def _create_token(call: Call) -> dict[str, Any]:
    """Make an API token; its secret is shown this once."""
    body = await call.body(NewToken)
    unknown = set(body.limits) - LIMITS
    if unknown:
        raise Refused("bad_request", f"limits: one of {', '.join(sorted(LIMITS))}.")
    token, secret = await call.services.identity.make_token(
        user=call.path("user"), label=body.label, limits=body.limits
    )
    return {**token_json(token), "token": secret}


async def _delete_token(call: Call) -> Response:
    """Revoke an API token; its connections close at once."""
    user, name = call.path("user"), call.path("token")
    found = await call.services.organisation.tokens(user)
    if name not in {token.id for token in found}:
        raise Refused("not_found", "This user has no such token.")
    await call.services.organisation.delete_token(name)
    return Response(status_code=204)


async def _bindings(call: Call) -> dict[str, Any]:
    """Every number, where it delivers and through which carrier."""
    state = await call.services.organisation.state()
    return _list([_binding_json(state.routes[number]) for number in sorted(state.routes)])


async def _bind(call: Call) -> dict[str, Any]:
    """Let a number deliver to an inbox."""
    body = await call.body(NewBinding)
    if body.carrier not in call.services.carriers:
        known = ", ".join(sorted(call.services.carriers))
        raise Refused("bad_request", f"carrier: this server has {known}.")
    route = Route(e164(call.path("number"), field="number"), body.inbox, body.carrier)
    await call.services.administration.set_route(route)
    return _binding_json(route)


async def _unbind(call: Call) -> Response:
    """Let a number deliver nowhere."""
    number = e164(call.path("number"), field="number")
    route = await call.services.organisation.route(number)
    if route is None:
        raise Refused("not_found", "This number delivers nowhere.")
    inbox = _known((await call.services.organisation.state()).inboxes, route.inbox)
    kept = tuple(n for n in inbox.numbers if n != number)
    await call.services.administration.edit_inbox(route.inbox, numbers=kept)
    return Response(status_code=204)


async def _unrouted(call: Call) -> dict[str, Any]:
    """Messages that no inbox wanted, newest first, with the reason."""
    found = sorted(await call.services.organisation.unrouted(), key=lambda m: -int(m["at_ms"]))
    return _list([{**message, "at": timestamp(message["at_ms"])} for message in found])


async def _set_password(call: Call) -> Response:
    """Set a team member's password; their sessions end."""
    body = await call.body(NewPassword)
    await call.services.sign_in.set_password(call.path("user"), body.password)
    return Response(status_code=204)


async def _user_exists(call: Call) -> None:
    _known((await call.services.organisation.state()).users, call.path("user"))


def _list(items: list[Any]) -> dict[str, Any]:
    return {"items": items, "next": None}


def _known(table: dict[str, Any], name: str) -> Any:
    if name not in table:
        raise Refused("not_found", f"There is no {name!r}.")
    return table[name]


def _id(given: str | None, prefix: str) -> str:
    if given is not None:
        return check_id(given, field="id")
    # Begins with the time, so that ids sort by their making (the layout of UUIDv7 in hex).
    return f"{prefix}_{int(time.time() * 1000):012x}7{secrets.token_hex(10)[:19]}"


def _unique(names: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _numbers(given: list[str] | None) -> tuple[str, ...] | None:
    if given is None:
        return None
    return tuple(dict.fromkeys(e164(number, field="numbers") for number in given))


def _binding_json(route: Route) -> dict[str, Any]:
    return {"number": route.number, "inbox": route.inbox, "carrier": route.carrier}


_A: Final = Action.ADMINISTER
ENDPOINTS: Final = (
    Endpoint("GET", "/v1/admin/users", _A, _users, returns=answers.Items[answers.User]),
    Endpoint(
        "POST",
        "/v1/admin/users",
        _A,
        _create_user,
        201,
        body=NewUser,
        returns=answers.User,
        errors=("conflict",),
    ),
    Endpoint(
        "PATCH",
        "/v1/admin/users/{user}",
        _A,
        _edit_user,
        body=UserChange,
        returns=answers.User,
        errors=("conflict",),
    ),
    Endpoint(
        "DELETE", "/v1/admin/users/{user}", _A, _delete_user, status=204, errors=("conflict",)
    ),
    Endpoint(
        "PUT",
        "/v1/admin/users/{user}/password",
        _A,
        _set_password,
        status=204,
        body=NewPassword,
        errors=("conflict",),
    ),
    Endpoint(
        "GET", "/v1/admin/users/{user}/tokens", _A, _tokens, returns=answers.Items[answers.Token]
    ),
    Endpoint(
        "POST",
        "/v1/admin/users/{user}/tokens",
        _A,
        _create_token,
        201,
        body=NewToken,
        returns=answers.MadeToken,
        errors=("conflict",),
    ),
    Endpoint("DELETE", "/v1/admin/users/{user}/tokens/{token}", _A, _delete_token, status=204),
    Endpoint("GET", "/v1/admin/inboxes", _A, _inboxes, returns=answers.Items[answers.Inbox]),
    Endpoint(
        "POST",
        "/v1/admin/inboxes",
        _A,
        _create_inbox,
        201,
        body=NewInbox,
        returns=answers.Inbox,
        errors=("conflict", "not_found"),
    ),
    Endpoint(
        "PATCH",
        "/v1/admin/inboxes/{inbox}",
        _A,
        _edit_inbox,
        body=InboxChange,
        returns=answers.Inbox,
        errors=("conflict",),
    ),
    Endpoint(
        "DELETE", "/v1/admin/inboxes/{inbox}", _A, _delete_inbox, status=204, errors=("conflict",)
    ),
    Endpoint(
        "PUT",
        "/v1/admin/inboxes/{inbox}/members/{user}",
        _A,
        _add_member,
        status=204,
        errors=("conflict",),
    ),
    Endpoint(
        "DELETE",
        "/v1/admin/inboxes/{inbox}/members/{user}",
        _A,
        _drop_member,
        status=204,
        errors=("conflict",),
    ),
    Endpoint("GET", "/v1/admin/numbers", _A, _bindings, returns=answers.Items[answers.Binding]),
    Endpoint(
        "PUT",
        "/v1/admin/numbers/{number}",
        _A,
        _bind,
        body=NewBinding,
        returns=answers.Binding,
        errors=("conflict",),
    ),
    Endpoint("DELETE", "/v1/admin/numbers/{number}", _A, _unbind, status=204, errors=("conflict",)),
    Endpoint("GET", "/v1/admin/unrouted", _A, _unrouted, returns=answers.Items[answers.Unrouted]),
)
