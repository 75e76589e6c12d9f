"""Replaying a log: its rows, and every way in which it could be wrong (I1, I2, I6)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from batonbox_server.domain.model import Event, Kind, Row, Status
from batonbox_server.domain.transitions import legal

_OWNER_ONLY = {Kind.REPLIED}


@dataclass(slots=True)
class Replay:
    """The fold of a log from its beginning: rows by conversation, and what was wrong.

    `partial`: from somewhere in it; what the first event of a conversation replaced is not known.
    """

    rows: dict[str, Row] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    seq: int = 0
    tip: str = "0" * 16
    partial: bool = False

    def apply(self, event: Event) -> None:
        """Take the next event, noting an illegal step in `wrong`."""
        if event.seq != self.seq + 1:
            self.wrong.append(f"I1: {event.seq} follows {self.seq}")
        self.seq, self.tip = event.seq, event.tip
        if "row" not in event.meta:
            return
        row = row_of(event.meta["row"])
        before = self.rows.get(row.id)
        self.rows[row.id] = row
        if before is not None or not self.partial:
            self._judge(event, before, row)

    def _judge(self, event: Event, before: Row | None, row: Row) -> None:
        kind = Kind(event.meta["type"])
        told = event.meta.get("before")
        held = before and {"status": before.status, "assignee": before.assignee, "att": before.att}
        if told != held:
            self.wrong.append(f"I6: {event.seq} says before {told}, was {held}")
        if not legal(kind, before, row):
            self.wrong.append(f"I6: {event.seq} {kind}: {before} -> {row}")
        if kind in _OWNER_ONLY and (before is None or event.meta["actor"] != before.assignee):
            self.wrong.append(f"I6: {event.seq} {kind} by {event.meta['actor']}, not the owner")


def row_of(public: dict[str, Any]) -> Row:
    """A row from its public map."""
    return Row(**{**public, "status": Status(public["status"])})


def chain(prev_tip: str, core: bytes) -> str:
    """The tip after an event: it hashes the whole prefix (I2)."""
    return hashlib.sha1(prev_tip.encode() + core, usedforsecurity=False).hexdigest()[:16]
