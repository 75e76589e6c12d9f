"""A log against itself: contiguous (I1), each tip the hash of what is before it (I2), no illegal
step (I6)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]

from batonbox_server.domain.model import Event, Row
from batonbox_server.domain.replay import Replay, chain
from batonbox_server.store.port import LogEntry

from .findings import Finding

__all__ = ["LogCheck"]

_TIP: Final = 17  # bytes of a packed tip at the end of a frame


class LogCheck:
    """Entries go in, in their order; `findings` come out.

    `rows`: the last row of each conversation that the entries told of. `name` is what frames call
    the log.
    """

    def __init__(self, name: str, *, conversations: bool) -> None:
        self._name = name
        self._replay = Replay(partial=True)
        self._conversations = conversations
        self.seq = 0
        self.tip = ""
        self.findings: list[Finding] = []

    @property
    def rows(self) -> dict[str, Row]:
        """By conversation."""
        return self._replay.rows

    def start(self, seq: int) -> None:
        """The next entry is the oldest that is kept, behind `seq`."""
        self.seq, self.tip = seq, ""

    def take(self, entries: Iterable[LogEntry]) -> None:
        """Judge some more."""
        for entry in entries:
            self._one(entry)

    def ends(self, seq: int, tip: str) -> None:
        """The head says that the log ends here."""
        if self.seq < seq:
            self._found("log_end", f"the log ends at {self.seq}", f"at {seq}, where its head is")
        elif self.seq == seq and self.tip not in ("", tip):
            self._found("log_end", f"the last tip is {self.tip}", f"{tip}, as its head says")

    def _one(self, entry: LogEntry) -> None:
        if entry.seq != self.seq + 1:
            self._found("log_gap", f"{entry.seq} follows {self.seq}", f"{self.seq + 1}")
        elif self.tip and entry.prev != self.tip:
            was = f"{entry.seq} continues {entry.prev}"
            self._found("log_chain", was, f"{self.tip}, the tip of {self.seq}")
        self.seq, self.tip = entry.seq, entry.prev
        try:
            op, name, seq, meta, body, tip = msgpack.unpackb(entry.frame)
        except ValueError as error:
            self._found("log_frame", f"{entry.seq} cannot be read: {error}", "a frame")
            self.tip = ""
            return
        self.tip = tip
        if (op, name, seq) != (20, self._name, entry.seq):
            says = f"entry {entry.seq} says ({op}, {name!r}, {seq})"
            self._found("log_frame", says, f"(20, {self._name!r}, {entry.seq})")
        hashed = chain(entry.prev, entry.frame[:-_TIP])
        if tip != hashed:
            self._found("log_tip", f"the tip of {entry.seq} is {tip}", hashed)
        if self._conversations:
            self._fold(Event(name, entry.seq, meta, body, tip))

    def _fold(self, event: Event) -> None:
        meta: dict[str, Any] = event.meta
        self._replay.seq = event.seq - 1  # gaps were told above
        self._replay.apply(event)
        for wrong in self._replay.wrong:
            self._found("log_edge", wrong, "a step that the rules of ownership allow")
        self._replay.wrong.clear()
        if meta["type"] == "purged" and meta.get("whole"):
            self._replay.rows.pop(meta["conv"], None)

    def _found(self, name: str, what: str, should: str) -> None:
        self.findings.append(Finding(name, self._name, what, should))
