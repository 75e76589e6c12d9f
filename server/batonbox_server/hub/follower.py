"""Drives one feed: listens, reads what is missing, finds the way back after a fork."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import structlog

from batonbox_server.errors import BatonboxError, Refused
from batonbox_server.measured import FEED_BREAKS
from batonbox_server.tasks import spawn

from .feed import Appended, Broken, Effect, Feed, Need, Reason
from .flushing import Flush
from .frames import Look, Mark, Moved, Published, parse
from .port import Channel, Logs
from .ring import Ring

__all__ = ["Follower", "Limits", "Position", "Reads"]

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")
_PAUSE_S: Final = 0.1
_PAUSE_MAX_S: Final = 2.0
_LOST_SCAN_MAX: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The hub's bounds, from the settings of the same names."""

    ring_events: int = 4096
    ring_bytes: int = 4 << 20
    check_interval_s: float = 10.0
    badge_interval_s: float = 0.1
    engine_timeout_s: float = 5.0
    write_batch_bytes: int = 65536
    linger_s: float = 30.0
    debug: bool = False


@dataclass(slots=True)
class Reads:
    """What all followers of a node share: the log's reads, the channel, pacing, task ownership."""

    logs: Logs
    channel: Channel
    limits: Limits
    flush: Flush
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    pace: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(32))

    async def paced(self, read: Callable[[], Awaitable[_T]]) -> _T:
        """One read among a bounded number. Raises Refused: `unavailable` on a timeout too."""
        try:
            async with self.pace, asyncio.timeout(self.limits.engine_timeout_s):
                return await read()
        except TimeoutError as error:
            raise Refused("unavailable") from error
        except Refused:
            raise
        except BatonboxError as error:
            raise Refused("unavailable") from error


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a log."""

    epoch: str
    seq: int
    tip: str


class Follower:
    """Keeps `feed` at the end of its log; subclasses say what an event means.

    `open` subscribes, awaits the acknowledgement and only then reads the position to start from.
    The ring gets one part in `ring_share` of the limits.
    """

    def __init__(self, reads: Reads, *, log: str, channel: str, ring_share: int = 1) -> None:
        limits = reads.limits
        self.reads = reads
        self.log = log
        self.channel = channel
        self.ring = Ring(
            max_events=limits.ring_events // ring_share,
            max_bytes=limits.ring_bytes // ring_share,
            batch_bytes=limits.write_batch_bytes,
        )
        self.feed = Feed(self.ring, debug=limits.debug)
        self.closed = False
        self._changed: asyncio.Event | None = None  # there only while somebody waits for it

    # For subclasses

    async def base(self) -> Position:
        """Read the position to start from, and whatever state belongs to it."""
        head = await self.reads.paced(lambda: self.reads.logs.head(log=self.log))
        if not head.epoch:
            raise Refused("not_found")
        return Position(head.epoch, head.seq, head.tip)

    def appended(self, event: Published) -> None:
        """The log's next event."""

    def marked(self, mark: Mark) -> None:
        """A private mark."""

    def told(self, message: Moved | Look) -> None:
        """What stands outside the log."""

    def missed(self) -> None:
        """Messages that are not in the log may have been missed."""

    def rebased(self, reason: Reason, common: int | None, lost: list[tuple[str, str]]) -> None:
        """History beyond `common` (None: all of it) is void; `lost` are (actor, cid) of it."""

    def gone(self) -> None:
        """The log does not exist any more."""

    def settled(self) -> None:
        """A batch of events or marks has been applied."""
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    # Driving

    async def open(self) -> None:
        """Raises Refused: `not_found` or `unavailable`."""
        await self.reads.paced(lambda: self.reads.channel.subscribe(self.channel))
        self._start(await self.base())

    async def close(self) -> None:
        """Stop listening."""
        self.closed = True
        try:
            await self.reads.paced(lambda: self.reads.channel.unsubscribe(self.channel))
        except Refused:
            pass  # the engine is away, and the subscription with it

    def heard(self, data: bytes) -> None:
        """A message of the channel."""
        try:
            message = parse(data)
        except ValueError:
            _log.exception("unreadable_message", log=self.log)
            return
        if isinstance(message, list):
            self._do(self.feed.published(message))
        elif isinstance(message, Mark):
            self.marked(message)
            self.settled()
        else:
            self.told(message)

    async def check(self) -> None:
        """Compare with the log. Raises Refused: `unavailable`."""
        if not self.feed.following:
            return
        at, tip = self.feed.hi, self.ring.last_tip
        head = await self.reads.paced(lambda: self.reads.logs.head(log=self.log, at=at))
        if not self.closed:
            self._do(self.feed.checked(head, at=at, tip=tip))

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait, bounded, until a condition over this follower holds. Raises Refused."""
        if holds():
            return
        try:
            async with asyncio.timeout(self.reads.limits.engine_timeout_s):
                while not holds():
                    if self._changed is None:
                        self._changed = asyncio.Event()
                    await self._changed.wait()
        except TimeoutError as error:
            raise Refused("unavailable") from error

    async def departs(self, position: Position) -> Reason | None:
        """Why the log does not continue a position, None if it does. Raises Refused."""
        head = await self.reads.paced(lambda: self.reads.logs.head(log=self.log, at=position.seq))
        if head.epoch != position.epoch:
            return "epoch"
        if position.seq > head.seq:
            return "fork"
        if position.seq == head.seq:
            return None if head.tip == position.tip else "fork"
        if head.tip_at:
            return None if head.tip_at == position.tip else "fork"
        entries = await self.reads.paced(
            lambda: self.reads.logs.range(
                log=self.log, first=position.seq + 1, last=position.seq + 1
            )
        )
        if not entries:
            return "trimmed"
        return None if entries[0].prev == position.tip else "fork"

    def _start(self, position: Position) -> None:
        self._do(self.feed.start(position.epoch, position.seq, position.tip))

    def _do(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Appended):
                self.appended(effect.event)
            elif isinstance(effect, Need):
                self.missed()
                spawn(self.reads.tasks, self._fill(effect), name=f"backfill {self.log}")
            else:
                FEED_BREAKS[effect.reason] += 1
                _log.warning("feed_broken", log=self.log, reason=effect.reason, at=self.feed.hi)
                spawn(self.reads.tasks, self._mend(effect), name=f"mend {self.log}")
        self.settled()

    async def _fill(self, need: Need) -> None:
        pause_s = _PAUSE_S
        while not self.closed:
            try:
                entries = await self.reads.paced(
                    lambda: self.reads.logs.range(log=self.log, first=need.first, last=need.last)
                )
                break
            except Refused:
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _PAUSE_MAX_S)
        if not self.closed:
            self._do(self.feed.backfilled(need, entries))

    async def _mend(self, broken: Broken) -> None:
        pause_s = _PAUSE_S
        while not self.closed:
            try:
                await self._rebase(broken.reason)
                return
            except Refused as refused:
                if refused.slug == "not_found":
                    self.gone()
                    return
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _PAUSE_MAX_S)

    async def _rebase(self, reason: Reason) -> None:
        common = await self._common(reason)
        lost = await self._lost(common) if reason == "fork" else []
        position = await self.base()
        if self.closed:
            return
        if position.epoch != self.feed.epoch:
            reason, common = "epoch", None
        if common is not None and not self._beyond(common, position):
            common = None  # another failover, while this one was looked at
        self.rebased(reason, common, lost)
        self._start(position)

    def _beyond(self, common: int, position: Position) -> bool:
        """Whether a position can stand in the history that the ring shares up to `common`."""
        if position.seq == common:
            return position.tip == self.ring.tip_of(common)
        return position.seq > common

    async def _common(self, reason: Reason) -> int | None:
        """The last position of the ring that the log still has."""
        if reason == "trimmed":
            return self.ring.last
        if reason != "fork":
            return None
        low, high = self.ring.base, self.ring.last
        if not await self._agrees(low):
            return None
        while low < high:
            middle = (low + high + 1) // 2
            if await self._agrees(middle):
                low = middle
            else:
                high = middle - 1
        return low

    async def _agrees(self, seq: int) -> bool:
        head = await self.reads.paced(lambda: self.reads.logs.head(log=self.log, at=seq))
        if head.epoch != self.feed.epoch or head.seq < seq:
            return False
        if seq == 0:
            return True
        return (head.tip if head.seq == seq else head.tip_at) == self.ring.tip_of(seq)

    async def _lost(self, common: int | None) -> list[tuple[str, str]]:
        """Commands of the void events that the log does not hold in its new history."""
        first = self.ring.base if common is None else common
        void = {
            (event.meta.get("actor", ""), event.meta.get("cid", ""))
            for event in self.ring.events_after(first)
        }
        entries = await self.reads.paced(
            lambda: self.reads.logs.range(
                log=self.log, first=first + 1, last=first + _LOST_SCAN_MAX
            )
        )
        for entry in entries:
            meta = Published.of(entry.prev, entry.frame).meta
            void.discard((meta.get("actor", ""), meta.get("cid", "")))
        return sorted(pair for pair in void if all(pair))
