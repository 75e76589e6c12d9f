"""What one subscriber got of one log: lost, doubled, out of order, to the event."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Account", "Tally"]


class Tally:
    """Takes in sequence numbers as they come; `start` is where the subscription begins."""

    __slots__ = ("disordered", "doubled", "epoch", "got", "missing", "next", "resets", "tip")

    def __init__(self) -> None:
        self.next: int = 0
        self.got: int = 0
        self.doubled: int = 0
        self.disordered: int = 0
        self.resets: int = 0
        self.missing: set[int] = set()
        self.epoch: str = ""
        self.tip: str = ""

    @property
    def begun(self) -> bool:
        """Whether a position is known."""
        return self.next > 0

    def start(self, epoch: str, seq: int, tip: str) -> None:
        """A snapshot at `seq`: the next event is the one after it, nothing before is owed."""
        self.epoch, self.tip = epoch, tip
        self.next = seq + 1
        self.missing.clear()

    def take(self, first: int, last: int, tip: str) -> None:
        """Events `first` to `last` have come, one after the other."""
        self.got += last - first + 1
        if first == self.next:
            self.next = last + 1
            self.tip = tip
            return
        for seq in range(first, last + 1):
            self._one(seq, tip)

    def lost(self, upto: int) -> int:
        """How many events up to number `upto` have not come."""
        return len(self.missing) + max(0, upto + 1 - self.next) if self.begun else 0

    def _one(self, seq: int, tip: str) -> None:
        if seq >= self.next:
            self.missing.update(range(self.next, seq))
            self.next, self.tip = seq + 1, tip
        elif seq in self.missing:
            self.missing.discard(seq)
            self.disordered += 1
        else:
            self.doubled += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Deliveries of a run, all subscribers together; `resets` are told gaps, no silent ones."""

    delivered: int = 0
    lost: int = 0
    doubled: int = 0
    disordered: int = 0
    resets: int = 0
    closed: int = 0

    @property
    def right(self) -> bool:
        """Whether everybody got everything once and in order."""
        return not (self.lost or self.doubled or self.disordered or self.closed)

    def __add__(self, other: Account) -> Account:
        return Account(
            delivered=self.delivered + other.delivered,
            lost=self.lost + other.lost,
            doubled=self.doubled + other.doubled,
            disordered=self.disordered + other.disordered,
            resets=self.resets + other.resets,
            closed=self.closed + other.closed,
        )
