"""Who is out of a room is out: over sockets of two nodes, whatever was on its way to them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from batonbox_server.domain.policy import Scope
from batonbox_server.hub.frames import Published
from batonbox_server.wire import Op
from tests.support import eventually

from .rooms_live_harness import Talk, Talker
from .socket_harness import dial

pytestmark = pytest.mark.asyncio(loop_scope="module")


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
    await talk.posted(room, ann, 30, "backlog")  # half-written when access ends
    removal = (await talk.admin(room, "remove", user=bob))["seq"]
    await talk.posted(room, ann, 30, "later")
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
    assert [frame for frame in there.peer.all(Op.RESET) if frame[1] == room] == []


async def spans(talk: Talk, room: str, user: str) -> list[tuple[int, int]]:
    """From which to which seq the log has the user in the room, who was not made with it."""
    node, found, since = talk.sites[0].node, list[tuple[int, int]](), 0
    for entry in await node.store.range(log=node.keys.inbox(room), first=1, last=10**9):
        event = Published.of(entry.prev, entry.frame)
        if event.meta.get("user") == user and event.meta["type"] == "member_joined":
            since = event.seq
        elif event.meta.get("user") == user:
            found.append((since, event.seq))
            since = 0
    return [*found, (since, 10**9)] if since else found


async def test_every_frame_is_of_a_time_at_which_its_reader_was_in_the_room(talk: Talk) -> None:
    """A busy hour: people come and go at both nodes, and every frame of theirs is looked at."""
    people = await talk.people(3)
    rooms = [await talk.channel(), await talk.channel(private=True)]
    talkers = [await talk.talker(user, at) for user in people for at in (0, 1)]

    async def comes_and_goes(user: str, who: Talker) -> None:
        for number in range(6):
            room = rooms[number % 2]
            await talk.admin(room, "invite", user=user)
            await who.listen(room)
            await who.post(room, f"{user} {number}")
            await talk.admin(room, "remove", user=user)
            await who.listen(room)

    async def traffic(room: str) -> None:
        for number in range(60):
            await talk.admin(room, "post", text=f"{number}")

    going = [comes_and_goes(who.user, who) for who in talkers[::2]]
    await asyncio.gather(*going, *(traffic(room) for room in rooms))
    told = 0
    for who in talkers:
        await eventually(lambda who=who: who.rooms == {})  # type: ignore[misc]
        for room in rooms:
            held = await spans(talk, room, who.user)
            seqs = [seq for seq, _ in who.peer.events(room)]
            seqs += [frame[3] for frame in who.peer.all(Op.SNAP) if frame[1] == room]
            moved = [frame for frame in who.peer.all(Op.ROOM) if frame[1] == room]
            seqs += [frame[2]["rev"] for frame in moved if frame[2] is not None]
            for seq in seqs:
                assert any(low <= seq <= high for low, high in held), (who.user, seq, held)
            told += len(seqs)
    assert told > 100


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
    peer = await dial(site)
    await peer.send([Op.HELLO, secret, "test/1"])
    await peer.got(Op.ORG)
    silent = Talker(peer, ann)
    await talk.posted(room, "admin", 1)
    await reader.has(room, 1)
    assert (await silent.listen(room))[1] == "refused"
    assert {frame[0] for frame in peer.frames} & {Op.ROOMS, Op.ROOM, Op.EV, Op.SNAP} == set()
    await peer.end()
