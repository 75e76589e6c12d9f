"""Connections that end, fail or are overrun: what that costs themselves, and nobody else."""

from __future__ import annotations

import asyncio
import gc
import socket
import weakref
from collections.abc import AsyncIterator
from typing import Any

import pytest

from batonbox_server.asgi.connection import Connection
from batonbox_server.domain.model import Role
from batonbox_server.store.connect import EngineClient
from batonbox_server.store.keys import Keys
from batonbox_server.wire import Close, Op
from tests.support import eventually

from .socket_harness import BODY, Node, Peer, People, dial, sign_in
from .socket_harness import running as served


@pytest.fixture
async def node(engine_url: str, client: EngineClient, prefix: str) -> AsyncIterator[Node]:
    """A node with inbox `box`, its members ann and bob, and a short time between PINGs."""
    people = People()
    async with served(
        Node(engine_url, client, Keys(prefix), people, session={"ping_s": 1.0})
    ) as node:
        await node.join("box", "ann", "bob")
        yield node


def of(node: Node, user: str) -> Any:
    """The server's side of the user's connection."""
    return next(c for c in node.pump.connections if c.viewer.user == user)


async def handed_over(node: Node, *, by: str, to: str, customer: str) -> None:
    """A conversation that one takes and hands to the other."""
    conv = await node.receive("box", customer)
    taken = await node.store.assign(conv=conv, actor=by, cid=f"a{customer}")
    await node.store.transfer(conv=conv, actor=by, cid=f"t{customer}", own_tok=taken.own_tok, to=to)


async def test_who_only_speaks_and_is_not_answered_hears_of_the_server(node: Node) -> None:
    ann = await sign_in(node, "ann")

    async def look() -> None:
        while not ann.all(Op.PING):
            await ann.send([Op.VIEWING, None])
            await asyncio.sleep(0.1)

    await asyncio.wait_for(look(), 20)
    await ann.end()


async def test_unsub_counts_for_the_sub_before_it_that_is_still_under_way(node: Node) -> None:
    ann = await sign_in(node, "ann")
    await ann.send([Op.SUB, 1, [["box", "list"]]], [Op.UNSUB, ["box"]])
    await ann.got(Op.OK, _1=1)
    await node.receive("box", "+15550201")
    await eventually(lambda: ann.badge[2] == 1)
    assert ann.events("box") == []
    assert node.hub.viewers() == {}
    await ann.send(
        [Op.SUB, 2, [["box", "list"]]], [Op.UNSUB, ["box"]], [Op.SUB, 3, [["box", "list"]]]
    )
    await ann.got(Op.OK, _1=3)
    await node.receive("box", "+15550202")
    await eventually(lambda: len(ann.events("box")) == 1)
    await ann.end()


