"""Rooms over sockets of two nodes: told unasked, listened to, resumed."""

from __future__ import annotations

import pytest

from batonbox_server.domain.model import RoomKind
from batonbox_server.wire import Op
from tests.support import eventually

from .rooms_live_harness import Talk

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_post_reaches_everybody_of_the_room_unasked(talk: Talk) -> None:
    ann, bob, cyd = await talk.people(3)
    room = await talk.channel(ann, bob)
    here, there, other = [await talk.talker(u, at) for u, at in ((ann, 0), (bob, 1), (cyd, 1))]
    await talk.agrees(here)
    assert set(here.rooms) == {room}
    await here.post(room, "hello")
    await there.has(room, 1)
    await here.has(room, 0)
    await here.post(room, "look", bob)
    await there.has(room, 2, 1)
    await talk.agrees(there)
    await eventually(lambda: there.notices(room) == [("mention", ann)])
    row = there.peer.all(Op.ROOM)[-1][2]
    assert (row["preview"], row["last_by"], row["n"]) == ("look", ann, 3)
    assert other.rooms == {}
    assert other.peer.all(Op.ROOM) == other.peer.all(Op.NOTIFY) == here.peer.all(Op.NOTIFY) == []


async def test_what_i_have_seen_is_seen_on_all_my_devices_and_on_nobody_elses(talk: Talk) -> None:
    ann, bob, cyd = await talk.people(3)
    room = await talk.channel(ann, bob, cyd)
    writer = await talk.talker(ann)
    one, other, third = [await talk.talker(u, at) for u, at in ((bob, 0), (bob, 1), (cyd, 1))]
    for _ in range(3):
        await writer.post(room, "hi", bob)
    await other.has(room, 3, 3)
    await one.peer.send([Op.SEEN, room, room, "2"])
    await other.has(room, 1, 1)
    await one.has(room, 1, 1)
    await third.has(room, 3)
    await one.peer.send([Op.SEEN, room, room, "1"])  # a mark is not lowered by it
    await one.act("unread", conv=room)
    await third.post(room)
    await other.has(room, 2, 1)
    await one.peer.send([Op.SEEN, room, room, "4"])
    await other.has(room, 0)
    await one.act("unread", conv=room)
    await other.has(room, 1)
    await talk.agrees(other)


async def test_a_new_room_appears_at_once_with_what_was_said_in_it(talk: Talk) -> None:
    """Whoever is told of it was not yet followed there when it was said."""
    ann, bob, cyd = await talk.people(3)
    here, there, away = [await talk.talker(u, at) for u, at in ((ann, 0), (bob, 1), (cyd, 1))]
    direct = (await here.act("open_dm", user=bob))["conv"]
    await here.post(direct, "are you there?")
    await there.has(direct, 1)
    await eventually(lambda: there.notices(direct) == [("direct", ann)])
    room = await talk.channel(bob)
    await there.has(room, 0)
    await eventually(lambda: there.notices(room) == [("added", "admin")])
    await talk.admin(room, "invite", user=cyd)
    await talk.admin(room, "post", text="welcome", mentions=[cyd])
    await away.has(room, 1, 1)
    await eventually(lambda: away.notices(room) == [("added", "admin"), ("mention", "admin")])
    assert here.notices(direct) == []
    assert set(here.rooms) == {direct}
    again = await talk.talker(cyd)  # who comes later was away, and is told totals alone
    assert (again.waits(room), again.notices(room)) == ((1, 1), [])


async def test_an_opening_brings_the_room_its_marks_and_its_history(talk: Talk) -> None:
    ann, bob = await talk.people(2)
    room = await talk.channel(ann, bob)
    here, there = await talk.talker(ann), await talk.talker(bob, 1)
    await here.post(room, "one", bob)
    await there.has(room, 1, 1)
    assert await there.listen(room, level=f"conv:{room}") == [room, "snapshot", 0]
    snap, opening = await there.peer.got(Op.SNAP), await there.peer.got(Op.CONV)
    assert snap[1] == room
    assert snap[5:] == [
        {"members": 3},
        {"seq": snap[3], "mv": 0, "read": 0, "mentions": [1]},
        [there.peer.all(Op.ROOM)[-1][2]],
        None,
    ]
    assert [message[3] for message in opening[5]] == ["room_created", "posted"]
    seq = await here.post(room, "two")
    await eventually(lambda: there.peer.events(room) and there.peer.events(room)[-1][0] == seq)
    await there.peer.send([Op.SEEN, room, room, "2"])
    await eventually(lambda: there.peer.all(Op.ME))
    me = there.peer.all(Op.ME)[-1]
    assert me[1:] == [room, {"seq": seq, "mv": 1, "read": 2, "mentions": []}]
    # Without events there is no seat, and the room is told of all the same.
    await there.peer.send([Op.UNSUB, [room]])
    await here.post(room, "three")
    await there.has(room, 1)
    assert [seq for seq, _ in there.peer.events(room)] == [seq]
    follower = talk.follower(room, 1)
    assert follower is not None
    assert follower.by_user == {}


