"""Reads for the search index over an engine."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]

from batonbox_server.domain.model import inbox_of, is_room
from batonbox_server.store.engine import Engine
from batonbox_server.store.inbox_calls import entry_of, ok
from batonbox_server.store.keys import Keys
from batonbox_server.store.port import Head, LogEntry
from batonbox_server.store.scan_port import CONTACTS, Scanned, Thread
from batonbox_server.store.scripts import Scripts

__all__ = ["RedisScan"]

_NO_SUCH_LOG: Final = Head("", 0, "", "", 1)
_AT_ONCE: Final = 200
_LINES: Final = 64  # of a thread that scan_rows.lua brings
_MORE: Final = 500


class RedisScan:
    """Implements `store.scan_port.ScanStore`."""

    def __init__(self, client: Engine, *, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._scripts = Scripts(client)

    def prefix(self, log: str) -> str:
        """Of its keys."""
        return self._keys.contacts if log == CONTACTS else self._keys.inbox(log)

    async def ends(self, logs: Sequence[str]) -> Mapping[str, tuple[str, int, str]]:
        """See the port."""
        found: dict[str, tuple[str, int, str]] = {}
        for first in range(0, len(logs), _AT_ONCE):
            some = logs[first : first + _AT_ONCE]
            asked = [
                self._client.ask(
                    "HMGET", f"{self.prefix(log)}:meta", "epoch", "seq", "tip", "deleted"
                )
                for log in some
            ]
            for log, values in zip(some, await asyncio.gather(*asked), strict=True):
                epoch, seq, tip, deleted = values
                if epoch and not deleted:
                    found[log] = (epoch.decode(), int(seq), tip.decode())
        return found

    async def end(self, log: str, *, at: int) -> Head:
        """See the port."""
        reply = await self._scripts.head(self.prefix(log), at=at)
        if reply[0] != b"ok":
            return _NO_SUCH_LOG
        _, epoch, seq, tip, tip_at, oldest = reply
        return Head(epoch.decode(), seq, tip.decode(), tip_at.decode(), oldest)

    async def entries(self, log: str, *, first: int, last: int) -> list[LogEntry]:
        """See the port."""
        name = f"{self.prefix(log)}:log"
        return [
            entry_of(entry)
            for entry in await self._client.ask("XRANGE", name, f"{first}-0", f"{last}-0")
        ]

    async def scan(self, log: str, *, after: str, n: int) -> Scanned | None:
        """See the port."""
        if is_room(log):
            return await self._scan_room(log, int(after or 1))
        reply = await self._scripts.scan_rows(self.prefix(log), after_ms=after, n=n)
        if reply[0] == b"not_found":
            return None
        epoch, seq, tip, further, total, rows, lines = ok(reply)
        threads = [
            await self._whole(log, msgpack.unpackb(row), some)
            for row, some in zip(rows, lines, strict=True)
        ]
        return Scanned(epoch.decode(), seq, tip.decode(), further.decode(), total, threads)

    async def trimmed(self, convs: Sequence[str]) -> Mapping[str, tuple[int, int]]:
        """See the port."""
        asked = [
            self._client.ask("HMGET", f"{self._of(conv)}:c:{conv}", "id", "purged", "trimmed")
            for conv in convs
        ]
        found = zip(convs, await asyncio.gather(*asked), strict=True)
        return {
            conv: (int(upto or 0), int(left or 0)) for conv, (name, upto, left) in found if name
        }

    async def is_away(self, conv: str, *, pair: str) -> bool:
        """See the port."""
        return bool(await self._client.ask("HGET", f"{self._of(conv)}:cx", pair) == conv.encode())

    def _of(self, conv: str) -> str:
        return self.prefix(inbox_of(conv))

    async def _scan_room(self, room: str, first: int) -> Scanned | None:
        reply = await self._lines(room, room, first)
        if reply[0] == b"not_found":
            return None
        epoch, seq, tip, row, packed = ok(reply)
        lines = [msgpack.unpackb(line) for line in packed]
        further = str(lines[-1][0] + 1) if len(lines) == _MORE else ""
        thread = Thread(msgpack.unpackb(row), lines)
        return Scanned(epoch.decode(), seq, tip.decode(), further, 1, [thread])

    async def _whole(self, log: str, row: dict[str, Any], some: list[bytes]) -> Thread:
        lines = [msgpack.unpackb(line) for line in some]
        more = len(some) == _LINES
        while more:
            # Lines that are trimmed meanwhile are in the archive, which is read after the engine.
            reply = await self._lines(log, row["id"], lines[-1][0] + 1)
            further = reply[5] if reply[0] == b"ok" else []
            lines += [msgpack.unpackb(line) for line in further]
            more = len(further) == _MORE
        return Thread(row, lines)

    async def _lines(self, log: str, conv: str, first: int) -> list[Any]:
        return await self._scripts.scan_lines(self.prefix(log), conv=conv, first=first, n=_MORE)
