"""More than can be served: what waits is told until when, and who is connected loses nothing."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest

from batonbox._wire import Op
from batonbox.bench import Address, Audience, Commander, Lean, Refused, Subscriber, open_one
from batonbox_server.engine import EmbeddedEngine
from tests.served import Served, served
from tests.support import eventually

INBOX = "sales"


class Mute(Lean):
    """Opens a websocket and says nothing."""

    def message(self, payload: bytes) -> None:
        """Nothing is expected."""


def mute(site: Served) -> Mute:
    link = Mute(Address.of(site.url), hello=b"")
    link.ready.set_result(None)
    return link


async def commander(site: Served, user: str = "agent1") -> Commander:
    token = await site.token(user)
    return await open_one(lambda: Commander(Address.of(site.url), token))


async def turned_away(site: Served) -> int:
    """The seconds after which the server wants this client back."""
    with pytest.raises(Refused) as refused:
        await commander(site)
    assert refused.value.status == 503
    return int(refused.value.retry_after_s)


@contextmanager
def frozen(engine: EmbeddedEngine) -> Iterator[None]:
    """The engine stands still, as one does that swaps or whose machine is overloaded."""
    assert engine.pid
    os.kill(engine.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(engine.pid, signal.SIGCONT)


@asynccontextmanager
async def listening(site: Served) -> AsyncIterator[Audience]:
    """Somebody who follows the inbox, and counts."""
    audience, token = Audience(), await site.token("agent2")
    address = Address.of(site.url)
    member = await open_one(lambda: Subscriber(address, token, [INBOX], audience))
    audience.members.append(member)
    try:
        yield audience
    finally:
        member.cut()


async def test_a_stalled_engine_sheds_what_can_wait_and_nothing_of_who_is_there(
    engine: EmbeddedEngine,
) -> None:
    async with (
        served(engine.url, "bb:", engine_timeout_s=30.0) as site,
        listening(site) as audience,
    ):
        conv = await site.texts("hello")
        agent = await commander(site)
        own = await agent.ask(Op.CMD, "assign", {"conv": conv, "cid": "a1"})
        shedder = site.node.shedder
        with frozen(engine):
            await eventually(lambda: shedder.level.name == "OVERLOADED", timeout_s=30)
            answer = await site.call("agent1", "GET", "/v1/me")
            assert answer.status_code == 503
            assert answer.json()["code"] == "unavailable"
            assert 1 <= int(answer.headers["retry-after"]) <= 3
            assert await turned_away(site) >= 1
            refused: list[list[object]] = []
            agent.request(refused.append, Op.CMD, "note", {"conv": conv, "text": "x", "cid": "n1"})
            await eventually(lambda: refused)
            assert refused[0][3] == "rate_limited"
            assert int(str(refused[0][5])) >= 1000
            assert (await site.http.get("/livez")).status_code == 200
            ready = await site.http.get("/readyz")
            assert ready.json()["load"] == "overloaded"
            replied: list[list[object]] = []
            reply = {"conv": conv, "text": "hi", "cid": "r1", "own_tok": own["own_tok"]}
            agent.request(replied.append, Op.CMD, "reply", reply)
            await asyncio.sleep(0.1)
            assert replied == []  # it waits for the engine, and was not turned away
        await eventually(lambda: replied)
        assert replied[0][0] == Op.OK
        await eventually(lambda: shedder.level.name == "CALM", timeout_s=30)
        later = await commander(site)
        last = await later.ask(Op.CMD, "note", {"conv": conv, "text": "y", "cid": "n2"})
        assert await audience.until({INBOX: last["seq"]}, timeout_s=10)
        account = audience.account({INBOX: last["seq"]})
        assert account.right, account
        assert shedder.counts["shed_requests"] == 2
        assert shedder.counts["shed_connections"] == 1
        for link in (agent, later):
            link.cut()


async def test_no_more_connections_than_may_be_open(engine_url: str, prefix: str) -> None:
    async with served(engine_url, prefix, connections_max=2) as site:
        some = [await commander(site) for _ in range(2)]
        assert await turned_away(site) >= 1
        some.pop().cut()
        await eventually(lambda: len(site.node.pump.connections) == 1)
        some.append(await commander(site))
        for link in some:
            link.cut()
        await eventually(lambda: not site.node.pump.connections)
        assert site.node.shedder.crowd.connections == site.node.shedder.crowd.pending == 0


async def test_those_who_never_sign_in_do_not_keep_others_out_for_long(
    engine_url: str, prefix: str
) -> None:
    async with served(engine_url, prefix, handshakes_pending_max=2, hello_timeout_s=1.0) as site:
        for _ in range(2):
            await open_one(lambda: mute(site))
        await eventually(lambda: site.node.shedder.crowd.pending == 2)
        assert await turned_away(site) >= 1
        await eventually(lambda: site.node.shedder.crowd.pending == 0)
        (await commander(site)).cut()


async def test_a_process_that_takes_too_much_memory_takes_no_more_connections(
    engine_url: str, prefix: str
) -> None:
    async with served(engine_url, prefix, memory_max=1 << 20) as site:
        await eventually(lambda: site.node.shedder.level.name == "BUSY")
        assert await turned_away(site) >= 1
        assert (await site.call("agent1", "GET", "/v1/me")).status_code == 200


async def test_welcome_says_over_how_long_a_crowd_should_come_back(
    engine_url: str, prefix: str
) -> None:
    async with served(engine_url, prefix, handshakes_per_s=10.0) as site:
        links = [await commander(site) for _ in range(3)]
        assert [link.welcome[4]["reconnect_ms"] for link in links] == [100, 200, 300]
        for link in links:
            link.cut()
