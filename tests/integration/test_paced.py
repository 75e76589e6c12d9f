"""Nodes share their sweeps: the engine is asked as often by ten of them as by one."""

from __future__ import annotations

from typing import Any, cast

import pytest

from batonbox_server.node import Node
from batonbox_server.service.outbox import Outbox
from batonbox_server.service.paced import pause_of
from batonbox_server.store.outbox_port import OutboxItem, OutboxStore
from tests.served import Served, served
from tests.support import eventually


@pytest.mark.parametrize("nodes", [2, 5, 16])
def test_nodes_together_look_as_often_as_one(nodes: int) -> None:
    pauses = [pause_of(1.0, nodes) for _ in range(4_000)]
    assert sum(pauses) / len(pauses) == pytest.approx(nodes, rel=0.05)
    assert len(set(pauses)) > 1  # not all at the same time
    assert pause_of(1.0, 1) == 1.0


async def knows(node: Node, sharers: int) -> None:
    """Until the node has heard that there are so many."""

    def known() -> bool:
        node.live.hurry()
        return node.outbox.sharers() == node.timers.sharers() == sharers

    await eventually(known)


async def test_a_node_knows_how_many_share_its_sweeps(engine_url: str, prefix: str) -> None:
    async with served(engine_url, prefix) as site:
        assert site.node.outbox.sharers() == site.node.timers.sharers() == 1
        async with served(engine_url, prefix, empty=True) as other:
            await knows(site.node, 2)
            await knows(other.node, 2)
        await knows(site.node, 1)


class Counted:
    """An outbox of its own over the site's store; `looks` counts the inboxes that it looked at."""

    def __init__(self, site: Served, *, sharers: int) -> None:
        node, store = site.node, cast(OutboxStore, self)
        self.store, self.looks = node.store, 0
        self.outbox = Outbox(
            store,
            node.directory,
            node.outbox._sender,
            node.durability,
            lease_s=30,
            attempts=1,
            sweep_s=0.02,
        )
        self.outbox.sharers = lambda: sharers

    async def lease_outbox(self, **given: Any) -> list[OutboxItem]:
        self.looks += 1
        return await self.store.lease_outbox(**given)


async def test_who_shares_looks_more_seldom_and_at_once_where_something_was_queued(
    engine_url: str, prefix: str
) -> None:
    async with served(engine_url, prefix) as site:
        inboxes = len(site.node.directory.inboxes)
        alone, one_of_many = Counted(site, sharers=1), Counted(site, sharers=1_000_000)
        for each in (alone, one_of_many):
            each.outbox.start()
        try:
            await eventually(lambda: alone.looks >= 10 * inboxes)
            assert one_of_many.looks == inboxes
            one_of_many.outbox.poke("sales")
            await eventually(lambda: one_of_many.looks == inboxes + 1)
        finally:
            for each in (alone, one_of_many):
                await each.outbox.aclose()
