"""Rooms while several things happen at once: names, deactivations, and what came to nothing."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from batonbox_server.domain.model import Role
from batonbox_server.errors import Refused
from batonbox_server.store.connect import EngineClient
from batonbox_server.store.directory_port import User
from batonbox_server.store.room_index import folded
from tests.integration.rooms_harness import Rooms, cid


@pytest.fixture
async def rooms(client: EngineClient, prefix: str) -> Rooms:
    """An organisation of the test's own, with its admin and Ann."""
    rooms = Rooms(client, prefix)
    await rooms.open()
    for user in (User("adm", "Ada", Role.ADMIN), User("ann", "Ann", Role.MEMBER)):
        await rooms.organisation.create_user(user)
    return rooms


def _before(
    rooms: Rooms,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    happens: Callable[[], Awaitable[object]],
) -> None:
    """Once, before the next script of this name, something else happens."""
    for scripts in (rooms.store._scripts, rooms.store._index._scripts):
        script = getattr(scripts, step)

        async def delayed(*args: Any, _script: Any = script, **more: Any) -> Any:
            monkeypatch.undo()
            await happens()
            return await _script(*args, **more)

        monkeypatch.setitem(scripts.__dict__, step, delayed)


async def _deactivate(rooms: Rooms) -> None:
    await rooms.organisation.deactivate_user("ann")
    await rooms.store.leave_all(user="ann")


@pytest.mark.parametrize("step", ["room_member", "org_room_settle"])
async def test_who_is_deactivated_while_being_invited_is_in_no_channel(
    rooms: Rooms, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    room = await rooms.channel("dispatch")
    _before(rooms, monkeypatch, step, lambda: _deactivate(rooms))
    await rooms.put(room, "ann")
    assert set((await rooms.store.room_state(room=room)).members) == {"adm"}
    assert await rooms.store.index_of(user="ann") == frozenset()


async def test_who_is_deactivated_while_a_channel_is_made_is_not_in_it(
    rooms: Rooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    _before(rooms, monkeypatch, "room_create", lambda: _deactivate(rooms))
    room = await rooms.channel("dispatch", "ann")
    assert set((await rooms.store.room_state(room=room)).members) == {"adm"}
    assert await rooms.store.index_of(user="ann") == frozenset()


async def test_a_direct_room_keeps_who_is_deactivated(rooms: Rooms) -> None:
    room = await rooms.direct("ann", "adm")
    await _deactivate(rooms)
    await rooms.direct("adm", "ann")
    assert set((await rooms.store.room_state(room=room)).members) == {"adm", "ann"}


@pytest.mark.parametrize(
    ("step", "first", "second"),
    [("org_room_settle", "night", "day"), ("room_change", "day", "night")],
    ids=["settled late", "claimed and not yet taken"],
)
async def test_a_name_that_is_taken_back_meanwhile_stays_its_channels(
    rooms: Rooms, monkeypatch: pytest.MonkeyPatch, step: str, first: str, second: str
) -> None:
    """One renaming gives back no name that another has claimed."""
    room = await rooms.channel("day")

    async def rename(name: str) -> None:
        await rooms.store.rename(room=room, actor="adm", cid=cid(), name=name)

    _before(rooms, monkeypatch, step, lambda: rename(second))
    await rename(first)
    assert [channel.name for channel in await rooms.store.channels()] == ["day"]
    with pytest.raises(Refused, match="already"):
        await rooms.channel("Day")
    await rooms.channel("night")


async def test_a_job_that_two_nodes_do_at_once_is_written_down_once(
    rooms: Rooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = await rooms.channel("dispatch")

    async def dies() -> None:
        raise asyncio.CancelledError

    _before(rooms, monkeypatch, "org_room_settle", dies)
    with pytest.raises(asyncio.CancelledError):
        await rooms.put(room, "ann")
    audit = f"{rooms.keys.org}:au"
    before = await rooms.client.execute("XLEN", audit)
    (job,) = await rooms.organisation.lease_jobs()
    await asyncio.gather(*(rooms.store.run_job(job) for _ in range(8)))
    assert await rooms.client.execute("XLEN", audit) == before + 1
    assert await rooms.store.index_of(user="ann") == {room}
    assert await rooms.finish_jobs() == 0


@pytest.mark.parametrize("seed", range(6))
async def test_the_index_is_what_the_rooms_say_whatever_happened_at_once(
    rooms: Rooms, client: EngineClient, prefix: str, seed: int
) -> None:
    """Two nodes, few names, few people: channels are made, renamed, joined and left together."""
    rng, nodes = random.Random(seed), (rooms, Rooms(client, prefix))
    people = ("adm", "ann", "bob", "cat")
    for user in people[2:]:
        await rooms.organisation.create_user(User(user, user, Role.MEMBER))
    made = [await rooms.channel(f"room {n}", *people) for n in range(3)]

    async def act() -> None:
        node, room, user = rng.choice(nodes), rng.choice(made), rng.choice(people[1:])
        name = f"name {rng.randrange(4)}"
        await asyncio.sleep(rng.random() / 100)
        match rng.randrange(6):
            case 0:
                made.append(await node.channel(name, user))
            case 1 | 2:
                await node.store.rename(room=room, actor="adm", cid=cid(), name=name)
            case 3:
                await node.put(room, user)
            case 4:
                await node.take(room, user)
            case _ if user == "cat":
                await node.organisation.deactivate_user(user)
                await node.store.leave_all(user=user)

    done = await asyncio.gather(*(act() for _ in range(60)), return_exceptions=True)
    assert {type(one) for one in done} <= {type(None), Refused}, done
    states = {room: await rooms.store.room_state(room=room) for room in made}
    names = {folded(state.row["name"]): room for room, state in states.items()}
    assert len(names) == len(made), "two channels share a name"
    claims = await client.execute("HGETALL", f"{rooms.keys.org}:rn")
    claimed = {k.decode(): v.decode().split()[0] for k, v in zip(*[iter(claims)] * 2, strict=True)}
    assert claimed == names
    assert {c.id: folded(c.name) for c in await rooms.store.channels()} == {
        room: name for name, room in names.items()
    }
    for user in people:
        inside = {room for room, state in states.items() if user in state.members}
        assert await rooms.store.index_of(user=user) == inside
    users = (await rooms.organisation.state()).users
    assert all(users[user].active for state in states.values() for user in state.members)


async def test_what_came_to_nothing_leaves_nothing_and_is_told_nobody(rooms: Rooms) -> None:
    room = await rooms.channel("dispatch", private=True)
    log = rooms.keys.org
    told = len(await rooms.events(log))
    for where in (room, "~c" + "0" * 32, "~d" + "0" * 32):
        with pytest.raises(Refused):
            await rooms.store.add_member(
                room=where, user="ann", actor="ann", cid=cid(), admin=False
            )
    await rooms.put(room, "adm")  # who is in it
    assert len(await rooms.events(log)) == told
    assert await rooms.store.all_rooms() == [room]
    assert await rooms.store.index_of(user="ann") == frozenset()
    assert await rooms.finish_jobs() == 0
