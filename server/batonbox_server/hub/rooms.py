"""Who is connected to this node, and the rooms each of them is in: told unasked, and once.

The organisation's index says which rooms may be somebody's, the rooms themselves which are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final

from batonbox_server import wire
from batonbox_server.errors import Refused
from batonbox_server.tasks import spawn
from batonbox_server.wire import Op

from .follower import Reads
from .followers import Followers
from .port import RoomReads
from .room import Person, RoomFollower
from .viewer import Viewer

__all__ = ["Rooms"]

_PAUSE_S: Final = 0.1
_PAUSE_MAX_S: Final = 2.0
_TRIES: Final = 20  # for a room that the index names and that is not there


class Rooms:
    """One per node. A connection that came gets ROOMS, then ROOM whenever something moves.

    A task runs only while somebody's rooms are being read; a room is followed once per node.
    """

    def __init__(self, reads: Reads, rooms: RoomReads, followers: Followers) -> None:
        self.people: dict[str, Person] = {}
        self._reads = reads
        self._rooms = rooms
        self._followers = followers
        self._reading: set[Person] = set()

    def came(self, viewer: Viewer) -> None:
        """Somebody has connected who may be told of conversations."""
        if viewer.closed:
            return
        person = self.people.get(viewer.user)
        if person is None:
            person = self.people[viewer.user] = Person(viewer.user)
        person.coming[viewer] = None
        if person.viewers and all(_known(person, room) for room in person.rooms):
            self._welcome(person)
        else:
            self.read(person)

    def went(self, viewer: Viewer) -> None:
        """The connection is gone; idempotent."""
        person = self.people.get(viewer.user)
        if person is None:
            return
        person.viewers.pop(viewer, None)
        person.coming.pop(viewer, None)
        if not person.viewers and not person.coming:
            del self.people[person.user]
            for follower in person.rooms.values():
                if follower is not None:
                    follower.dismiss(person)

    def changed(self, users: Iterable[str]) -> None:
        """The index may say something else of these."""
        for user in users:
            person = self.people.get(user)
            if person is not None:
                self.read(person)

    def reset(self) -> None:
        """It may say something else of everybody."""
        self.changed(list(self.people))

    def read(self, person: Person) -> None:
        """See which rooms are theirs, soon."""
        person.due = True
        if person not in self._reading:
            self._reading.add(person)
            spawn(self._reads.tasks, self._read(person), name="rooms")

    async def _read(self, person: Person) -> None:
        pause_s, tries = _PAUSE_S, 0
        try:
            while person.due and self._here(person):
                person.due = False
                followed = await self._follow(person)
                if followed and None in person.rooms.values() and tries < _TRIES:
                    tries += 1  # a room is about to be made, or is brought back
                elif followed:
                    continue
                person.due = True
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _PAUSE_MAX_S)
        finally:
            self._reading.discard(person)

    async def _follow(self, person: Person) -> bool:
        """Follow what the index says; False: to be done again."""
        try:
            index = await self._reads.paced(lambda: self._rooms.index_of(user=person.user))
        except Refused:
            return False
        for room in person.rooms.keys() - index:
            follower = person.rooms.pop(room)
            if follower is not None:
                follower.dismiss(person)
        unknown = [room for room in sorted(index) if not _known(person, room)]
        missing = [room for room in unknown if self._followers.ready(room) is None]
        slugs = await asyncio.gather(*map(self._open, missing))
        if not self._here(person):
            return True
        absent = {room for room, slug in zip(missing, slugs, strict=True) if slug == "not_found"}
        person.rooms.update(dict.fromkeys(absent))
        if not await self._enter(person, [room for room in unknown if room not in absent]):
            return False
        if self._here(person):
            self._welcome(person)
        return True

    async def _open(self, room: str) -> str:
        """Follow a room: "", or why not."""
        try:
            await self._followers.get(room)
        except Refused as refused:
            return refused.slug
        return ""

    async def _enter(self, person: Person, rooms: list[str]) -> bool:
        """Until these say what they are to the person, if still asked; False: one does not."""
        found = [self._followers.ready(room) for room in rooms]
        entered = [follower for follower in found if isinstance(follower, RoomFollower)]
        for follower in entered:
            person.rooms[follower.inbox] = follower
            follower.admit(person)
        for follower in entered:
            try:
                await follower.until(
                    lambda f=follower: (  # type: ignore[misc]
                        f.closed or f.knows(person.user) or not self._here(person)
                    )
                )
            except Refused:
                return False
        return len(entered) == len(rooms)

    def _welcome(self, person: Person) -> None:
        rooms = _all(person)
        if not person.viewers:
            person.shown = {row["id"] for row, *_ in rooms}
            for follower in person.rooms.values():
                if follower is not None:
                    follower.said(person)
        encoded: dict[str, bytes] = {}
        for viewer in person.coming:
            codec = viewer.subprotocol
            if codec not in encoded:
                encoded[codec] = wire.encode([Op.ROOMS, rooms], codec)
            viewer.send_pieces((encoded[codec],))
        person.viewers.update(person.coming)
        person.coming.clear()

    def _here(self, person: Person) -> bool:
        return self.people.get(person.user) is person


def _known(person: Person, room: str) -> bool:
    follower = person.rooms.get(room)
    return follower is not None and not follower.closed and follower.knows(person.user)


def _all(person: Person) -> list[tuple[Any, int, int]]:
    """The rooms they are in with what waits in each, the newest first."""
    found = []
    for follower in person.rooms.values():
        waiting = follower.unread.waiting(person.user) if follower is not None else None
        if follower is not None and waiting is not None:
            found.append((follower.unread.row, *waiting))
    return sorted(found, key=lambda one: (one[0]["last_ms"], one[0]["id"]), reverse=True)
