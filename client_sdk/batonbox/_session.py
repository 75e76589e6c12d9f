"""The client's half of the protocol without I/O: frames in, happenings out.

A session outlives its connections.  You must call `opening()` once per WELCOME, give every frame of
the current connection to `receive()`, and send what `outgoing` holds afterwards.  What it promises:
per inbox, `Applied` comes with contiguous seqs between two `Reset`s, and never twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from batonbox._models import Position
from batonbox._wire import Frame, Op

__all__ = [
    "Answered",
    "Applied",
    "Happening",
    "Received",
    "Refused",
    "Reset",
    "Session",
    "Snapped",
    "SubscribeFailed",
    "Subscribed",
    "Unsubscribed",
]

SUBS_PER_FRAME = 64
NOWHERE = Position("", 0, "")


@dataclass(frozen=True, slots=True)
class Applied:
    """The next event of an inbox's log."""

    inbox: str
    seq: int
    meta: dict[str, Any]
    body: Any
    tip: str


@dataclass(frozen=True, slots=True)
class Snapped:
    """State of an inbox at a position; events go on from there.

    It may be an older one: then events up to `now` follow that happened before it was asked for.
    """

    inbox: str
    position: Position
    counts: dict[str, int]
    rows: list[dict[str, Any]]
    now: int


