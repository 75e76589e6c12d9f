"""How lines and rows leave the engine, come back, are held and are erased."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]

from batonbox_server.domain.model import inbox_of, is_room
from batonbox_server.errors import Refused
from batonbox_server.store.archive_port import ArchivedRow, Line
from batonbox_server.store.archived import TRIES, Archived
from batonbox_server.store.archiving_port import (
    SENT_FINAL_MS,
    Convs,
    Hold,
    LinesOut,
    Memory,
    Purged,
)
from batonbox_server.store.inbox_calls import ok, words

__all__ = ["InboxArchive"]

# A conversation is crowded when it has so many more than are kept: lines leave in batches.
_FEW: Final = 10


class InboxArchive(Archived):
    """Implements `store.archiving_port.ArchivingStore`."""

    async def lease_archiving(self, *, log: str, holder: str, lease_ms: int) -> bool:
        """See the port."""
        prefix = self._keys.inbox(log)
        reply = await self._scripts.archive_lease(prefix, holder=holder, lease_ms=lease_ms)
        return bool(reply[0] == b"ok")

    async def crowded(self, *, log: str, keep: int, n: int = 50, skip: int = 0) -> list[str]:
        """See the port."""
        least = keep + min(keep, _FEW) + 1
        reply = await self._scripts.crowded(self._keys.inbox(log), least=least, skip=skip, n=n)
        return words(reply[1]) if reply[0] == b"ok" else []

    async def lines_out(
        self, *, conv: str, keep: int, n: int = 200, before_ms: int | None = None
    ) -> LinesOut:
        """See the port."""
        reply = await self._scripts.lines_out(
            self._keys.inbox(inbox_of(conv)),
            conv=conv,
            keep=keep,
            n=n,
            before_ms="" if before_ms is None else before_ms,
            final_ms=SENT_FINAL_MS,
        )
        first, packed, reasons, digest, left, now = ok(reply)
        lines = [
            _line(first + i, raw, reason, now)
            for i, (raw, reason) in enumerate(zip(packed, reasons, strict=True))
        ]
        return LinesOut(lines, digest.decode(), all_out=not lines and left == 0)

    async def trim(self, *, conv: str, out: LinesOut) -> int | None:
        """See the port."""
        if not out.lines:
            return 0
        prefix = self._keys.inbox(inbox_of(conv))
        reply = await self._scripts.trim(prefix, conv=conv, upto=out.lines[-1].n, digest=out.digest)
        return int(reply[1]) if reply[0] == b"ok" else None

    async def done_before(self, *, log: str, before_ms: int, after: str = "", n: int = 50) -> Convs:
        """See the port."""
        prefix = self._keys.inbox(log)
        reply = await self._scripts.done_before(prefix, before_ms=before_ms, after=after, n=n)
        return _convs(reply)

    async def row_out(self, *, conv: str) -> ArchivedRow | None:
        """See the port."""
        reply = await self._scripts.row_out(self._keys.inbox(inbox_of(conv)), conv=conv)
        if reply[0] != b"ok":
            return None
        _, row, flat, now = reply
        raw = {k.decode(): v for k, v in zip(flat[::2], flat[1::2], strict=True)}
        told: dict[str, Any] = msgpack.unpackb(row)
        return ArchivedRow(conv, int(told["last_ms"]), told, raw, now)

    async def evict(self, *, row: ArchivedRow) -> bool:
        """See the port."""
        prefix = self._keys.inbox(inbox_of(row.conv))
        reply = await self._scripts.evict(prefix, conv=row.conv, digest=_digest(row.raw))
        return bool(reply[0] == b"ok")

    async def thaw(self, *, row: ArchivedRow) -> bool:
        """See the port."""
        return await self._thaw(row) in {"ok", "here"}

    async def expired_here(
        self, *, log: str, before_ms: int, after: str = "", n: int = 100
    ) -> Convs:
        """See the port."""
        reply = await self._scripts.expired_here(
            self._keys.inbox(log),
            room=log if is_room(log) else "",
            before_ms=before_ms,
            after=after,
            n=n,
        )
        return _convs(reply)

    async def purge(self, *, conv: str, upto: int) -> Purged:
        """See the port."""
        prefix = self._keys.inbox(inbox_of(conv))
        for _ in range(TRIES):
            reply = await self._scripts.purge(prefix, conv=conv, upto=upto)
            if reply[0] == b"ok":
                return Purged(reply[1], bool(reply[2]), again=bool(reply[3]))
            if reply[0] == b"held":
                return Purged(reply[1], held=True)
            if reply[0] == b"not_found" or not await self.bring_back(conv=conv):
                return Purged(upto, whole=True)  # the engine knows it no more
        raise Refused("unavailable")

    async def hold(
        self, *, conv: str, actor: str, cid: str, on: bool, reason: str = ""
    ) -> Hold | None:
        """See the port."""
        given = {"conv": conv, "by": self._by(actor, cid, "0" * 40), "on": int(on)}
        prefix = self._keys.inbox(inbox_of(conv))
        reply = await self._scripts.hold(prefix, **given, reason=reason)
        if reply[0] == b"not_found" and await self.bring_back(conv=conv):
            reply = await self._scripts.hold(prefix, **given, reason=reason)
        (held,) = ok(reply)
        return _hold(conv, held) if held else None

    async def holds(self, *, log: str) -> list[Hold]:
        """See the port."""
        flat = await self._execute("HGETALL", f"{self._keys.inbox(log)}:hold")
        found = [_hold(k.decode(), v) for k, v in zip(flat[::2], flat[1::2], strict=True)]
        return sorted(found, key=lambda hold: (hold.since_ms, hold.conv))

    async def is_held(self, *, inbox: str) -> bool:
        """See the port."""
        return bool(await self._execute("EXISTS", f"{self._keys.inbox(inbox)}:hold"))

    async def claim_archive(self, *, archive: str) -> str:
        """See the port."""
        await self._execute("SET", f"{self._keys.org}:archive", archive, "NX")
        return await self.known_archive()

    async def is_deleted(self, *, log: str) -> bool:
        """See the port."""
        found = await self._execute("HMGET", f"{self._keys.inbox(log)}:meta", "epoch", "deleted")
        return (found[0] is None or found[1] is not None) and bool(await self.known_archive())

    async def adopt_archive(self, *, archive: str) -> None:
        """See the port."""
        await self._execute("SET", f"{self._keys.org}:archive", archive)

    async def memory(self) -> Memory:
        """See the port."""
        raw = await self._execute("INFO", "memory")
        text = raw.decode() if isinstance(raw, bytes) else str(raw)
        told = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        return Memory(int(told["used_memory"]), int(told["maxmemory"]))


def _convs(reply: list[Any]) -> Convs:
    if reply[0] != b"ok":
        return Convs([])
    return Convs(words(reply[1]), reply[2].decode())


def _line(n: int, raw: bytes, reason: bytes | None, now: int) -> Line:
    told = msgpack.unpackb(raw)
    packed = raw
    if reason:
        packed = bytes(msgpack.packb([*told, reason.decode()]))
    return Line(n, told[1], told[2], packed, now)


def _hold(conv: str, packed: bytes) -> Hold:
    reason, by, since_ms = msgpack.unpackb(packed)
    return Hold(conv, reason, by, since_ms)


def _digest(raw: Mapping[str, bytes]) -> str:
    """As `row_digest` of lib/leaving.lua."""
    told = sorted(name.encode() + b"=" + value for name, value in raw.items())
    return hashlib.sha1(b"\n".join(told), usedforsecurity=False).hexdigest()
