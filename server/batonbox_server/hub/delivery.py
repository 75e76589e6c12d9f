"""A log's new events to its listeners: equal cursors get the same bytes, framed once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from .flushing import Flush
from .ring import Ring, Slice

if TYPE_CHECKING:
    from .viewer import Seat

__all__ = ["Delivery"]


class Delivery:
    """The seats that listen to one ring; `members` are those who may get its events now.

    A round goes through all seats once, in as many turns as it takes; what is appended meanwhile
    goes to those whose turn is still to come, and makes a new round for the others.
    """

    def __init__(self, ring: Ring, members: Mapping[str, int], flush: Flush) -> None:
        self._ring = ring
        self._members = members
        self._flush = flush
        self._round: list[Seat] = []  # of one that is cut: whose turn is to come, the next one last
        self._begun_at = -1  # where the log stood when the round began
        self.seats: dict[Seat, None] = {}

    def due(self) -> None:
        """There may be something new."""
        self._begun_at = -1
        if self.seats:
            self._flush.delivery(self)

    def turn(self, most: int) -> int:
        """Write to at most so many connections; how many of that are left, 0: call again."""
        while most > 0:
            if self._round:
                batch = self._round[-most:]
                del self._round[-most:]
                batch.reverse()
            elif self._begun_at == self._ring.last:
                break
            else:
                last = self._begun_at = self._ring.last
                batch = [seat for seat in self.seats if seat.cursor < last]
                if len(batch) > most:
                    self._round = batch[most:]
                    self._round.reverse()
                    del batch[most:]
            self._write(batch)
            most -= len(batch)
        return most

    def _write(self, seats: Iterable[Seat]) -> None:
        ring, members = self._ring, self._members
        last, base = ring.last, ring.base
        part: Slice | None = None
        begins, text = -1, False
        for seat in seats:
            cursor, viewer = seat.cursor, seat.viewer
            if not seat.listening or cursor >= last:
                continue
            # Whoever waits for more than these events, or cannot take them now, gets them in
            # their own turn, joined with the rest.
            busy = viewer.due or viewer.stalled or seat.chunk is not None
            if busy or cursor < base or viewer.user not in members:
                viewer.mark(seat)
                continue
            # Nearly always the one before had the same place: nothing is looked up for this one.
            if part is None or cursor != begins or viewer.text is not text:
                begins, text = cursor, viewer.text
                try:
                    part = ring.message(begins, text=text)
                except Exception:  # theirs to tell, in their own turn: others have another codec
                    part = None
                    viewer.mark(seat)
                    continue
            seat.cursor = part.last
            try:
                viewer.write(part.data)
            except Exception:  # closed: how a transport says so is its own affair
                viewer.stalled = True
            if part.last < last:
                viewer.mark(seat)
