"""What goes to one connection: a small urgent lane and cursors into shared rings.

There is no queue of events per connection: a seat holds a position, and what is written is what
the shared ring holds behind it.  A connection that reads slowly costs a position, not memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from batonbox_server import wire

from .flushing import Flush
from .framing import framed

if TYPE_CHECKING:
    from .seated import SeatedFollower

__all__ = ["Seat", "Sink", "Viewer", "Write"]

_URGENT_MAX: Final = 1024  # of a connection that is stalled
_BURST_MAX: Final = 16_384  # of one that reads: what may come before its turn
_STALLED_BYTES: Final = 8 << 20  # of one that is stalled; a greeting of 50,000 people is 5 MB
# Above this the connection is not read any more: a client gets no answers faster than it reads.
_URGENT_BYTES: Final = 1 << 18

Pieces = Sequence[bytes]
Write: TypeAlias = Callable[[bytes], object]


@dataclass(eq=False, slots=True)
class Seat:
    """One connection at one inbox.

    `listening` from level `list` up; then everything up to `cursor` was delivered.  `chunk` holds
    what was read from the log for a cursor the ring does not reach, at most one at a time.
    """

    viewer: Viewer
    follower: SeatedFollower
    listening: bool = False
    cursor: int = 0
    chunk: tuple[bytes, int] | None = None
    catching: bool = False
    gone: bool = False
    badge: tuple[int, int, int] | None = None

    @property
    def ready(self) -> bool:
        """Whether there is something to write now."""
        follower = self.follower
        return (self.listening and follower.confirmed(self.viewer.user)) and (
            self.chunk is not None
            or (self.cursor < follower.ring.last and follower.ring.covers(self.cursor))
        )

    def take(self, max_bytes: int) -> bytes:
        """The next events, joined; moves the cursor."""
        if self.chunk is not None:
            data, self.cursor = self.chunk
            self.chunk = None
            return data
        part = self.follower.ring.slice(self.cursor, max_bytes=max_bytes, as_json=self.viewer.text)
        self.cursor = part.last
        return part.data


class Sink(Protocol):
    """What the hub needs of a connection."""

    def overflow(self) -> None:
        """It does not read what is addressed to it alone; called once, by the loop."""

    def flushed(self) -> None:
        """What there was has been written."""

    def failed(self) -> None:
        """It cannot be written to because of a fault of ours, which is the present exception."""


class _Nobody:
    """The sink of a connection that has ended."""

    def overflow(self) -> None:
        pass

    def flushed(self) -> None:
        pass

    def failed(self) -> None:
        pass


_NOBODY: Final = _Nobody()


class Viewer:
    """One connection as the hub sees it.

    `write` takes whole websocket messages (`hub.framing`) for as long as the connection is not
    `stalled`.  What is queued is written in the next turn of the loop, as one message where it can.
    """

    __slots__ = (
        "_flush",
        "_latest",
        "_urgent",
        "closed",
        "due",
        "looks",
        "marked",
        "seats",
        "sink",
        "stalled",
        "subprotocol",
        "text",
        "urgent_bytes",
        "user",
        "write",
    )

    def __init__(
        self, user: str, subprotocol: str, *, write: Write, sink: Sink, flush: Flush
    ) -> None:
        self.user = user
        self.subprotocol = subprotocol
        self.text = subprotocol == wire.JSON_SUBPROTOCOL
        self.write = write
        self.sink = sink
        self.seats: dict[str, Seat] = {}
        self.marked: dict[Seat, None] | None = None
        self.urgent_bytes = 0
        self.looks = 0  # how often it said what it looks at: the last word counts
        self.closed = False
        self.stalled = False
        self.due = False  # its turn to be flushed is to come
        self._flush = flush
        # Most connections have nothing queued nearly always: nothing is kept for that.
        self._urgent: list[Pieces] | None = None
        self._latest: dict[tuple[int, str], bytes] | None = None

    @property
    def congested(self) -> bool:
        """Stop reading from this connection until it has read its answers."""
        return self.urgent_bytes > _URGENT_BYTES

    def send(self, frame: wire.Frame) -> None:
        """Queue one frame ahead of the events."""
        self.send_pieces((wire.encode(frame, self.subprotocol),))

    def send_pieces(self, pieces: Pieces) -> None:
        """One encoded frame in pieces that may be shared with other connections."""
        if self.closed:
            return
        if self._urgent is None:
            self._urgent = []
        elif self._overrun(self._urgent):
            # Not now: whoever sends goes through seats and viewers, which an end takes away.
            self.closed = True
            asyncio.get_running_loop().call_soon(self.sink.overflow)
            return
        self._urgent.append(pieces)
        self.urgent_bytes += len(pieces[0]) if len(pieces) == 1 else sum(map(len, pieces))
        self.wake()

    def _overrun(self, urgent: list[Pieces]) -> bool:
        if not self.stalled:
            return len(urgent) >= _BURST_MAX
        return len(urgent) >= _URGENT_MAX or self.urgent_bytes > _STALLED_BYTES

    def send_latest(self, frame: wire.Frame) -> None:
        """Queue a frame that replaces an unsent one of the same op about the same thing.

        [op, inbox or conversation, ...]
        """
        self.send_encoded(frame[0], frame[1], wire.encode(frame, self.subprotocol))

    def send_encoded(self, op: int, about: str, data: bytes) -> None:
        """The same of a frame that others may share; `data` is of this connection's codec."""
        if self._latest is None:
            self._latest = {}
        self._latest[op, about] = data
        self.wake()

    def take_back(self, op: int, about: str) -> None:
        """Such a frame is not to be sent any more, if it was not."""
        if self._latest is not None:
            self._latest.pop((op, about), None)

    def withdraw(self, inbox: str) -> None:
        """Nothing that needs a seat at this inbox or room is to be sent any more."""
        for op, about in list(self._latest or ()):
            if self._latest and op != wire.Op.ROOM and about.partition(".")[0] == inbox:
                del self._latest[op, about]

    def mark(self, seat: Seat) -> None:
        """The seat may have events to write."""
        if self.marked is None:
            self.marked = {}
        if seat not in self.marked:
            self.marked[seat] = None
            self.wake()

    def unmark(self, seat: Seat) -> None:
        """The seat has nothing to write any more."""
        if self.marked is not None:
            self.marked.pop(seat, None)

    def wake(self) -> None:
        """Flush it in this turn, unless it cannot be written to."""
        if not self.due and not self.stalled:
            self.due = True
            self._flush.viewer(self)

    def flush(self) -> None:
        """Write what there is, until it stalls."""
        self.due = False
        # Asked before it is taken: nearly always one message is all there is.
        while (self._urgent or self._latest or self.marked) and not self.stalled:
            data = self.take(self._flush.batch_bytes)
            if not data:
                break
            message = framed(data, text=self.text)
            try:
                self.write(message)
            except Exception:  # closed: how a transport says so is its own affair
                self.stalled = True
        if not self.stalled:
            self.sink.flushed()

    def end(self) -> None:
        """The connection is no more: what it stood in is let go of, without the collector."""
        self.closed = self.stalled = True
        self.sink = _NOBODY
        self._urgent = self._latest = self.marked = None

    def take(self, max_bytes: int) -> bytes:
        """The next websocket message, b"" when there is nothing: answers, badges, then events."""
        parts, size = self._take_urgent(max_bytes)
        marked = self.marked
        # The same limit for every slice, so that equal cursors share one joined batch.
        while marked and size < max_bytes:
            seat = next(iter(marked))
            del marked[seat]
            if not seat.ready:
                seat.follower.catch_up(seat)
                continue
            parts.append(seat.take(max_bytes))
            size += len(parts[-1])
            marked[seat] = None  # behind the others; found empty, it leaves
        if not marked:
            self.marked = None
        return parts[0] if len(parts) == 1 else wire.join(parts, self.subprotocol)

    def _take_urgent(self, max_bytes: int) -> tuple[list[bytes], int]:
        parts: list[bytes] = []
        size = 0
        urgent = self._urgent
        if urgent is not None:
            for pieces in urgent:
                parts.append(pieces[0] if len(pieces) == 1 else b"".join(pieces))
                size += len(parts[-1])
                if size >= max_bytes:
                    break
            self.urgent_bytes -= size
            if len(parts) < len(urgent):
                del urgent[: len(parts)]
                return parts, size
            self._urgent = None
        if self._latest:
            parts.extend(self._latest.values())
        self._latest = None
        return parts, size
