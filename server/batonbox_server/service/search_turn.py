"""One turn of the search index in one log: what came since, then a piece of what was before."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final, TypeAlias, cast

import structlog

from batonbox_server.store.archive_port import Archive, ArchivedRow, Line
from batonbox_server.store.contacts_port import ContactStore
from batonbox_server.store.port import Head, LogEntry
from batonbox_server.store.scan_port import CONTACTS, ScanStore, Thread

from .search_changes import archived, card_of, continued, line_of, talk_of
from .search_port import Change, Place, SearchIndex, Talk

__all__ = ["ENTRIES", "Sources", "Turn", "further"]

_log = structlog.get_logger(__name__)
Walking: TypeAlias = AsyncGenerator[tuple[str, list[Line]], None]
_ROWS: Final = 50
_CARDS: Final = 500
_ARCHIVED: Final = 2000  # lines of one turn, about
_PIECE: Final = 500
ENTRIES: Final = 256
_ROUNDS: Final = 8  # of entries in one turn


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the index is made from; `archive` None: there is none."""

    scan: ScanStore
    contacts: ContactStore
    archive: Archive | None


class Turn:
    """`await turn.run(place)` goes on from where the index stands (None: nowhere).

    What is read from rows and archive is as new as the log was then, or newer; what the log says
    from the place on is applied over it afterwards, in order, so that the end is the log's.
    """

    def __init__(self, index: SearchIndex, sources: Sources, log: str) -> None:
        self._index = index
        self._scan = sources.scan
        self._sources = sources
        self._name = log

    async def run(self, place: Place | None) -> Place | None:
        """Where it stands then; None: the log is no more, and nothing is known of it."""
        head = await self._scan.end(self._name, at=place.seq if place else 0)
        if not head.epoch:
            await self._index.drop(self._name)
            return None
        reason = _broken(place, head)
        if place is None or reason:
            place = await self._begin(place, head, reason)
        for _ in range(_ROUNDS):
            if place.seq >= head.seq:
                break
            further = await self._follow(place)
            if further is None:
                return await self._again(place)
            place = further
        # A log that is cut below the place has to be read from its beginning: while it runs ahead,
        # nothing else is done.
        if place.step and place.seq >= head.seq:
            place = await self._step(place)
        return place

    async def _again(self, place: Place) -> Place | None:
        """The log does not go on from there any more."""
        head = await self._scan.end(self._name, at=place.seq)
        if not head.epoch:
            await self._index.drop(self._name)
            return None
        return await self._begin(place, head, _broken(place, head) or "fork")

    async def _begin(self, was: Place | None, head: Head, reason: str) -> Place:
        if was is not None and reason:
            _log.warning("search_log_read_again", log=self._name, reason=reason, at=was.seq)
        place = Place(head.epoch, head.seq, head.tip, step="rows")
        await self._index.restart(self._name, place=place)
        return place

    async def _follow(self, place: Place) -> Place | None:
        """The next entries; None: they do not continue what is known."""
        found = continued(place, await further(self._scan, self._name, place))
        if found is None:
            return None
        changes, at = found
        await self._index.apply(self._name, changes, place=at)
        return at

    async def _step(self, place: Place) -> Place:
        if place.step == "archive":
            return await self._of_archive(place)
        if self._name == CONTACTS:
            changes, further = await self._of_contacts(place)
        else:
            changes, further = await self._of_rows(place)
        await self._index.apply(self._name, changes, place=further)
        return further

    async def _of_rows(self, place: Place) -> tuple[list[Change], Place]:
        found = await self._scan.scan(self._name, after=place.walked, n=_ROWS)
        if found is None:
            return [], replace(place, step="archive", walked="")
        changes: list[Change] = []
        for thread in found.threads:
            changes.append(talk_of(thread.row))
            lines = (line_of(thread.row["id"], line) for line in thread.lines)
            changes += [line for line in lines if line is not None]
        # Of whatever has lines in the archive, those are what is read last.
        done = place.done + sum(map(_starts, found.threads))
        total = max(done, found.total)
        if found.next:
            return changes, replace(place, walked=found.next, done=done, total=total)
        step = "archive" if self._sources.archive is not None else ""
        done = done if step else total
        return changes, replace(place, step=step, walked="", done=done, total=total)

    async def _of_archive(self, place: Place) -> Place:
        """A long conversation comes in pieces: the cursor moves once all of it is there."""
        archive, step = self._sources.archive, ""
        if archive is None:
            return replace(place, step="", walked="")
        pieces: list[tuple[str, list[Line]]] = []
        at, walked, lines_read, convs = place, "", 0, set[str]()
        walking = cast("Walking", archive.walk(log=self._name, after=place.walked))
        async with aclosing(walking) as walk:
            async for conv, lines in walk:
                if lines_read >= _ARCHIVED and conv not in convs:
                    step = "archive"
                    break
                if sum(len(piece) for _, piece in pieces) >= _PIECE:
                    await self._index.apply(self._name, await self._archived(pieces), place=at)
                    pieces.clear()
                pieces.append((conv, lines))
                walked = conv
                convs.add(conv)
                lines_read += len(lines)
        done = place.done + len(convs)
        total = max(done, place.total)
        if not step:
            walked, done = "", total  # what was erased or put back meanwhile is nowhere to be read
        at = replace(at, step=step, walked=walked, done=done, total=total)
        await self._index.apply(self._name, await self._archived(pieces), place=at)
        return at

    async def _archived(self, pieces: Sequence[tuple[str, list[Line]]]) -> list[Change]:
        here = await self._scan.trimmed([conv for conv, _ in pieces])
        changes: list[Change] = []
        for conv, lines in pieces:
            upto, last = here.get(conv, (0, 0))
            if conv not in here:
                row = await self._row_of(conv)
                if row is None:
                    continue  # erased for everybody, in the archive not yet
                changes.append(Talk(conv, row.row["customer"], row.last_ms))
                upto, last = int(row.raw.get("purged", 0)), int(row.row["n"])
            live = (line for line in lines if upto < line.n <= last)
            changes += [made for line in live if (made := archived(conv, line)) is not None]
        return changes

    async def _row_of(self, conv: str) -> ArchivedRow | None:
        """Of a conversation that is in the archive alone."""
        archive = self._sources.archive
        row = await archive.row(conv=conv) if archive is not None else None
        if row is None:
            return None
        pair = f"{row.row['our']}|{row.row['customer']}"
        return row if await self._scan.is_away(conv, pair=pair) else None

    async def _of_contacts(self, place: Place) -> tuple[list[Change], Place]:
        page = await self._sources.contacts.page(after=place.walked, n=_CARDS)
        changes: Sequence[Change] = [card_of(contact) for contact in page.items]
        done = place.done + len(page.items)
        step = "rows" if page.next else ""
        total = max(done, page.total)
        return list(changes), replace(place, step=step, walked=page.next, done=done, total=total)


async def further(scan: ScanStore, log: str, place: Place) -> list[LogEntry]:
    """The next entries behind a place, `ENTRIES` at most."""
    return await scan.entries(log, first=place.seq + 1, last=place.seq + ENTRIES)


def _starts(thread: Thread) -> bool:
    """Whether its first line is here: then all are."""
    return bool(thread.lines) and thread.lines[0][0] == 1


def _broken(place: Place | None, head: Head) -> str:
    """Why the log does not continue what the index has."""
    if place is None:
        return ""
    if place.epoch != head.epoch:
        return "epoch"
    if head.seq < place.seq or (head.seq == place.seq and head.tip != place.tip):
        return "fork"
    if place.seq + 1 < head.oldest:
        return "trimmed"
    if head.tip_at and head.seq > place.seq and head.tip_at != place.tip:
        return "fork"
    return ""
