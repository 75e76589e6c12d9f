"""A websocket session, sans-I/O: bytes and time in, steps out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from batonbox_server import wire
from batonbox_server.errors import Refused
from batonbox_server.wire import Close, Op

from .limits import Gcra, SessionLimits
from .ports import Principal
from .steps import Answer, Run, Shut, Step, refusal
from .validate import command, id_of, quick, request

__all__ = ["Session"]

_IN_FLIGHT_RETRY_MS: Final = 100
# Refusals a client may collect; one that goes on regardless is closed.
_STRIKES_PER_S: Final = 10.0
_STRIKES_BURST: Final = 200
# Inboxes of SUBs: the engine is asked about each that nobody here looks at.
_SUBS_PER_S: Final = 32.0
_SUBS_BURST: Final = 512
# PONG and UNSUB, which cost nothing but our time.
_WORDS_PER_S: Final = 20.0
_WORDS_BURST: Final = 500
# Inboxes of GROUPs: a script for each; as many as a connection may follow, every second.
_SHARES_PER_S: Final = 128.0
_SHARES_BURST: Final = 512
# Of an array or a map in a client's frame; a SUB names 256, a PONG all that are subscribed.
_ITEMS_MAX: Final = 1024
# In one message, each of them a list before the first is looked at; of 16 bytes they fill one.
_FRAMES_MAX: Final = 4096
_AUTH_LEAD_S: Final = 60.0


class Session:
    """One connection's protocol state.

    Pass every message to `receive` and perform the steps in order; call `signed_in` after a Hello
    that was accepted, `finished` after each answered request, and `tick` at `due_ms`.
    """

    def __init__(self, *, subprotocol: str, limits: SessionLimits, now_ms: int) -> None:
        self.subprotocol = subprotocol
        self._binary = subprotocol == wire.MSGPACK_SUBPROTOCOL
        self.limits = limits
        self.principal: Principal | None = None
        self.positions: dict[str, int] = {}
        self.in_flight = 0
        self._max_bytes = limits.pre_auth_max_bytes
        self._hello = False
        self._rate: Gcra | None = None
        self._subs = Gcra(per_s=_SUBS_PER_S, burst=max(_SUBS_BURST, 2 * limits.subscriptions_max))
        self._words = Gcra(per_s=_WORDS_PER_S, burst=_WORDS_BURST)
        self._shares = Gcra(per_s=_SHARES_PER_S, burst=_SHARES_BURST)
        self._strikes = Gcra(per_s=_STRIKES_PER_S, burst=_STRIKES_BURST)
        self._began_ms = self._pinged_ms = now_ms
        self._awaited = False  # a word from the client, since the last PING
        self._warned = False

    def signed_in(self, principal: Principal, *, limits: SessionLimits, rate: Gcra) -> None:
        """The token was accepted (again: after Refresh)."""
        self.principal, self.limits, self._rate = principal, limits, rate
        self._max_bytes = limits.message_max_bytes
        self._warned = False

    def finished(self) -> None:
        """A request has been answered."""
        self.in_flight -= 1

    def receive(self, data: bytes | str, now_ms: int) -> Iterable[Step]:
        """Steps to perform in order, each before the next is asked for: a HELLO and what needs it
        may come in one message.  After a Shut nothing more is to be received.
        """
        self._awaited = False
        max_bytes = self._max_bytes
        if len(data) > max_bytes or (isinstance(data, str) and len(data.encode()) > max_bytes):
            return (Shut(Close.TOO_BIG, f"more than {max_bytes} bytes in one message"),)
        asked = quick(data) if self._binary and isinstance(data, bytes) and self._hello else None
        if asked is not None:
            return (self._quickly(asked, now_ms),)
        return self._whole(data, now_ms)

    def _whole(self, data: bytes | str, now_ms: int) -> Iterator[Step]:
        try:
            items_max = max(_ITEMS_MAX, 2 * self.limits.subscriptions_max)
            frames = wire.decode(
                data, self.subprotocol, items_max=items_max, frames_max=_FRAMES_MAX
            )
        except wire.WireError as error:
            yield Shut(Close.BAD_FRAME, str(error))
            return
        for frame in frames:
            step = self._step(frame, now_ms)
            yield step
            if isinstance(step, Shut):
                return

    # Time

    @property
    def due_ms(self) -> int:
        """When `tick` has to be called next, at the latest."""
        if self.principal is None:
            return self._began_ms + round(1000 * self.limits.hello_timeout_s)
        limits = self.limits
        # Whoever ticks hears of no answer: where PINGs follow faster than it may come, they count.
        pause_s = min(limits.ping_s, limits.pong_timeout_s) if self._awaited else limits.ping_s
        due_ms = self._pinged_ms + round(1000 * pause_s)
        if exp_ms := self.principal.exp_ms:
            due_ms = min(due_ms, exp_ms if self._warned else self._warn_ms(exp_ms))
        return due_ms

    def tick(self, now_ms: int) -> list[Step]:
        """What time alone brings: PING, AUTH, or an end."""
        if now_ms < self.due_ms:
            return []
        if self.principal is None:
            return [Shut(Close.NO_HELLO, "no HELLO in time")]
        steps = self._expiry(self.principal.exp_ms, now_ms)
        passed_ms = now_ms - self._pinged_ms
        if self._awaited:
            if passed_ms >= 1000 * self.limits.pong_timeout_s:
                steps.append(Shut(Close.NO_PONG, "no answer to PING"))
        elif passed_ms >= 1000 * self.limits.ping_s:
            # Whoever talks is pinged, too: not everything is answered, and they have to hear of us.
            self._pinged_ms, self._awaited = now_ms, True
            steps.append(Answer([Op.PING]))
        return steps

    def _expiry(self, exp_ms: int, now_ms: int) -> list[Step]:
        if not exp_ms:
            return []
        if now_ms >= exp_ms:
            return [Shut(Close.EXPIRED, "the token has expired")]
        if self._warned or now_ms < self._warn_ms(exp_ms):
            return []
        self._warned = True
        return [Answer([Op.AUTH, (exp_ms - now_ms) // 1000])]

    @staticmethod
    def _warn_ms(exp_ms: int) -> int:
        return exp_ms - round(1000 * _AUTH_LEAD_S)

    # Frames

    def _step(self, frame: wire.Frame, now_ms: int) -> Step:
        if not self._hello and frame[0] != Op.HELLO:
            return Shut(Close.UNAUTHORIZED, "the first frame must be HELLO")
        try:
            asked = request(frame)
            return self._admitted(asked, now_ms)
        except Refused as refused:
            return self._refused(id_of(frame), refused, now_ms)

    def _quickly(self, asked: Any, now_ms: int) -> Step:
        try:
            if type(asked) is not tuple:
                return self._admitted(asked, now_ms)
            if self.principal is None:
                return Shut(Close.UNAUTHORIZED, "not signed in")
            self._within_rate(asked, now_ms)
            self._begin()
            return Run(*asked)
        except Refused as refused:
            number = asked[0] if type(asked) is tuple else getattr(asked, "id", None)
            return self._refused(number, refused, now_ms)

    def _admitted(self, asked: Any, now_ms: int) -> Step:
        if isinstance(asked, wire.Hello):
            if self._hello:
                raise Refused("bad_request", "HELLO: this connection is signed in already.")
            self._hello = True
            return asked
        if self.principal is None:
            return Shut(Close.UNAUTHORIZED, "not signed in")
        self._within_rate(asked, now_ms)
        if isinstance(asked, wire.Pong):
            self.positions = dict(asked.positions[: self.limits.subscriptions_max])
            return asked
        if isinstance(asked, wire.Unsub):
            return asked
        step = (
            Run(asked.id, asked.name, command(asked.name, asked.args))
            if isinstance(asked, wire.Cmd)
            else asked
        )
        self._begin()
        return step

    def _within_rate(self, asked: Any, now_ms: int) -> None:
        times = 1
        rate = self._rate
        if type(asked) is tuple:
            pass  # a command, as nearly all are
        elif isinstance(asked, wire.Sub | wire.Refresh):
            rate = self._subs
            times = len(asked.subs) if isinstance(asked, wire.Sub) else 1
        elif isinstance(asked, wire.Group):
            rate, times = self._shares, len(asked.shares)
        elif isinstance(asked, wire.Pong | wire.Unsub):
            rate = self._words
        if rate is not None and (retry_ms := rate.admit(now_ms, times=times)):
            raise Refused("rate_limited", retry_ms=retry_ms)

    def _begin(self) -> None:
        if self.in_flight >= self.limits.commands_in_flight:
            raise Refused(
                "rate_limited",
                f"At most {self.limits.commands_in_flight} requests at a time.",
                retry_ms=_IN_FLIGHT_RETRY_MS,
            )
        self.in_flight += 1

    def _refused(self, request_id: int | None, refused: Refused, now_ms: int) -> Step:
        if self.principal is None:
            return Shut(Close.BAD_FRAME, refused.message)
        if self._strikes.admit(now_ms):
            return Shut(Close.RATE, "too many refused requests")
        return Answer(refusal(request_id, refused))
