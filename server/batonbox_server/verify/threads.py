"""Conversations of one log, page by page: rows, indexes, badges, threads, outbox, archive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]

from batonbox_server.domain.model import Row
from batonbox_server.domain.replay import row_of
from batonbox_server.errors import Refused
from batonbox_server.store.archive_port import Archive
from batonbox_server.store.verifying import LINES, VerifyingReads

from .findings import Finding, Report
from .rows import SCORED, Seen, of_lines, of_log, of_out, of_place, of_row, row_of_fields

__all__ = ["Threads"]

_ARCHIVED: Final = 500  # lines of the archive that are read at once
_LATEST: Final = 2**53
_HIDDEN: Final = ("purged", "trimmed", "acted_ms")


class Threads:
    """What every conversation of a log is held against.

    `logged` are rows as the log tells of them up to `end`.
    """

    def __init__(
        self,
        reads: VerifyingReads,
        archive: Archive,
        report: Report,
        *,
        prefix: str,
        logged: dict[str, Row],
        end: int,
    ) -> None:
        self._reads = reads
        self._archive = archive
        self._report = report
        self._prefix = prefix
        self._logged = logged
        self._end = end
        self.away: set[str] = set()
        self._met: set[str] = set()  # of those that the log tells of
        self._pairs: dict[str, str] = {}  # of those that are checked now
        self.owners: set[str] = set()

    async def check(self, pairs: Mapping[str, str]) -> None:
        """Everything about these conversations, by what names them: number and customer."""
        self._pairs, convs = {conv: pair for pair, conv in pairs.items()}, list(pairs.values())
        self._met.update(conv for conv in convs if conv in self._logged)
        for seen in await self._seen(convs):
            await self._whole(seen)

    async def check_unmet(self) -> None:
        """Conversations that the log tells of, and that no pair names."""
        self._pairs = {}
        for conv in sorted(self._logged.keys() - self._met):
            for seen in await self._seen([conv]):
                if seen.row is not None or seen.held or seen.scores:
                    await self._whole(seen)
                elif not await self._was_erased(conv):
                    is_now, should = "nothing of it is here", f"a row of {self._logged[conv].rev}"
                    self._report.add([Finding("row_missing", conv, is_now, should)])

    async def _was_erased(self, conv: str) -> bool:
        """By the retention rule, since the log was read."""
        first = self._end + 1
        while entries := await self._reads.entries(self._prefix, first=first, last=_LATEST):
            for entry in entries:
                meta = msgpack.unpackb(entry.frame)[3]
                if meta["type"] == "purged" and meta["conv"] == conv and meta["whole"]:
                    return True
            first = entries[-1].seq + 1
        return False

    async def check_places(self, index: str, members: Sequence[str]) -> None:
        """An index has these; does each one's row say so, too?"""
        convs = [_conv_of(index, member) for member in members]
        found = await self._seen(convs, also=index, members=members)
        for seen, member in zip(found, members, strict=False):
            self._report.add(of_place(seen, index, member))
            if seen.row is not None and seen.pair != seen.conv:
                await self._whole(seen)  # the pairs do not lead to it
            elif seen.row is not None:
                self._report.add(of_row(seen))

    async def _seen(
        self, convs: Sequence[str], *, also: str = "", members: Sequence[str] = ()
    ) -> list[Seen]:
        seq, found = await self._reads.rows(self._prefix, convs, also=also, members=members)
        seen = []
        for conv, told in zip(convs, found, strict=False):
            try:
                seen.append(_seen_of(conv, seq, told))
            except (ValueError, KeyError) as error:
                is_now = f"its row or a line cannot be read: {error!r}"
                self._report.add([Finding("row_unreadable", conv, is_now, "readable")])
        return seen

    async def _whole(self, seen: Seen) -> None:
        row = seen.row
        if row is None:
            if seen.held or seen.scores:
                is_now = f"no row, {seen.held} lines, in {sorted(seen.scores) or 'no index'}"
                self._report.add([Finding("row_missing", seen.conv, is_now, "a row")])
            else:
                await self._gone(seen.conv)
            return
        self._report.checked["conversations"] += 1
        if row.assignee:
            self.owners.add(row.assignee)
        self._report.add(of_row(seen))
        self._report.add(of_log(seen, self._logged.get(seen.conv)))
        self._report.add(of_out(seen))
        await self._lines(seen, row)
        purged, trimmed = seen.numbers["purged"], seen.numbers["trimmed"]
        if purged < trimmed:
            await self._archived(seen.conv, purged + 1, trimmed)

    async def _lines(self, seen: Seen, row: Row) -> None:
        first = seen.numbers["trimmed"] + 1
        here = (first, row.n)
        judged = of_lines(seen.conv, seen.lines, seen.out, first=first, here=here, seq=seen.seq)
        self._report.add(judged)
        self._report.checked["messages"] += len(seen.lines)
        further = first + LINES
        while seen.held > LINES and further <= row.n:
            told = await self._reads.lines(self._prefix, seen.conv, first=further)
            if told is None or not told[3]:
                return
            seq, end, trimmed, packed, out = told
            lines = [msgpack.unpackb(line) for line in packed]
            at = max(further, trimmed + 1)
            out = [int(n) for n in out]
            here = (trimmed + 1, end)
            self._report.add(of_lines(seen.conv, lines, out, first=at, here=here, seq=seq))
            self._report.checked["messages"] += len(lines)
            further = at + len(lines)

    # The archive

    async def _gone(self, conv: str) -> None:
        """No row, and its pair names it: the archive has all of it, unless it came back."""
        self.away.add(conv)
        try:
            found = await self._archive.row(conv=conv)
        except Refused as refused:
            self._unreadable(refused)
            return
        if found is None:
            if await self._is_away(conv):
                is_now = "neither the engine nor the archive has its row"
                self._report.add([Finding("archive_row", conv, is_now, "a row in the archive")])
            return
        self._report.checked["conversations"] += 1
        row = row_of(found.row)
        logged = self._logged.get(conv)
        if logged is not None and row.rev < logged.rev and await self._is_away(conv):
            is_now, should = f"the archive's row is of {row.rev}", f"of {logged.rev}, as logged"
            self._report.add([Finding("archive_row", conv, is_now, should)])
        purged = int(found.raw.get("purged", b"0"))
        await self._archived(conv, purged + 1, row.n)

    async def _archived(self, conv: str, first: int, last: int) -> None:
        at, seq = first, 0
        while at <= last:
            end = min(last, at + _ARCHIVED - 1)
            try:
                lines = await self._archive.lines(conv=conv, first=at, last=end)
            except Refused as refused:
                self._unreadable(refused)
                return
            wrong = [line.n for line in lines]
            if wrong != list(range(at, end + 1)):
                missing = sorted(set(range(at, end + 1)) - set(wrong))
                if await self._still(conv, missing[0] if missing else at):
                    is_now = f"the archive lacks {len(missing)} lines from {missing[0]} on"
                    should = f"lines {first} to {last}"
                    self._report.add([Finding("archive_lines", conv, is_now, should)])
                return
            for line in lines:
                told = msgpack.unpackb(line.packed)
                if [line.n, line.seq, line.at_ms] != told[:3] or line.seq <= seq:
                    is_now = f"line {line.n} of {line.seq} says {told[:3]} behind {seq}"
                    self._report.add([Finding("archive_lines", conv, is_now, "itself, rising")])
                seq = line.seq
            self._report.checked["messages"] += len(lines)
            at = end + 1

    def _unreadable(self, refused: Refused) -> None:
        is_now = f"it cannot be read: {refused.message}"
        self._report.add([Finding("archive_file", "the archive", is_now, "older messages in it")])

    async def _is_away(self, conv: str) -> bool:
        """Whether a pair still names it, and no row is here; what was erased has neither."""
        seen = await self._seen([conv])
        if not seen or seen[0].row is not None:
            return False
        pair = self._pairs.get(conv)
        if pair is None:
            return False
        return bool(await self._reads.ask("HGET", f"{self._prefix}:cx", pair) == conv.encode())

    async def _still(self, conv: str, n: int) -> bool:
        """Whether line n should still be in the archive; retention may have erased it meanwhile."""
        seen = await self._seen([conv])
        if seen and seen[0].row is not None:
            return seen[0].numbers["purged"] < n
        return await self._is_away(conv)


def _conv_of(index: str, member: str) -> str:
    return member.partition(":")[0] if index == "unm" else member


def _seen_of(conv: str, seq: int, told: list[Any]) -> Seen:
    flat, scores, on_board, green, pair, held, packed, out, there = told
    raw = {k.decode(): v for k, v in zip(flat[::2], flat[1::2], strict=True)}
    row = row_of_fields(raw) if raw else None
    if row is not None and row.id != conv:
        raise ValueError(f"it says that it is {row.id}")
    whose = row.assignee if row else ""
    names = [*SCORED, f"as:{whose}", f"ow:{whose}"]
    lines = [msgpack.unpackb(line) for line in packed]
    if any(len(line) < 8 for line in lines):
        raise ValueError("a line has not all its parts")
    return Seen(
        conv,
        seq,
        row,
        {name: int(raw.get(name, b"0")) for name in _HIDDEN},
        {name: int(float(s)) for name, s in zip(names, scores, strict=True) if s is not None},
        bool(on_board) and bool(row and row.att),
        bool(green and whose),
        pair.decode(),
        held,
        lines,
        [int(n) for n in out],
        bool(there),
    )
