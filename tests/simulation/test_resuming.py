"""Resuming where a failover and a lagging node meet: found by looking at every order of the small
model, told here as a story of the real hub."""

from __future__ import annotations

import asyncio
import random

import pytest

from batonbox_server.torture.checking import Verdict, check_round
from batonbox_server.torture.record import Fault
from tests.simulation.engine import OUR
from tests.simulation.loop import run
from tests.simulation.world import Plan, World

SEEDS = range(5)


class Story(World):
    """Two nodes that lose nothing by themselves; clients go where they are told."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed, Plan(customers=0, commands=0, faults=0))
        self.loses = self.doubles = 0.0

    def receive(self, number: int) -> None:
        """A customer writes."""
        self.engine.run("receive", conv=f"box.{number}", our=OUR, customer=f"+1555020{number}",
                        provider_id=f"p{number}", text=f"said {number}")  # fmt: skip

    async def begin(self) -> None:
        """Ann is at the first node, bob at the second."""
        for user in ("ann", "bob", "cy"):
            self.engine.run("join", to=user)
        self.engine.replicate()
        for node in self.nodes:
            await node.start()
        for i, client in enumerate(self.clients):
            client.goes_to = self.nodes[i % 2]
        await asyncio.gather(*(client.open() for client in self.clients))

    async def end(self) -> Verdict:
        """Rest, and judge."""
        self.note(Fault(kind="failover", target="", began_ns=0, ended_ns=self.now_ns(),
                        detail={"may_lose": True}))  # fmt: skip
        await self._until_quiet()
        self.note(self.engine.final(self.now_ns()))
        await asyncio.gather(*(client.close() for client in self.clients))
        await asyncio.gather(*(node.die() for node in self.nodes))
        return check_round(self.records)

    async def until(self, seq: int, client: int = 0) -> None:
        """Until the client has applied so much."""
        while (place := self.clients[client].client.position("box")) is None or place.seq < seq:
            await asyncio.sleep(0.001)

    async def moves(self, client: int, node: int) -> None:
        """The client's connection breaks, and it comes back elsewhere."""
        agent = self.clients[client]
        agent.goes_to, before = self.nodes[node], agent.subscribed
        assert agent.end is not None
        agent.end.socket.cut()
        while agent.subscribed == before:
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_position_ahead_of_the_node_is_compared_once_the_node_is_there(seed: int) -> None:
    """What the client is ahead by may be lost before its node ever hears of it."""

    async def story() -> Verdict:
        told = Story(seed)
        await told.begin()
        told.nodes[1].channel.whole = False  # it does not hear of the next event
        told.receive(1)
        await told.until(4)
        await told.moves(client=0, node=1)
        told.engine.fail_over()
        told.nodes[1].channel.whole = True
        told.receive(2)
        told.receive(3)
        return await told.end()

    random.seed(seed)
    verdict, crashes = run(story)
    assert verdict.violations == []
    assert crashes == []
