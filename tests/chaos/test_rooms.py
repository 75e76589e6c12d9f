"""Rooms at two nodes whose channels die, whose engine dies, forgets or comes back without them."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import AsyncIterator

import pytest

from batonbox_server.engine import EmbeddedEngine
from batonbox_server.wire import Close, Op
from tests.integration.rooms_live_harness import Talk, Talker, talking
from tests.support import eventually

STEPS = 160


@pytest.fixture
async def talk(engine: EmbeddedEngine) -> AsyncIterator[Talk]:
    """Two nodes on an engine of their own."""
    async with talking(engine.url, write_timeout_s=1.0) as talk, talk.sockets():
        yield talk


async def step(rng: random.Random, who: Talker, rooms: list[str], people: list[str]) -> None:
    """Something somebody does in a room, whether or not it is refused."""
    room = rng.choice(rooms)
    act = rng.choice(["post"] * 4 + ["seen"] * 3 + ["unread", "join", "leave", "dm"])
    if act == "post":
        mentions = [user for user in people if rng.random() < 0.2]
        await who.try_act("post", conv=room, text="hi", mentions=mentions)
    elif act == "seen":
        posts = who.rooms.get(room, (0, 0))[1]
        await who.peer.send([Op.SEEN, room, room, str(rng.randint(0, posts))])
    elif act == "dm":
        made = await who.try_act("open_dm", user=rng.choice(people))
        rooms.append(made["conv"])
    else:
        await who.try_act(act, conv=room)


async def agree(talk: Talk, talkers: list[Talker]) -> None:
    """Whatever somebody was told is what the engine says, and what a new connection is told."""
    for who in talkers:
        await talk.agrees(who)
    for user in {who.user for who in talkers}:
        assert (await talk.talker(user, at=1)).rooms == await talk.truth(user)


async def test_everybody_is_told_the_truth_at_rest_whatever_was_lost(talk: Talk) -> None:
    rng = random.Random(7)
    people = await talk.people(4)
    rooms = [await talk.channel(*people[:2]) for _ in range(5)]
    talkers = [await talk.talker(user, at) for user in people for at in (0, 1)]
    for who in talkers[:4]:
        for room in rooms[:2]:
            assert (await who.listen(room))[1] == "snapshot"
    starts = {(who, frame[1]): frame[3] for who in talkers[:4] for frame in who.peer.all(Op.SNAP)}
    client, killed = talk.sites[0].node.client, 0
    for number in range(STEPS):
        if number % 8 == 4:
            killed += await client.execute("CLIENT", "KILL", "TYPE", "pubsub")
        await step(rng, rng.choice(talkers), rooms, people)
    assert killed > STEPS / 8
    await agree(talk, talkers)
    for (who, room), start in starts.items():
        if who.peer.all(Op.RESET) == []:
            seqs = [seq for seq, _ in who.peer.events(room)]
            assert seqs == list(range(start + 1, start + 1 + len(seqs)))
    assert sum(site.node.hub.counts["feed_gaps"] for site in talk.sites) > 0
    assert [site.node.hub.mismatches for site in talk.sites] == [0, 0]


async def test_lost_events_of_a_quiet_room_are_found_by_comparing(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing comes after them that would show the gap."""
    ann, bob = await talk.people(2)
    room = await talk.channel(ann, bob)
    there = await talk.talker(bob, 1)
    follower = talk.follower(room, 1)
    assert follower is not None
    with monkeypatch.context() as deaf:
        deaf.setattr(follower, "heard", lambda _: None)
        for _ in range(3):
            await talk.admin(room, "post", text="hello", mentions=[bob])
    await there.has(room, 3, 3)


async def test_rooms_go_on_when_the_engine_was_killed(talk: Talk, engine: EmbeddedEngine) -> None:
    ann, bob = await talk.people(2)
    room = await talk.channel(ann, bob)
    here, there = await talk.talker(ann), await talk.talker(bob, 1)
    await there.listen(room)
    first = (await there.peer.got(Op.SNAP))[3] + 1
    last = first
    for number in range(12):
        if number % 4 == 2:
            os.kill(engine.pid, signal.SIGKILL)
        last = await here.post_surely(room, f"{number}")
    await eventually(lambda: len(there.peer.events(room)) == last - first + 1, timeout_s=20)
    assert [seq for seq, _ in there.peer.events(room)] == list(range(first, last + 1))
    assert there.peer.all(Op.RESET) == []
    await there.has(room, 12)
    await there.peer.send([Op.SEEN, room, room, "12"])
    # Each node comes back by itself; the one that took the posts may be the first.
    await eventually(lambda: all(site.node.client.state for site in talk.sites))
    await agree(talk, [here, there])


