"""One log as a node follows it, sans-I/O: what came, what is missing, what cannot be.

The owner passes in what it hears and does what the returned effects ask.  A position is (epoch,
seq, tip); the tip hashes the whole prefix, so equal tips mean equal histories, while equal seqs
after a failover do not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from .frames import Published, chained_tip
from .port import EntryLike, HeadLike
from .ring import Ring

__all__ = ["Appended", "Broken", "Effect", "Feed", "Need", "Reason"]

Reason = Literal["fork", "epoch", "trimmed", "gone"]
_HELD_MAX: Final = 1024
_RANGE_MAX: Final = 256


class Appended(msgspec.Struct, gc=False):  # one for each event: it is the cheapest to make
    """The next event of the log; it stands in the ring."""

    event: Published


@dataclass(frozen=True, slots=True)
class Need:
    """Read `first..last` from the log and pass it to `backfilled`."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Broken:
    """The ring is not a prefix of the log any more: find the common point and `start` again."""

    reason: Reason


Effect = Appended | Need | Broken


class Feed:
    """Follows one log; until `start`, and after `Broken`, what arrives is held (bounded)."""

    def __init__(self, ring: Ring, *, debug: bool = False) -> None:
        self.ring = ring
        self.epoch = ""
        self.following = False
        self.gaps = 0
        self._debug = debug
        self._held: dict[int, Published] = {}
        self._heard = 0
        self._asked = False

    @property
    def hi(self) -> int:
        """The last event applied."""
        return self.ring.last

    def start(self, epoch: str, seq: int, tip: str) -> list[Effect]:
        """Stand at a position; what was held and lies beyond it follows."""
        self.epoch = epoch
        self.ring.restart(seq, tip)
        self.following, self._asked = True, False
        self._heard = max(self._held, default=seq)
        return self._drain()

    def published(self, events: Iterable[Published]) -> list[Effect]:
        """Events as they came over the channel, in any order and with any gaps."""
        effects: list[Effect] = []
        for event in events:
            hi = self.ring.last
            # All that was ever heard of has been applied, and this is next.
            if self.following and self._heard <= hi and event.seq == hi + 1 and not self._held:
                self._heard = event.seq
                effects += self._append(event)
            else:
                effects += self._one(event)
        return effects

    def backfilled(self, need: Need, entries: Iterable[EntryLike]) -> list[Effect]:
        """Entries read for `need`; fewer than asked is fine, starting later is `trimmed`."""
        if not self.following:
            return []
        self._asked = True  # until all of these are in, nothing further is missing
        effects: list[Effect] = []
        for entry in entries:
            event = Published.of(entry.prev, entry.frame)
            if event.seq > self.hi + 1:
                return [*effects, *self._break("trimmed")]
            effects += self._one(event)
            if effects and isinstance(effects[-1], Broken):
                return effects
        if self.hi < need.first:
            # The log has nothing there: either it was cut short, or what we heard of is lost.
            return [*effects, *self._break("fork")]
        self._asked = False
        return [*effects, *self._drain()]

    def checked(self, head: HeadLike, *, at: int, tip: str) -> list[Effect]:
        """The log's head, asked for with `at` = our position (at, tip) of that moment."""
        if not self.following or (self.ring.tip_of(at) or tip) != tip:
            return []
        if head.epoch != self.epoch:
            return self._break("epoch" if head.epoch else "gone")
        if head.seq < at or (head.seq == at and head.tip != tip):
            return self._break("fork")
        if head.seq > at and at >= head.oldest and head.tip_at != tip:
            return self._break("fork")
        self._heard = max(self._heard, head.seq)
        return self._ask()

    def _one(self, event: Published) -> list[Effect]:
        self._heard = max(self._heard, event.seq)
        if self.following and event.seq <= self.hi:
            known = self.ring.tip_of(event.seq)
            return self._break("fork") if known not in {None, event.tip} else []
        if not self.following or event.seq > self.hi + 1:
            if len(self._held) < _HELD_MAX:
                self._held[event.seq] = event
            return self._ask()
        return [*self._append(event), *self._drain()]

    def _append(self, event: Published) -> list[Effect]:
        if event.prev != self.ring.last_tip:
            return self._break("fork")
        if self._debug and chained_tip(event.prev, event.frame) != event.tip:
            raise AssertionError(f"the tip of {event.seq} does not hash its prefix")
        self.ring.append(event)
        return [Appended(event)]

    def _drain(self) -> list[Effect]:
        effects: list[Effect] = []
        while self.following and self._held:
            event = self._held.pop(self.hi + 1, None)
            if event is None:
                self._held = {seq: held for seq, held in self._held.items() if seq > self.hi}
                break
            effects += self._append(event)
        return [*effects, *self._ask()]

    def _ask(self) -> list[Effect]:
        if not self.following or self._asked or self._heard <= self.hi:
            return []
        self._asked = True
        self.gaps += 1
        first = self.hi + 1
        last = min(min(self._held, default=self._heard + 1) - 1, first + _RANGE_MAX - 1)
        return [Need(first, last)]

    def _break(self, reason: Reason) -> list[Effect]:
        self.following = False
        self._held.clear()
        return [Broken(reason)]
