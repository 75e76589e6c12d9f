"""Reads of an inbox: its rows, its messages, its log, its badges."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]

from batonbox_server.domain.model import inbox_of
from batonbox_server.errors import Refused
from batonbox_server.store import port
from batonbox_server.store.archived import MISSING, TRIES, Archived
from batonbox_server.store.inbox_calls import entry_of, ok, standing_of, words

# Views that show what is done.
_DONE_TOO: Final = frozenset({"done", "all", "walk"})
_INDEXES: Final = {"unassigned": ("un",), "done": ("done",), "all": ("op", "done")}
_AT_ONCE: Final = 500
_NO_SUCH_LOG: Final = port.Head("", 0, "", "", 1)


class InboxReads(Archived):
    """The reading half of `store.port.InboxStore`."""

    async def snapshot(self, *, inbox: str, n: int = 200) -> port.Snapshot:
        """See the port."""
        reply = ok(await self._scripts.snapshot(self._keys.inbox(inbox), n=n))
        epoch, seq, tip, unassigned, is_open, done, packed = reply
        rows = [msgpack.unpackb(row) for row in packed]
        counts = {"unassigned": unassigned, "open": is_open, "done": done}
        cursor = str(rows[-1]["last_ms"]) if len(rows) == n else ""
        return port.Snapshot(epoch.decode(), seq, tip.decode(), counts, rows, cursor)

    async def page(
        self, *, inbox: str, actor: str, view: str, after: str = "", n: int = 50
    ) -> port.PageOf:
        """See the port."""
        if after and not after.isdigit():
            raise Refused("bad_request", "after: not a cursor of this list; start without one.")
        prefix = self._keys.inbox(inbox)
        if view == "walk":
            reply = await self._scripts.walk(prefix, actor=actor, after_ms=after, n=n)
        else:
            reply = await self._scripts.page(prefix, actor=actor, view=view, after_ms=after, n=n)
        seq, tip, cursor, packed, away = ok(reply)
        rows = [msgpack.unpackb(row) for row in packed]
        page = port.PageOf(rows, cursor.decode(), seq, tip.decode())
        if away == 0 or view not in _DONE_TOO:
            return page
        try:
            return await self._merged(inbox, page, view=view, after=after, n=n)
        except Refused as refusal:
            # What is here is shown; whoever wants more is told. A walk misses nothing.
            if refusal.slug != "unavailable" or view == "walk" or not rows:
                raise
            return port.PageOf(rows, str(rows[-1]["last_ms"]), page.seq, page.tip)

    async def tops(
        self, inboxes: Sequence[str], *, actor: str, view: str, below_ms: int | None
    ) -> dict[str, float]:
        """See the port."""
        found: dict[str, float] = {}
        for first in range(0, len(inboxes), _AT_ONCE):
            some = inboxes[first : first + _AT_ONCE]
            asked = [self._top(inbox, actor=actor, view=view, below_ms=below_ms) for inbox in some]
            tops = zip(some, await asyncio.gather(*asked), strict=True)
            found.update((inbox, top) for inbox, top in tops if top is not None)
        return found

    async def _top(
        self, inbox: str, *, actor: str, view: str, below_ms: int | None
    ) -> float | None:
        prefix = self._keys.inbox(inbox)
        highest = "+inf" if below_ms is None else f"({below_ms}"
        indexes = {"mine": (f"as:{actor}",), **_INDEXES}.get(view, ("op",))
        asked = [
            self._execute(
                "ZREVRANGEBYSCORE", f"{prefix}:{index}", highest, "-inf", "WITHSCORES",
                "LIMIT", 0, 1,
            )
            for index in indexes
        ]  # fmt: skip
        if view in _DONE_TOO:
            asked.append(self._execute("HGET", f"{prefix}:meta", "away"))
        replies = await asyncio.gather(*asked)
        if view in _DONE_TOO and int(replies.pop() or 0) > 0:
            return float("inf")
        return max((float(pair[1]) for pair in replies if pair), default=None)

    async def history(self, *, conv: str, actor: str, before: int = 0, n: int = 50) -> port.Thread:
        """See the port."""
        for attempt in range(TRIES):
            last = attempt == TRIES - 1
            thread = await self._history(conv, actor, before, n, last=last)
            if thread is not None:
                return thread
        raise Refused("unavailable", MISSING)

    async def _history(
        self, conv: str, actor: str, before: int, n: int, *, last: bool
    ) -> port.Thread | None:
        """None: something moved while it was read, and this is not the last attempt."""
        prefix = self._keys.inbox(inbox_of(conv))
        reply = await self._scripts.history(prefix, conv=conv, actor=actor, before=before, n=n)
        if reply[0] == b"not_found":
            return await self._history_away(conv, before, n)
        seq, row, packed, cursor, reasons, first, away = ok(reply)
        messages = [msgpack.unpackb(message) for message in packed]
        for message, reason in zip(messages, reasons, strict=True):
            if reason:
                message.append(reason.decode())
        try:
            old = await self._lines(conv, first, away)
        except Refused as refusal:
            # What is here is shown; whoever wants more is told.
            if refusal.slug != "unavailable" or not messages:
                raise
            return port.Thread(messages, away + 1, seq, msgpack.unpackb(row))
        if old is None:
            short = last and messages
            return port.Thread(messages, away + 1, seq, msgpack.unpackb(row)) if short else None
        return port.Thread(old + messages, cursor, seq, msgpack.unpackb(row))

    async def head(self, *, log: str, at: int = 0) -> port.Head:
        """See the port."""
        reply = await self._scripts.head(log, at=at)
        if reply[0] != b"ok":
            return _NO_SUCH_LOG
        _, epoch, seq, tip, tip_at, oldest = reply
        return port.Head(epoch.decode(), seq, tip.decode(), tip_at.decode(), oldest)

    async def range(self, *, log: str, first: int, last: int) -> list[port.LogEntry]:
        """See the port."""
        entries = await self._execute("XRANGE", f"{log}:log", f"{first}-0", f"{last}-0")
        return [entry_of(entry) for entry in entries]

    async def board(self, *, inbox: str) -> port.Board:
        """See the port."""
        epoch, seq, tip, unassigned, keys = ok(await self._scripts.board(self._keys.inbox(inbox)))
        return port.Board(epoch.decode(), seq, tip.decode(), unassigned, words(keys))

    async def marks(self, *, inbox: str, user: str) -> port.Marks:
        """See the port."""
        reply = ok(await self._scripts.me(self._keys.inbox(inbox), user=user))
        seq, tip, mv, standing, which, keys, green, blue = reply
        role, joined, since = standing_of(standing.decode()) if standing else ("", False, 0)
        return port.Marks(
            seq,
            tip.decode(),
            mv,
            str(role),
            joined,
            since,
            which == b"seen",
            words(keys),
            words(green),
            blue,
        )

    async def check(self, *, inbox: str, positions: Sequence[tuple[int, str]]) -> list[list[Any]]:
        """See the port."""
        log = self._keys.inbox(inbox)
        missing = []
        for seq, tip in positions:
            head = await self.head(log=log, at=seq)
            gone = seq < head.oldest and head.tip_at == ""
            if head.tip_at != tip and not gone:
                missing.append([seq, tip])
        return missing
