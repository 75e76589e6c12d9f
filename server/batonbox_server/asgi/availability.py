"""Being away and being back over HTTP: one's own, and an admin's word for somebody else."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from batonbox_server.domain.policy import Action
from batonbox_server.service.commands import mode_of
from batonbox_server.wire import SetAway

from .endpoint import Call, Endpoint
from .rest import admitted_cid

__all__ = ["ENDPOINTS"]


class AvailabilityChange(Struct, forbid_unknown_fields=True):
    """Away or back; `release`: a customer's next message goes back to everybody meanwhile."""

    away: bool
    release: bool = True


class Availability(Struct):
    """What was set; every inbox they joined obeys it by now."""

    user: str
    away: bool
    release: bool


async def _set_away(call: Call) -> dict[str, Any]:
    """Say that I am away, or back; answered once every inbox I joined obeys.

    It sets a value, so a repetition changes nothing.
    """
    cid = admitted_cid(call)
    body = await call.body(AvailabilityChange)
    args = SetAway(cid=cid, away=body.away, release=body.release)
    return await call.services.commands.run(call.principal, "set_away", args)


async def _set_theirs(call: Call) -> dict[str, Any]:
    """Set a team member away, or available again; they see it at once."""
    body, user = await call.body(AvailabilityChange), call.path("user")
    mode = mode_of(away=body.away, release=body.release)
    await call.services.administration.set_away(user, mode)
    return {"user": user, **msgspec.structs.asdict(body), "release": body.away and body.release}


ENDPOINTS: Final = (
    Endpoint(
        "POST",
        "/v1/me/set_away",
        Action.ACCOUNT,
        _set_away,
        body=AvailabilityChange,
        returns=Availability,
        errors=("rate_limited",),
        keyed=True,
    ),
    Endpoint(
        "PUT",
        "/v1/admin/users/{user}/availability",
        Action.ADMINISTER,
        _set_theirs,
        body=AvailabilityChange,
        returns=Availability,
        errors=("not_found",),
    ),
)
