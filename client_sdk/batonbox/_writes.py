"""Acknowledged commands, remembered so that a loss can be noticed and named."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from batonbox._models import Write

__all__ = ["Writes"]


class Writes:
    """The last acknowledged commands of each inbox."""

    def __init__(self, *, per_inbox_max: int = 256) -> None:
        self._per_inbox_max = per_inbox_max
        self._writes: dict[str, deque[Write]] = {}

    def add(self, write: Write) -> None:
        """Remember; the oldest of the inbox is forgotten."""
        known = self._writes.setdefault(write.inbox, deque(maxlen=self._per_inbox_max))
        known.append(write)

    def of(self, inbox: str) -> list[Write]:
        """Those of an inbox, oldest first."""
        return list(self._writes.get(inbox, ()))

    def inboxes(self) -> list[str]:
        """Inboxes with any."""
        return list(self._writes)

    def by_cid(self, inbox: str, cids: tuple[str, ...]) -> tuple[Write, ...]:
        """Take out those the server says it lost."""
        return self._take(inbox, lambda write: write.cid in cids)

    def missing(self, inbox: str, pairs: list[list[object]]) -> tuple[Write, ...]:
        """Take out those whose (seq, tip) the log does not hold."""
        gone = {(pair[0], pair[1]) for pair in pairs}
        return self._take(inbox, lambda write: (write.seq, write.tip) in gone)

    def _take(self, inbox: str, lost: Callable[[Write], bool]) -> tuple[Write, ...]:
        taken = tuple(write for write in self.of(inbox) if lost(write))
        for write in taken:
            self._writes[inbox].remove(write)
        return taken
