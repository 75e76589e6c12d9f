"""One room: its log, its thread, its count of posts, everybody's marks, its place in the index."""

from __future__ import annotations

from typing import Any, Final

import msgpack  # type: ignore[import-untyped]

from batonbox_server.domain.model import Kind
from batonbox_server.errors import Refused
from batonbox_server.store.archive_port import Archive
from batonbox_server.store.rooms_port import RoomState, RoomStore
from batonbox_server.store.verifying import VerifyingReads

from .findings import Finding, Report
from .inboxes import check_log
from .rows import of_lines

__all__ = ["Rooms"]

_ARCHIVED: Final = 500
_PEOPLE: Final = 200


class Rooms:
    """`check` looks at one room by its id."""

    def __init__(
        self, reads: VerifyingReads, archive: Archive, report: Report, *, rooms: RoomStore
    ) -> None:
        self._reads = reads
        self._archive = archive
        self._report = report
        self._rooms = rooms

    async def check(self, room: str) -> None:
        """All of it; a room that is still being made is left alone."""
        prefix = self._reads.keys.inbox(room)
        if await check_log(self._reads, self._report, prefix=prefix, name=room) is None:
            return
        self._report.checked["rooms"] += 1
        try:
            state = await self._rooms.room_state(room=room)
        except Refused as refused:
            if refused.slug != "not_found":
                raise
            is_now = "it has a log and no row"
            self._report.add([Finding("row_missing", room, is_now, "a row")])
            return
        await self._posts(prefix, room, state)
        await self._marks(room, state)
        for user in sorted(state.members):
            if room not in await self._rooms.index_of(user=user):
                state = await self._rooms.room_state(room=room)
                if user in state.members:
                    is_now = f"{user} is in it, and it is not among {user}'s rooms"
                    self._report.add([Finding("room_index", room, is_now, "among them")])

    async def _posts(self, prefix: str, room: str, state: RoomState) -> None:
        """Lines are told from the oldest, in the engine after the archive."""
        raw = await self._reads.ask("HMGET", f"{prefix}:c:{room}", "trimmed", "purged")
        trimmed, purged = (int(value or 0) for value in raw)
        count = await self._in_archive(room, purged + 1, trimmed)
        at, last = trimmed + 1, int(state.row["n"])
        while at <= last:
            told = await self._reads.lines(prefix, room, first=at)
            if told is None or not told[3]:
                is_now, should = f"its thread ends at {at - 1}", f"at {last}"
                self._report.add([Finding("thread_length", room, is_now, should)])
                return
            seq, end, now_trimmed, packed, _ = told
            if now_trimmed >= at:
                return  # it is being moved to the archive: another time
            lines = [msgpack.unpackb(line) for line in packed]
            self._report.add(of_lines(room, lines, (), first=at, here=(at, end), seq=seq))
            count += _posted([line for line in lines if line[0] <= last])
            at += len(lines)
            self._report.checked["messages"] += len(lines)
        posts = int(state.row["posts"])
        if count > posts or (count != posts and not purged):
            is_now = f"it counts {posts} posts"
            self._report.add([Finding("room_posts", room, is_now, f"{count}, as in its thread")])

    async def _in_archive(self, room: str, first: int, last: int) -> int:
        count, at = 0, first
        while at <= last:
            end = min(last, at + _ARCHIVED - 1)
            lines = await self._archive.lines(conv=room, first=at, last=end)
            if [line.n for line in lines] != list(range(at, end + 1)):
                is_now = f"{len(lines)} of the lines {at} to {end} are in the archive"
                self._report.add([Finding("archive_lines", room, is_now, "all of them")])
            count += _posted([msgpack.unpackb(line.packed) for line in lines])
            self._report.checked["messages"] += len(lines)
            at = end + 1
        return count

    async def _marks(self, room: str, state: RoomState) -> None:
        people = sorted(state.members)
        for at in range(0, len(people), _PEOPLE):
            some = people[at : at + _PEOPLE]
            marks = await self._rooms.room_marks_of(room=room, users=some)
            posts = int((await self._rooms.room_state(room=room)).row["posts"])
            for user, mark in marks.items():
                behind = all(mark.read < ordinal <= posts for ordinal in mark.mentions)
                if not 0 <= mark.read <= posts or not behind:
                    is_now = f"{user} has read {mark.read}, named in {list(mark.mentions)}"
                    should = f"0 to {posts}, and named behind that"
                    self._report.add([Finding("room_mark", room, is_now, should)])
            self._report.checked["marks"] += len(some)


def _posted(lines: list[list[Any]]) -> int:
    return sum(line[3] == Kind.POSTED for line in lines)