@dataclass(frozen=True, slots=True)
class Reset:
    """Everything known of the inbox is void; `lost` are acknowledged command ids."""

    inbox: str
    reason: str
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The inbox is followed from `position`: all that happens from now on will be told."""

    inbox: str


@dataclass(frozen=True, slots=True)
class SubscribeFailed:
    """The server refused to let these inboxes be followed."""

    inboxes: tuple[str, ...]
    error: Frame


@dataclass(frozen=True, slots=True)
class Unsubscribed:
    """The server ended the subscription; the follow and its position stay until `forget`."""

    inbox: str
    code: int


@dataclass(frozen=True, slots=True)
class Answered:
    """OK to request `id`."""

    id: int
    result: Any


@dataclass(frozen=True, slots=True)
class Refused:
    """ERR to request `id`; `frame` is the whole of it."""

    id: int
    frame: Frame


@dataclass(frozen=True, slots=True)
class Received:
    """Any other frame, for whoever knows its operation."""

    op: int
    frame: Frame


Happening = (
    Applied
    | Snapped
    | Reset
    | Subscribed
    | SubscribeFailed
    | Unsubscribed
    | Answered
    | Refused
    | Received
)


@dataclass(slots=True)
class Follow:
    """One followed inbox; not `live`: no position, and nothing counts but a SNAP.

    `back`: it goes on from a position of its own choice. `resuming` is the request that asked for
    that, until it is answered: there may still come what an earlier subscription had further on.
    """

    inbox: str
    level: str
    position: Position = NOWHERE
    live: bool = False
    back: bool = False
    resuming: int | None = None


@dataclass(slots=True)
class Session:
    """Followed inboxes and the ids of requests."""

    outgoing: list[Frame] = field(default_factory=list)
    follows: dict[str, Follow] = field(default_factory=dict)
    _subscribing: dict[int, list[str]] = field(default_factory=dict)
    _last_id: int = 0

    def next_id(self) -> int:
        """A request id nobody uses."""
        self._last_id = self._last_id % (2**31 - 1) + 1
        return self._last_id

    def opening(self) -> None:
        """A new connection said WELCOME: subscribe everything again, with positions."""
        self._subscribing.clear()
        self.outgoing.clear()
        for follow in self.follows.values():
            follow.back, follow.resuming = False, None  # this connection had none before
        self.subscribe(list(self.follows))

    def follow(self, inbox: str, *, level: str = "list", since: Position | None = None) -> None:
        """Want the inbox's events, from `since` or from now on; `subscribe` asks for them."""
        known = self.follows.setdefault(inbox, Follow(inbox, level))
        known.level = level
        if since is not None:
            known.position, known.live, known.back = since, True, True

    def subscribe(self, inboxes: list[str]) -> None:
        """Ask the server for followed inboxes."""
        for start in range(0, len(inboxes), SUBS_PER_FRAME):
            chunk = inboxes[start : start + SUBS_PER_FRAME]
            request = self.next_id()
            self._subscribing[request] = chunk
            items = [self._item(self.follows[inbox], request) for inbox in chunk]
            self.outgoing.append([int(Op.SUB), request, items])

    def unfollow(self, inbox: str) -> None:
        """No more events of the inbox."""
        if self.follows.pop(inbox, None) is not None:
            self.outgoing.append([int(Op.UNSUB), [inbox]])

    def forget(self, inbox: str) -> None:
        """The server does not serve the inbox any more."""
        self.follows.pop(inbox, None)

    def position(self, inbox: str) -> Position | None:
        """Up to where the inbox has been applied."""
        known = self.follows.get(inbox)
        return known.position if known is not None and known.live else None

    def receive(self, frame: Frame) -> list[Happening]:
        """What a frame of the current connection means; unknown operations are `Received`."""
        match frame:
            case [Op.EV, str(inbox), int(seq), meta, body, str(tip), *_]:
                return self._event(inbox, Applied(inbox, seq, meta, body, tip))
            case [Op.SNAP, str(inbox), str(epoch), int(seq), str(tip), counts, me, rows, *_]:
                now = max(seq, int((me or {}).get("seq", 0)))
                return self._snap(Snapped(inbox, Position(epoch, seq, tip), counts, rows, now))
            case [Op.RESET, str(inbox), str(reason), *more]:
                return self._reset(inbox, reason, tuple(more[0] or ()) if more else ())
            case [Op.UNSUBD, str(inbox), int(code), *_]:
                return [Unsubscribed(inbox, code)]
            case [Op.PING, *_]:
                self.outgoing.append([int(Op.PONG), self._positions()])
                return []
            case [Op.OK, int(request), result, *_]:
                return self._answer(request, result)
            case [Op.ERR, int(request), *_]:
                return self._refusal(request, frame)
        return [Received(int(frame[0]), frame)]

    def _item(self, follow: Follow, request: int) -> list[Any]:
        follow.resuming = request if follow.back else None
        follow.back = False
        return [follow.inbox, follow.level, *(follow.position if follow.live else ())]

    def _positions(self) -> list[Any]:
        return [[f.inbox, f.position.seq] for f in self.follows.values() if f.live]

    def _event(self, inbox: str, event: Applied) -> list[Happening]:
        follow = self.follows.get(inbox)
        if follow is None or not follow.live or event.seq <= follow.position.seq:
            return []
        if event.seq != follow.position.seq + 1:
            return [] if follow.resuming is not None else self._gap(follow)
        follow.position = Position(follow.position.epoch, event.seq, event.tip)
        return [event]

    def _gap(self, follow: Follow) -> list[Happening]:
        follow.live = False
        self.subscribe([follow.inbox])
        return [Reset(follow.inbox, "gap")]

    def _snap(self, snap: Snapped) -> list[Happening]:
        follow = self.follows.get(snap.inbox)
        if follow is None:
            return []
        known = follow.position
        if follow.live and known.epoch == snap.position.epoch and snap.position.seq < known.seq:
            return []  # an older answer; what follows it is known already
        events: list[Happening] = []
        if follow.live and known != snap.position:
            events.append(Reset(snap.inbox, "snapshot"))  # the server moved us without a RESET
        follow.position, follow.live, follow.resuming = snap.position, True, None
        return [*events, snap, Subscribed(snap.inbox)]

    def _reset(self, inbox: str, reason: str, lost: tuple[str, ...]) -> list[Happening]:
        follow = self.follows.get(inbox)
        if follow is not None:
            follow.live = False
        return [Reset(inbox, reason, lost)]

    def _asked(self, request: int) -> list[str] | None:
        """The inboxes that this request wanted to follow; it is answered."""
        asked = self._subscribing.pop(request, None)
        for follow in [self.follows[i] for i in asked or () if i in self.follows]:
            if follow.resuming == request:
                follow.resuming = None
        return asked

    def _answer(self, request: int, result: Any) -> list[Happening]:
        asked = self._asked(request)
        if asked is None:
            return [Answered(request, result)]
        return [Subscribed(i) for i in asked if i in self.follows and self.follows[i].live]

    def _refusal(self, request: int, frame: Frame) -> list[Happening]:
        asked = self._asked(request)
        if asked is None:
            return [Refused(request, frame)]
        return [SubscribeFailed(tuple(asked), frame)]
