"""What a webhook is still to be told of one inbox: a line per conversation; pure.

An event that does not arrive holds up its own conversation alone. But once many conversations are
held up, the receiver is what fails: nothing more is taken from the log before it recovers, so what
is held stays small, and the log itself is the queue.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec
from msgspec import Struct

__all__ = ["Event", "Lines", "Pace"]

LINES_MOST: Final = 8
EVENTS_MOST: Final = 100


class Event(Struct, array_like=True):
    """One event as it is sent, the same on every attempt; `note` goes into the log."""

    id: str
    name: str
    conv: str
    at_ms: int
    body: bytes
    attempts: int = 0
    note: str = ""


class Line(Struct, array_like=True):
    """Events of one conversation ("" the inbox itself) in order; the first is tried at `due_ms`."""

    due_ms: int
    events: list[Event]


_decoder = msgspec.msgpack.Decoder(dict[str, Line])


@dataclass(frozen=True, slots=True)
class Pace:
    """How often and how long an event is tried; pauses grow four times each, up to the longest."""

    attempts: int
    first_s: float
    longest_s: float

    def pause_ms(self, attempt: int, chance: float, *, asked_s: float = 0.0) -> int:
        """Before the attempt that follows `attempt`.

        `chance` (0..1) takes up to a fifth away; what the receiver asked for counts up to the
        longest pause.
        """
        grown = self.first_s * 4.0 ** min(attempt - 1, 20)
        pause_s = min(self.longest_s, grown) * (1 - chance / 5)
        return int(1000 * max(pause_s, min(asked_s, self.longest_s)))


class Lines:
    """What is to be told now or later; `encode` and `decode` carry it from turn to turn."""

    def __init__(self, lines: dict[str, Line] | None = None) -> None:
        self.lines = lines or {}

    @classmethod
    def decode(cls, held: bytes) -> Lines:
        """The reverse of `encode`."""
        return cls(_decoder.decode(held) if held else {})

    def encode(self) -> bytes:
        """As bytes for the engine; none for nothing."""
        return msgspec.msgpack.encode(self.lines) if self.lines else b""

    def add(self, event: Event, *, now_ms: int) -> None:
        """Behind whatever of its conversation waits already."""
        self.lines.setdefault(event.conv, Line(now_ms, [])).events.append(event)

    def due(self, now_ms: int) -> list[Line]:
        """Lines whose first event is to be tried."""
        return [line for line in self.lines.values() if line.due_ms <= now_ms]

    def hurry(self, now_ms: int) -> None:
        """Whatever is held is due now."""
        for line in self.lines.values():
            line.due_ms = min(line.due_ms, now_ms)

    def sweep(self) -> None:
        """Forget lines that have been told."""
        self.lines = {conv: line for conv, line in self.lines.items() if line.events}

    @property
    def full(self) -> bool:
        """Nothing more is to be taken from the log."""
        held = sum(len(line.events) for line in self.lines.values())
        return len(self.lines) >= LINES_MOST or held >= EVENTS_MOST

    @property
    def next_ms(self) -> int:
        """When the next one is due; 0: there is none."""
        return min((max(1, line.due_ms) for line in self.lines.values()), default=0)
