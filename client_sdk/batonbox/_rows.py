"""The newest row known of each conversation."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import msgspec

from batonbox._models import Row, row_of

__all__ = ["Rows"]

_STATUS_AFTER = {"assign": "assigned", "transfer": "assigned", "return": "unassigned"}


class Rows:
    """Bounded, least recently changed first out.

    Rows are absolute registers: a higher `rev` is newer, but only between two resets of an inbox,
    so that a reset forgets them all.
    """

    def __init__(self, *, rows_max: int = 50_000) -> None:
        self._rows_max = rows_max
        self._rows: OrderedDict[str, Row] = OrderedDict()

    def get(self, conv: str) -> Row | None:
        """The newest known, None after a reset."""
        return self._rows.get(conv)

    def put(self, value: Any) -> Row | None:
        """Take in a row of the wire; returns the newest row of that conversation."""
        row = value if isinstance(value, Row) else row_of(value)
        if row is None:
            return None
        known = self._rows.get(row.id)
        if known is not None and known.rev > row.rev:
            return known
        self._rows[row.id] = row
        self._rows.move_to_end(row.id)
        if len(self._rows) > self._rows_max:
            self._rows.popitem(last=False)
        return row

    def forget(self, conv: str) -> None:
        """Nothing is certain of this conversation any more."""
        self._rows.pop(conv, None)

    def reset(self, inbox: str) -> None:
        """Forget every row of the inbox."""
        for conv in [c for c, row in self._rows.items() if row.inbox == inbox]:
            del self._rows[conv]

    def acknowledged(
        self, command: str, *, args: dict[str, Any], me: str, result: dict[str, Any]
    ) -> None:
        """What my own command did to its row, until the event itself arrives."""
        conv, seq = str(result.get("conv") or args.get("conv", "")), int(result.get("seq", 0))
        row = self._rows.get(conv)
        if row is None or row.rev >= seq:
            return
        if command == "undo":
            self.forget(conv)
            return
        owner = {"assign": args.get("to") or me, "transfer": args.get("to", "")}.get(command, "")
        # What was so before changed nothing at `seq`: the row stands, and events between may come.
        noop = bool(result.get("noop"))
        changes: dict[str, Any] = {"own_tok": result.get("own_tok") or row.own_tok}
        changes["rev"] = row.rev if noop else seq
        if "att" in result:
            changes["att"] = result["att"]
        if (command in _STATUS_AFTER and not noop) or command in {"done", "wake"}:
            changes["snoozed_until"] = 0
        elif command == "snooze":
            changes["snoozed_until"] = args["until_ms"]
        if command in _STATUS_AFTER:
            changes |= {"status": _STATUS_AFTER[command], "assignee": owner}
        elif command == "done":
            changes |= {"status": "done", "assignee": "", "att": ""}
        self._rows[conv] = msgspec.structs.replace(row, **changes)
