"""Keeps the engine's memory bounded: what is old moves to the archive, and leaves."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import structlog

from batonbox_server.domain.model import is_room
from batonbox_server.errors import BatonboxError
from batonbox_server.store.archive_port import ArchiveStatus, OwnArchive
from batonbox_server.store.archiving_port import ArchivingStore, Memory
from batonbox_server.store.waiting_port import Waiting, WaitingStore
from batonbox_server.tasks import cancel_all, spawn

from .moving import Load, Moved, Mover

__all__ = ["Archiver", "Bounds", "Retention"]

_log = structlog.get_logger(__name__)
_DAY_MS: Final = 86_400_000
# Those written to are looked at in each sweep, all of them once in so many, for what only time has
# made old.
_ROUND: Final = 120
# From the first part of its bound on, the engine counts as full, and until it is below the second.
_FULL, _EASED = 0.80, 0.75
_KEPT_WHEN_FULL: Final = 10
# What was done just now may be undone, or answered: it stays while there is room, up to this part.
# Beyond, everything goes, even where a log's clock runs ahead.
_YOUNG_MS: Final = 60_000
_SCARCE: Final = 0.9
_ROWS: Final = 2000
_ROWS_WHEN_FULL: Final = 48
# So long it makes room at most before it looks at everything else again.
_EASE_S: Final = 20.0
# And so long it rests then, while that is of use.
_HURRY_S: Final = 0.5


class Retention(Protocol):
    """Erases what the organisation's rules say is too old."""

    async def sweep(
        self, logs: list[str], mover: Mover, *, leased: Callable[[str], Awaitable[bool]]
    ) -> None:
        """Every log once, those of which `leased` says that they are ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """`memory_max` in bytes, 0: the engine's own bound, if it has one.

    What a node that died was moving is moved by another `lease_s` later.
    """

    keep: int
    done_days: float
    sweep_s: float
    memory_max: int
    lease_s: float = 30.0


class Archiver:
    """Every node looks; a lease per log lets one of them move its things.

    `logs()` gives every inbox and room; `on_round()` is called before everything is looked at,
    when the archive can be read. Doubles are harmless: the engine lets go only of what is as it was
    read.
    """

    def __init__(
        self,
        store: ArchivingStore,
        waiting: WaitingStore,
        archive: OwnArchive,
        logs: Callable[[], AsyncIterator[str]],
        *,
        bounds: Bounds,
        holder: str,
        retention: Retention | None = None,
        on_round: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._store = store
        self._waiting = waiting
        self._archive = archive
        self._logs = logs
        self._bounds = bounds
        self._holder = holder
        self._retention = retention
        self._on_round = on_round
        self.moved = Moved()
        self._mover = Mover(store, archive, still=self._leased, moved=self.moved)
        self._written: dict[str, None] = {}
        self._waits: dict[str, Waiting] = {}
        self._round_due_s = 0.0
        self._full = self._easing = False
        self._share = 0.0
        self._memory = Memory(0, 0)
        self._status = ArchiveStatus("none", "", 0, 0, 0)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._told_stays = False
        self.trouble = ""  # why nothing is moved; "" while all is well

    @property
    def state(self) -> str:
        """`ok`, `none` where there is no archive, else why nothing is moved."""
        return self.trouble or ("ok" if self._archive.there else "none")

    @property
    def counts(self) -> Mapping[str, int]:
        """For metrics."""
        waits = self._waits.values()
        return {
            "archive_stuck": int(bool(self.trouble)),
            "archive_lines": self._status.lines,
            "archive_rows": self._status.rows,
            "archive_bytes": self._status.size_bytes,
            "archive_lines_moved": self.moved.lines,
            "archive_rows_moved": self.moved.rows,
            "archive_waiting": sum(each.crowded + each.due for each in waits),
            "archive_held": sum(each.holds for each in waits),
            "engine_memory_used": self._memory.used,
            "engine_memory_bound": self._bound(),
        }

    def start(self) -> None:
        """Begin to look."""
        if self._archive.there:
            spawn(self._tasks, self._run(), name="archiver")
        else:
            _log.warning(
                "no_archive",
                remedy="Everything stays in the engine. Set BATONBOX_ARCHIVE_URL to a PostgreSQL.",
            )

    async def aclose(self) -> None:
        """Stop; whatever was under way is read anew by the next that looks."""
        await cancel_all(self._tasks)

    def written(self, log: str) -> None:
        """Something was added to an inbox or room: look at it at the next sweep."""
        if log:
            self._written[log] = None

    async def sweep(self) -> None:
        """Look once at what was written to, at everything when that is due or the engine full."""
        everything = time.monotonic() >= self._round_due_s
        if everything:
            self._status = await self._archive.status()  # refused where it is another
            if self._on_round is not None:
                await self._on_round()
        await self._weigh()
        logs = list(self._written)
        if everything or self._full:
            logs = [log async for log in self._logs()]
            self._waits = {log: waits for log, waits in self._waits.items() if log in set(logs)}
        self._written.clear()
        self._easing = self._full and await self._ease(logs)
        for log in logs if everything or not self._full else ():
            await self._look(log)
        if everything:
            if self._retention is not None:
                await self._retention.sweep(logs, self._mover, leased=self._leased)
            round_s = _ROUND * self._bounds.sweep_s
            self._round_due_s = time.monotonic() + round_s * (0.5 + random.random())  # noqa: S311

    def hurry(self) -> None:
        """Look at everything at the next sweep."""
        self._round_due_s = 0.0

    async def _run(self) -> None:
        while True:
            try:
                await self.sweep()
                self._said("")
            except BatonboxError as error:
                self._said(str(error))
            except Exception as error:  # the next turn may go well
                self._said(repr(error))
                _log.exception("archiver_failed")
            await asyncio.sleep(self._rest_s())

    def _rest_s(self) -> float:
        rest_s = self._bounds.sweep_s * (0.5 + random.random())  # noqa: S311
        return min(rest_s, _HURRY_S) if self._easing and not self.trouble else rest_s

    def _said(self, trouble: str) -> None:
        if trouble and trouble != self.trouble:
            _log.error("archiving_stopped", reason=trouble)
        elif self.trouble and not trouble:
            _log.info("archiving_goes_on")
        if trouble:
            self.hurry()  # what was to be moved is found again
        self.trouble = trouble

    def _bound(self) -> int:
        bounds = [self._bounds.memory_max, self._memory.bound]
        return min((each for each in bounds if each), default=0)

    async def _weigh(self) -> None:
        self._memory = await self._store.memory()
        self._share = self._memory.used / bound if (bound := self._bound()) else 0.0
        if self._full != (full := self._share > (_EASED if self._full else _FULL)):
            _log.info("engine_full" if full else "engine_eased", used=self._memory.used)
            self._told_stays = False
        self._full = full

    def _usual(self) -> Load:
        before_ms = round(time.time() * 1000 - self._bounds.done_days * _DAY_MS)
        return Load(keep=self._bounds.keep, before_ms=before_ms, rows=_ROWS, rest=1.0)

    async def _look(self, log: str) -> None:
        try:
            if await self._leased(log):
                await self._turn(log, self._usual())
        except BatonboxError:
            raise
        except Exception:  # what goes wrong in one place must not hold up all the others
            self._written[log] = None
            _log.exception("archiver_failed", log=log)

    async def _turn(self, log: str, load: Load) -> None:
        if await self._mover.lines(log, load) and await self._mover.rows(log, load):
            await self._count(log)

    async def _count(self, log: str) -> None:
        usual = self._usual()
        self._waits[log] = await self._waiting.waiting(
            log=log, keep=usual.keep, before_ms=usual.before_ms
        )

    async def _ease(self, logs: list[str]) -> bool:
        """What is done leaves, the oldest first; then all but a few messages of what is not.

        False: nothing could, so that there is no use in trying again at once.
        """
        before = (self.moved.lines, self.moved.rows)
        await self._make_room(logs)
        if (self.moved.lines, self.moved.rows) != before:
            return True
        if self._full and not self._told_stays:
            self._told_stays = True
            _log.warning("engine_stays_full", used=self._memory.used, bound=self._bound())
        return False

    async def _make_room(self, logs: list[str]) -> None:
        inboxes = {log for log in logs if not is_room(log)}
        load = Load(
            keep=min(_KEPT_WHEN_FULL, self._bounds.keep),
            before_ms=round(time.time() * 1000)
            + (_DAY_MS if self._share > _SCARCE else -_YOUNG_MS),
            # Each turn asks every inbox how old its oldest is: as many leave at least.
            rows=max(_ROWS_WHEN_FULL, len(inboxes)),
            rest=0.25,
        )
        until_s = time.monotonic() + _EASE_S
        while self._full and time.monotonic() < until_s:
            log, rows = await self._oldest(inboxes, load), self.moved.rows
            if not log:
                break
            await self._mover.rows(log, load)
            if self.moved.rows == rows:
                inboxes.discard(log)  # what is done there cannot leave now, or is another's
            await self._weigh()
        for log in logs:
            if not self._full or time.monotonic() > until_s:
                return
            await self._mover.lines(log, load)
            await self._weigh()

    async def _oldest(self, inboxes: set[str], load: Load) -> str:
        """Where the oldest conversation is that is done; "" where none is."""
        found = []
        for log in inboxes:
            waits = await self._waiting.waiting(log=log, keep=load.keep, before_ms=load.before_ms)
            if waits.oldest_ms:
                found.append((waits.oldest_ms, log))
        return min(found)[1] if found else ""

    async def _leased(self, log: str) -> bool:
        lease_ms = round(1000 * self._bounds.lease_s)
        return await self._store.lease_archiving(log=log, holder=self._holder, lease_ms=lease_ms)
