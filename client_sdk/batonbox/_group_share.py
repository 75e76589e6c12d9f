"""A copy's share of one inbox, without I/O: what it holds, what is under way, how far it has got.

The inbox's conversations fall into partitions; a `Line` is one that this copy holds.  Events of it
wait there until they have been handled, so that everything before the first of them is: that is
what the copy says of the partition, whatever is finished first.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from batonbox._events import ConversationEvent, LogEvent
from batonbox._models import Position
from batonbox._wire import PARTITIONS

__all__ = ["Line", "Share", "SharedWork", "partition_of"]

DONE_AT_ONCE = 256


def partition_of(conv: str) -> int:
    """The partition of a conversation: the same for every copy, in whatever language."""
    return zlib.crc32(conv.encode()) % PARTITIONS


class SharedWork:
    """One event of a partition that we hold; see `bot._source.Work`."""

    __slots__ = ("_line", "_share", "begun", "event", "finished", "void")

    def __init__(self, event: ConversationEvent, share: Share, line: Line) -> None:
        self.event = event
        self._share, self._line = share, line
        self.begun = self.finished = False
        self.void = (
            False  # another one took its place: it was refused, and may be ours all the same
        )

    @property
    def gone(self) -> bool:
        """It will never be ours."""
        return self.void or not self._line.held

    def begin(self) -> bool:
        """It is about to be handled; False: it is not ours any more."""
        if self.gone or self._line.asked or not self._share.runs():
            return False
        self.begun = True
        return True

    def done(self) -> None:
        """Its handlers have ended."""
        self.finished = True
        self._share.finished(self._line)


class Line:
    """A partition that we hold since generation `gen`.

    `handled`: everything up to here was when we got it.  `known`: events up to here stand in
    `works`, or stood.  `asked`: it is to be given back.  `done`: who held it before has handled
    these already.
    """

    __slots__ = ("asked", "done", "gen", "handled", "held", "known", "works")

    def __init__(self, gen: int, handled: int, done: frozenset[int]) -> None:
        self.gen = gen
        self.done = done
        self.handled = self.known = handled
        self.held, self.asked = True, False
        self.works: deque[SharedWork] = deque()

    @property
    def idle(self) -> bool:
        """Nothing of it is under way."""
        return not any(work.begun and not work.finished for work in self.works)


class Share:
    """What this copy has of an inbox.

    `runs()` tells whether works may begin at all; `offer(work)` takes one that is ours to do;
    `settled()` is called when one is done.
    """

    def __init__(
        self,
        inbox: str,
        *,
        runs: Callable[[], bool],
        offer: Callable[[SharedWork], None],
        settled: Callable[[], None],
    ) -> None:
        self.inbox = inbox
        self._runs, self._offer, self._settled = runs, offer, settled
        self.gen = 0
        self.copies = 0
        self.till_s = 0.0  # our lease, by the loop's clock
        self.lines: dict[int, Line] = {}
        self.low: Position | None = None  # behind it something may be unhandled
        self.at: Position | None = None  # up to here we have read
        self.waiting = 0  # works that are not done

    def runs(self) -> bool:
        """Whether works of this inbox may begin."""
        return self._runs()

    def holds(self, conv: str) -> bool:
        """Whether what happens in this conversation is ours to handle now."""
        line = self.lines.get(partition_of(conv))
        return line is not None and not line.asked and self._runs()

    @property
    def start(self) -> Position | None:
        """Where to go on reading; None while there is nothing to read for."""
        return (self.at or self.low) if self.lines else None

    @property
    def ready_to_give(self) -> list[int]:
        """Partitions that are asked back, with nothing under way."""
        return [p for p, line in self.lines.items() if line.asked and line.idle]

    def said(self) -> list[Any]:
        """A share of the wire: what we hold, and how far we have got."""
        at = self.at or self.low
        if at is None:
            return [self.inbox]
        holds = [[p, line.gen, self._reached(line, at)] for p, line in self.lines.items()]
        done = [
            [p, work.event.seq]
            for p, line in self.lines.items()
            for work in line.works
            if work.finished
        ]
        gives = self.ready_to_give
        return [self.inbox, self.gen, at.seq, at.tip, holds, gives, done[:DONE_AT_ONCE]]

    def _reached(self, line: Line, at: Position) -> int:
        reached = line.works[0].event.seq - 1 if line.works else at.seq
        # Before anything has been read, we know no more than what we were told.
        return min(reached, at.seq) if self.at else min(line.handled, at.seq)

    def told(self, share: dict[str, Any], *, renew: bool) -> bool:
        """What the server says of it; True: it has to be read from another place now.

        `renew`: works that are ours may have been refused meanwhile: they are offered again.
        """
        behind = self.low is not None and self.low.epoch != share["epoch"]
        if behind:
            self.lose()  # generations of another log mean nothing here
        self.gen, self.copies = int(share["gen"]), int(share["copies"])
        self.low = Position(str(share["epoch"]), int(share["seq"]), str(share["tip"]))
        mine = {int(p): int(gen) for p, gen in share["mine"]}
        asked = {int(p) for p in share["asked"]}
        self._drop(p for p, line in self.lines.items() if mine.get(p) != line.gen)
        for p, gen in mine.items():
            line = self.lines.get(p)
            if line is None:
                done = frozenset(int(seq) for at, seq in share["done"] if at == p)
                line = self.lines[p] = Line(gen, self.low.seq + int(share["past"][p]), done)
                behind = behind or (self.at is not None and line.handled < self.at.seq)
            taken_up = line.asked and p not in asked
            line.asked = p in asked
            if (renew or taken_up) and not line.asked:
                self._offer_again(line)
        if behind:
            self.at = None
        return behind

    def take(self, event: LogEvent) -> None:
        """The next event of the log."""
        epoch = (self.at or self.low or Position("", 0, "")).epoch
        self.at = Position(epoch, event.seq, event.tip)
        if not isinstance(event, ConversationEvent):
            return
        line = self.lines.get(partition_of(event.conversation.id))
        if line is None or event.seq <= line.known:
            return
        line.known = event.seq
        if event.seq in line.done:
            return
        work = SharedWork(event, self, line)
        line.works.append(work)
        self.waiting += 1
        if not line.asked:
            self._offer(work)

    def lose(self) -> None:
        """We hold nothing any more, and what we have read is not what the log is."""
        self._drop(list(self.lines))
        self.at = None

    def finished(self, line: Line) -> None:
        """A work of the line is done."""
        while line.held and line.works and line.works[0].finished:
            line.works.popleft()
            self.waiting -= 1
        self._settled()

    def _offer_again(self, line: Line) -> None:
        for n, work in enumerate(line.works):
            if not work.begun:
                work.void = True
                line.works[n] = SharedWork(work.event, self, line)
                self._offer(line.works[n])

    def _drop(self, partitions: Iterable[int]) -> None:
        for p in list(partitions):
            line = self.lines.pop(p)
            line.held = False
            self.waiting -= len(line.works)
