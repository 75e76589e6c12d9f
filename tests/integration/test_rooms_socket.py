"""Rooms over sockets of two nodes: told unasked, listened to, left for good."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from batonbox_server.domain.model import RoomKind
from batonbox_server.domain.policy import Scope
from batonbox_server.wire import Op
from tests.support import eventually

from .rooms_live_harness import Talk, Talker, talking
from .socket_harness import dial

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def nodes(engine_url: str) -> AsyncIterator[Talk]:
    """Two nodes."""
    async with talking(engine_url) as talk:
        yield talk


@pytest_asyncio.fixture(loop_scope="module")
async def talk(nodes: Talk) -> AsyncIterator[Talk]:
    """Each test has people, rooms and sockets of its own."""
    async with nodes.sockets():
        yield nodes


async def test_a_post_reaches_everybody_of_the_room_unasked(talk: Talk) -> None:
    ann, bob, cyd = await talk.people(3)
    room = await talk.channel(ann, bob)
    here, there, other = [await talk.talker(u, at) for u, at in ((ann, 0), (bob, 1), (cyd, 1))]
    assert here.rooms == await talk.truth(ann)
    assert set(here.rooms) == {room}
    await here.post(room, "hello")
    await there.has(room, 1)
    await here.has(room, 0)
    await here.post(room, "look", bob)
    await there.has(room, 2, 1)
    assert there.rooms == await talk.truth(bob)
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
    assert other.rooms == await talk.truth(bob)


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
    await posted(talk, room, ann, behind)
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


async def posted(talk: Talk, room: str, user: str, count: int, text: str = "hi") -> None:
    """So many posts, straight in the store."""
    for number in range(count):
        await talk.rooms.post(
            room=room, actor=user, cid=f"{room}{text}{number}", body=b"\x81\xa4text\xa2hi",
            preview=f"{text} {number}",
        )  # fmt: skip


# Whoever is out is out


async def test_nothing_of_a_room_reaches_who_was_taken_out(talk: Talk) -> None:
    """I12: the open sockets of both nodes, the backlog of a closed one, and who comes back."""
    ann, bob = await talk.people(2)
    room = await talk.channel(ann, bob)
    sockets = [await talk.talker(bob, at) for at in (0, 1)]
    gone, writer = await talk.talker(bob), await talk.talker(ann)
    for one in (*sockets, gone):
        await one.listen(room)
    position = (await gone.peer.got(Op.SNAP))[2:5]
    await gone.peer.end()
    await posted(talk, room, ann, 30, "backlog")  # half-written when access ends
    removal = (await talk.admin(room, "remove", user=bob))["seq"]
    await posted(talk, room, ann, 30, "later")
    last = await writer.post(room, "later too", ann)
    for one in sockets:
        assert (await one.peer.got(Op.UNSUBD))[1:] == [room, 103]
        assert (await one.peer.got(Op.RESET))[1:3] == [room, "perm"]
        await eventually(lambda one=one: one.rooms == {})  # type: ignore[misc]
        for op, args in ((Op.CHECK, [room, [[1, "x"]]]), (Op.HISTORY, [room, 0, 50])):
            assert (await one.ask(op, *args))[3] == "forbidden"
        assert (await one.listen(room))[1:] == ["refused", 103]
        assert all(seq <= removal for seq, _ in one.peer.events(room))
        assert not [frame for frame in one.peer.frames if "later" in json.dumps(frame)]
    again = await talk.talker(bob, 1)
    assert again.rooms == {}
    assert (await again.listen(room, *position))[1:] == ["refused", 103]
    assert again.peer.all(Op.EV) == again.peer.all(Op.SNAP) == again.peer.all(Op.ROOM) == []
    await talk.admin(room, "invite", user=bob)
    for one in (*sockets, again):
        await one.has(room, 0)
        await eventually(lambda one=one: ("added", "admin") in one.notices(room))  # type: ignore[misc]
    assert await again.listen(room, *position) == [room, "snapshot", 0]
    assert (await again.peer.got(Op.RESET))[1:3] == [room, "perm"]
    snap = await again.peer.got(Op.SNAP)
    assert snap[3] > last
    assert again.peer.events(room) == []
    await writer.post(room, "welcome back")
    await again.has(room, 1)


async def test_the_rooms_own_word_ends_access_before_the_indexs_does(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, bob = await talk.people(2)
    room = await talk.channel(ann, bob)
    here, there = await talk.talker(ann), await talk.talker(bob, 1)
    with monkeypatch.context() as late:
        late.setattr(talk.sites[1].node.hub, "rooms_changed", lambda _: None)
        await talk.admin(room, "remove", user=bob)
        await eventually(lambda: there.rooms == {})
        for level in ("list", f"conv:{room}"):
            assert (await there.listen(room, level=level))[1:] == ["refused", 103]
        await here.post(room, "later")
        await talk.admin(room, "invite", user=bob)
        await there.has(room, 0)
        assert (await there.listen(room))[1] == "snapshot"
        await here.post(room)
        await there.has(room, 1)
    assert len(there.peer.all(Op.EV)) == 1


async def test_what_becomes_of_inboxes_is_nothing_to_rooms(talk: Talk) -> None:
    ann, bob = await talk.people(2)
    room = await talk.channel(ann, bob)
    here, there = await talk.talker(ann), await talk.talker(bob, 1)
    await there.listen(room)
    path = f"/v1/admin/inboxes/sales/members/{bob}"
    for method in ("PUT", "DELETE"):
        assert (await talk.sites[0].call("admin", method, path)).is_success
    await eventually(lambda: [f for f in there.peer.all(Op.ORG) if f[1] == "inbox_gone"])
    last = await here.post(room)
    await eventually(lambda: there.peer.events(room) and there.peer.events(room)[-1][0] == last)
    assert {frame[1] for frame in there.peer.all(Op.RESET)} == {"sales"}


async def test_who_leaves_and_comes_back_is_told_each_time(talk: Talk) -> None:
    ann, bob = await talk.people(2)
    room = await talk.channel(ann)
    here, there = await talk.talker(ann), await talk.talker(bob, 1)
    for number in range(4):
        await there.act("join", conv=room)
        await there.has(room, 0)
        await here.post(room)
        await there.has(room, 1)
        await there.act("leave", conv=room)
        await eventually(lambda: there.rooms == {})
        await here.post(room, f"unheard {number}")
    assert there.notices(room) == []
    assert [frame for frame in there.peer.frames if "unheard 3" in json.dumps(frame)] == []
    assert await talk.truth(bob) == {}


async def test_a_stranger_learns_nothing_not_even_that_two_have_talked(talk: Talk) -> None:
    ann, bob, eve = await talk.people(3)
    here, stranger = await talk.talker(ann), await talk.talker(eve, 1)
    private = await talk.channel(ann, private=True)
    talked = (await here.act("open_dm", user=bob))["conv"]
    await here.post(talked, "between us")
    never = "~d" + "0" * 32
    for level in ("list", "conv:{}", "badge"):
        how = [await stranger.listen(r, level=level.format(r)) for r in (talked, never)]
        assert [answer[1:] for answer in how] == [["refused", 107 if level == "badge" else 123]] * 2
    for op in (Op.HISTORY, Op.CHECK):
        more: list[Any] = [0, 10] if op == Op.HISTORY else [[]]
        answers = [(await stranger.ask(op, room, *more))[2:] for room in (talked, never)]
        assert answers[0] == answers[1]
    assert (await stranger.listen(private))[1:] == ["refused", 103]
    await stranger.peer.send([Op.VIEWING, talked, True], [Op.VIEWING, private, True])
    await stranger.peer.send([Op.SEEN, private, private, "1"])
    await here.post(talked, "still between us")
    assert (await stranger.ask(Op.PAGE, private, "open", None, 10))[3] == "bad_request"
    told = {Op.EV, Op.SNAP, Op.CONV, Op.ROOM, Op.NOTIFY, Op.TYPING}
    assert [frame for frame in stranger.peer.frames if frame[0] in told] == []


async def test_a_token_that_may_not_read_is_told_of_no_room(talk: Talk) -> None:
    (ann,) = await talk.people(1)
    room = await talk.channel(ann)
    site = talk.sites[0]
    _, secret = await site.node.identity.make_token(user=ann, scopes={Scope.ACT})
    reader = await talk.talker(ann, 1)
    site._tokens[ann] = secret
    peer = await dial(site)  # type: ignore[arg-type]
    await peer.send([Op.HELLO, secret, "test/1"])
    await peer.got(Op.ORG)
    silent = Talker(peer, ann)
    await posted(talk, room, "admin", 1)
    await reader.has(room, 1)
    assert (await silent.listen(room))[1] == "refused"
    assert {frame[0] for frame in peer.frames} & {Op.ROOMS, Op.ROOM, Op.EV, Op.SNAP} == set()
    await peer.end()


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
    before = [site.node.hub.counts["feeds"] for site in talk.sites]
    rooms = [
        (await talk.rooms.create_channel(
            actor=ann, cid=f"{ann}{number}", name=f"{ann} {number}", kind=RoomKind.PUBLIC,
            members=[bob],
        )).conv for number in range(100)
    ]  # fmt: skip
    sockets = [await talk.talker(u, at) for u in (ann, bob, bob) for at in (0, 1)]
    for at, site in enumerate(talk.sites):
        assert site.node.hub.counts["feeds"] == before[at] + 100
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
        assert {frame[1] for frame in one.peer.all(Op.ROOM)} == {rooms[7]}
        assert one.rooms == await talk.truth(one.user)


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
    await posted(talk, room, "admin", 3)
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
