"""Which conversations nobody owns, since when, and whose handler is due: no I/O."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from batonbox._models import Row
from batonbox.bot._router import Unassigned

__all__ = ["Due", "Waits"]

# A copy that came to hold a conversation this long after a handler was due takes it to have been
# run by the one that held it before, which may have died in the moment it was due.
TAKE_OVER_S = 60.0


@dataclass(frozen=True, slots=True)
class Due:
    """A handler whose time has come."""

    handler: Unassigned
    row: Row


class Waits:
    """`tell` it every row, ask `due` now and then."""

    def __init__(self, handlers: Iterable[Unassigned]) -> None:
        self._handlers = tuple(handlers)
        # The newest row of each; its token tells one wait of a conversation from another.
        self._waits: dict[str, Row] = {}
        self._heap: list[tuple[float, str, str, int]] = []

    def tell(self, row: Row) -> None:
        """What a conversation is right after something happened to it."""
        known = self._waits.get(row.id)
        if known is not None and known.rev > row.rev:
            return  # it happened before what was read
        if row.status == "unassigned":
            self._put(row, known, row.last_ms / 1000)
        else:
            self._waits.pop(row.id, None)

    def found(self, rows: Iterable[Row]) -> None:
        """All that nobody owns, as read; when they became so is known of those known already."""
        before, self._waits = self._waits, {}
        for row in rows:
            self._put(row, before.get(row.id), (row.waiting_since or row.last_ms) / 1000)

    def still(self, due: Due) -> Row | None:
        """The newest row, None when the wait has ended."""
        row = self._waits.get(due.row.id)
        return row if row is not None and row.own_tok == due.row.own_tok else None

    def due(self, now_s: float, *, holds: Callable[[str], bool]) -> list[Due]:
        """Handlers whose time has come and whose conversation is held here, each once per wait."""
        found: list[Due] = []
        others: list[tuple[float, str, str, int]] = []
        while self._heap and self._heap[0][0] <= now_s:
            entry = at_s, conv, own_tok, number = heapq.heappop(self._heap)
            row = self._waits.get(conv)
            if row is None or row.own_tok != own_tok:
                continue
            if holds(conv):
                found.append(Due(self._handlers[number], row))
            elif now_s < at_s + TAKE_OVER_S:
                others.append(entry)
        for entry in others:
            heapq.heappush(self._heap, entry)
        return found

    def next_s(self) -> float | None:
        """When to ask again; it may have gone by for what is held elsewhere."""
        return self._heap[0][0] if self._heap else None

    def _put(self, row: Row, known: Row | None, since_s: float) -> None:
        """The handlers of a wait are lined up once, when it begins."""
        self._waits[row.id] = row
        if known is not None and known.own_tok == row.own_tok:
            return
        for number, handler in enumerate(self._handlers):
            if handler.inboxes is None or row.inbox in handler.inboxes:
                at_s = since_s + handler.older_than_s
                heapq.heappush(self._heap, (at_s, row.id, row.own_tok, number))
