"""What an export reads, and on whose behalf: one person's rights, or the operator's own data."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol, TypeVar

import msgpack  # type: ignore[import-untyped]

from batonbox_server.domain.model import inbox_of, is_room
from batonbox_server.errors import Refused
from batonbox_server.session.ports import Principal, Reads
from batonbox_server.store.archive_port import Archive
from batonbox_server.store.contacts_port import Contact, ContactStore
from batonbox_server.store.port import InboxStore
from batonbox_server.store.rooms_port import RoomStore
from batonbox_server.store.scan_port import ScanStore

from .rooms import is_direct

__all__ = [
    "OfOperator",
    "OfPerson",
    "Part",
    "Source",
    "Thread",
    "everybody",
    "patient",
    "read_thread",
]

T = TypeVar("T")
PAGE: Final = 200
_CONTACTS: Final = 500
_PAUSES_S: Final = (0.1, 0.3, 1.0, 2.0, 4.0, 8.0, 8.0)  # until the engine is back


@dataclass(frozen=True, slots=True)
class Part:
    """A conversation's row and some of its lines, ascending; `older`: there are more before."""

    row: dict[str, Any]
    lines: list[list[Any]]
    older: bool


@dataclass(frozen=True, slots=True)
class Thread:
    """A row and its lines up to the row's `n`, read some at a time as they are asked for."""

    row: dict[str, Any]
    lines: AsyncIterator[list[list[Any]]]


class Source(Protocol):
    """Whatever it gives, its reader may see. Raises Refused."""

    async def rows(self, inbox: str, after: str) -> tuple[list[dict[str, Any]], str]:
        """Rows of an inbox, the oldest change first, and the cursor, "" at the end."""

    async def part(self, conv: str, *, before: int) -> Part:
        """A conversation's or a room's PAGE lines below number `before`, 0: the newest."""

    async def rooms(self) -> list[str]:
        """Ids of the rooms."""

    async def members(self, room: str) -> list[str]:
        """Who is in it now."""


class OfPerson:
    """What one person may see, asked for with their rights each time."""

    def __init__(self, reads: Reads, rooms: RoomStore, principal: Principal) -> None:
        self._reads = reads
        self._rooms = rooms
        self._principal = principal

    async def rows(self, inbox: str, after: str) -> tuple[list[dict[str, Any]], str]:
        """See the protocol."""
        page = await self._reads.page(
            self._principal, inbox=inbox, view="walk", after=after, n=PAGE
        )
        return page["rows"], page["next"] or ""

    async def part(self, conv: str, *, before: int) -> Part:
        """See the protocol."""
        found = await self._reads.history(self._principal, conv=conv, before=before, n=PAGE)
        return Part(found["row"], found["messages"], bool(found["next"]))

    async def rooms(self) -> list[str]:
        """See the protocol."""
        return sorted(await self._rooms.rooms_of(user=self._principal.user))

    async def members(self, room: str) -> list[str]:
        """See the protocol."""
        found = sorted((await self._rooms.room_state(room=room)).members)
        if self._principal.user not in found:
            raise Refused("forbidden", "You are not in this room.")
        return found


