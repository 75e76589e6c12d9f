"""What goes to one connection: a small urgent lane and cursors into shared rings.

There is no queue of events per connection: a seat holds a position, and what is written is what
the shared ring holds behind it.  A connection that reads slowly costs a position, not memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from batonbox_server import wire

if TYPE_CHECKING:
    from .seated import SeatedFollower

__all__ = ["Seat", "Viewer"]

_URGENT_MAX: Final = 1024
# Above this the connection is not read any more: a client gets no answers faster than it reads.
_URGENT_BYTES: Final = 1 << 18

Pieces = Sequence[bytes]


@dataclass(eq=False, slots=True)
class Seat:
    """One connection at one inbox.

    `listening` from level `list` up; then everything up to `cursor` was delivered.  `chunk` holds
    what was read from the log for a cursor the ring does not reach, at most one at a time.
    """

    viewer: Viewer
    follower: SeatedFollower
    listening: bool = False
    opening: bool = False
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
        part = self.follower.ring.slice(
            self.cursor, max_bytes=max_bytes, as_json=self.viewer.as_json
        )
        self.cursor = part.last
        return part.data


@dataclass(eq=False, slots=True)
class Viewer:
    """One connection as the hub sees it.

    `wake` is called whenever `take` may have something; `overflow` when the connection does not
    read what is addressed to it alone.  Both are synchronous and must not raise.
    """

    user: str
    subprotocol: str
    wake: Callable[[], None]
    overflow: Callable[[], None]
    seats: dict[str, Seat] = field(default_factory=dict)
    marked: dict[Seat, None] = field(default_factory=dict)
    urgent_bytes: int = 0
    closed: bool = False
    looks: int = 0  # how often it said what it looks at: the last word counts
    _urgent: deque[Pieces] = field(default_factory=deque, init=False)
    _latest: dict[tuple[int, str], bytes] = field(default_factory=dict, init=False)

    @property
    def as_json(self) -> bool:
        return self.subprotocol == wire.JSON_SUBPROTOCOL

    @property
    def congested(self) -> bool:
        """Stop reading from this connection until it has read its answers."""
        return self.urgent_bytes > _URGENT_BYTES

    def send(self, frame: wire.Frame) -> None:
        """Queue one frame ahead of the events."""
        self.send_pieces((wire.encode(frame, self.subprotocol),))

    def send_pieces(self, pieces: Pieces) -> None:
        """One encoded frame in pieces that may be shared with other connections."""
        if len(self._urgent) >= _URGENT_MAX:
            self.overflow()
            return
        self._urgent.append(pieces)
        self.urgent_bytes += sum(map(len, pieces))
        self.wake()

    def send_latest(self, frame: wire.Frame) -> None:
        """Queue a frame that replaces an unsent one of the same op about the same thing.

        [op, inbox or conversation, ...]
        """
        self.send_encoded(frame[0], frame[1], wire.encode(frame, self.subprotocol))

    def send_encoded(self, op: int, about: str, data: bytes) -> None:
        """The same of a frame that others may share; `data` is of this connection's codec."""
        self._latest[op, about] = data
        self.wake()

    def take_back(self, op: int, about: str) -> None:
        """Such a frame is not to be sent any more, if it was not."""
        self._latest.pop((op, about), None)

    def withdraw(self, inbox: str) -> None:
        """Nothing that needs a seat at this inbox or room is to be sent any more."""
        for op, about in list(self._latest):
            if op != wire.Op.ROOM and about.partition(".")[0] == inbox:
                del self._latest[op, about]

    def mark(self, seat: Seat) -> None:
        """The seat may have events to write."""
        if seat not in self.marked:
            self.marked[seat] = None
            self.wake()

    def take(self, max_bytes: int) -> bytes:
        """The next websocket message, b"" when there is nothing: answers, badges, then events."""
        parts, size = self._take_urgent(max_bytes)
        # The same limit for every slice, so that equal cursors share one joined batch.
        while self.marked and size < max_bytes:
            seat = next(iter(self.marked))
            del self.marked[seat]
            if not seat.ready:
                seat.follower.catch_up(seat)
                continue
            parts.append(seat.take(max_bytes))
            size += len(parts[-1])
            self.marked[seat] = None  # behind the others; found empty, it leaves
        return parts[0] if len(parts) == 1 else wire.join(parts, self.subprotocol)

    def _take_urgent(self, max_bytes: int) -> tuple[list[bytes], int]:
        parts: list[bytes] = []
        size = 0
        while self._urgent and size < max_bytes:
            parts.append(b"".join(self._urgent.popleft()))
            size += len(parts[-1])
        self.urgent_bytes -= size
        if not self._urgent:
            parts.extend(self._latest.values())
            self._latest.clear()
        return parts, size