@pytest.mark.parametrize("behind", [10, 400])  # within the ring of a room, and beyond it
async def test_a_position_is_resumed_on_another_node_without_gap_or_double(
    talk: Talk, behind: int
) -> None:
    ann, bob = await talk.people(2)
    room = await talk.channel(ann, bob)
    keeper = await talk.talker(bob, 1)  # the other node follows the room all the while
    here = await talk.talker(ann)
    await here.listen(room)
    _, _, epoch, seq, tip, *_ = await here.peer.got(Op.SNAP)
    await here.peer.end()
    await talk.posted(room, ann, behind)
    await keeper.has(room, behind)
    again = await talk.talker(ann, 1)
    assert await again.listen(room, epoch, seq, tip) == [room, "resumed", 0]
    last = await keeper.post(room, "after")
    await eventually(lambda: again.peer.events(room) and again.peer.events(room)[-1][0] == last)
    assert [at for at, _ in again.peer.events(room)] == list(range(seq + 1, last + 1))
    assert again.peer.all(Op.RESET) == again.peer.all(Op.SNAP) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [({0: "other"}, "epoch"), ({2: "f" * 16}, "fork"), ({1: 9999}, "fork"), ({1: 0}, "perm")],
)
async def test_a_position_of_another_history_is_reset(
    talk: Talk, change: dict[int, str | int], reason: str
) -> None:
    (ann,) = await talk.people(1)
    room = await talk.channel(ann)
    here = await talk.talker(ann)
    await here.post(room)
    await here.listen(room)
    position = (await here.peer.got(Op.SNAP))[2:5]
    for place, value in change.items():
        position[place] = value
    assert await here.listen(room, *position) == [room, "snapshot", 0]
    assert [frame[1:3] for frame in here.peer.all(Op.RESET)] == [[room, reason]]
    assert len(here.peer.all(Op.SNAP)) == 2


async def test_who_types_in_a_room_is_seen_at_the_other_node(talk: Talk) -> None:
    ann, bob = await talk.people(2)
    room = await talk.channel(ann, bob)
    here, there = await talk.talker(ann), await talk.talker(bob, 1)
    await there.peer.send([Op.VIEWING, room, False])
    await here.peer.send([Op.VIEWING, room, True])
    await eventually(lambda: there.peer.all(Op.TYPING))
    assert there.peer.all(Op.TYPING)[-1][1:] == [room, {ann: "typing"}]
    await talk.admin(room, "remove", user=ann)
    await eventually(lambda: there.peer.all(Op.TYPING)[-1][1:] == [room, {}])


# What it costs


async def test_a_hundred_rooms_cost_no_subscription_and_one_follow_each(talk: Talk) -> None:
    ann, bob = await talk.people(2)
    rooms = [
        (await talk.rooms.create_channel(
            actor=ann, cid=f"{ann}{number}", name=f"{ann} {number}", kind=RoomKind.PUBLIC,
            members=[bob],
        )).conv for number in range(100)
    ]  # fmt: skip
    sockets = [await talk.talker(u, at) for u in (ann, bob, bob) for at in (0, 1)]
    for site in talk.sites:
        followed = [f.inbox for f in site.node.hub.followers.seated() if f.inbox in rooms]
        assert sorted(followed) == sorted(rooms)
        tasks = site.node.hub._reads.tasks
        await eventually(lambda tasks=tasks: {t.get_name() for t in tasks} <= {"feed-checks"})  # type: ignore[misc]
        for connection in site.node.pump.connections:
            assert not connection.viewer.seats.keys() & set(rooms)
            assert site.node.hub.listening(connection.viewer) == 0
    for one in sockets:
        assert set(one.rooms) == set(rooms)
        assert one.peer.all(Op.ROOM) == []
    await sockets[0].post(rooms[7], "hello", bob)
    for one in sockets[2:]:
        await one.has(rooms[7], 1, 1)
    for one in sockets:
        await talk.agrees(one)
        assert {frame[1] for frame in one.peer.all(Op.ROOM)} == {rooms[7]}


async def test_subscriptions_to_rooms_count_as_such(talk: Talk) -> None:
    ann = await talk.person()
    rooms = [await talk.channel(ann) for _ in range(3)]
    await talk.sites[0].token(ann, subscriptions_max=2)
    here = await talk.talker(ann)
    for room in rooms[:2]:
        assert (await here.listen(room))[1] == "snapshot"
    refused = await here.ask(Op.SUB, [[rooms[2], "list"]])
    assert refused[3] == "bad_request"
    await here.peer.send([Op.UNSUB, [rooms[0]]])
    assert (await here.listen(rooms[2]))[1] == "snapshot"


async def test_a_total_that_went_wrong_is_found_and_mended(talk: Talk) -> None:
    """The audit recounts in the engine: silent while all is well, loud when it is not."""
    ann = await talk.person()
    room = await talk.channel(ann)
    here, hub = await talk.talker(ann), talk.sites[0].node.hub
    await talk.posted(room, "admin", 3)
    await here.has(room, 3)
    assert hub.mismatches == 0
    follower = talk.follower(room)
    assert follower is not None
    follower.unread.users[ann].read = 2
    assert await follower.audit(ann) is False
    await hub._recount(follower)
    assert hub.mismatches == 1
    hub.mismatches = 0
    await eventually(lambda: follower.unread.users[ann].read == 0)
    assert await follower.audit(ann) is True
