"""Who waits, as a scripted server tells it: read, followed, and read anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from batonbox import Client, Router
from batonbox._tasks import cancel_all, spawn
from batonbox._wire import Op
from batonbox.bot._waiting import Waiting
from batonbox.bot._waits import Due, Waits
from tests.sdk.bot.made import Clock, turns
from tests.sdk.conftest import SignIn
from tests.sdk.scripted import Peer, event, row, snap
from tests.support import eventually


@asynccontextmanager
async def watching(client: Client, clock: Clock) -> AsyncIterator[list[str]]:
    """Conversations that are due, with handlers that want them at once."""
    told: list[str] = []
    router = Router()

    @router.unassigned(older_than_s=0)
    async def handler(conversation: Any) -> None: ...

    def on_due(due: Due) -> None:
        told.append(due.row.id)

    waiting = Waiting(
        client, None, Waits(router._waits), clock=clock, holds=lambda _: True, on_due=on_due
    )
    tasks: set[asyncio.Task[Any]] = set()
    spawn(tasks, waiting.follow(), name="follow")
    spawn(tasks, waiting.tell(), name="tell")
    try:
        yield told
    finally:
        await cancel_all(tasks)


async def page(peer: Peer, inbox: str, *convs: str) -> None:
    """Answer the reading of an inbox's unassigned."""
    asked = await peer.expect(Op.PAGE)
    assert asked[2:4] == [inbox, "unassigned"]
    rows = [row(conv, last_ms=1, status="unassigned") for conv in convs]
    await peer.ok(asked, rows=rows, next=None)


async def test_a_reading_that_fails_is_tried_again(sign_in: SignIn) -> None:
    client, peer = await sign_in()
    clock = Clock()
    async with watching(client, clock) as told:
        await peer.ok(await peer.expect(Op.SUB))
        await peer.send(snap(1))
        asked = await peer.expect(Op.PAGE)
        await peer.send([int(Op.ERR), asked[1], 130, "unavailable", "away", None, None])
        await eventually(lambda: clock.sleeping)
        await turns()
        assert peer.nothing_more()
        await clock.go_on(1)
        await page(peer, "sales", "sales.c1")
        await eventually(lambda: told == ["sales.c1"])


async def test_an_inbox_that_comes_later_is_read_with_its_first_event(sign_in: SignIn) -> None:
    client, peer = await sign_in()
    async with watching(client, Clock()) as told:
        await peer.ok(await peer.expect(Op.SUB))
        await peer.send(snap(1))
        await page(peer, "sales", "sales.c1")
        await peer.send(event(2))  # of an inbox that was read: nothing to read again
        added = {"id": "support", "name": "Support", "members": ["agent1"]}
        await peer.send([int(Op.ORG), "inbox", added])
        assert (await peer.expect(Op.SUB))[2] == [["support", "list"]]
        meta = {"type": "received", "conv": "support.c2", "row": row("support.c2", rev=8)}
        await peer.send(
            [int(Op.SNAP), "support", "e1", 7, "tip7", {}, {}, []],
            [int(Op.EV), "support", 8, meta, {"text": "hello"}, "tip8"],
        )
        await page(peer, "sales", "sales.c1")
        await page(peer, "support", "support.c1", "support.c2")
        await eventually(lambda: sorted(told) == ["sales.c1", "support.c1", "support.c2"])
