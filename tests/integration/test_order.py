"""Commands about one conversation take effect in the order they came, whatever happens to them."""

from __future__ import annotations

import asyncio
import os
import signal
import uuid
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import msgpack  # type: ignore[import-untyped]
import pytest

from batonbox_server.engine import EmbeddedEngine
from batonbox_server.errors import Refused
from batonbox_server.session.ports import Principal
from batonbox_server.store.connect import EngineClient
from batonbox_server.store.keys import Keys
from batonbox_server.store.port import Applied
from batonbox_server.turn import Lines, Turn, pass_turn
from batonbox_server.wire import Close, Op
from tests.integration.archived_box import ArchivedBox
from tests.integration.socket_harness import Desk, Node, People, running, sign_in
from tests.integration.store_harness import Box
from tests.support import eventually

T = TypeVar("T")


def soon(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Begun, and awaited by the test."""
    return asyncio.get_running_loop().create_task(work)


def body(text: object) -> bytes:
    """The body of a note."""
    return bytes(msgpack.packb({"text": str(text)}))


async def note(box: Box, conv: str, text: object, cid: str = "") -> Applied:
    """Bob notes something."""
    cid = cid or uuid.uuid4().hex
    return await box.store.note(conv=conv, actor="bob", cid=cid, body=body(text))


async def noted(box: Box, conv: str) -> list[str]:
    """The notes of the conversation, as they stand there."""
    thread = await box.store.history(conv=conv, actor="bob", n=5000)
    return [line[7]["text"] for line in thread.messages if line[3] == "noted"]


@pytest.fixture
async def box(client: EngineClient, prefix: str) -> Box:
    """An inbox."""
    box = Box(client, prefix)
    await box.open()
    return box


class TestOutcomeUnknown:
    """The connection breaks with commands in flight: they are sent again before all others."""

    async def test_what_was_in_flight_comes_first(self, engine: EmbeddedEngine) -> None:
        late: list[asyncio.Task[Applied]] = []

        away: list[asyncio.Task[Applied]] = []

        def on_state(up: bool) -> None:
            if conv:  # a loss may be over before anybody who looks now and then sees it
                task = asyncio.get_running_loop().create_task(note(box, conv, "late"))
                (late if up else away).append(task)

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
        calls = [soon(note(box, conv, n)) for n in range(20)]
        await asyncio.sleep(0.05)
        await killer.execute("CLIENT", "KILL", "ID", number)
        await eventually(lambda: away, what="the loss")
        with pytest.raises(Refused, match="unavailable"):
            await away[0]
        await eventually(lambda: late, what="the return")
        await killer.execute("CLIENT", "UNPAUSE")
        await asyncio.gather(*calls, *late)
        assert await noted(box, conv) == [*map(str, range(20)), "late"]
        await client.aclose()
        await killer.aclose()

    async def test_an_engine_that_stays_away_is_told(self, engine: EmbeddedEngine) -> None:
        client = EngineClient(engine.url, command_timeout_s=0.3)
        await client.connect()
        box = Box(client, "t")
        await box.open()
        conv = await box.receive()
        os.kill(engine.pid, signal.SIGSTOP)
        try:
            with pytest.raises(Refused, match="outcome is unknown"):
                await note(box, conv, "first", cid="once")
        finally:
            os.kill(engine.pid, signal.SIGCONT)
        await eventually(lambda: client.state, what="the reconnect")
        await note(box, conv, "first", cid="once")
        assert await noted(box, conv) == ["first"]
        await client.aclose()

    async def test_closing_ends_those_that_wait_to_be_sent_again(
        self, engine: EmbeddedEngine
    ) -> None:
        client = EngineClient(engine.url, command_timeout_s=0.3)
        await client.connect()
        box = Box(client, "t")
        await box.open()
        conv = await box.receive()
        os.kill(engine.pid, signal.SIGSTOP)
        try:
            waiting = soon(note(box, conv, "first"))
            await eventually(lambda: not client.state, what="the loss")
            await client.aclose()
            with pytest.raises(Refused, match="unavailable"):
                await waiting
        finally:
            os.kill(engine.pid, signal.SIGCONT)


class TestLibraryLost:
    """The engine has forgotten its functions: what was called first is done first all the same."""

    @pytest.fixture
    async def own(self, engine: EmbeddedEngine) -> AsyncIterator[Box]:
        """An inbox on an engine of the test's own, whose library nobody else loads."""
        client = EngineClient(engine.url)
        await client.connect()
        box = Box(client, "t")
        await box.open()
        yield box
        await client.aclose()

    async def test_a_burst_keeps_its_order(self, own: Box) -> None:
        conv = await own.receive()
        for round_ in range(3):
            await own.client.execute("FUNCTION", "FLUSH")
            calls = [
                own.assign(conv, "bob") if n == 2 else note(own, conv, 10 * round_ + n)
                for n in range(5)
            ]
            await asyncio.gather(*calls)
        kinds = [(kind, text) for kind, _, text in await lines(own, conv)]
        expected = [("noted", str(n)) for n in (0, 1, 3, 4, 10, 11, 13, 14, 20, 21, 23, 24)]
        expected.insert(2, ("assigned", ""))
        assert kinds[1:] == expected

    async def test_what_was_called_meanwhile_waits(self, own: Box) -> None:
        conv = await own.receive()
        await own.client.execute("FUNCTION", "FLUSH")
        calls = []
        for n in range(40):
            calls.append(soon(note(own, conv, n)))
            await asyncio.sleep(0)
        await asyncio.gather(*calls)
        assert await noted(own, conv) == [str(n) for n in range(40)]

    async def test_what_came_too_late_is_refused_and_not_done_late(self, own: Box) -> None:
        """Another node has loaded the library between two commands."""
        conv = await own.receive()
        await own.client.execute("FUNCTION", "FLUSH")
        first = soon(note(own, conv, "first"))
        await asyncio.sleep(0)
        library = own.store._scripts._scripts["assign"].library
        loaded = own.client.execute("FUNCTION", "LOAD", library.source)
        assigned = soon(own.assign(conv, "bob"))
        third = soon(note(own, conv, "third"))
        with pytest.raises(Refused, match="unavailable"):
            await first
        await asyncio.gather(loaded, assigned, third)
        assert [kind for kind, _, _ in await lines(own, conv)][1:] == ["assigned", "noted"]
        assert await noted(own, conv) == ["third"]

    async def test_a_new_connection_brings_them(self, own: Box) -> None:
        assert isinstance(own.client, EngineClient)
        other = EngineClient(own.client.locator)
        await other.connect()
        await own.client.execute("FUNCTION", "FLUSH")
        client, since = own.client, own.client.since()
        await other.execute("CLIENT", "KILL", "ID", await client.execute("CLIENT", "ID"))
        await eventually(lambda: client.state and client.since() != since, what="the reconnect")
        name = own.store._scripts._scripts["assign"].library.name
        assert await other.execute("FUNCTION", "LIST", "LIBRARYNAME", name)
        await other.aclose()


async def lines(box: Box, conv: str) -> list[tuple[str, str, str]]:
    """(kind, actor, text) of everything in the conversation."""
    thread = await box.store.history(conv=conv, actor="bob", n=200)
    return [(line[3], line[4], line[7].get("text", "")) for line in thread.messages]


async def test_commands_about_what_is_away_go_on_in_order(
    client: EngineClient, prefix: str, tmp_path: Path
) -> None:
    box = ArchivedBox(client, prefix, tmp_path)
    await box.open()
    conv = await box.finished()
    texts: list[str] = []
    for _ in range(3):
        await box.away(conv)
        calls, more = [], 5
        while more:
            # The first are refused while others are on their way; those called then find a line.
            more -= conv in box.store._returning
            texts.append(str(len(texts)))
            calls.append(soon(note(box, conv, texts[-1])))
            await asyncio.sleep(0)
        await asyncio.gather(*calls)
        await box.assign(conv, "ann")
        owned = await box.row(conv)
        await box.store.done(
            conv=conv, actor="ann", cid=uuid.uuid4().hex, own_tok=owned["own_tok"], seen=None
        )
    assert await noted(box, conv) == texts
    await box.archive.aclose()


class Notes(Desk):
    """A desk where notes are made, some only when somebody says so."""

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self.open = asyncio.Event()

    async def run(self, principal: Principal, _: str, args: Any) -> dict[str, Any]:
        if args.text.startswith("slow"):
            await asyncio.wait_for(self.open.wait(), 10)
        if args.text.endswith("refused"):
            raise Refused("bad_request")
        done = await self.store.note(
            conv=args.conv, actor=principal.user, cid=args.cid, body=body(args.text)
        )
        return {"conv": done.conv, "seq": done.seq}


class TestBurst:
    """Many commands in one message."""

    @pytest.fixture
    async def node(self, engine_url: str, client: EngineClient, prefix: str) -> AsyncIterator[Node]:
        """A node with one inbox and ann."""
        node = Node(engine_url, client, Keys(prefix), People())
        node.pump.commands = Notes(node.store)
        async with running(node):
            await node.join("box", "ann")
            yield node

    async def test_they_share_a_round_trip(self, node: Node, client: EngineClient) -> None:
        async def reads() -> int:
            info: bytes = await client.execute("INFO", "stats")
            fields = dict(line.split(":", 1) for line in info.decode().splitlines() if ":" in line)
            return int(fields["total_reads_processed"])

        conv = await node.receive("box")
        peer = await sign_in(node, "ann")
        await peer.send(cmd(100, conv, "the library is there"))
        await peer.got(Op.OK, _1=100)
        before = await reads()
        await peer.send(*(cmd(n, conv, str(n)) for n in range(16)))
        await peer.got(Op.OK, _1=15)
        # Alone they would be 16.
        assert await reads() - before <= 6
        seqs = [frame[2]["seq"] for frame in peer.all(Op.OK)[1:]]
        assert seqs == sorted(seqs)
        assert [frame[1] for frame in peer.all(Op.OK)[1:]] == list(range(16))
        await peer.end()

    async def test_one_that_has_to_wait_keeps_its_place(self, node: Node) -> None:
        conv, other = await node.receive("box"), await node.receive("box", "+15550201")
        peer = await sign_in(node, "ann")
        await peer.send(
            cmd(1, conv, "first"),
            cmd(2, conv, "slow"),
            cmd(3, conv, "third"),
            cmd(4, other, "beside"),
        )
        await peer.got(Op.OK, _1=4)
        assert {frame[1] for frame in peer.all(Op.OK)} == {1, 4}
        desk = node.pump.commands
        assert isinstance(desk, Notes)
        desk.open.set()
        await peer.got(Op.OK, _1=3)
        thread = await node.store.history(conv=conv, actor="ann", n=10)
        assert [m[7]["text"] for m in thread.messages[1:]] == ["first", "slow", "third"]
        await peer.end()

    async def test_one_that_is_refused_lets_the_next_one_come(self, node: Node) -> None:
        conv = await node.receive("box")
        peer = await sign_in(node, "ann")
        await peer.send(cmd(1, conv, "slow and refused"), cmd(2, conv, "behind"))
        desk = node.pump.commands
        assert isinstance(desk, Notes)
        desk.open.set()
        await peer.got(Op.ERR, _1=1)
        await peer.got(Op.OK, _1=2)
        await peer.end()

    async def test_what_waits_for_its_turn_ends_with_the_access(self, node: Node) -> None:
        conv = await node.receive("box")
        peer = await sign_in(node, "ann")
        await peer.send(cmd(1, conv, "slow"), cmd(2, conv, "too late"))
        await peer.send([Op.PAGE, 3, "box", "unassigned", "", 1])
        await peer.got(Op.OK, _1=3)
        (session,) = (connection.session for connection in node.pump.connections)
        node.pump.revoked(user="ann", token="", close=Close.REVOKED)
        desk = node.pump.commands
        assert isinstance(desk, Notes)
        desk.open.set()

        await eventually(lambda: not session.in_flight, what="the end of all requests")
        thread = await node.store.history(conv=conv, actor="ann", n=10)
        # What had begun is finished; nothing begins.
        assert [m[7]["text"] for m in thread.messages[1:]] == ["slow"]
        await peer.end()


def cmd(number: int, conv: str, text: str) -> list[Any]:
    """A note as a frame."""
    return [Op.CMD, number, "note", {"conv": conv, "cid": f"cid-{number}", "text": text}]


async def test_a_line_goes_by_number_and_past_who_left() -> None:
    line, came = Lines(), list[int]()
    go = asyncio.Event()

    async def one(number: int) -> None:
        async with line.turn("it", number):
            await go.wait()
            came.append(number)

    tasks = {}
    for number in (1, 5, 3, 4, 2):
        tasks[number] = soon(one(number))
        await asyncio.sleep(0)
    assert "it" in line
    tasks[3].cancel()
    go.set()
    await tasks[1]
    await asyncio.gather(*tasks.values(), return_exceptions=True)
    assert came == [1, 2, 4, 5]
    assert "it" not in line


async def test_a_turn_passes_once_and_in_order() -> None:
    first = Turn(None)
    second = Turn(first)
    third = Turn(second)
    came: list[int] = []

    async def one(number: int, mine: Turn) -> None:
        await mine.come()
        came.append(number)

    tasks = [soon(one(3, third)), soon(one(2, second))]
    await asyncio.sleep(0)
    assert came == []
    pass_turn()  # of nobody here
    first.over()
    first.over()
    await tasks[1]
    assert came == [2]
    second.over()
    await tasks[0]
    assert came == [2, 3]
