"""How long messages are kept, over HTTP; and what is kept whatever its age."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from msgspec import Struct

from batonbox_server.domain.model import inbox_of, is_room
from batonbox_server.domain.policy import Action
from batonbox_server.errors import Refused
from batonbox_server.store.archiving_port import Hold
from batonbox_server.store.retention_port import Rules

from .answers import Items
from .answers_retention import ArchiveReport, Held, HoldItem, RetentionRules
from .endpoint import Call, Endpoint
from .rest import admitted_cid
from .shapes import timestamp

__all__ = ["ENDPOINTS"]


class RetentionChange(Struct, forbid_unknown_fields=True):
    """Both rules as they shall be."""

    external_days: int
    internal_days: int


class HoldChange(Struct, forbid_unknown_fields=True):
    """Hold, saying why, or hold no longer."""

    on: bool
    reason: str = ""


async def _archive(call: Call) -> dict[str, Any]:
    """How much is in the archive, and whether all that should be is."""
    readiness = call.services.readiness
    status, counts = await call.services.retention.archive(), readiness.counts()
    return {
        "state": readiness.archive(),
        "kind": status.kind if status else "none",
        "messages": status.lines if status else 0,
        "conversations": status.rows if status else 0,
        "size_bytes": status.size_bytes if status else 0,
        "waiting": counts["archive_waiting"],
        "memory_used": counts["engine_memory_used"],
        "memory_bound": counts["engine_memory_bound"],
    }


async def _rules(call: Call) -> dict[str, Any]:
    """The rules of how long messages are kept."""
    return asdict(await call.services.retention.rules())


async def _set_rules(call: Call) -> dict[str, Any]:
    """Erase messages when they are older, for everybody and for ever; 0 keeps them.

    What is held stays. A conversation that is done and has no message left is gone.
    """
    body = await call.body(RetentionChange)
    rules = Rules(body.external_days, body.internal_days)
    return asdict(await call.services.retention.set_rules(rules))


async def _hold_conversation(call: Call) -> dict[str, Any]:
    """Erase nothing of a conversation whatever its age, or let the rule count again."""
    conv = call.path("conv")
    if is_room(conv):
        raise Refused("not_found")
    return await _hold(call, conv)


async def _hold_room(call: Call) -> dict[str, Any]:
    """Erase nothing of a room whatever its age, or let the rule count again.

    It takes no membership, and lets nobody read.
    """
    room = call.path("room")
    if not is_room(room):
        raise Refused("not_found")
    return await _hold(call, room)


async def _hold(call: Call, conv: str) -> dict[str, Any]:
    cid = admitted_cid(call)
    body = await call.body(HoldChange)
    # One that was said while its inbox was being deleted stops that; it can be ended all the same.
    known = is_room(conv) or inbox_of(conv) in call.services.directory.inboxes
    if body.on and not known:
        raise Refused("not_found")
    held = await call.services.retention.hold(
        call.principal, conv=conv, cid=cid, on=body.on, reason=body.reason
    )
    return {"hold": None if held is None else _item(held)}


async def _holds(call: Call) -> dict[str, Any]:
    """Everything that is held, the oldest hold first."""
    return {"items": [_item(hold) for hold in await call.services.retention.holds()], "next": None}


def _item(hold: Hold) -> dict[str, Any]:
    return {
        "conv": hold.conv,
        "inbox": "" if is_room(hold.conv) else inbox_of(hold.conv),
        "reason": hold.reason,
        "by": hold.by,
        "since_at": timestamp(hold.since_ms),
    }


_A: Final = Action.ADMINISTER
_HOLDING: Final = ("not_found", "rate_limited")
ENDPOINTS: Final = (
    Endpoint("GET", "/v1/archive", _A, _archive, returns=ArchiveReport),
    Endpoint("GET", "/v1/retention", _A, _rules, returns=RetentionRules),
    Endpoint("PUT", "/v1/retention", _A, _set_rules, body=RetentionChange, returns=RetentionRules),
    Endpoint("GET", "/v1/holds", _A, _holds, returns=Items[HoldItem]),
    Endpoint(
        "POST",
        "/v1/conversations/{conv}/hold",
        _A,
        _hold_conversation,
        body=HoldChange,
        returns=Held,
        errors=_HOLDING,
        keyed=True,
    ),
    Endpoint(
        "POST",
        "/v1/rooms/{room}/hold",
        _A,
        _hold_room,
        body=HoldChange,
        returns=Held,
        errors=_HOLDING,
        keyed=True,
    ),
)
