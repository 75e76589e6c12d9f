"""The audit log of the organisation and all its inboxes, merged, the newest first."""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Final

from batonbox_server.domain.model import inbox_of
from batonbox_server.errors import Refused
from batonbox_server.store.audit_port import CONTACTS, ORGANISATION, AuditEntry, AuditStore, Place

from .directory import LiveDirectory

__all__ = ["Audit", "Wanted"]

_SCAN_MOST: Final = 5_000  # entries looked at for one page
_FIRST, _BATCH_MOST = 16, 500
_AT_ONCE: Final = 32  # streams read side by side


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which entries; empty and 0 mean any."""

    actor: str = ""
    action: str = ""
    inbox: str = ""
    conv: str = ""
    since_ms: int = 0
    until_ms: int = 0

    def has(self, entry: AuditEntry) -> bool:
        """Whether it is one of them; time is the store's to look at."""
        return (
            self.actor in {"", entry.actor}
            and self.action in {"", entry.action}
            and self.inbox in {"", entry.inbox}
            and self.conv in {"", entry.conv}
        )


class Audit:
    """Reads; whatever writes an entry is a script of the store."""

    def __init__(self, store: AuditStore, directory: LiveDirectory) -> None:
        self._store = store
        self._directory = directory

    async def page(
        self, wanted: Wanted, *, cursor: str, limit: int
    ) -> tuple[list[AuditEntry], str | None]:
        """Up to `limit` entries and the cursor of what is older, None at the end.

        A page may hold fewer, even none, and still have a cursor: so much is looked at, no more.
        """
        found: list[AuditEntry] = []
        last: Place | None = None
        scanned = 0
        async for entry in self._walk(wanted, _place_of(cursor)):
            if wanted.has(entry):
                if len(found) == limit:
                    return found, _cursor_of(found[-1].place)
                found.append(entry)
            last, scanned = entry.place, scanned + 1
            if scanned == _SCAN_MOST:
                return found, _cursor_of(last)
        return found, None

    async def export(self, wanted: Wanted, *, form: str) -> AsyncIterator[AuditEntry]:
        """Every entry; that they were exported is written down before the first is read."""
        asked = {name: value for name in Wanted.__slots__ if (value := getattr(wanted, name))}
        await self._store.write(action="audit_exported", target=form, detail=asked)
        return self._all(wanted)

    async def _all(self, wanted: Wanted) -> AsyncIterator[AuditEntry]:
        async for entry in self._walk(wanted, None):
            if wanted.has(entry):
                yield entry

    async def _walk(self, wanted: Wanted, place: Place | None) -> AsyncIterator[AuditEntry]:
        room = asyncio.Semaphore(_AT_ONCE)
        sources = [_Source(self._store, s, wanted, place, room) for s in self._streams(wanted)]
        await asyncio.gather(*(source.fill() for source in sources))
        heads = [source.head(at) for at, source in enumerate(sources) if source.waiting]
        heapq.heapify(heads)
        while heads:
            _, at = heads[0]
            source = sources[at]
            entry = source.waiting.popleft()
            if not source.waiting:
                await source.fill()
            if source.waiting:
                heapq.heapreplace(heads, source.head(at))
            else:
                heapq.heappop(heads)
            yield entry

    def _streams(self, wanted: Wanted) -> Iterable[str]:
        if wanted.conv:
            return {inbox_of(wanted.conv)} & self._directory.inboxes.keys()
        if wanted.inbox:
            # What the organisation did to it stays when the inbox is gone.
            return [ORGANISATION, *({wanted.inbox} & self._directory.inboxes.keys())]
        return [ORGANISATION, CONTACTS, *self._directory.inboxes]


class _Source:
    """One stream, read in growing batches."""

    def __init__(
        self,
        store: AuditStore,
        stream: str,
        wanted: Wanted,
        place: Place | None,
        room: asyncio.Semaphore,
    ) -> None:
        self.waiting: deque[AuditEntry] = deque()
        self._store, self._stream, self._wanted = store, stream, wanted
        self._place, self._room, self._n = place, room, _FIRST

    def head(self, at: int) -> tuple[tuple[int, int, str], int]:
        """What orders this source, the `at`-th, among the others."""
        return self.waiting[0].place.rank, at

    async def fill(self) -> None:
        """Read the next batch; afterwards nothing waits only if the stream has ended."""
        async with self._room:
            batch = await self._store.older(
                self._stream,
                than=self._place,
                since_ms=self._wanted.since_ms,
                until_ms=self._wanted.until_ms,
                n=self._n,
            )
        self._n = min(4 * self._n, _BATCH_MOST)
        self.waiting.extend(batch)
        if batch:
            self._place = batch[-1].place


def _cursor_of(place: Place) -> str:
    return f"{place.at_ms}-{place.n}-{place.stream}"


def _place_of(cursor: str) -> Place | None:
    if not cursor:
        return None
    at_ms, _, rest = cursor.partition("-")
    n, dash, stream = rest.partition("-")
    if not dash or not _is_number(at_ms) or not _is_number(n):
        raise Refused("bad_request", "cursor: not a cursor of this list; start without one.")
    return Place(int(at_ms), int(n), stream)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 19
