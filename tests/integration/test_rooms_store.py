"""Rooms on the engine: who is in them, what is unread, and the index that follows them."""

from __future__ import annotations

import asyncio

import pytest

from batonbox_server.domain.model import RoomKind
from batonbox_server.errors import Refused
from batonbox_server.store.connect import EngineClient
from tests.integration.rooms_harness import Rooms, body, cid


@pytest.fixture
async def rooms(client: EngineClient, prefix: str) -> Rooms:
    """An organisation of the test's own."""
    rooms = Rooms(client, prefix)
    await rooms.open()
    return rooms


async def refused(work: object) -> str:
    """The slug of a refusal."""
    with pytest.raises(Refused) as caught:
        await work  # type: ignore[misc]
    return caught.value.slug


async def test_two_people_have_one_direct_room_whoever_opens_it(rooms: Rooms) -> None:
    opened = await asyncio.gather(
        *(rooms.direct(*pair) for pair in [("ann", "bob"), ("bob", "ann")] * 5)
    )
    assert len(set(opened)) == 1
    state = await rooms.store.room_state(room=opened[0])
    assert state.row["people"] == ["ann", "bob"]
    assert set(state.members) == {"ann", "bob"}
    assert [line[0] for line in await rooms.lines(opened[0], "ann")] == ["room_created"]


async def test_a_post_is_unread_for_everybody_but_its_author(rooms: Rooms) -> None:
    room = await rooms.channel("dispatch", "ann", "bob")
    await rooms.post(room, "ann", "one")
    await rooms.post(room, "ann", "two, @bob", "bob")
    assert await rooms.unread(room, "ann") == (0, 0)
    assert await rooms.unread(room, "bob") == (2, 1)
    assert await rooms.store.room_seen(room=room, actor="bob", read=1)
    assert await rooms.unread(room, "bob") == (1, 1)
    assert await rooms.store.room_seen(room=room, actor="bob", read=99)
    assert await rooms.unread(room, "bob") == (0, 0)
    assert not await rooms.store.room_seen(room=room, actor="bob", read=1), "a late duplicate"
    assert await rooms.unread(room, "bob") == (0, 0)


async def test_marking_unread_lowers_the_mark_by_the_last_post_of_somebody_else(
    rooms: Rooms,
) -> None:
    room = await rooms.direct("ann", "bob")
    await rooms.post(room, "ann")
    await rooms.store.room_seen(room=room, actor="bob", read=1)
    assert not (await rooms.store.room_unread(room=room, actor="bob", cid=cid())).noop
    assert await rooms.unread(room, "bob") == (1, 0)
    assert (await rooms.store.room_unread(room=room, actor="ann", cid=cid())).noop
    assert await rooms.unread(room, "ann") == (0, 0)


async def test_a_retry_posts_once(rooms: Rooms) -> None:
    room = await rooms.channel("dispatch", "ann")
    same = {"room": room, "actor": "ann", "cid": "c1", "preview": "hi"}
    first = await rooms.store.post(**same, body=body("hi"))
    again = await rooms.store.post(**same, body=body("hi"))
    assert (again.seq, again.n) == (first.seq, first.n)
    slug = await refused(rooms.store.post(**same, body=body("other")))
    assert slug == "idempotency_mismatch"
    assert [line[0] for line in await rooms.lines(room, "ann")].count("posted") == 1


async def test_only_who_is_in_a_room_reads_and_writes(rooms: Rooms) -> None:
    room = await rooms.channel("dispatch", "ann", private=True)
    assert await refused(rooms.post(room, "bob")) == "forbidden"
    assert await refused(rooms.lines(room, "bob")) == "forbidden"
    assert await refused(rooms.post(room, "ann", "hi", "bob")) == "target_not_member"
    join = rooms.store.add_member(room=room, user="bob", actor="bob", cid=cid(), admin=False)
    assert await refused(join) == "forbidden"
    await rooms.put(room, "bob")
    assert await rooms.unread(room, "bob") == (0, 0)
    await rooms.post(room, "bob")
    await rooms.take(room, "bob")
    assert await refused(rooms.post(room, "bob")) == "forbidden"
    assert await refused(rooms.lines(room, "bob")) == "forbidden"
    assert room not in await rooms.store.rooms_of(user="bob")


