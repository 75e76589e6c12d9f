"""Conversations and lines that have left the engine: read through, and brought back for commands.

The archive's rows stay there when their conversation is back in the engine, and its lines when they
are erased: so whatever it says counts only where the engine says that it is away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]
import structlog

from batonbox_server.domain.model import inbox_of
from batonbox_server.errors import Away, Refused
from batonbox_server.store import port
from batonbox_server.store.archive_port import Archive, ArchivedRow
from batonbox_server.store.by import pack_for_lua
from batonbox_server.store.engine import Engine
from batonbox_server.store.inbox_calls import InboxCalls, applied, ok
from batonbox_server.turn import Lines

__all__ = ["MISSING", "TRIES", "Archived"]

_log = structlog.get_logger(__name__)
TRIES: Final = 3  # things may move while they are looked at
_SCANS: Final = 4  # of the archive for one page, where rows are back in the engine
MISSING: Final = (
    "The archive does not have this: it is not the one that belongs to this engine."
    " `batonbox-server archive status` tells which is."
)
_BACK: Final = frozenset({"ok", "here"})
_FORGOTTEN: Final = (
    "The engine does not know any more which archive this is in; the next message that moves tells."
)
_NONE: Final = "Older messages are in an archive that this server was started without."


class Archived(InboxCalls):
    """What every part of the inbox store does about things that are away."""

    _archive: Archive | None = None

    def __init__(self, client: Engine, **more: Any) -> None:
        super().__init__(client, **more)
        self._returning = Lines()  # whoever waits for a conversation to be back
        self._commands = 0

    def read_through(self, archive: Archive) -> None:
        """Read what is not in the engine from there."""
        self._archive = archive

    async def _command(
        self, name: str, conv: str, actor: str, cid: str, **args: str | bytes | int
    ) -> port.Applied:
        self._commands = number = self._commands + 1
        if conv not in self._returning:
            try:
                return applied(await self._hand(name, conv, actor, cid, args))
            except Refused as refusal:
                if refusal.slug != "not_found" or self._archive is None:
                    raise
        # The first of them asks once more: by then those are in the line, too, that had been sent.
        async with self._returning.turn(conv, number):
            for _ in range(TRIES):
                try:
                    return applied(await self._hand(name, conv, actor, cid, args))
                except Refused as refusal:
                    if refusal.slug != "not_found" or not await self.bring_back(conv=conv):
                        raise
            raise Refused("unavailable")

    async def known_archive(self) -> str:
        """The id of the archive that this engine's things are in, "" before anything was moved."""
        raw = await self._execute("GET", f"{self._keys.org}:archive")
        return "" if raw is None else str(raw.decode())

    async def bring_back(self, *, conv: str) -> bool:
        """Have a conversation's row in the engine; False where there is none to be had."""
        if self._archive is None:
            return False
        for _ in range(TRIES):
            row = await self._archive.row(conv=conv)
            word = await self._thaw(row) if row else ""
            if word != "older":  # than the one that has left meanwhile
                return word in _BACK
        raise Refused("unavailable")

    async def _thaw(self, row: ArchivedRow) -> str:
        flat = [part for pair in sorted(row.raw.items()) for part in pair]
        prefix = self._keys.inbox(inbox_of(row.conv))
        reply = await self._scripts.thaw(prefix, conv=row.conv, raw=pack_for_lua(flat))
        return str(reply[0].decode())

    async def _known(self, call: Callable[[], Any], *, inbox: str, pair: str) -> list[Any]:
        """A script that names a customer (`pair`): their conversation is brought back for it.

        One that the archive has lost for good must not keep them from ever writing again. Raises
        Away while it cannot be had.
        """
        for _ in range(TRIES):
            reply: list[Any] = await call()
            if reply[0] != b"archived":
                return reply
            conv = reply[1].decode()
            if self._archive is None:
                raise Away(_NONE)
            try:
                found = await self.bring_back(conv=conv)
            except Refused as refusal:
                if refusal.slug != "unavailable":
                    raise
                raise Away(refusal.message) from refusal
            if not found and not await self.known_archive():
                raise Away(_FORGOTTEN)
            if not found:
                _log.error("conversation_lost", conv=conv)
                await self._scripts.forget(self._keys.inbox(inbox), conv=conv, pair=pair)
        raise Refused("unavailable")

    # Reading through

    async def _lines(self, conv: str, first: int, last: int) -> list[list[Any]] | None:
        """Messages that are away; None: not all are there (any more)."""
        if last < first:
            return []
        if self._archive is None:
            raise Refused("unavailable", _NONE)
        lines = await self._archive.lines(conv=conv, first=first, last=last)
        if [line.n for line in lines] != list(range(first, last + 1)):
            return None
        return [msgpack.unpackb(line.packed) for line in lines]

    async def _history_away(self, conv: str, before: int, n: int) -> port.Thread | None:
        """The history of a conversation that is away; Refused("not_found") where there is none."""
        if self._archive is None:
            raise Refused("not_found")
        found = await self._archive.row(conv=conv)
        seq, _, rows = await self._standing(inbox_of(conv), [found] if found else [])
        if found is None or rows == [None]:
            raise Refused("not_found")
        if rows[0] is not found.row:
            return None  # it is back
        purged, last = int(found.raw.get("purged", 0)), int(found.row["n"])
        if before:
            last = min(last, before - 1)
        first = max(purged + 1, last - n + 1)
        messages = await self._lines(conv, first, last)
        if messages is None:
            return None
        more = first > purged + 1 and last >= first
        return port.Thread(messages, first if more else 0, seq, found.row)

    async def _standing(
        self, inbox: str, found: Sequence[ArchivedRow]
    ) -> tuple[int, str, list[dict[str, Any] | None]]:
        """The log's position; and of each its row as it is now, None of what is no more."""
        asked = []
        for each in found:
            asked += [each.conv, f"{each.row['our']}|{each.row['customer']}"]
        prefix = self._keys.inbox(inbox)
        seq, tip, told = ok(await self._scripts.where(prefix, asked=pack_for_lua(asked)))
        rows: list[dict[str, Any] | None] = []
        for each, word in zip(found, told, strict=True):
            here = word not in {b"away", b""}
            rows.append(msgpack.unpackb(word) if here else each.row if word else None)
        return seq, tip.decode(), rows

    async def _rows(self, inbox: str, at: int | None, n: int, *, rising: bool) -> list[ArchivedRow]:
        if self._archive is None:
            raise Refused("unavailable", _NONE)
        return await self._archive.rows(inbox=inbox, after_ms=at, n=n, ascending=rising)

    async def _merged(
        self, inbox: str, page: port.PageOf, *, view: str, after: str, n: int
    ) -> port.PageOf:
        """A page of the engine with those rows of the archive that belong between its own.

        The engine was read first: what leaves meanwhile is in both, and what comes back is told by
        the engine; so nothing is missed that does not move ahead of the reader.
        """
        rising = view == "walk"
        sign = 1 if rising else -1
        by_id: dict[str, dict[str, Any]] = {row["id"]: row for row in page.rows}
        # How far each of the two is complete; None: to its end.
        far = [int(page.next)] if page.next else []
        at = int(after) if after else None
        for scan in range(_SCANS):
            found = await self._rows(inbox, at, n, rising=rising)
            _, _, rows = await self._standing(inbox, found)
            for row in rows:
                beyond = row and (not after or sign * (row["last_ms"] - int(after)) > 0)
                if row and beyond and (view != "done" or row["status"] == "done"):
                    by_id.setdefault(row["id"], row)
            if len(found) < n:
                break
            at = found[-1].last_ms
            complete = sum(sign * (row["last_ms"] - at) <= 0 for row in by_id.values())
            beyond_page = any(sign * (at - ms) >= 0 for ms in far)
            if scan == _SCANS - 1 or complete >= n or beyond_page:
                far.append(at)
                break
        return _cut(by_id, far, page, sign=sign, n=n)


def _cut(
    by_id: dict[str, dict[str, Any]], far: list[int], page: port.PageOf, *, sign: int, n: int
) -> port.PageOf:
    """The first `n` rows, as far as nothing can be missing among them."""
    rows = sorted(by_id.values(), key=lambda row: sign * row["last_ms"])
    till = min((sign * ms for ms in far), default=None)
    if till is not None:
        rows = [row for row in rows if sign * row["last_ms"] <= till]
    if len(rows) > n:
        rows = rows[:n]
        return port.PageOf(rows, str(rows[-1]["last_ms"]), page.seq, page.tip)
    return port.PageOf(rows, "" if till is None else str(sign * till), page.seq, page.tip)
