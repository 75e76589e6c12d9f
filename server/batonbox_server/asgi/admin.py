"""Administration over HTTP: the team members, and their passwords."""

from __future__ import annotations

from typing import Annotated, Any, Final

from msgspec import Meta, Struct
from starlette.responses import Response

from batonbox_server.domain.model import Role
from batonbox_server.domain.policy import Action
from batonbox_server.service.views import frame_of_user
from batonbox_server.store.directory_port import User

from . import answers
from .endpoint import Call, Endpoint
from .naming import id_or_new, known, listed

__all__ = ["ENDPOINTS"]

Name = Annotated[str, Meta(min_length=1, max_length=120)]


class NewUser(Struct, forbid_unknown_fields=True):
    """Body of POST users; a bot signs in by API keys alone, and is a member."""

    name: Name
    id: str | None = None
    role: Role = Role.MEMBER
    bot: bool = False


class UserChange(Struct, forbid_unknown_fields=True):
    """Body of PATCH users."""

    name: Name | None = None
    role: Role | None = None


class NewPassword(Struct, forbid_unknown_fields=True):
    """Body of PUT password."""

    password: Annotated[str, Meta(max_length=1024)]


async def _users(call: Call) -> dict[str, Any]:
    """Every team member."""
    state = await call.services.organisation.state()
    return listed([frame_of_user(state.users[name]) for name in sorted(state.users)])


async def _create_user(call: Call) -> dict[str, Any]:
    """Add a team member, or a bot; `id` is made up when left out."""
    body = await call.body(NewUser)
    user = User(id_or_new(body.id, "usr"), body.name, body.role, bot=body.bot)
    await call.services.administration.create_user(user)
    return frame_of_user(user)


async def _edit_user(call: Call) -> dict[str, Any]:
    """Rename a team member or change their role."""
    body, name = await call.body(UserChange), call.path("user")
    await call.services.administration.edit_user(name, name=body.name, role=body.role)
    return frame_of_user(known(call.services.directory.users, name))


async def _delete_user(call: Call) -> Response:
    """Remove a team member: their access ends at once, the last admin stays."""
    await call.services.administration.delete_user(call.path("user"))
    return Response(status_code=204)


async def _set_password(call: Call) -> Response:
    """Set a team member's password; their sessions end."""
    body = await call.body(NewPassword)
    await call.services.sign_in.set_password(call.path("user"), body.password)
    return Response(status_code=204)


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
        ends=True,
    ),
)
