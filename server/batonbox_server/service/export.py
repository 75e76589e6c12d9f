"""The whole organisation as NDJSON, read piece by piece, so that it is as long as it likes.

Lines are maps with a `kind`. The first is the header; the last is `end`, with how many there were
of each kind and the SHA-256 of all lines before it: whoever does not find it has a part only.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from array import array
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec

from batonbox_server.domain.model import is_room
from batonbox_server.errors import Refused
from batonbox_server.store.contacts_port import ContactStore
from batonbox_server.store.directory_port import Inbox, Route
from batonbox_server.store.port import InboxStore
from batonbox_server.tasks import spawn

from .directory import LiveDirectory
from .export_source import Source, everybody, patient, read_thread
from .views import frame_of_inbox, frame_of_user

__all__ = ["FORMAT", "VERSION", "OrganisationExport", "Shapes"]

Line = dict[str, Any]
Lines = list[Line]
FORMAT: Final = "batonbox-export"
VERSION: Final = 1
_BEAT_S: Final = 1.0
_BEAT_CONVERSATIONS: Final = 500
_CHUNK_BYTES: Final = 1 << 16
_AT_ONCE: Final = frozenset({"header", "progress"})  # sent without waiting for more
_LATELY_MS: Final = 600_000  # more than clocks of nodes and of the engine are apart
_BUCKETS: Final = 1024
_GONE: Final = frozenset({"not_found", "forbidden"})


class Shapes(NamedTuple):
    """How values look in JSON."""

    row: Callable[[dict[str, Any]], Line]
    room: Callable[[dict[str, Any]], Line]
    message: Callable[[list[Any]], Line]
    contact: Callable[[Any], Line]
    at: Callable[[int], str | None]


@dataclass(slots=True)
class _Progress:
    """How far it is; `due` says whether it is time to tell."""

    total: int = 0
    done: int = 0
    told_s: float = 0.0
    told: int = 0

    def due(self) -> bool:
        late = time.monotonic() - self.told_s >= _BEAT_S
        return late or self.done - self.told >= _BEAT_CONVERSATIONS

    def line(self) -> Line:
        self.told_s, self.told = time.monotonic(), self.done
        return {"kind": "progress", "done": self.done, "total": max(self.total, self.done)}


class OrganisationExport:
    """One export on its way: `chunks` is read once; `still()`, whether its maker still may.

    What changes meanwhile is in it as it was or as it is; each conversation is whole in itself, and
    none is there twice or left out.
    """

    def __init__(
        self,
        source: Source,
        directory: LiveDirectory,
        store: InboxStore,
        contacts: ContactStore,
        *,
        shapes: Shapes,
        still: Callable[[], bool],
        by: str,
        more: Line,
    ) -> None:
        self._source = source
        self._directory = directory
        self._store = store
        self._contacts = contacts
        self._shapes = shapes
        self._still = still
        self._head = {"by": by or None, **more}
        self._progress = _Progress()
        self._counts: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def chunks(self) -> AsyncIterator[bytes]:
        """The lines, some at a time; the pace is the reader's."""
        digest, waiting = hashlib.sha256(), bytearray()
        try:
            async for lines in self._beating(self._lines()):
                for line in lines:
                    self._counts[line["kind"]] += 1
                    packed = msgspec.json.encode(line) + b"\n"
                    digest.update(packed)
                    waiting += packed
                if len(waiting) >= _CHUNK_BYTES or (lines and lines[-1]["kind"] in _AT_ONCE):
                    yield bytes(waiting)
                    waiting.clear()
        except Refused as refused:
            # There is no `end` behind this: the export is not whole.
            told = {"kind": "error", "code": refused.slug, "detail": refused.message}
            yield bytes(waiting) + msgspec.json.encode(told) + b"\n"
            return
        end = {"kind": "end", "counts": dict(self._counts), "sha256": digest.hexdigest()}
        yield bytes(waiting) + msgspec.json.encode(end) + b"\n"

    async def _beating(self, batches: AsyncIterator[Lines]) -> AsyncIterator[Lines]:
        """Progress between the lines, while the next ones are long in coming too."""
        reading: asyncio.Task[Lines | Refused | None] | None = None
        try:
            while True:
                reading = spawn(self._tasks, _next(batches), name="export")
                while not (await asyncio.wait([reading], timeout=_BEAT_S))[0]:
                    yield [self._progress.line()]
                lines = reading.result()
                if isinstance(lines, Refused):
                    raise lines
                if lines is None:
                    return
                yield lines
                if self._progress.due():
                    yield [self._progress.line()]
        finally:
            if reading is not None:
                reading.cancel()

    async def _lines(self) -> AsyncIterator[Lines]:
        inboxes = sorted(self._directory.inboxes)
        rooms = await patient(self._source.rooms)
        yield [await self._header(inboxes, rooms)]
        for lines in self._organisation():
            yield lines
        async for some in everybody(self._contacts):
            yield [{"kind": "contact", **self._shapes.contact(contact)} for contact in some]
        for inbox in inboxes:
            async for lines in self._of_inbox(inbox):
                yield lines
        for room in rooms:
            async for lines in self._of_thread(room):
                yield lines

    async def _header(self, inboxes: list[str], rooms: list[str]) -> Line:
        directory = self._directory
        counted = await self._conversations(inboxes)
        contacts = await patient(lambda: self._contacts.page(n=1))
        self._progress.total = counted + len(rooms)
        return {
            "kind": "header",
            "format": FORMAT,
            "version": VERSION,
            "at": self._shapes.at(time.time_ns() // 1_000_000),
            "organisation": directory.name,
            **self._head,
            "counts": {
                "user": len(directory.users),
                "inbox": len(directory.destinations),
                "number": len(directory.routes),
                "contact": contacts.total,
                "conversation": counted,
                "room": len(rooms),
            },
        }

    def _organisation(self) -> Iterator[Lines]:
        directory = self._directory
        users = [directory.users[name] for name in sorted(directory.users)]
        yield [{"kind": "user", **frame_of_user(user)} for user in users]
        destinations = [directory.destinations[name] for name in sorted(directory.destinations)]
        yield [_inbox_line(found) for found in destinations]
        yield [_number_line(directory.routes[number]) for number in sorted(directory.routes)]

    async def _conversations(self, inboxes: list[str]) -> int:
        total = 0
        for inbox in inboxes:
            try:
                at = await patient(lambda: self._store.snapshot(inbox=inbox, n=1))  # noqa: B023
                total += at.counts["open"] + at.counts["done"]
            except Refused as refused:
                if refused.slug not in _GONE:
                    raise
        return total

    async def _of_inbox(self, inbox: str) -> AsyncIterator[Lines]:
        seen, after = _Seen(), ""
        while True:
            at = after
            try:
                rows, after = await patient(lambda: self._source.rows(inbox, at))  # noqa: B023
            except Refused as refused:
                if inbox not in self._directory.inboxes and refused.slug in _GONE:
                    return  # deleted meanwhile
                raise
            for row in rows:
                if seen.add(row["id"], row["last_ms"]):
                    async for lines in self._of_thread(row["id"]):
                        yield lines
            if not after:
                return

    async def _of_thread(self, conv: str) -> AsyncIterator[Lines]:
        if not self._still():
            raise Refused("forbidden")
        try:
            thread = await read_thread(self._source, conv)
            head = await self._thread_line(conv, thread.row)
            async for lines in thread.lines:
                found = [self._message_line(conv, line) for line in lines]
                yield [head, *found] if head else found
                head = None
            if head:
                yield [head]
        except Refused as refused:
            if refused.slug not in _GONE:
                raise
            yield [{"kind": "gone", "conv": conv}]
        self._progress.done += 1

    async def _thread_line(self, conv: str, row: dict[str, Any]) -> Line | None:
        if not is_room(conv):
            return {"kind": "conversation", **self._shapes.row(row)}
        members = await patient(lambda: self._source.members(conv))
        shown = self._shapes.room(row)
        return {**shown, "kind": "room", "room_kind": shown["kind"], "members": members}

    def _message_line(self, conv: str, line: list[Any]) -> Line:
        shown = self._shapes.message(line)
        return {**shown, "kind": "message", "conv": conv, "event": shown["kind"]}


class _Seen:
    """Which conversations were exported: one that changes meanwhile comes up again.

    Only of those that have changed lately that has to be asked; each takes 8 bytes.
    """

    def __init__(self) -> None:
        self._lately_ms = time.time_ns() // 1_000_000 - _LATELY_MS
        self._marks = [array("Q") for _ in range(_BUCKETS)]

    def add(self, conv: str, last_ms: int) -> bool:
        """Note it; False when it was."""
        mark = int.from_bytes(hashlib.blake2b(conv.encode(), digest_size=8).digest())
        bucket = self._marks[mark % _BUCKETS]
        if last_ms >= self._lately_ms and mark in bucket:
            return False
        bucket.append(mark)
        return True


async def _next(batches: AsyncIterator[Lines]) -> Lines | Refused | None:
    try:
        return await anext(batches, None)
    except Refused as refused:
        return refused


def _inbox_line(inbox: Inbox) -> Line:
    shown = frame_of_inbox(inbox)
    return {**shown, "kind": "inbox", "destination": shown["kind"], "live": inbox.live}


def _number_line(route: Route) -> Line:
    told = {"number": route.number, "inbox": route.inbox or None, "carrier": route.carrier}
    return {"kind": "number", **told, "messaging": route.messaging}
