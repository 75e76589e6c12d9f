"""The organisation's rules on how long messages are kept, carried out log by log."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, Protocol

import msgpack  # type: ignore[import-untyped]
import structlog

from batonbox_server.domain.model import inbox_of, is_room
from batonbox_server.store.archive_port import Archive, Line
from batonbox_server.store.archiving_port import ArchivingStore
from batonbox_server.store.retention_port import Rules

from .moving import Mover

__all__ = ["Purger"]

_log = structlog.get_logger(__name__)
_DAY_MS: Final = 86_400_000
_CONVS: Final = 100
# Steps in which one conversation is erased, at most; the rest is found again.
_STEPS: Final = 100


class Discards(Protocol):
    """Where the records of messages' files are."""

    async def discard(self, ids: Sequence[str], *, inbox: str) -> None:
        """Nobody wants these files of this inbox (or room) any more."""


class Purger:
    """Moves what is too old to the archive, has the engine erase it, and then the archive.

    The engine decides, and refuses what is held; what dies in between is found in the archive and
    erased by the next that looks.
    """

    def __init__(
        self,
        store: ArchivingStore,
        archive: Archive,
        media: Discards,
        rules: Callable[[], Awaitable[Rules]],
    ) -> None:
        self._store = store
        self._archive = archive
        self._media = media
        self._rules = rules

    async def sweep(
        self, logs: Sequence[str], mover: Mover, *, leased: Callable[[str], Awaitable[bool]]
    ) -> None:
        """See `service.archiver.Retention`."""
        # Of two clocks the one that is behind: what is erased does not come back.
        now_ms = min(round(time.time() * 1000), await self._store.now_ms())
        rules = await self._rules()
        for rooms, days in ((False, rules.external_days), (True, rules.internal_days)):
            if days <= 0:
                continue
            before_ms = now_ms - days * _DAY_MS
            for log in logs:
                if is_room(log) == rooms and await leased(log):
                    await self._move(log, mover, before_ms)
            await self._erase(before_ms, rooms=rooms, leased=leased)

    async def _move(self, log: str, mover: Mover, before_ms: int) -> None:
        after, more = "", True
        while more:
            found = await self._store.expired_here(
                log=log, before_ms=before_ms, after=after, n=_CONVS
            )
            for conv in found.convs:
                await mover.older(conv, before_ms=before_ms)
            after, more = found.next, bool(found.next)

    async def _erase(
        self, before_ms: int, *, rooms: bool, leased: Callable[[str], Awaitable[bool]]
    ) -> None:
        after, erased = "", 0
        while found := await self._archive.expired(
            before_ms=before_ms, rooms=rooms, after=after, n=_CONVS
        ):
            for conv, upto in found:
                if await leased(inbox_of(conv)):
                    erased += await self.purge(conv, upto)
            after = found[-1][0]
        if erased:
            _log.info("messages_purged", conversations=erased, rooms=rooms)

    async def purge(self, conv: str, upto: int) -> bool:
        """Erase one conversation's lines up to number `upto`; False while it is held."""
        for _ in range(_STEPS):
            purged = await self._store.purge(conv=conv, upto=upto)
            await self._discard(conv, purged.n)
            await self._archive.purge(conv=conv, upto=purged.n, whole=purged.whole)
            if purged.held or not purged.again:
                return not purged.held
        return True

    async def _discard(self, conv: str, upto: int) -> None:
        # Few: one step of the engine's erases a thousand, and the archive has none before them.
        lines = await self._archive.lines(conv=conv, first=1, last=upto)
        if ids := list(_files_of(lines)):
            await self._media.discard(ids, inbox=inbox_of(conv))


def _files_of(lines: Iterable[Line]) -> Iterable[str]:
    for line in lines:
        body: Any = msgpack.unpackb(line.packed)[7]
        for file in body.get("media", ()) if isinstance(body, dict) else ():
            found = file if isinstance(file, str) else file["id"]
            if found:
                yield str(found)