class OfOperator:
    """Everything, by whoever owns the data; `direct`: direct rooms too.

    It reads as somebody who stands in the inbox or room; a channel that everybody has left is read
    without.
    """

    def __init__(
        self,
        store: InboxStore,
        rooms: RoomStore,
        scan: ScanStore,
        archive: Archive,
        *,
        direct: bool,
        complete: Callable[[list[list[Any]]], Awaitable[None]],
    ) -> None:
        self._store = store
        self._rooms = rooms
        self._scan = scan
        self._archive = archive
        self._direct = direct
        self._complete = complete

    async def rows(self, inbox: str, after: str) -> tuple[list[dict[str, Any]], str]:
        """See the protocol."""
        reader = await self._reader(inbox)
        page = await self._store.page(inbox=inbox, actor=reader, view="walk", after=after, n=PAGE)
        return page.rows, page.next

    async def part(self, conv: str, *, before: int) -> Part:
        """See the protocol."""
        log = inbox_of(conv)
        reader = await self._reader(log)
        if not reader and is_room(log):
            found = await self._deserted(log, before)
        else:
            thread = await self._store.history(conv=conv, actor=reader, before=before, n=PAGE)
            found = Part(thread.row, thread.messages, bool(thread.next))
        await self._complete(found.lines)
        return found

    async def rooms(self) -> list[str]:
        """See the protocol."""
        found: list[str] = []
        after = ""
        while some := await self._rooms.all_rooms(after=after):
            found += some
            after = some[-1]
        return [room for room in found if self._direct or not is_direct(room)]

    async def members(self, room: str) -> list[str]:
        """See the protocol."""
        return sorted((await self._rooms.room_state(room=room)).members)

    async def _reader(self, log: str) -> str:
        """Somebody who stands there now, "" for nobody."""
        if is_room(log):
            return min((await self._rooms.room_state(room=log)).members, default="")
        info = await self._store.inbox_info(inbox=log)
        return min(info.members, default="") if info else ""

    async def _deserted(self, room: str, before: int) -> Part:
        row = (await self._rooms.room_state(room=room)).row
        last = min(row["n"], before - 1) if before else row["n"]
        first = max(1, last - PAGE + 1)
        scanned = await self._scan.scan(room, after=str(first), n=1)
        threads = scanned.threads if scanned else ()
        lines = [list(line) for t in threads for line in t.lines if first <= line[0] <= last]
        here = lines[0][0] if lines else last + 1
        # What is erased may be in the archive still, until its worker has been there.
        erased, _ = (await self._scan.trimmed([room])).get(room, (0, 0))
        above = max(first, erased + 1)
        away = await self._archive.lines(conv=room, first=above, last=here - 1)
        found = [msgpack.unpackb(line.packed) for line in away] + lines
        # Where they begin later than asked for, those before are erased.
        return Part(row, found, bool(found) and 1 < found[0][0] == first)


async def read_thread(source: Source, conv: str) -> Thread:
    """Row and lines as of one instant; a short thread takes one read."""
    newest = await patient(lambda: source.part(conv, before=0))
    return Thread(newest.row, _ascending(source, conv, newest))


async def _ascending(source: Source, conv: str, newest: Part) -> AsyncIterator[list[list[Any]]]:
    behind = newest.lines[0][0] if newest.lines else newest.row["n"] + 1
    at = 0
    while newest.older and at + 1 < behind:
        end = min(at + PAGE + 1, behind)
        part = await patient(partial(_whole_part, source, conv, above=at, before=end))
        lines = [line for line in part.lines if at < line[0] < behind]
        if lines:
            yield lines
        at = end - 1
    if newest.lines:
        yield newest.lines


async def _whole_part(source: Source, conv: str, *, above: int, before: int) -> Part:
    """Lines between these numbers, which are fewer than a page's."""
    part = await source.part(conv, before=before)
    if part.older and part.lines and part.lines[0][0] > above + 1:
        # While the archive is away a page begins where the engine's lines do.
        raise Refused("unavailable", "Older messages are in the archive, which cannot be read.")
    return part


async def everybody(contacts: ContactStore) -> AsyncIterator[list[Contact]]:
    """Every contact who is there throughout, once; by name, those renamed meanwhile last."""
    seen: set[str] = set()
    after, at, begun = "", 0, False
    while after or not begun:
        page = await patient(partial(contacts.page, after=after, n=_CONTACTS))
        yield [contact for contact in page.items if contact.id not in seen]
        seen.update(contact.id for contact in page.items)
        after, begun = page.next, True
    # Whoever got another name may have been passed over: a scan meets everybody.
    begun = False
    while at or not begun:
        at, ids = await patient(partial(contacts.scan, at=at, n=_CONTACTS))
        late = [name for name in dict.fromkeys(ids) if name not in seen]
        seen.update(late)
        begun = True
        if late:
            yield list((await patient(partial(contacts.by_ids, late))).values())


async def patient(call: Callable[[], Awaitable[T]]) -> T:
    """A read, made again while the engine or the archive is away for a moment."""
    for pause_s in _PAUSES_S:
        try:
            return await call()
        except Refused as refused:
            if refused.slug != "unavailable":
                raise
        await asyncio.sleep(pause_s)
    return await call()
