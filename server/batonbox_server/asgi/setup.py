"""Setting up an empty server over HTTP, with the token that it printed on its console."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta, Struct
from starlette.responses import Response

from batonbox_server.domain.model import Role
from batonbox_server.store.directory_port import User

from . import answers
from .endpoint import Call, Endpoint
from .origins import address_of
from .session import begun

__all__ = ["ENDPOINTS"]

Typed = Annotated[str, Meta(max_length=1024)]


class NewOrganisation(Struct, forbid_unknown_fields=True):
    """Body of POST setup: `user` and `name` are the first admin's."""

    token: Typed
    organisation: Typed
    user: Typed
    name: Typed
    password: Typed


async def _set_up(call: Call) -> Response:
    """Create the organisation and its first admin, who is signed in."""
    call.services.origins.check(call.request.scope)
    body = await call.body(NewOrganisation)
    session = await call.services.setup.by_token(
        body.token,
        organisation=body.organisation,
        admin=User(body.user, body.name, Role.ADMIN),
        password=body.password,
        address=address_of(call.request.scope),
    )
    return await begun(call, session)


ENDPOINTS: Final = (
    Endpoint(
        "POST",
        "/v1/setup",
        None,
        _set_up,
        body=NewOrganisation,
        returns=answers.SignedIn,
        errors=("unauthorized", "forbidden", "conflict", "rate_limited"),
    ),
)
