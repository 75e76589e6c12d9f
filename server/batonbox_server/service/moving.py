"""Moving one log's old lines and finished conversations to the archive, in small steps."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from batonbox_server.domain.model import inbox_of
from batonbox_server.errors import Refused
from batonbox_server.store.archive_port import Archive
from batonbox_server.store.archiving_port import ArchivingStore, LinesOut

__all__ = ["Load", "Moved", "Mover"]

# Conversations that are moved at once: each is one short script at a time in the engine.
_AT_ONCE: Final = 8
_CONVS: Final = 48
_LINES: Final = 200
# Steps of one conversation in one turn: a long one must not hold up all the others.
_STEPS: Final = 20
# Of conversations that are done: those that cannot leave now must not hide the others.
_PAGES: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How much leaves: all but the newest `keep` lines, and what was done `before_ms`.

    `rows`: conversations of one turn, about. `rest`: pauses, as parts of the time spent, in which
    the engine serves others.
    """

    keep: int
    before_ms: int
    rows: int
    rest: float


@dataclass(slots=True)
class Moved:
    """What has left the engine by this node; over all nodes, each line and row once."""

    lines: int = 0
    rows: int = 0

    def __bool__(self) -> bool:
        return self.lines > 0 or self.rows > 0


class Mover:
    """Reads, writes to the archive, waits until that is durable, and only then lets go.

    `still(log)` is asked before every step and ends the turn when it is False.
    """

    def __init__(
        self,
        store: ArchivingStore,
        archive: Archive,
        *,
        still: Callable[[str], Awaitable[bool]],
        moved: Moved,
    ) -> None:
        self._store = store
        self._archive = archive
        self._still = still
        self.moved = moved

    async def lines(self, log: str, load: Load) -> bool:
        """Move lines of crowded conversations; False: the turn is somebody else's."""
        stuck = 0
        for _ in range(_STEPS):
            began_s = time.monotonic()
            if not await self._still(log):
                return False
            convs = await self._store.crowded(log=log, keep=load.keep, n=_CONVS, skip=stuck)
            if not convs:
                return True
            went = await self._each(partial(self._some_lines, keep=load.keep), convs)
            stuck += went.count(False)
            await _rest(began_s, load)
        return True

    async def rows(self, log: str, load: Load) -> bool:
        """Move whole conversations that are done, the oldest first; otherwise as `lines`."""
        after, enough = "", self.moved.rows + load.rows
        for _ in range(_PAGES):
            began_s = time.monotonic()
            if not await self._still(log):
                return False
            found = await self._store.done_before(
                log=log, before_ms=load.before_ms, after=after, n=min(_CONVS, load.rows)
            )
            await self._each(self._whole, found.convs)
            after = found.next
            await _rest(began_s, load)
            if not after or self.moved.rows >= enough:
                return True
        return True

    async def older(self, conv: str, *, before_ms: int) -> int:
        """Move lines that are older, whoever reads them still; the number of the last that left."""
        last = 0
        for _ in range(_STEPS):
            out = await self._let_go(conv, before_ms=before_ms)
            if out is None or not out.lines:
                return last
            last = out.lines[-1].n
        return last

    async def _some_lines(self, conv: str, *, keep: int) -> bool:
        """Whether any could leave."""
        out = await self._let_go(conv, keep=keep)
        return out is not None and bool(out.lines)

    async def _whole(self, conv: str) -> bool:
        for _ in range(_STEPS):
            out = await self._let_go(conv)
            if out is None:
                return False
            if len(out.lines) < _LINES:
                break  # the engine says below whether one is left
        row, later_ms = await self._store.row_out(conv=conv), 0
        if row is not None and (later_ms := await self._archive.put_row(row)):
            row = await self._store.row_out(conv=conv)
        if row is None:
            return False
        if later_ms and await self._archive.put_row(replace(row, read_ms=later_ms + 1)):
            return False
        if not await self._store.evict(row=row):
            await self._too_late(conv)
            return False
        self.moved.rows += 1
        return True

    async def _let_go(
        self, conv: str, *, keep: int = 0, before_ms: int | None = None
    ) -> LinesOut | None:
        """What has left of what may, which may be none; None: it has changed meanwhile.

        Where the archive has something that claims to be read later, either this is late, and the
        engine has it no more; or the engine's clock went back, and what it says now is newer.
        """
        read = partial(self._store.lines_out, conv=conv, keep=keep, n=_LINES, before_ms=before_ms)
        out = await read()
        if later_ms := await self._archive.put_lines(conv=conv, lines=out.lines):
            out = await read()
            lines = [replace(line, read_ms=later_ms + 1) for line in out.lines]
            if await self._archive.put_lines(conv=conv, lines=lines):
                return None
        left = await self._store.trim(conv=conv, out=out)
        if left is None:
            await self._too_late(conv)
            return None
        self.moved.lines += left
        return out

    async def _too_late(self, conv: str) -> None:
        """Its inbox was deleted, perhaps, and its archive erased before this was written."""
        if await self._store.is_deleted(log=inbox_of(conv)):
            await self._archive.purge(conv=conv, upto=0, whole=True)

    async def _each(
        self, step: Callable[[str], Awaitable[bool]], convs: Iterable[str]
    ) -> list[bool]:
        """Each of them, a few at a time; one that is no longer there is False."""
        free = asyncio.Semaphore(_AT_ONCE)

        async def one(conv: str) -> bool:
            async with free:
                try:
                    return await step(conv)
                except Refused as refused:
                    if refused.slug != "not_found":
                        raise
                    return False

        ended = await asyncio.gather(*(one(conv) for conv in convs), return_exceptions=True)
        for result in ended:
            if isinstance(result, BaseException):
                raise result
        return [bool(result) for result in ended]


async def _rest(began_s: float, load: Load) -> None:
    await asyncio.sleep(load.rest * (time.monotonic() - began_s))
