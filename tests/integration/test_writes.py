"""What leaves for the engine together, and in which order it is sent again: seen at each write."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest

from batonbox_server.engine import EmbeddedEngine
from batonbox_server.errors import Refused
from batonbox_server.store import connect
from batonbox_server.store.connect import EngineClient
from batonbox_server.store.plain import NOT_YET, PlainReader
from batonbox_server.store.resp import Replies
from tests.integration.store_harness import Box
from tests.integration.test_order import note, noted, soon
from tests.support import eventually

TURNS = 20


class Writes:
    """Every write to the engine: the texts in it that begin with `mark`, in their order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[list[str]] = []
        # An engine that is slow gets one more write after some ms: here that would be chance.
        monkeypatch.setattr(connect, "_APART_S", 60.0)
        write = Replies.write

        def written(engine: Replies, packed: bytes) -> bool:
            self.seen.append(_marked(packed))
            return write(engine, packed)

        monkeypatch.setattr(Replies, "write", written)

    @property
    def marked(self) -> list[list[str]]:
        """Those with something marked in them."""
        return [marks for marks in self.seen if marks]


def _marked(packed: bytes) -> list[str]:
    reader, found = PlainReader(ValueError), []
    reader.feed(packed)
    while (command := reader.gets()) is not NOT_YET:
        for arg in command:
            at = arg.find(b"mark")
            if at >= 0:
                found.append(arg[at:].decode())
    return found


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> Writes:
    """Recorded from here on."""
    return Writes(monkeypatch)


@pytest.fixture
async def own(engine: EmbeddedEngine) -> AsyncIterator[EngineClient]:
    """A client of an engine of the test's own."""
    client = EngineClient(engine.url, command_timeout_s=30.0)
    await client.connect()
    yield client
    await client.aclose()


@contextmanager
def frozen(engine: EmbeddedEngine) -> Iterator[None]:
    """It answers nothing meanwhile."""
    os.kill(engine.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(engine.pid, signal.SIGCONT)


async def turns(count: int = TURNS) -> None:
    """So many turns of the loop."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_two_writes_are_under_way_and_the_rest_shares_the_next(
    engine: EmbeddedEngine, own: EngineClient, writes: Writes
) -> None:
    for _ in range(3):  # what is counted as under way has to go down again
        writes.seen.clear()
        with frozen(engine):
            calls = []
            for n in range(7):
                calls.append(own.execute("RPUSH", "list", f"mark{n}"))
                await turns()
            assert writes.seen == [["mark0"], ["mark1"]]
        await asyncio.wait_for(asyncio.gather(*calls), 20)
        assert writes.seen == [["mark0"], ["mark1"], [f"mark{n}" for n in range(2, 7)]]
    kept: list[bytes] = await own.execute("LRANGE", "list", 0, -1)
    assert kept == [b"mark%d" % n for n in range(7)] * 3


async def test_a_write_is_under_way_until_its_last_command_is_answered(
    engine: EmbeddedEngine, own: EngineClient, writes: Writes
) -> None:
    # The first reply of the first write comes at once, the other only when a list has something.
    other = EngineClient(engine.url)
    await other.connect()
    first = [own.execute("ECHO", "mark0"), own.execute("BLPOP", "one", 0)]
    await turns()
    second = [own.execute("ECHO", "mark1"), own.execute("ECHO", "mark2")]
    await turns()
    assert await first[0] == b"mark0"
    third = own.execute("ECHO", "mark3")
    await turns()
    assert writes.marked == [["mark0"], ["mark1", "mark2"]]
    await other.execute("RPUSH", "one", "x")
    assert await asyncio.wait_for(asyncio.gather(*second, third), 20) == [
        b"mark1", b"mark2", b"mark3"
    ]  # fmt: skip
    assert writes.marked[2:] == [["mark3"]]
    await other.aclose()


async def test_what_was_under_way_is_sent_again_in_order_and_first(
    engine: EmbeddedEngine, writes: Writes
) -> None:
    late: list[asyncio.Future[bytes]] = []

    def on_state(up: bool) -> None:
        if up and conv:
            late.append(client.execute("ECHO", "mark-late"))

    conv = ""
    client, killer = EngineClient(engine.url, on_state=on_state), EngineClient(engine.url)
    await client.connect()
    await killer.connect()
    box = Box(client, "t")
    await box.open()
    conv = await box.receive()
    number = await client.execute("CLIENT", "ID")
    # Held back by the engine and then thrown away with their connection: none takes effect.
    await killer.execute("CLIENT", "PAUSE", 60_000, "WRITE")
    writes.seen.clear()
    calls = []
    for n in range(6):
        # Two in each of the writes that may be under way; the last two wait to be sent.
        calls.append(soon(note(box, conv, f"mark{n}")))
        if n % 2:
            await turns()
    assert writes.marked == [["mark0", "mark1"], ["mark2", "mark3"]]
    await killer.execute("CLIENT", "KILL", "ID", number)
    await eventually(lambda: late, what="the return")
    for call in calls[4:]:
        with pytest.raises(Refused, match="unavailable"):
            await call
    await eventually(lambda: writes.marked[2:], what="the repetition")
    await killer.execute("CLIENT", "UNPAUSE")
    await asyncio.wait_for(asyncio.gather(*calls[:4], *late), 20)
    again = [mark for marks in writes.marked[2:] for mark in marks]
    assert again == ["mark0", "mark1", "mark2", "mark3", "mark-late"]
    assert writes.marked[2][:4] == again[:4], "in one write"
    assert await noted(box, conv) == again[:4]
    # The writes of the connection that was lost are not counted as under way.
    await asyncio.wait_for(asyncio.gather(*(note(box, conv, f"mark{n}") for n in (6, 7))), 20)
    await client.aclose()
    await killer.aclose()


async def test_replies_are_told_of_before_those_who_wait_for_them_run(
    engine: EmbeddedEngine, own: EngineClient
) -> None:
    """What `on_replies` puts at the end of the turn comes after all of them."""
    loop, came = asyncio.get_running_loop(), list[str]()

    def on_replies() -> None:
        came.append("replies")
        loop.call_soon(came.append, "end of the turn")

    async def one(n: int) -> None:
        came.append((await own.execute("ECHO", f"{n}")).decode())

    with frozen(engine):
        waiting = [soon(one(n)) for n in range(3)]
        await turns()
        own.on_replies = on_replies
    await asyncio.wait_for(asyncio.gather(*waiting), 20)
    await turns()
    assert came == ["replies", "0", "1", "2", "end of the turn"]
