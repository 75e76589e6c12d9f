"""An engine that answers late, or not for a while: what it costs, and when it is over."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest

from batonbox._wire import Op
from batonbox.bench import Address, Audience, Commander, Subscriber, failure, open_one
from batonbox_server.asgi.admission import Level
from batonbox_server.engine import EmbeddedEngine
from tests.delaying import delayed
from tests.served import Served, served
from tests.support import eventually

INBOX: Final = "sales"
DELAY_S: Final = 0.2
PAUSE_S: Final = 0.02  # from one command to the next, whatever became of the ones before


class Desk:
    """Notes by the clock, and somebody who hears of all of them."""

    def __init__(self, agent: Commander, audience: Audience, conv: str) -> None:
        self._agent, self._audience, self._conv = agent, audience, conv
        self._sent = 0
        self.top = 0
        self.refused: Counter[str] = Counter()
        self.cids: set[str] = set()

    async def notes(self, count: int) -> list[float]:
        """How long each took from its write to its answer, in seconds, ascending."""
        took: list[float] = []
        begun_s = time.perf_counter()
        for number in range(1, count + 1):
            self._send(took)
            await asyncio.sleep(max(0.0, begun_s + number * PAUSE_S - time.perf_counter()))
        async with asyncio.timeout(30):
            while self._agent.in_flight:
                await asyncio.sleep(0.01)
        return sorted(took)

    async def arrived(self) -> None:
        """Everything that was acknowledged reached who listens, once and in order."""
        assert await self._audience.until({INBOX: self.top}, timeout_s=10)
        account = self._audience.account({INBOX: self.top})
        assert account.right, account

    def _send(self, took: list[float]) -> None:
        self._sent += 1
        cid, sent_s = f"n{self._sent}", time.perf_counter()

        def answered(frame: list[Any]) -> None:
            took.append(time.perf_counter() - sent_s)
            if (error := failure(frame)) is not None:
                self.refused[str(error)] += 1
                return
            self.cids.add(cid)
            self.top = max(self.top, int(frame[2]["seq"]))

        args = {"conv": self._conv, "text": cid, "cid": cid}
        self._agent.request(answered, Op.CMD, "note", args)


def at(took_s: list[float], part: float) -> float:
    return took_s[min(len(took_s) - 1, int(part * len(took_s)))]


@asynccontextmanager
async def desk(engine_url: str) -> AsyncIterator[tuple[Served, Desk]]:
    """A node at this address, an agent with a conversation, and a listener of its inbox."""
    async with served(engine_url, "bb:", commands_in_flight=4096) as site:
        conv, address = await site.texts("hello"), Address.of(site.url)
        tokens = [await site.token(user) for user in ("agent1", "agent2")]
        agent = await open_one(lambda: Commander(address, tokens[0]))
        audience = Audience()
        listener = await open_one(lambda: Subscriber(address, tokens[1], [INBOX], audience))
        audience.members.append(listener)
        try:
            yield site, Desk(agent, audience, conv)
        finally:
            agent.cut()
            listener.cut()


async def stored(site: Served, conv: str) -> list[str]:
    """Texts of the conversation but for the customer's, the newest first."""
    texts: list[str] = []
    before = 0
    while True:
        path = f"/v1/conversations/{conv}/messages?limit=200&before={before}"
        thread = await site.get("agent1", path)
        found = [line["body"]["text"] for line in thread["items"]]
        texts += [text for text in found if text != "hello"]
        before = thread["next"] or 0
        if not before:
            return texts


# On a machine that others use, too, the slowest of a hundred says little; half of them say enough:
# commands that waited twice would take 0.2 to 0.4 s, evenly.
@pytest.mark.parametrize("part", [0.5, pytest.param(0.99, marks=pytest.mark.long)])
async def test_a_slow_engine_costs_what_it_is_slow_by_and_no_more(
    engine: EmbeddedEngine, part: float
) -> None:
    async with delayed(engine.url) as (relay, url), desk(url) as (_, notes):
        await notes.notes(25)
        normal = await notes.notes(100)
        spread_s = max(at(normal, 0.99), 0.04)
        relay.delay_s = DELAY_S
        await notes.notes(25)  # the first of them come on the way from one to the other
        slow = await notes.notes(100)
        relay.delay_s = 0.0
        ended_s = time.perf_counter()
        while at(await notes.notes(25), part) > at(normal, part) + spread_s:
            assert time.perf_counter() - ended_s < 5
        await notes.arrived()
        assert not notes.refused
        # What is added is the delay, and no more than once the normal spread.
        assert slow[0] > DELAY_S
        assert at(slow, part) - at(normal, part) <= DELAY_S + spread_s, (at(normal, part), slow)


@pytest.mark.parametrize("seconds", [1.0, pytest.param(3.0, marks=pytest.mark.long)])
async def test_an_engine_that_stands_still_loses_and_doubles_nothing(
    engine: EmbeddedEngine, seconds: float
) -> None:
    async with desk(engine.url) as (site, notes):
        await notes.notes(20)
        assert engine.pid
        writing = asyncio.get_running_loop().create_task(notes.notes(20 + round(seconds / PAUSE_S)))
        await asyncio.sleep(10 * PAUSE_S)
        os.kill(engine.pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            os.kill(engine.pid, signal.SIGCONT)
        ended_s = time.perf_counter()
        await writing
        assert time.perf_counter() - ended_s < 5
        await notes.arrived()
        # An engine that has stood for 2 s is overload: commands are turned away, without effect.
        assert all(told.startswith("rate_limited") for told in notes.refused), notes.refused
        await eventually(lambda: site.node.shedder.level is Level.CALM)
        thread = Counter(await stored(site, notes._conv))
        assert thread == Counter(notes.cids)
