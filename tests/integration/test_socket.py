"""Websockets on a real engine: hand-off, resume, badges, removal, limits, closes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgpack  # type: ignore[import-untyped]
import pytest
from websockets.exceptions import InvalidStatus

from batonbox_server import wire
from batonbox_server.domain.model import Role
from batonbox_server.store.connect import EngineClient
from batonbox_server.store.keys import Keys
from batonbox_server.wire import Close, Op
from tests.support import eventually, unread

from .socket_harness import Node, People, dial, running, sign_in

CODECS = wire.SUBPROTOCOLS


@pytest.fixture
async def node(engine_url: str, client: EngineClient, prefix: str) -> AsyncIterator[Node]:
    """A node with inbox `box` and its members ann and bob."""
    async with running(Node(engine_url, client, Keys(prefix), People())) as node:
        await node.join("box", "ann", "bob")
        yield node


@pytest.mark.parametrize("codec", CODECS)
async def test_a_snapshot_is_followed_by_every_later_event(node: Node, codec: str) -> None:
    await node.receive("box", "+15550201")
    ann = await sign_in(node, "ann", codec)
    await ann.send([Op.SUB, 1, [["box", "list"]]])
    snap = await ann.got(Op.SNAP)
    assert [row["customer"] for row in snap[7]] == ["+15550201"]
    assert unread(snap[6], [snap[7][0]["id"]]) == {snap[7][0]["id"]}
    assert (await ann.got(Op.OK, _1=1))[2] == {"subs": [["box", "snapshot", 0]]}
    for number in range(30):
        await node.receive("box", f"+155503{number:02}")
    await eventually(lambda: len(ann.events("box")) == 30)
    assert [seq for seq, _ in ann.events("box")] == list(range(snap[3] + 1, snap[3] + 31))
    await eventually(lambda: ann.badge == [31, 0, 31])
    await ann.end()


async def test_a_claim_turns_blue_off_for_everybody_and_green_on_for_the_claimer(
    node: Node,
) -> None:
    ann, bob = await sign_in(node, "ann"), await sign_in(node, "bob")
    conv = await node.receive("box")
    await eventually(lambda: ann.badge == bob.badge == [1, 0, 1])
    await ann.send([Op.CMD, 7, "assign", {"cid": "c1", "conv": conv}])
    assert (await ann.got(Op.OK, _1=7))[2]["conv"] == conv
    await bob.send([Op.CMD, 8, "assign", {"cid": "c2", "conv": conv}])
    refused = await bob.got(Op.ERR, _1=8)
    assert (refused[3], refused[6]["assignee"]) == ("conflict", "ann")
    await eventually(lambda: ann.badge == [0, 1, 0])
    await eventually(lambda: bob.badge == [0, 0, 0])
    await ann.end()
    await bob.end()


async def test_seen_on_one_device_clears_the_badge_on_the_other(node: Node) -> None:
    one, other = await sign_in(node, "ann"), await sign_in(node, "ann")
    bob = await sign_in(node, "bob")
    conv = await node.receive("box")
    await other.send([Op.SUB, 1, [["box", "list"]]])
    row = (await other.got(Op.SNAP))[7][0]
    await eventually(lambda: other.badge[0] == 1)
    await one.send([Op.SEEN, "box", conv, row["att"]])
    await eventually(lambda: other.badge[0] == 0)
    await eventually(lambda: other.all(Op.ME) and not unread(other.all(Op.ME)[-1][2], [conv]))
    assert bob.badge == [1, 0, 1]
    for peer in (one, other, bob):
        await peer.end()


@pytest.mark.parametrize("behind", ["ring", "log"])
async def test_a_position_is_resumed_on_another_node_without_gap_or_double(
    node: Node, engine_url: str, client: EngineClient, behind: str
) -> None:
    ann = await sign_in(node, "ann")
    await ann.send([Op.SUB, 1, [["box", "list"]]])
    snap = await ann.got(Op.SNAP)
    position = [snap[2], snap[3], snap[4]]
    await ann.end()
    for number in range(40):
        await node.receive("box", f"+155503{number:02}")
    ring = {"ring_events": 8 if behind == "log" else 4096}
    async with running(Node(engine_url, client, node.keys, node.people, hub=ring)) as other:
        bob = await sign_in(other, "bob")
        await bob.send([Op.SUB, 1, [["box", "list"]]])
        await bob.got(Op.SNAP)
        again = await sign_in(other, "ann")
        await again.send([Op.SUB, 1, [["box", "list", *position]]])
        await node.receive("box", "+15550999")
        await eventually(lambda: len(again.events("box")) == 41)
        assert [seq for seq, _ in again.events("box")] == [position[1] + n for n in range(1, 42)]
        assert again.all(Op.RESET) == again.all(Op.SNAP) == []
        await bob.end()
        await again.end()


async def test_who_resumes_is_told_the_marks_made_meanwhile(node: Node) -> None:
    """Marks are no events, so no event that follows a position brings them."""
    conv = await node.receive("box")
    ann, other = await sign_in(node, "ann"), await sign_in(node, "ann")
    await ann.send([Op.SUB, 1, [["box", "list"]]])
    snap = await ann.got(Op.SNAP)
    assert unread(snap[6], [conv]) == {conv}
    await ann.end()
    await other.send([Op.SEEN, "box", conv, snap[7][0]["att"]])
    await eventually(lambda: other.badge == [0, 0, 1])
    again = await sign_in(node, "ann")
    await again.send([Op.SUB, 1, [["box", "list", *snap[2:5]]]])
    marks = (await again.got(Op.ME))[2]
    assert (unread(marks, [conv]), again.all(Op.SNAP)) == (set(), [])
    for peer in (other, again):
        await peer.end()


@pytest.mark.parametrize(
    ("change", "reason"),
    [({0: "other"}, "epoch"), ({2: "f" * 16}, "fork"), ({1: 9999}, "fork"), ({1: 0}, "perm")],
)
async def test_a_position_of_another_history_is_reset(
    node: Node, change: dict[int, str | int], reason: str
) -> None:
    ann = await sign_in(node, "ann")
    await node.receive("box")
    await ann.send([Op.SUB, 1, [["box", "list"]]])
    snap = await ann.got(Op.SNAP)
    position = [snap[2], snap[3], snap[4]]
    for place, value in change.items():
        position[place] = value
    await ann.send([Op.SUB, 2, [["box", "list", *position]]])
    await ann.got(Op.OK, _1=2)
    assert [frame[2] for frame in ann.all(Op.RESET)] == [reason]
    assert len(ann.all(Op.SNAP)) == 2
    await ann.end()


@pytest.mark.parametrize("codec", CODECS)
async def test_nothing_reaches_a_member_after_the_removal(node: Node, codec: str) -> None:
    ann, bob = await sign_in(node, "ann"), await sign_in(node, "bob", codec)
    for peer in (ann, bob):
        await peer.send([Op.SUB, 1, [["box", "list"]]])
        await peer.got(Op.SNAP)
    removed = await node.store.remove(inbox="box", user="bob", role=None)
    for number in range(20):
        await node.receive("box", f"+155503{number:02}")
    await eventually(lambda: len(ann.events("box")) == 21)
    assert (await bob.got(Op.UNSUBD))[1:] == ["box", 103]
    assert (await bob.got(Op.RESET))[1:3] == ["box", "perm"]
    assert all(seq <= removed.seq for seq, _ in bob.events("box"))
    badges = len(bob.all(Op.BADGE))
    await bob.send([Op.SUB, 2, [["box", "list"]]])
    assert (await bob.got(Op.OK, _1=2))[2] == {"subs": [["box", "refused", 103]]}
    await node.store.join(inbox="box", user="bob", role=Role.MEMBER, joined=True)
    await bob.send([Op.SUB, 3, [["box", "list"]]])
    await eventually(lambda: len(bob.all(Op.SNAP)) == 2)
    await eventually(lambda: len(bob.all(Op.BADGE)) > badges)
    assert bob.badge == [20, 0, 20]
    await ann.end()
    await bob.end()


@pytest.mark.parametrize("codec", CODECS)
async def test_the_backlog_of_an_absence_is_not_for_who_was_removed(node: Node, codec: str) -> None:
    """I12: neither while removed, nor, for the time before, after coming back."""
    bob = await sign_in(node, "bob", codec)
    await bob.send([Op.SUB, 1, [["box", "list"]]])
    _, _, epoch, seq, tip, *_ = await bob.got(Op.SNAP)
    await bob.end()
    for number in range(10):
        await node.receive("box", f"+155503{number:02}")
    await node.store.remove(inbox="box", user="bob", role=None)
    item = ["box", "list", epoch, seq, tip]
    again = await sign_in(node, "bob", codec)
    await again.send([Op.SUB, 1, [item]])
    assert (await again.got(Op.OK, _1=1))[2] == {"subs": [["box", "refused", 103]]}
    assert again.all(Op.EV) == again.all(Op.SNAP) == []
    await node.store.join(inbox="box", user="bob", role=Role.MEMBER, joined=True)
    await again.send([Op.SUB, 2, [item]])
    await again.got(Op.SNAP)
    assert (await again.got(Op.RESET))[1:3] == ["box", "perm"]
    assert again.events("box") == []
    await again.end()


async def test_opening_a_conversation_brings_its_history(node: Node) -> None:
    conv = await node.receive("box")
    ann = await sign_in(node, "ann")
    await ann.send([Op.SUB, 1, [["box", f"conv:{conv}"]]])
    opening = await ann.got(Op.CONV)
    assert (opening[2], opening[4]["id"], len(opening[5])) == (conv, conv, 1)
    await ann.end()


async def break_subscriptions(node: Node) -> None:
    """Of nodes: a sentinel that has lost its own five times in a second calls the primary down."""
    execute = node.store._client.execute
    for line in (await execute("CLIENT", "LIST", "TYPE", "pubsub")).decode().splitlines():
        if " name=sentinel-" not in line:
            await execute("CLIENT", "KILL", "ID", line.split()[0].removeprefix("id="))


async def test_a_broken_subscription_loses_no_event(node: Node) -> None:
    ann = await sign_in(node, "ann")
    await ann.send([Op.SUB, 1, [["box", "list"]]])
    first = (await ann.got(Op.SNAP))[3] + 1
    for number in range(40):
        if number % 8 == 4:
            await break_subscriptions(node)
        await node.receive("box", f"+155503{number:02}")
    await eventually(lambda: len(ann.events("box")) >= 40, timeout_s=20)
    assert [seq for seq, _ in ann.events("box")] == list(range(first, first + 40))
    await eventually(lambda: ann.badge == [40, 0, 40])
    await ann.end()


BAD = [
    ([["x"]], Close.BAD_FRAME),
    ([[Op.SUB, 1, [["box", "list"]]]], Close.UNAUTHORIZED),
    ([[Op.HELLO, "wrong", ""]], Close.UNAUTHORIZED),
    ([[Op.HELLO, "tok-ann" + "x" * 9000, ""]], Close.TOO_BIG),
    ([[Op.HELLO, "tok-ann", ""], [Op.SUB, 1, "x" * 70000]], Close.TOO_BIG),
]


@pytest.mark.parametrize(("frames", "code"), BAD)
async def test_bad_input_closes_with_its_code(
    node: Node, frames: list[list[object]], code: Close
) -> None:
    peer = await dial(node)
    for frame in frames:
        await peer.send(frame)
    assert await peer.closed() == code


async def test_a_fault_inside_is_told_without_its_text(node: Node) -> None:
    ann = await sign_in(node, "ann")
    await ann.send([Op.CMD, 1, "unread", {"cid": "c", "conv": "box.1"}])
    assert (await ann.got(Op.ERR, _1=1))[2:5] == [
        100,
        "internal",
        "Retry; if it persists, look at the server's log.",
    ]
    await ann.end()


@pytest.mark.parametrize(
    ("origin", "status"),
    [("https://elsewhere.example", 403), ("null", 403), ("http://localhost:5173", 101)],
)
async def test_a_page_of_another_origin_is_refused(node: Node, origin: str, status: int) -> None:
    if status == 101:
        peer = await dial(node, additional_headers={"Origin": origin})
        await peer.end()
        return
    with pytest.raises(InvalidStatus) as refused:
        await dial(node, additional_headers={"Origin": origin})
    assert refused.value.response.status_code == status


async def test_an_unknown_subprotocol_is_refused_before_the_upgrade(node: Node) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await dial(node, "batonbox.v9.xml")
    assert refused.value.response.status_code == 426


async def test_more_connections_than_allowed_are_closed(node: Node) -> None:
    peers = [await sign_in(node, "ann") for _ in range(16)]
    late = await dial(node)
    await late.send([Op.HELLO, "tok-ann", ""])
    assert await late.closed() == Close.TOO_MANY
    for peer in peers:
        await peer.end()


async def test_draining_asks_to_move_then_closes_stragglers(node: Node) -> None:
    ann, bob = await sign_in(node, "ann"), await sign_in(node, "bob")
    draining = asyncio.get_running_loop().create_task(node.pump.drain(within_s=1.0))
    assert (await ann.got(Op.GOAWAY))[2] == 1000
    with pytest.raises(InvalidStatus) as refused:
        await dial(node)
    assert refused.value.response.status_code == 503
    await bob.end()
    assert await ann.closed() == Close.DRAIN
    await draining


async def test_revoking_closes_the_users_connections(node: Node) -> None:
    ann, bob = await sign_in(node, "ann"), await sign_in(node, "bob")
    node.pump.revoked(user="ann", token="", close=Close.REVOKED)
    assert await ann.closed() == Close.REVOKED
    await bob.send([Op.PAGE, 1, "box", "open", None, 5])
    await bob.got(Op.OK, _1=1)
    await bob.end()


async def test_a_failover_that_lost_writes_resets_only_what_lies_beyond(node: Node) -> None:
    execute = node.store._client.execute
    kept = await node.receive("box", "+15550201")
    keys = await execute("KEYS", f"{node.keys.inbox('box')}*")
    before = {key: await execute("DUMP", key) for key in keys}
    ann = await sign_in(node, "ann")
    await ann.send([Op.SUB, 1, [["box", "list"]]])
    first = await ann.got(Op.SNAP)
    await ann.send([Op.CMD, 2, "assign", {"cid": "lost-1", "conv": kept}])
    await ann.got(Op.OK, _1=2)
    await eventually(lambda: len(ann.events("box")) == 1)
    for key in await execute("KEYS", f"{node.keys.inbox('box')}*"):
        await execute("DEL", key)
    for key, dump in before.items():
        await execute("RESTORE", key, 0, dump)
    for number in range(3):
        await node.receive("box", f"+155503{number:02}")
    await eventually(lambda: len(ann.all(Op.SNAP)) == 2)
    assert ann.all(Op.RESET) == [[Op.RESET, "box", "fork", ["lost-1"]]]
    after = ann.all(Op.SNAP)[1]
    assert after[2] == first[2]
    assert [row["status"] for row in after[7]] == ["unassigned"] * 4
    await eventually(lambda: ann.badge == [4, 0, 4])
    await node.receive("box", "+15550999")
    await eventually(lambda: ann.events("box")[-1][0] == after[3] + 1)
    await ann.end()


async def test_a_client_that_stops_reading_is_closed_and_costs_no_queue(
    engine_url: str, client: EngineClient, prefix: str
) -> None:
    node = Node(engine_url, client, Keys(prefix), People(), write_timeout_s=1.0)
    async with running(node):
        await node.join("box", "ann")
        ann = await dial(node, max_queue=1)
        ann.reading.cancel()
        await ann.send([Op.HELLO, "tok-ann", ""], [Op.SUB, 1, [["box", "list"]]])
        await eventually(lambda: any(c.viewer.seats for c in node.pump.connections))
        stalled = next(iter(node.pump.connections))
        handed, write = 0, stalled.viewer.write

        def counted(data: bytes) -> None:
            nonlocal handed
            handed += len(data)
            write(data)

        stalled.viewer.write = counted
        body = bytes(msgpack.packb({"text": "x" * 60_000}))
        for number in range(400):
            await node.store.receive(
                inbox="box",
                our="+15550100",
                customer=f"+1555{number:04}",
                provider_id=str(number),
                body=body,
                preview="x",
            )
            assert stalled.viewer.urgent_bytes < 1 << 18
        await eventually(lambda: stalled.closing is not None)
        # I14: of 24 MB it was given what the kernel takes, and one batch.
        assert handed < 8 << 20
        assert stalled.closing is not None
        assert stalled.closing.code == Close.SLOW
        await eventually(lambda: not node.pump.connections)
        ann.ws.transport.abort()


async def test_a_badge_that_went_wrong_is_found_and_mended(
    engine_url: str, client: EngineClient, prefix: str
) -> None:
    """The audit recounts in the engine: silent while all is well, loud when it is not."""
    hub = {"check_interval_s": 0.05}
    async with running(Node(engine_url, client, Keys(prefix), People(), hub=hub)) as node:
        await node.join("box", "ann")
        await node.receive("box")
        ann = await sign_in(node, "ann")
        await eventually(lambda: ann.badge == [1, 0, 1])
        await eventually(lambda: node.hub.counts["badge_audits"] > 3)
        assert node.hub.counts["badge_mismatches"] == 0
        badges = next(iter(ann_seats(node))).follower.badges
        badges.users["ann"].green.add("box.nothing")
        await eventually(lambda: node.hub.counts["badge_mismatches"] == 1)
        await eventually(lambda: badges.users["ann"].green == set())
        await ann.end()


def ann_seats(node: Node) -> list[Any]:
    """The places of every connection in the inbox."""
    return [c.viewer.seats["box"] for c in node.pump.connections]
