"""Reads of a log that it has lost since: found by looking at every order of the small model, told
here as stories of the real hub."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from batonbox_server.hub.follower import Follower
from batonbox_server.tasks import spawn
from batonbox_server.torture.checking import Verdict
from tests.simulation.loop import run
from tests.simulation.node import Node
from tests.simulation.test_resuming import Story

SEEDS = range(5)


class LateLogs:
    """A node's reads; the first of one kind is asked after `first`, and answered by `release`."""

    def __init__(
        self,
        node: Node,
        held: Callable[[str, dict[str, Any]], bool],
        first: Callable[[], None] = lambda: None,
    ) -> None:
        reads: Any = node.hub._reads
        self._logs, reads.logs = reads.logs, self
        self._held, self._first = held, first
        self._asked = False
        self.taken, self._released = asyncio.Event(), asyncio.Event()

    def __getattr__(self, name: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        async def asked(**fields: Any) -> Any:
            held = not self._asked and self._held(name, fields)
            if held:
                self._asked = True
                self._first()
            answer = await getattr(self._logs, name)(**fields)
            if held:
                self.taken.set()
                await self._released.wait()
            return answer

        return asked

    def release(self) -> None:
        """Now it is there."""
        self._released.set()


def follower_of(node: Node) -> Follower:
    """Of the inbox."""
    (follower,) = node.hub.followers.all.values()
    return follower


async def stale_verdict(told: Story) -> None:
    """Ann's position is confirmed, lost, and her node mended behind it before she hears of it."""
    await told.begin()
    node = told.nodes[1]
    node.channel.whole = False
    told.receive(1)
    await told.until(4)
    late = LateLogs(node, lambda name, asked: name == "head" and asked.get("at") == 4)
    moving = spawn(told.tasks, told.moves(client=0, node=1), name="move")
    await late.taken.wait()
    follower = follower_of(node)
    while follower.feed.hi < 4:  # now it has heard of what will be lost
        await follower.check()
        await asyncio.sleep(0.01)
    told.engine.fail_over()
    told.receive(2)
    told.receive(3)
    while follower.ring.base < 5:  # and stands in the new history, further on
        await follower.check()
        await asyncio.sleep(0.01)
    node.channel.whole = True
    late.release()
    await moving


async def stale_backlog(told: Story) -> None:
    """What ann missed is read up to an end that is lost before her node ever hears of it."""
    await told.begin()
    first, second = told.nodes
    first.channel.whole = False
    told.receive(1)
    told.receive(2)
    await told.until(5, client=1)
    await second.restart()  # it begins at the log's end: what ann missed is not in its ring
    while told.clients[1].end is None or not second.hub.followers.all:
        await asyncio.sleep(0.01)
    follower = follower_of(second)
    while follower.ring.base < 5:
        await asyncio.sleep(0.01)
    told.engine.replicate()
    second.channel.whole = False
    late = LateLogs(
        second,
        lambda name, asked: name == "range" and asked["first"] == 4,
        first=lambda: told.receive(3),
    )
    moving = spawn(told.tasks, told.moves(client=0, node=1), name="move")
    await late.taken.wait()
    told.engine.fail_over()
    late.release()
    await moving
    await told.until(5)
    told.receive(4)
    second.channel.whole = True


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("happens", [stale_verdict, stale_backlog])
def test_what_was_read_of_a_lost_history_does_not_count(
    happens: Callable[[Story], Coroutine[Any, Any, None]], seed: int
) -> None:
    async def story() -> Verdict:
        told = Story(seed)
        await happens(told)
        return await told.end()

    random.seed(seed)
    verdict, crashes = run(story)
    assert verdict.violations == []
    assert crashes == []