async def test_a_failover_that_lost_posts_resets_only_the_room_and_counts_anew(talk: Talk) -> None:
    ann, bob = await talk.people(2)
    room, calm = await talk.channel(ann, bob), await talk.channel(ann, bob)
    here, there = await talk.talker(ann), await talk.talker(bob, 1)
    execute, log = talk.sites[0].node.client.execute, talk.sites[0].node.keys.inbox(room)
    await here.post(room, "kept")
    await there.listen(room)
    await there.listen(calm)
    before = {key: await execute("DUMP", key) for key in await execute("KEYS", f"{log}:*")}
    lost = ["lost-1", "lost-2", "lost-3"]
    last = 0
    for cid in lost:
        last = (await here.act("post", conv=room, text="lost", mentions=[bob], cid=cid))["seq"]
    await there.has(room, 4, 3)
    # Before them "kept", where its node had not heard of that when it listened.
    await eventually(lambda: [seq for seq, _ in there.peer.events(room)][-1:] == [last])
    for key in {*await execute("KEYS", f"{log}:*")} - before.keys():
        await execute("DEL", key)
    for key, dump in before.items():
        await execute("RESTORE", key, 0, dump, "REPLACE")
    await here.post(room, "instead")
    await eventually(lambda: len(there.peer.all(Op.SNAP)) == 3)
    assert there.peer.all(Op.RESET) == [[Op.RESET, room, "fork", []]]
    # Who only had its ROOM is told as well: their revs compare no more, and posts are lost.
    await eventually(lambda: here.peer.all(Op.RESET))
    assert here.peer.all(Op.RESET) == [[Op.RESET, room, "fork", sorted(lost)]]
    assert there.peer.all(Op.SNAP)[-1][7][0]["preview"] == "instead"
    await there.has(room, 2)
    await agree(talk, [here, there])


async def test_an_absence_longer_than_the_log_is_reset(talk: Talk) -> None:
    ann = await talk.person()
    room = await talk.channel(ann)
    here, writer = await talk.talker(ann), await talk.talker("admin")
    await here.listen(room)
    position = (await here.peer.got(Op.SNAP))[2:5]
    await here.peer.end()
    for number in range(8):
        await writer.post(room, f"{number}")
    node = talk.sites[0].node
    await node.client.execute("XTRIM", f"{node.keys.inbox(room)}:log", "MAXLEN", 3)
    back = await talk.talker(ann, 1)
    assert await back.listen(room, *position) == [room, "snapshot", 0]
    assert (await back.peer.got(Op.RESET))[1:3] == [room, "trimmed"]
    assert (await back.peer.got(Op.SNAP))[7][0]["posts"] == 8
    await back.has(room, 8)


async def test_rooms_that_vanish_with_the_engines_data_are_taken_away(talk: Talk) -> None:
    ann = await talk.person()
    room, kept = await talk.channel(ann), await talk.channel(ann)
    here = await talk.talker(ann)
    await here.listen(room)
    execute, log = talk.sites[0].node.client.execute, talk.sites[0].node.keys.inbox(room)
    before = {key: await execute("DUMP", key) for key in await execute("KEYS", f"{log}:*")}
    for key in before:
        await execute("DEL", key)
    assert (await here.peer.got(Op.UNSUBD))[1:] == [room, 123]
    await eventually(lambda: set(here.rooms) == {kept})
    assert set((await talk.talker(ann)).rooms) == {kept}
    for key, dump in before.items():  # and are there again when they are brought back
        await execute("RESTORE", key, 0, dump)
    await eventually(lambda: set(here.rooms) == {room, kept})


async def test_who_does_not_read_costs_one_frame_a_room(talk: Talk) -> None:
    """I14: what moves meanwhile replaces what was not written."""
    ann = await talk.person()
    rooms = [await talk.channel(ann) for _ in range(3)]
    stalled = await talk.talker(ann)
    connection = next(c for c in talk.sites[0].node.pump.connections if c.viewer.user == ann)
    connection._transport.pause_writing()  # as the loop says it of a full socket
    writer = await talk.talker("admin")
    began_s = time.monotonic()
    while connection.closing is None and time.monotonic() - began_s < 8:
        for room in rooms:
            await writer.post(room, "hi")
        latest = connection.viewer._latest or {}
        assert {key[0] for key in latest} <= {Op.ROOM}
        assert len(latest) <= len(rooms)
        assert connection.viewer.urgent_bytes < 1000  # who came and went
    assert connection.closing is not None
    assert connection.closing.code == Close.SLOW
    stalled.peer.ws.transport.abort()
    await eventually(lambda: connection not in talk.sites[0].node.pump.connections)
