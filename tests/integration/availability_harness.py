"""People who are away, gone or silent, straight on the store."""

from __future__ import annotations

import uuid
from typing import Any

from batonbox_server.domain.model import Availability, InboxOptions
from batonbox_server.store.port import Applied
from tests.integration.store_harness import CUSTOMER, Box

MINUTE_MS = 60_000
AWAY, RELEASE, BACK = Availability.AWAY, Availability.RELEASE, Availability.AVAILABLE


async def act(box: Box, verb: str, conv: str, actor: str, **given: Any) -> Applied:
    """A command of `actor` under a fresh id; the present token, unless told otherwise."""
    if verb not in {"assign", "note"}:
        given = {"own_tok": (await box.row(conv))["own_tok"], **given}
    applied = await getattr(box.store, verb)(conv=conv, actor=actor, cid=uuid.uuid4().hex, **given)
    assert isinstance(applied, Applied)
    return applied


async def owned(box: Box, actor: str = "ann", customer: str = CUSTOMER) -> str:
    """A conversation with an open question that `actor` has."""
    conv = await box.receive(customer)
    await box.assign(conv, actor)
    return conv


async def rules(box: Box, at: int = 1, **given: Any) -> None:
    """The inbox's options."""
    await box.store.set_options(inbox="box", options=InboxOptions(**given), at=at)


async def away(box: Box, user: str, mode: Availability, at: int = 1) -> None:
    """What `user` set."""
    await box.store.set_away(inbox="box", user=user, mode=mode, at=at)


async def gone(box: Box, user: str, since_ms: int, version: int = 1) -> None:
    """Since when `user` has no connection."""
    await box.store.set_offline(inbox="box", user=user, version=version, since_ms=since_ms)


async def holder(box: Box, conv: str) -> tuple[str, str]:
    """Its status and owner."""
    row = await box.row(conv)
    return row["status"], row["assignee"]


async def blue(box: Box, user: str) -> int:
    """How many of the queue `user` has not seen."""
    return (await box.store.marks(inbox="box", user=user)).blue