async def test_joining_again_begins_with_nothing_unread(rooms: Rooms) -> None:
    room = await rooms.channel("dispatch", "ann", "bob")
    await rooms.post(room, "ann", "@bob", "bob")
    await rooms.take(room, "bob")
    await rooms.post(room, "ann")
    me = {"room": room, "user": "bob", "actor": "bob", "admin": False}
    joined = await rooms.store.add_member(**me, cid=cid())  # type: ignore[arg-type]
    assert not joined.noop
    assert await rooms.unread(room, "bob") == (0, 0)
    again = await rooms.store.add_member(**me, cid=cid())  # type: ignore[arg-type]
    assert again.noop


async def test_a_direct_room_keeps_its_two(rooms: Rooms) -> None:
    room = await rooms.direct("ann", "bob")
    for work in (rooms.put(room, "adm"), rooms.take(room, "ann")):
        assert await refused(work) == "bad_request"
    renamed = rooms.store.rename(room=room, actor="adm", cid=cid(), name="ours")
    assert await refused(renamed) == "bad_request"


async def test_an_edited_and_a_deleted_post_keep_what_stood_there(rooms: Rooms) -> None:
    room = await rooms.channel("dispatch", "ann", "bob")
    n = (await rooms.post(room, "ann", "wrng")).n
    change = {"room": room, "n": n, "body": body("wrong"), "preview": "wrong"}
    await rooms.store.edit(actor="ann", cid=cid(), **change)  # type: ignore[arg-type]
    assert await refused(rooms.store.edit(actor="bob", cid=cid(), **change)) == "forbidden"  # type: ignore[arg-type]
    assert ("posted", "ann", "edited", "wrong") in await rooms.lines(room, "bob")
    assert (await rooms.store.room_state(room=room)).row["preview"] == "wrong"
    gone = {"room": room, "n": n}
    assert await refused(rooms.store.delete(**gone, actor="bob", cid=cid(), admin=False)) == (  # type: ignore[arg-type]
        "forbidden"
    )
    await rooms.store.delete(**gone, actor="adm", cid=cid(), admin=True)  # type: ignore[arg-type]
    assert ("posted", "ann", "deleted", "") in await rooms.lines(room, "bob")
    assert await refused(rooms.store.edit(actor="ann", cid=cid(), **change)) == "not_found"  # type: ignore[arg-type]
    versions = await rooms.store.versions(room=room, n=n)
    assert [(v.by, v.body["text"]) for v in versions] == [("ann", "wrng"), ("adm", "wrong")]
    assert await rooms.unread(room, "bob") == (1, 0), "what happens to a post changes no count"


async def test_an_archived_channel_takes_no_posts_until_it_is_opened_again(rooms: Rooms) -> None:
    room = await rooms.channel("dispatch", "ann")
    await rooms.store.set_archived(room=room, actor="adm", cid=cid(), on=True)
    assert await refused(rooms.post(room, "ann")) == "bad_request"
    assert [channel.archived > 0 for channel in await rooms.store.channels()] == [True]
    await rooms.store.set_archived(room=room, actor="adm", cid=cid(), on=False)
    await rooms.post(room, "ann")


async def test_a_name_is_one_channels(rooms: Rooms) -> None:
    room = await rooms.channel("Dispatch")
    assert await refused(rooms.channel(" dispatch ")) == "conflict"
    other = await rooms.channel("night")
    taken = rooms.store.rename(room=other, actor="adm", cid=cid(), name="DISPATCH")
    assert await refused(taken) == "conflict"
    await rooms.store.rename(room=room, actor="adm", cid=cid(), name="Day")
    await rooms.store.rename(room=other, actor="adm", cid=cid(), name="dispatch")
    assert [channel.name for channel in await rooms.store.channels()] == ["Day", "dispatch"]
    await rooms.channel("night")


async def test_a_retried_creation_makes_one_channel(rooms: Rooms) -> None:
    made = {"actor": "adm", "cid": "c1", "name": "one", "kind": RoomKind.PUBLIC, "members": ["ann"]}
    first = await rooms.store.create_channel(**made)  # type: ignore[arg-type]
    again = await rooms.store.create_channel(**made)  # type: ignore[arg-type]
    assert first.conv == again.conv
    assert len(await rooms.store.channels()) == 1


async def test_nobody_is_in_more_rooms_than_the_setting_says(rooms: Rooms) -> None:
    for n in range(50):
        await rooms.direct("ann", f"u{n}")
    assert await refused(rooms.direct("bob", "ann")) == "bad_request"
    await rooms.direct("ann", "u1")