@pytest.mark.parametrize("signed_in", [True, False])
async def test_a_message_of_many_frames_takes_turns_and_goes_before_what_came_after_it(
    node: Node, signed_in: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    performed, turns = [0], list[int]()
    perform, add = Connection._perform, node.pump.turns.add

    def counted(connection: Connection, step: Any) -> None:
        performed[0] += 1
        perform(connection, step)

    def later(piece: Any) -> None:
        turns.append(performed[0])
        add(piece)

    monkeypatch.setattr(Connection, "_perform", counted)
    monkeypatch.setattr(node.pump.turns, "add", later)
    many = [[Op.UNSUB, ["nobody"]]] * 80
    ann = await sign_in(node, "ann") if signed_in else await dial(node)
    hello = [] if signed_in else [[Op.HELLO, "tok-ann", ""]]
    await ann.send(*hello, *many, [Op.SUB, 1, [["box", "list"]]])
    await ann.send([Op.UNSUB, ["box"]])
    await ann.got(Op.OK, _1=1)
    assert turns == [32, 64]
    await eventually(lambda: performed[0] == 82)
    assert node.hub.viewers() == {}
    await ann.send([Op.SUB, 2, [["box", "list"]]])
    await ann.got(Op.OK, _1=2)
    # Its end may come between two turns.
    performed[0] = 0
    await ann.send(*many)
    await eventually(lambda: performed[0] >= 32)
    of(node, "ann").abort()
    await ann.reading
    await eventually(lambda: not node.pump.connections)


async def test_the_end_of_who_is_overrun_stops_no_event_on_its_way(node: Node) -> None:
    ann, bob = await sign_in(node, "ann"), await sign_in(node, "bob")
    await bob.send([Op.SUB, 1, [["box", "list"]]])
    await bob.got(Op.SNAP)
    await eventually(lambda: ann.badge == [0, 0, 0])
    overrun = of(node, "ann")
    follower: Any = node.hub.followers.find("box")
    overrun.stalled()
    for _ in range(1024):
        overrun.viewer.send([Op.STATUS, {}])
    heard, follower.heard = follower.heard, lambda _: None
    await handed_over(node, by="bob", to="ann", customer="+15550201")
    removed = await node.store.remove(inbox="box", user="bob", role=None)
    await node.receive("box", "+15550202")
    follower.heard = heard
    # All of it comes as one batch, and the notice about ann's conversation is one too many for her.
    assert (await bob.got(Op.UNSUBD))[1:] == ["box", 103]
    assert all(seq <= removed.seq for seq, _ in bob.events("box"))
    assert overrun.closing.code == Close.SLOW
    assert follower.by_user == {}
    ann.ws.transport.abort()
    await bob.end()


async def test_what_a_stalled_connection_is_told_is_bounded_by_its_bytes(node: Node) -> None:
    ann = await sign_in(node, "ann")
    connection = of(node, "ann")
    connection.stalled()
    told = [Op.ORG, "user", {"id": "x" * 1_000_000}]
    for _ in range(8):
        connection.viewer.send(told)
    assert not connection.viewer.closed
    for _ in range(8):
        connection.viewer.send(told)
    assert connection.viewer.urgent_bytes < 10 << 20
    await eventually(lambda: connection.closing is not None)
    assert connection.closing.code == Close.SLOW
    ann.ws.transport.abort()


async def test_snapshots_are_made_no_faster_than_they_are_read(node: Node) -> None:
    boxes = [f"box{number}" for number in range(16)]
    for number, box in enumerate(boxes):
        await node.store.create_inbox(inbox=box)
        await node.store.add_number(inbox=box, number=f"+155509{number:02}")
        await node.store.join(inbox=box, user="ann", role=Role.MEMBER, joined=True)
        for customer in range(4):
            await node.store.receive(
                inbox=box,
                our=f"+155509{number:02}",
                customer=f"+15550{customer}{number:02}",
                provider_id=f"{number}.{customer}",
                body=BODY,
                preview="x" * 100_000,
            )
    ann = await dial(node, max_queue=1)
    ann.reading.cancel()
    await ann.send([Op.HELLO, "tok-ann", ""])
    await eventually(lambda: any(c.principal for c in node.pump.connections))
    connection = of(node, "ann")
    sock = connection._transport._transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    await ann.send([Op.SUB, 1, [[box, "list"] for box in boxes]])
    await eventually(lambda: connection.viewer.stalled)
    await asyncio.sleep(0.3)  # long enough for the others to be read, if they were
    assert len(connection.viewer.seats) < len(boxes) // 2
    assert connection.viewer.urgent_bytes < 1 << 20  # of 6 MB
    ann.reading = asyncio.get_running_loop().create_task(ann._read())
    (_, _, result) = await ann.got(Op.OK, _1=1)
    assert [how for _, how, _ in result["subs"]] == ["snapshot"] * len(boxes)
    assert len(ann.all(Op.SNAP)) == len(boxes)
    await ann.end()


async def test_a_burst_is_written_to_who_reads_however_much_it_is(node: Node) -> None:
    ann = await sign_in(node, "ann")
    viewer = of(node, "ann").viewer
    for number in range(5000):
        viewer.send([Op.NOTIFY, "mention", "box", "c", {"n": number}])
    await eventually(lambda: len(ann.all(Op.NOTIFY)) == 5000)
    assert [frame[4]["n"] for frame in ann.all(Op.NOTIFY)] == list(range(5000))
    await ann.end()


@pytest.mark.parametrize("where", ["tick", "receive"])
async def test_a_fault_about_one_connection_ends_that_one_only(node: Node, where: str) -> None:
    ann, bob = await sign_in(node, "ann"), await sign_in(node, "bob")

    def fails(*_: object) -> None:
        raise RuntimeError("a fault of one connection")

    setattr(of(node, "ann").session, where, fails)
    await ann.send([Op.PONG])
    assert await ann.closed() == Close.DRAIN
    heard = len(bob.all(Op.PING))
    await bob.send([Op.PONG])
    await eventually(lambda: len(bob.all(Op.PING)) > heard)
    await bob.end()


async def test_what_cannot_be_written_to_one_connection_is_that_ones_end(node: Node) -> None:
    ann, bob = await sign_in(node, "ann"), await sign_in(node, "bob")
    for peer in (ann, bob):
        await peer.send([Op.SUB, 1, [["box", "list"]]])
        await peer.got(Op.SNAP)
    of(node, "ann").viewer.send_pieces(("no bytes",))
    await node.receive("box")
    await eventually(lambda: len(bob.events("box")) == 1)
    assert await ann.closed() == Close.DRAIN
    await bob.end()


async def ended(node: Node, peer: Peer, *, how: str) -> None:
    """The client goes, and the server knows."""
    if how == "goodbye":
        await peer.end()
    else:
        peer.ws.transport.abort()
        await peer.ws.wait_closed()
        await peer.reading
    await eventually(lambda: not node.pump.connections)


@pytest.mark.parametrize("how", ["goodbye", "broken"])
async def test_nothing_of_a_connection_that_ended_waits_for_the_collector(
    node: Node, how: str
) -> None:
    ann = await sign_in(node, "ann")
    await ann.send([Op.SUB, 1, [["box", "list"]]], [Op.VIEWING, "box.1"])
    await ann.got(Op.OK, _1=1)
    await node.receive("box")
    await eventually(lambda: len(ann.events("box")) == 1)
    gc.collect()
    gc.disable()
    try:
        connection = of(node, "ann")
        left = [weakref.ref(connection.session), weakref.ref(connection._requests)]
        del connection
        await ended(node, ann, how=how)
        await eventually(lambda: [ref() for ref in left] == [None, None])
    finally:
        gc.enable()
