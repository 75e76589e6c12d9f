"""The client's verbs for rooms, contacts and search."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from batonbox._calls import Calls
from batonbox._errors import NotFound, RequestTimeout
from batonbox._models import Dur
from batonbox._room import Room
from batonbox._room_models import Channel, Contact, Found, RoomRow, RoomTotals, found_of
from batonbox._streams import Latest

__all__ = ["RoomVerbs"]

NUMBERS_AT_ONCE = 100


class RoomVerbs(Calls):
    """See `Client`."""

    async def rooms(self) -> list[Room]:
        """My direct rooms and channels, the one with the newest post first."""
        totals = await self._my_rooms()
        rows = [total.row for total in totals if total.row is not None]
        rows.sort(key=lambda row: (row.last_ms, row.id), reverse=True)
        return [self._in.known.room(row) for row in rows]

    async def room(self, room: str) -> Room:
        """One of my rooms; raises Forbidden, NotFound."""
        row = self._in.rooms.put((await self.read_thread(room, n=1)).get("row"))
        if row is None:
            raise NotFound(123, "not_found", f"no room {room}")
        return self._in.known.room(row)

    async def open_dm(self, user: str, *, key: str | None = None, dur: Dur | None = None) -> Room:
        """The direct room with a colleague, made when there is none."""
        return await self._made("open_dm", {"user": user}, key, dur)

    async def create_channel(
        self,
        name: str,
        members: Sequence[str] = (),
        *,
        private: bool = False,
        key: str | None = None,
        dur: Dur | None = None,
    ) -> Room:
        """A new channel with me and `members` in it, as an admin; Conflict of a name that is taken.

        Of a `private` one nobody hears who was not put into it.
        """
        args = {"name": name, "private": private, "members": list(members)}
        return await self._made("create", args, key, dur)

    async def join_channel(
        self, channel: str, *, key: str | None = None, dur: Dur | None = None
    ) -> Room:
        """Join a public channel by its id, an admin any."""
        return await self._made("join", {"conv": channel}, key, dur)

    async def channels(self) -> list[Channel]:
        """Public channels and those I am in, by name; an admin: every one."""
        found = (await self.get("/v1/channels"))["items"]
        return [msgspec.convert(channel, Channel) for channel in found]

    async def room_totals(self) -> AsyncGenerator[RoomTotals, None]:
        """What is unread in my rooms as it changes, absolute; what is known now comes first."""
        rooms = self._in.rooms
        stream = Latest(rooms.known())
        rooms.streams.add(stream)
        try:
            async for totals in stream:
                yield totals
        finally:
            rooms.streams.discard(stream)

    def room_row(self, room: str) -> RoomRow | None:
        """The newest known state of a room, without asking."""
        return self._in.rooms.row(room)

    def room_counts(self, room: str) -> tuple[int, int]:
        """Unread posts and mentions of a room of mine, as last told."""
        totals = self._in.rooms.totals.get(room)
        return (totals.unread, totals.mentions) if totals is not None else (0, 0)

    async def contact(self, number: str) -> Contact | None:
        """Whose number this is (E.164); None: nobody's that is known."""
        found = await self.contacts([number])
        return next(iter(found.values()), None)

    async def contacts(self, numbers: Sequence[str]) -> dict[str, Contact]:
        """Whose numbers these are (E.164); those that are nobody's are left out."""
        found: dict[str, Contact] = {}
        for first in range(0, len(numbers), NUMBERS_AT_ONCE):
            some = ",".join(numbers[first : first + NUMBERS_AT_ONCE])
            answer = await self.get("/v1/contacts/lookup?" + urlencode({"numbers": some}))
            for number, contact in answer["numbers"].items():
                found[number] = msgspec.convert(contact, Contact)
        return found

    async def contact_by_id(self, contact: str) -> Contact:
        """A contact; raises NotFound."""
        return msgspec.convert(await self.get(f"/v1/contacts/{quote(contact, safe='')}"), Contact)

    async def search(self, q: str, *, kinds: Collection[str] = (), limit: int = 10) -> Found:
        """What I may see that has these words (as beginnings); up to `limit` of each kind.

        `kinds`: messages, conversations, contacts, channels, people; all unless given.
        """
        asked: dict[str, Any] = {"q": q, "limit": limit}
        if kinds:
            asked["kinds"] = ",".join(sorted(kinds))
        return found_of(await self.get("/v1/search?" + urlencode(asked)))

    async def _my_rooms(self) -> list[RoomTotals]:
        rooms = self._in.rooms
        try:
            async with asyncio.timeout(self._timeout_s):
                await rooms.told.wait()
        except TimeoutError:
            raise RequestTimeout(
                "the server told of no rooms: has the token the scope read?"
            ) from None
        self._in.check()
        return list(rooms.totals.values())

    async def _made(
        self, command: str, args: dict[str, Any], key: str | None, dur: Dur | None
    ) -> Room:
        result = await self.call(command, args, key=key, dur=dur)
        room = str(result["conv"])
        row = self._in.rooms.put(result.get("row")) or RoomRow(id=room)
        if any(stream.follows(room) for stream in self._in.streams):
            await self._follow([room], if_mine=True)
        return self._in.known.room(row)
