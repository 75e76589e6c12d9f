"""One websocket connection: its session, its place in the hub, and its end."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Iterator
from typing import TYPE_CHECKING, Final

import structlog

from batonbox_server import wire
from batonbox_server.errors import Refused
from batonbox_server.hub.viewer import Viewer
from batonbox_server.measured import CLIENT_LAG
from batonbox_server.origin import SYSTEM, Origin
from batonbox_server.session.ports import Principal
from batonbox_server.session.session import Session
from batonbox_server.session.steps import Answer, Run, Shut, Step
from batonbox_server.tasks import spawn
from batonbox_server.wire import Close

from .eager import start
from .origins import Credentials
from .requests import Requests
from .transport import WebSocketTransport

if TYPE_CHECKING:
    from .socket import SocketPump

__all__ = ["Connection", "now_ms"]

_log = structlog.get_logger(__name__)
_CLOSE_TIMEOUT_MS: Final = 2000
_REASON_MAX_BYTES: Final = 123
_TURN_STEPS: Final = 32  # of one message in a turn of the loop: a few us each


def now_ms() -> int:
    """Epoch ms."""
    return time.time_ns() // 1_000_000


class Connection:
    """The peer of a `WebSocketTransport`, and the sink of its viewer.

    It has no task, queue or timer: messages call it, the wheel ticks it, the hub writes past it.
    """

    __slots__ = (
        "_close_by_ms",
        "_credentials",
        "_pump",
        "_requests",
        "_rest",
        "_room",
        "_stalled_ms",
        "_transport",
        "_waits",
        "closing",
        "id",
        "origin",
        "session",
        "slot",
        "viewer",
    )

    def __init__(
        self,
        pump: SocketPump,
        transport: WebSocketTransport,
        *,
        subprotocol: str,
        credentials: Credentials,
    ) -> None:
        self.id = uuid.uuid4().hex
        self.session = Session(subprotocol=subprotocol, limits=pump.limits, now_ms=now_ms())
        self.viewer = Viewer(
            "", subprotocol, write=transport.write, sink=self, flush=pump.hub.flush
        )
        self.origin: Origin = SYSTEM  # until somebody has signed in
        self.closing: Shut | None = None
        self.slot = 0  # of the wheel
        self._pump = pump
        self._transport = transport
        self._credentials = credentials
        self._requests = Requests(self, pump)
        self._stalled_ms = 0
        self._close_by_ms = 0
        self._rest: Iterator[Step] | None = None  # of a message, for another turn
        self._waits = False  # for its answers to be read
        self._room: asyncio.Event | None = None  # there only while a request waits for the same

    @property
    def principal(self) -> Principal | None:
        return self.session.principal

    @property
    def ended_by_access(self) -> bool:
        """Whether it was closed because who is behind it may no more what they might."""
        return self.closing is not None and self.closing.code >= Close.EXPIRED

    # Reading: the peer of the transport

    def received(self, message: bytes | str) -> None:
        """See `transport.Peer`."""
        try:
            self._perform_all(iter(self.session.receive(message, now_ms())))
        except Exception:
            self.failed()

    def stalled(self) -> None:
        """See `transport.Peer`."""
        self.viewer.stalled = True
        self._stalled_ms = now_ms()
        self._pump.wheel.add(self)

    def drained(self) -> None:
        """See `transport.Peer`."""
        if self.closing is None:
            self._stalled_ms = 0
            self.viewer.stalled = False
            self.viewer.wake()

    def lost(self) -> None:
        """See `transport.Peer`."""
        try:
            self._pump.hub.detach(self.viewer)
        finally:
            self._pump.forget(self)
            self._make_room()
            # The collector, which would find this circle, comes rarely.
            self.viewer.end()
            del self._requests

    def _perform_all(self, steps: Iterator[Step]) -> None:
        for number, step in enumerate(steps, 1):
            if self.closing is not None:
                return
            if isinstance(step, wire.Hello):
                self._hello(step, steps)
                return
            self._perform(step)
            if number == _TURN_STEPS:
                self._rest = steps
                self._transport.hold()
                self._pump.turns.add(self._go_on)
                return
        if self.viewer.congested and self.closing is None:
            # A client gets no answers faster than it reads them.
            self._waits = True
            self._transport.hold()

    def _go_on(self) -> None:
        """The rest of a long message, in its turn."""
        steps, self._rest = self._rest, None
        if steps is None or self.closing is not None or self not in self._pump.connections:
            return
        try:
            self._perform_all(steps)
        except Exception:
            self.failed()
        self._read_on()

    def _read_on(self) -> None:
        """Nothing more is read while a message is not done with, or answers are not read."""
        if self._rest is None and not self._waits:
            self._transport.release()

    def _perform(self, step: Step) -> None:
        if type(step) is Run:
            self._requests.begin(step)
        elif isinstance(step, Answer):
            self.viewer.send(step.frame)
        elif isinstance(step, Shut):
            self.shut(step)
        elif isinstance(step, wire.Unsub):
            self._requests.leave(step)
        elif isinstance(step, wire.Pong):
            self._lags()
        else:
            self._requests.begin(step)

    def _lags(self) -> None:
        """What it has not applied of what it listens to, as its PONG says."""
        for inbox, seq in self.session.positions.items():
            seat = self.viewer.seats.get(inbox)
            if seat is not None and seat.listening:
                CLIENT_LAG.add("", max(0, seat.follower.feed.hi - seq))

    # Signing in

    def _hello(self, hello: wire.Hello, rest: Iterator[Step]) -> None:
        """Sign in, then perform the rest; nothing more is read until that is done."""
        principal = self._pump.recognise(hello.tok)
        if principal is not None:
            self._let_in(principal, hello.tok, rest)
            return
        suspended = start(self._sign_in(hello, rest))
        if suspended is not None:
            self._transport.hold()
            spawn(self._pump.tasks, self._signing_in(suspended.finish()), name="sign-in")

    async def _signing_in(self, rest: Awaitable[None]) -> None:
        try:
            await rest
        except Exception:
            self.failed()
        self._read_on()

    async def _sign_in(self, hello: wire.Hello, rest: Iterator[Step]) -> None:
        try:
            principal = await self.authenticate(hello.tok)
        except Refused as refused:
            self.shut(_rejected(refused))
            return
        if self.closing is None and self in self._pump.connections:
            self._let_in(principal, hello.tok, rest)

    def _let_in(self, principal: Principal, token: str, rest: Iterator[Step]) -> None:
        refused_by = self._pump.admit(self, principal)
        if refused_by is not None:
            self.shut(refused_by)
            return
        self._pump.hub.flush.patiently()  # for what the same message subscribes to
        self._welcome(principal, token)
        self._perform_all(rest)

    def authenticate(self, token: str) -> Awaitable[Principal]:
        """Who the token stands for; an empty one: the upgrade request's, or its session."""
        return self._credentials.principal(self._pump.identity, token)

    def _welcome(self, principal: Principal, token: str) -> None:
        self.viewer.user = principal.user
        self.accept(principal, token)
        limits = self.session.limits
        frame = [
            wire.Op.WELCOME,
            self.id,
            principal.user,
            limits.ping_s,
            {**limits.shown(), "reconnect_ms": self._pump.shedder.reconnect_ms()},
            self._pump.build,
            principal.exp_ms,
            now_ms(),
        ]
        self.viewer.send(frame)
        self._pump.welcomed(self)

    def accept(self, principal: Principal, token: str) -> None:
        """Sign in, or replace the token in place; `token` as for `authenticate`."""
        self.origin = self._credentials.origin(principal, token)
        limits = self._pump.limits.raised(principal.limits)
        rate = self._pump.admission.limiter(principal)
        self.session.signed_in(principal, limits=limits, rate=rate)
        self._transport.trust()
        if self in self._pump.connections:
            self._pump.wheel.add(self)

    # Time

    @property
    def due_ms(self) -> int:
        """When the wheel has to tick it, at the latest."""
        if self._close_by_ms:
            return self._close_by_ms
        due_ms = self.session.due_ms
        if self._stalled_ms:
            due_ms = min(due_ms, self._stalled_ms + self._pump.write_timeout_ms)
        return due_ms

    def tick(self, at_ms: int) -> None:
        """Called by the wheel."""
        if self._close_by_ms:
            if at_ms >= self._close_by_ms:
                self._transport.abort()  # no goodbye came, or ours cannot be written
            return
        if self._stalled_ms and at_ms - self._stalled_ms >= self._pump.write_timeout_ms:
            self.shut(Shut(Close.SLOW, "reading too slowly"))
            return
        try:
            for step in self.session.tick(at_ms):
                self._perform(step)
        except Exception:
            self.failed()

    # Answering

    def answer(self, frame: wire.Frame) -> None:
        """OK or ERR, to whoever is still there."""
        if self.closing is None and not self.viewer.closed:
            self.viewer.send(frame)

    async def until_read(self) -> None:
        """Until it has read most of its answers, or is no more: stalled for too long, it ends."""
        while self.viewer.congested and self.closing is None and not self.viewer.closed:
            if self._room is None:
                self._room = asyncio.Event()
            await self._room.wait()

    # Writing and ending: the sink of the viewer

    def flushed(self) -> None:
        """See `hub.viewer.Sink`."""
        if self.viewer.congested:
            return
        if self._waits:
            self._waits = False
            self._read_on()
        self._make_room()

    def overflow(self) -> None:
        """See `hub.viewer.Sink`."""
        self.shut(Shut(Close.SLOW, "not reading what is addressed to you"))

    def failed(self) -> None:
        """See `hub.viewer.Sink`."""
        _log.exception("connection_failed", conn=self.id)
        try:
            self.shut(Shut(Close.DRAIN, "internal error"))
        except Exception:
            _log.exception("connection_not_shut", conn=self.id)
            self._transport.abort()

    def abort(self) -> None:
        """End it now, whatever is unsent and whoever has not said goodbye."""
        self._transport.abort()

    def shut(self, shut: Shut) -> None:
        """Write what is queued, say goodbye, and end; idempotent."""
        if self.closing is not None:
            return
        self.closing = shut
        self._pump.hub.detach(self.viewer)
        self.viewer.flush()
        self.viewer.stalled = True  # nothing more
        reason = shut.reason.encode()[:_REASON_MAX_BYTES].decode(errors="ignore")
        self._close_by_ms = now_ms() + _CLOSE_TIMEOUT_MS
        self._transport.close(int(shut.code), reason)
        self._make_room()
        if self in self._pump.connections:
            self._pump.wheel.add(self)

    def _make_room(self) -> None:
        if self._room is not None:
            self._room.set()
            self._room = None


def _rejected(refused: Refused) -> Shut:
    if refused.slug == "token_expired":
        return Shut(Close.EXPIRED, refused.message)
    if refused.slug in {"unavailable", "internal"}:
        return Shut(Close.DRAIN, refused.message)
    if refused.slug == "forbidden":
        return Shut(Close.FORBIDDEN, refused.message)
    return Shut(Close.UNAUTHORIZED, refused.message)
