"""What a room's people cost a node: in memory, and in work when something moves."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Sequence
from typing import Any, Final

import pytest

from batonbox_server import wire
from batonbox_server.hub.flushing import Flush
from batonbox_server.hub.follower import Limits, Reads
from batonbox_server.hub.room import Person, RoomFollower
from batonbox_server.hub.unread import Reader
from batonbox_server.hub.viewer import Viewer
from batonbox_server.store.rooms_port import RoomMarks
from batonbox_server.wire import JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL, Op

ROOMS: Final = 100
ROW: Final[dict[str, Any]] = {
    "id": "~c1", "kind": "public", "name": "dispatch", "people": [], "archived": 0, "rev": 7,
    "n": 7, "posts": 5, "last_ms": 1_700_000_002_000, "last_by": "ann", "preview": "hello",
}  # fmt: skip


def room(number: int, reads: Any = None) -> RoomFollower:
    """A room of five posts, of which nothing is read here but by `reads`."""
    nothing: Any = None
    follower = RoomFollower(
        Reads(nothing, nothing, Limits(), Flush()), reads, inbox=f"~c{number}", log="", channel="",
        on_moved=lambda _: None, on_gone=lambda _: None, watching=nothing,
    )  # fmt: skip
    follower.unread.restart(7, row={**ROW, "id": f"~c{number}"}, members=1000)
    return follower


def put(person: Person, follower: RoomFollower, *, read: int) -> None:
    """Somebody of the room who is connected."""
    follower.people[person.user] = person
    follower.unread.users[person.user] = Reader(300, 300, read)
    person.rooms[follower.inbox] = follower
    person.shown.add(follower.inbox)


def connected(user: str, subprotocol: str = MSGPACK_SUBPROTOCOL) -> Person:
    """Somebody who has got ROOMS."""
    nothing: Any = None
    viewer = Viewer(user, subprotocol, write=lambda _: None, sink=nothing, flush=Flush())
    viewer.stalled = True  # what is queued stays, to be looked at
    return Person(user, viewers={viewer: None})


class Asked:
    """The engine's rooms, as far as marks are read from them."""

    def __init__(self) -> None:
        self.reads: list[int] = []

    async def room_marks_of(self, *, room: str, users: Sequence[str]) -> dict[str, RoomMarks]:
        """Everybody has read everything."""
        assert room == "~c1"
        self.reads.append(len(users))
        return {user: RoomMarks(7, "", 1, 1, 5) for user in users}


async def test_a_thousand_people_who_come_at_once_are_read_in_a_few_steps() -> None:
    """Each step lets all look who wait."""
    asked: Any = Asked()
    follower = room(1, asked)
    people = [connected(f"user{number}") for number in range(1000)]
    for person in people:
        follower.admit(person)
    await follower.until(lambda: all(follower.knows(person.user) for person in people))
    assert sum(asked.reads) == 1000
    assert len(asked.reads) <= 4


def test_somebody_with_a_hundred_rooms_costs_a_node_less_than_forty_kilobytes() -> None:
    rooms, people = [room(number) for number in range(ROOMS)], []
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(200):
            people.append(connected(f"user{number}"))
            for follower in rooms:
                put(people[-1], follower, read=number)
        each = (tracemalloc.get_traced_memory()[0] - before) / len(people)
    finally:
        tracemalloc.stop()
    print(f"{each / 1000:.1f} kB for one person in {ROOMS} rooms")
    assert each < 40_000


def test_a_post_is_encoded_once_for_everybody_to_whom_it_says_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    follower, encoded = room(1), 0
    codecs = (MSGPACK_SUBPROTOCOL, JSON_SUBPROTOCOL)
    people = [connected(f"user{number}", codecs[number % 2]) for number in range(600)]
    for number, person in enumerate(people):
        put(person, follower, read=number // 2 % 3)
    encode = wire.encode

    def counted(value: Any, subprotocol: str) -> bytes:
        nonlocal encoded
        encoded += 1
        return encode(value, subprotocol)

    monkeypatch.setattr(wire, "encode", counted)
    follower.unread.moved = True
    follower.push()
    assert encoded == 2 * 3
    for number, person in enumerate(people):
        (viewer,) = person.viewers
        (frame,) = wire.decode(viewer.take(1 << 20), viewer.subprotocol)
        assert frame == [Op.ROOM, "~c1", {**ROW, "id": "~c1"}, 5 - number // 2 % 3, 0]
    follower.unread.changed.add("user3")  # one's own mark is told to them alone
    follower.push()
    assert [p.user for p in people if next(iter(p.viewers)).take(1 << 20)] == ["user3"]
