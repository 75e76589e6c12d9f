"""The newest events of a log, shared by every reader on the node."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Final

import msgspec

from .frames import Published
from .framing import framed

__all__ = ["Ring", "Slice"]

_MEMO_MAX: Final = 256


class Slice(msgspec.Struct, gc=False):
    """Events behind a cursor, joined for one codec; `last` is the new cursor.

    Bare to be joined with other frames, or as a whole websocket message.
    """

    data: bytes
    last: int


class Ring:
    """Contiguous events `first..last`, bounded by count and bytes (the newest always stays).

    `base` and `base_tip` name the position just before `first`, so an empty ring has one too.
    What was joined for who asked takes no more than the events may, and stays until the next one.
    """

    def __init__(self, *, max_events: int, max_bytes: int, batch_bytes: int = 65536) -> None:
        self._max_events = max(1, max_events)
        self._max_bytes = max_bytes
        self._batch_bytes = batch_bytes
        self._events: deque[Published] = deque()
        self._memo: dict[tuple[int, bool, int], Slice] = {}
        self._messages: dict[tuple[int, bool], Slice] = {}
        self._joined_bytes = 0  # of both
        self.size_bytes = 0
        self.base = self.last = 0
        self.base_tip = self.last_tip = ""

    def restart(self, seq: int, tip: str) -> None:
        """Empty, standing at a position."""
        self._events.clear()
        self._forget()
        self.size_bytes = 0
        self.base = self.last = seq
        self.base_tip = self.last_tip = tip

    def append(self, event: Published) -> None:
        """The next event; the caller has checked that it chains."""
        self._forget()
        events = self._events
        events.append(event)
        self.last += 1
        self.last_tip = event.tip
        self.size_bytes += len(event.frame)
        while len(events) > self._max_events or self.size_bytes > self._max_bytes:
            if len(events) == 1:
                break
            dropped = events.popleft()
            self.size_bytes -= len(dropped.frame)
            self.base, self.base_tip = dropped.seq, dropped.tip

    def truncate(self, seq: int) -> None:
        """Forget what lies beyond `seq` (`base <= seq`)."""
        self._forget()
        while self._events and self._events[-1].seq > seq:
            self.size_bytes -= len(self._events.pop().frame)
        self.last = self.base + len(self._events)
        self.last_tip = self._events[-1].tip if self._events else self.base_tip

    def covers(self, cursor: int) -> bool:
        """Whether everything behind `cursor` is here."""
        return self.base <= cursor <= self.last

    def tip_of(self, seq: int) -> str | None:
        """The tip at `seq`, None when the ring does not reach there."""
        if seq == self.base:
            return self.base_tip
        if not self.base < seq <= self.last:
            return None
        return self._events[seq - self.base - 1].tip

    def events_after(self, cursor: int) -> list[Published]:
        """Events behind `cursor`, which the ring covers."""
        return list(islice(self._events, cursor - self.base, None))

    def slice(self, cursor: int, *, max_bytes: int, as_json: bool) -> Slice:
        """Events behind `cursor` up to about `max_bytes` (at least one); equal asks share it."""
        key = (cursor, as_json, max_bytes)
        found = self._memo.get(key)
        if found is None:
            found = self._join(cursor, max_bytes, as_json)
            self._make_room(len(found.data))
            self._memo[key] = found
        return found

    def message(self, cursor: int, *, text: bool) -> Slice:
        """The same as one websocket message, of the size that is set for one write."""
        key = (cursor, text)
        found = self._messages.get(key)
        if found is None:
            part = self._join(cursor, self._batch_bytes, text)
            found = Slice(framed(part.data, text=text), part.last)
            self._make_room(len(found.data))
            self._messages[key] = found
        return found

    def _forget(self) -> None:
        if self._joined_bytes:
            self._memo.clear()
            self._messages.clear()
            self._joined_bytes = 0

    def _make_room(self, size: int) -> None:
        kept = len(self._memo) + len(self._messages)
        if kept >= _MEMO_MAX or self._joined_bytes + size > self._max_bytes:
            self._forget()
        self._joined_bytes += size

    def _join(self, cursor: int, max_bytes: int, as_json: bool) -> Slice:
        parts: list[bytes] = []
        size = 0
        # Not islice(), which walks there from the oldest one.
        for at in range(cursor - self.base, len(self._events)):
            event = self._events[at]
            part = event.json if as_json else event.frame
            if parts and size + len(part) > max_bytes:
                break
            parts.append(part)
            size += len(part) + 1
        return Slice((b"\n" if as_json else b"").join(parts), cursor + len(parts))