@pytest.mark.parametrize("step", ["room_create", "org_room_settle", "org_room_finish"])
async def test_a_creation_cut_off_is_finished_by_a_job(
    rooms: Rooms, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    _cut(rooms, monkeypatch, step)
    with pytest.raises(asyncio.CancelledError):
        await rooms.channel("dispatch", "ann")
    monkeypatch.undo()
    assert await rooms.finish_jobs() == 1
    made = step != "room_create"
    assert bool(await rooms.store.rooms_of(user="ann")) is made
    assert bool(await rooms.store.index_of(user="ann")) is made
    assert bool(await rooms.store.channels()) is made
    assert await rooms.finish_jobs() == 0
    if not made:
        await rooms.channel("dispatch", "ann")  # the name is free again


@pytest.mark.parametrize("step", ["room_member", "org_room_settle", "org_room_finish"])
async def test_a_removal_cut_off_is_finished_by_a_job(
    rooms: Rooms, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    room = await rooms.channel("dispatch", "ann")
    _cut(rooms, monkeypatch, step)
    with pytest.raises(asyncio.CancelledError):
        await rooms.take(room, "ann")
    monkeypatch.undo()
    assert room in await rooms.store.index_of(user="ann") or step == "org_room_finish"
    inside = room in await rooms.store.rooms_of(user="ann")
    assert inside is (step == "room_member"), "the room decides, whatever the index still says"
    await rooms.finish_jobs()
    still = step == "room_member"
    assert (room in await rooms.store.index_of(user="ann")) is still
    assert (room in await rooms.store.rooms_of(user="ann")) is still


async def test_joins_and_removals_at_once_leave_the_index_as_the_room_says(rooms: Rooms) -> None:
    room = await rooms.channel("dispatch")
    for _ in range(10):
        acts = [rooms.put(room, "ann"), rooms.take(room, "ann")] * 4
        await asyncio.gather(*acts)
        inside = "ann" in (await rooms.store.room_state(room=room)).members
        assert (room in await rooms.store.index_of(user="ann")) is inside


async def test_who_leaves_the_organisation_leaves_every_channel(rooms: Rooms) -> None:
    channels = [await rooms.channel(name, "ann") for name in ("one", "two")]
    direct = await rooms.direct("ann", "bob")
    await rooms.store.leave_all(user="ann")
    await rooms.store.leave_all(user="ann")
    assert set(await rooms.store.rooms_of(user="ann")) == {direct}
    for room in channels:
        assert "ann" not in (await rooms.store.room_state(room=room)).members
    await rooms.put(channels[0], "ann")
    await rooms.store.leave_all(user="ann")
    assert set(await rooms.store.rooms_of(user="ann")) == {direct}, "the second time too"


async def test_every_node_is_told_whose_rooms_changed(rooms: Rooms) -> None:
    room = await rooms.channel("dispatch", "ann")
    await rooms.take(room, "ann")
    told = [m for m in await rooms.events(rooms.keys.org) if m["type"] == "room_changed"]
    assert [m["room"] for m in told] == [room, room]
    assert await rooms.store.all_rooms() == [room]


async def test_every_event_says_when_as_its_line_does(rooms: Rooms) -> None:
    room = await rooms.channel("dispatch", "ann")
    n = (await rooms.post(room, "ann")).n
    await rooms.take(room, "ann")
    await rooms.put(room, "ann")
    await rooms.store.rename(room=room, actor="adm", cid=cid(), name="night")
    lines = (await rooms.reads.history(conv=room, actor="adm", n=200)).messages
    events = await rooms.events(rooms.keys.inbox(room))
    assert [(m["n"], m["at_ms"]) for m in events] == [(line[0], line[2]) for line in lines]
    await rooms.store.delete(room=room, actor="ann", cid=cid(), n=n, admin=False)
    assert (await rooms.events(rooms.keys.inbox(room)))[-1]["at_ms"] > events[-1]["at_ms"]


def _cut(rooms: Rooms, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """The node dies before this script."""
    index = rooms.store._index

    async def dies(*_: object, **__: object) -> None:
        raise asyncio.CancelledError

    for scripts in (rooms.store._scripts, index._scripts):
        monkeypatch.setitem(scripts.__dict__, step, dies)
