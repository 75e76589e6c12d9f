"""One turn of the loop: commands are handed on in that in which they came, answers written in that
in which the engine's replies did."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from batonbox import _wire
from batonbox.bench import Address, Commander, open_one
from batonbox_server.asgi.connection import Connection
from batonbox_server.origin import acting
from batonbox_server.session.ports import Principal
from batonbox_server.store.connect import EngineClient
from batonbox_server.store.engine import Engine
from batonbox_server.store.keys import Keys
from batonbox_server.turn import turn
from batonbox_server.wire import Op
from tests.integration.socket_harness import Node, People, running, sign_in
from tests.integration.test_order import Notes, cmd
from tests.served import served

MOST = 100


class Asked(Notes):
    """Notes who asks, and whether somebody may wait behind them, as it is once nothing is slow."""

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self.asked: list[tuple[str, str, bool]] = []

    async def run(self, principal: Principal, name: str, args: Any) -> dict[str, Any]:
        done = await super().run(principal, name, args)
        self.asked.append((args.text, acting.get().actor, turn.get() is not None))
        return done


class Received:
    """What each websocket message had handed to the engine by the time it was taken in."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, client: Engine) -> None:
        self.handed: list[int] = []
        received = Connection.received

        def taken(connection: Connection, message: bytes | str) -> None:
            before = client.load()[1]
            received(connection, message)
            self.handed.append(round(MOST * (client.load()[1] - before)))
            assert turn.get() is None, "a request's own is left behind"

        monkeypatch.setattr(Connection, "received", taken)


@pytest.fixture
async def node(engine_url: str, prefix: str) -> AsyncIterator[Node]:
    """A node with one inbox, ann, and a desk that notes."""
    client = EngineClient(engine_url, max_in_flight=MOST)
    await client.connect()
    node = Node(engine_url, client, Keys(prefix), People())
    node.pump.commands = Asked(node.store)
    async with running(node):
        await node.join("box", "ann")
        yield node
    await client.aclose()


@pytest.fixture
def received(node: Node, monkeypatch: pytest.MonkeyPatch) -> Received:
    """From here on."""
    return Received(monkeypatch, node.channel._client)


async def test_commands_are_handed_to_the_engine_before_the_next_message_is_read(
    node: Node, received: Received
) -> None:
    conv, other = await node.receive("box"), await node.receive("box", "+15550201")
    peer = await sign_in(node, "ann")
    received.handed.clear()
    await peer.send(*(cmd(n, conv if n % 3 else other, f"{n}") for n in range(9)))
    await peer.got(Op.OK, _1=8)
    assert received.handed == [9]
    seqs = [frame[2]["seq"] for frame in peer.all(Op.OK)]
    assert seqs == sorted(seqs)
    assert [frame[1] for frame in peer.all(Op.OK)] == list(range(9))
    await peer.end()


async def test_only_those_are_handed_on_at_once_that_have_nobody_before_them(
    node: Node, received: Received
) -> None:
    conv, other = await node.receive("box"), await node.receive("box", "+15550201")
    peer = await sign_in(node, "ann")
    received.handed.clear()
    await peer.send(
        cmd(1, conv, "first"),
        cmd(2, conv, "slow"),
        cmd(3, conv, "third"),
        cmd(4, other, "beside"),
    )
    await peer.got(Op.OK, _1=4)
    assert received.handed == [2]
    await peer.send(cmd(5, conv, "fifth"))
    await peer.send(cmd(6, other, "sixth"))
    await peer.got(Op.OK, _1=6)
    assert received.handed == [2, 0, 1]
    desk = node.pump.commands
    assert isinstance(desk, Asked)
    desk.open.set()
    await peer.got(Op.OK, _1=5)
    thread = await node.store.history(conv=conv, actor="ann", n=10)
    assert [m[7]["text"] for m in thread.messages[1:]] == ["first", "slow", "third", "fifth"]
    # Who waited is who they were, and still lets others pass.
    told = {text: (user, own) for text, user, own in desk.asked}
    assert told == dict.fromkeys(
        ("first", "slow", "third", "beside", "fifth", "sixth"), ("ann", True)
    )
    await peer.end()


async def test_a_command_does_not_overtake_what_was_seen_before_it(
    node: Node, received: Received
) -> None:
    conv, other = await node.receive("box"), await node.receive("box", "+15550201")
    peer = await sign_in(node, "ann")
    received.handed.clear()
    await peer.send([Op.SEEN, "box", conv, "0-0"], cmd(1, conv, "behind"), cmd(2, other, "beside"))
    await peer.got(Op.OK, _1=1)
    assert received.handed == [1]
    await peer.end()


async def test_an_answer_is_written_in_the_turn_in_which_its_reply_was_read(
    engine_url: str, prefix: str
) -> None:
    came: list[str] = []
    async with served(engine_url, prefix) as site:
        await site.texts("hello")
        token = await site.token("agent1")
        agent = await open_one(lambda: Commander(Address.of(site.url), token))
        (connection,) = site.node.pump.connections
        write = connection.viewer.write

        def written(message: bytes) -> None:
            if b"rows" in message:
                came.append("answer")
            write(message)

        connection.viewer.write = written
        flush, soon = site.node.hub.flush, asyncio.get_running_loop().call_soon
        told = site.node.client.on_replies

        def on_replies() -> None:
            # Where something else has made a turn due, it may come before who waits for these.
            came.append("due" if flush._scheduled else "replies")
            told()
            soon(came.append, "over")

        site.node.client.on_replies = on_replies
        turns: list[str] = []
        while turns.count("replies") < 5:
            came.clear()
            page = await agent.ask(_wire.Op.PAGE, "sales", "all", None, 10)
            assert page["rows"]
            at = came.index("answer")
            turns.append(came[at - 1])
            assert turns[-1] in {"replies", "due"} or "due" in came[:at], came
        site.node.client.on_replies = told
        agent.cut()
