"""My rooms as the server tells them, and the newest row known of each room."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from batonbox._room_models import RoomRow, RoomTotals, room_row_of
from batonbox._streams import Latest
from batonbox._wire import Frame, Op

__all__ = ["KnownRooms"]


class KnownRooms:
    """Fed by ROOMS, ROOM and what is followed; both frames are absolute."""

    def __init__(self) -> None:
        self.totals: dict[str, RoomTotals] = {}
        self.streams: set[Latest[str, RoomTotals]] = set()
        self.told = asyncio.Event()  # once there was a ROOMS, or there will be none
        self._rows: dict[str, RoomRow] = {}

    def row(self, room: str) -> RoomRow | None:
        """The newest known, None after a reset."""
        return self._rows.get(room)

    def put(self, value: Any) -> RoomRow | None:
        """Take in a row of the wire; returns the newest row of that room."""
        row = value if isinstance(value, RoomRow) else room_row_of(value)
        if row is None:
            return None
        known = self._rows.get(row.id)
        if known is not None and known.rev > row.rev:
            return known
        self._rows[row.id] = row
        return row

    def reset(self, room: str) -> None:
        """Forget the row: what comes next may be of another lineage."""
        self._rows.pop(room, None)

    def known(self) -> Iterable[tuple[str, RoomTotals]]:
        """What a new stream begins with."""
        return list(self.totals.items())

    def frame(self, op: int, frame: Frame) -> list[str]:
        """ROOMS or ROOM; returns the rooms that have become mine."""
        match op, frame:
            case Op.ROOMS, [_, rooms, *_]:
                return self._all(rooms)
            case Op.ROOM, [_, str(room), state, int(unread), int(mentions), *_]:
                return self._one(room, state, unread, mentions)
        return []

    def _all(self, rooms: list[Any]) -> list[str]:
        self._rows.clear()  # a new connection: of whatever lineage its node is
        mine = {str(state["id"]): (state, *counts) for state, *counts in rooms}
        for gone in [room for room in self.totals if room not in mine]:
            self._one(gone, None, 0, 0)
        added: list[str] = []
        for room, (state, unread, mentions, *_) in mine.items():
            added += self._one(room, state, unread, mentions)
        self.told.set()
        return added

    def _one(self, room: str, state: Any, unread: int, mentions: int) -> list[str]:
        row = self.put(state)
        new = RoomTotals(room, row, unread, mentions)
        added = row is not None and room not in self.totals
        if row is None:
            self.totals.pop(room, None)
            self.reset(room)
        else:
            self.totals[room] = new
        for stream in self.streams:
            stream.offer(room, new)
        return [room] if added else []
