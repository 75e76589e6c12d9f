"""Sharded pub/sub that notices when it is lost."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import structlog
from redis.asyncio.connection import AbstractConnection

from batonbox_server.errors import EngineUnavailable

from .link import Jobs, Link
from .locator import Locator, located
from .resp import Replies, pack

__all__ = ["Subscriber"]

_log = structlog.get_logger(__name__)
_BEAT_S: Final = 0.5
_BEATS_MISSED: Final = 6
_MAX_WAITING: Final = 65_536
_PONG: Final = b"pong"
_ACKS: Final = {b"SSUBSCRIBE": b"ssubscribe", b"SUNSUBSCRIBE": b"sunsubscribe"}
_Ack = tuple[bytes, bytes, asyncio.Future[None] | None]


class Subscriber:
    """One connection of sharded subscriptions; `at` as for `EngineClient`.

    Messages of a channel arrive in the order they were published, and may be missed whenever the
    connection was lost: `on_lost` is called at the loss, `on_up` when every channel is subscribed
    again (and at the first connect).  A frozen engine is noticed in less than 4 s.  The callbacks
    are synchronous, run on the loop, and must be cheap; one that raises is logged.
    `on_gone(channel)`, of one node of a cluster: the engine has taken the channel back, or refused
    it, because another node serves it.
    """

    def __init__(
        self,
        at: str | Locator,
        *,
        on_message: Callable[[bytes, bytes], None],
        on_lost: Callable[[], None],
        on_up: Callable[[], None],
        connect_timeout_s: float = 5.0,
        on_gone: Callable[[bytes], None] | None = None,
    ) -> None:
        self._on_message = on_message
        self._on_gone = on_gone
        self._on_lost = on_lost
        self._on_up = on_up
        self._channels: set[bytes] = set()
        self._unsent: list[bytes] = []
        self._expected: deque[_Ack] = deque()
        self._wake = asyncio.Event()
        self._up = False
        self._closing = False
        self._missed_beats = 0
        self._link = Link(
            located(at),
            name="engine-subscriber",
            timeout_s=connect_timeout_s,
            jobs=self._jobs,
            on_up=self._came_up,
            on_down=self._went_down,
        )

    @property
    def channels(self) -> frozenset[bytes]:
        """The channels acknowledged by the engine and not given back."""
        return frozenset(self._channels)

    async def connect(self) -> None:
        """Connect; raises as `EngineClient.connect` does."""
        await self._link.connect()

    async def aclose(self) -> None:
        """Close, without a call of `on_lost`."""
        self._closing = True
        await self._link.aclose()

    async def subscribe(self, channel: bytes) -> None:
        """Return once the engine has acknowledged; what is published from then on arrives.

        A caller that is cancelled meanwhile should `unsubscribe`.

        Raises:
            EngineUnavailable: down, or lost before the acknowledgement; not subscribed.
        """
        if not self._up or len(self._expected) >= _MAX_WAITING:
            raise EngineUnavailable("The engine's pub/sub is not reachable; subscribe again.")
        await self._ask(b"SSUBSCRIBE", channel)

    async def unsubscribe(self, channel: bytes) -> None:
        """Give the channel back; idempotent, and no error when the connection is down."""
        self._channels.discard(channel)
        if self._up:
            try:
                await self._ask(b"SUNSUBSCRIBE", channel)
            except EngineUnavailable:
                pass  # lost: so is the subscription

    def _ask(self, verb: bytes, channel: bytes) -> asyncio.Future[None]:
        acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._send(pack((verb, channel)), (_ACKS[verb], channel, acknowledged))
        return acknowledged

    def _send(self, packed: bytes, expected: _Ack) -> None:
        self._unsent.append(packed)
        self._expected.append(expected)
        self._wake.set()

    def _jobs(self, connection: AbstractConnection) -> Jobs:
        engine = Replies(connection, self._heard)
        return self._write(engine), engine.ended(), self._beat(), self._restore()

    async def _write(self, engine: Replies) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch, self._unsent = self._unsent, []
            engine.write(b"".join(batch))
            await engine.room()

    def _heard(self, batch: list[Any]) -> None:
        channels = self._channels
        self._missed_beats = 0
        for reply in batch:
            if type(reply) is list and reply[0] == b"smessage":
                if reply[1] in channels:
                    self._deliver(reply[1], reply[2])
            else:
                self._acknowledge(reply)

    def _deliver(self, channel: bytes, data: bytes) -> None:
        try:
            self._on_message(channel, data)
        except Exception:
            # One feed's fault must not cost every other feed its connection.
            _log.exception("subscriber_callback_failed", channel=channel)

    def _acknowledge(self, reply: Any) -> None:
        if isinstance(reply, Exception):
            self._refused(reply)
            return
        # PING answers as a list while there are subscriptions, and plainly while there are none.
        kind = reply[0] if isinstance(reply, list) else _PONG
        channel = reply[1] if isinstance(reply, list) else b""
        if not self._expected or self._expected[0][:2] != (kind, channel):
            if kind == b"sunsubscribe" and self._on_gone is not None:
                self._gone(channel)
                return
            raise ConnectionResetError(f"not what was asked for: {reply!r}")
        waiting = self._expected.popleft()[2]
        if kind == b"ssubscribe":
            self._channels.add(channel)
        elif kind == b"sunsubscribe":
            self._channels.discard(channel)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def _refused(self, error: Exception) -> None:
        kind, channel, waiting = self._expected[0] if self._expected else (_PONG, b"", None)
        if kind != b"ssubscribe" or self._on_gone is None:
            raise ConnectionResetError(f"the engine refused a subscription: {error}") from error
        self._expected.popleft()
        if waiting is not None and not waiting.done():
            waiting.set_exception(EngineUnavailable(f"Another node has this channel: {error}"))
        self._gone(channel)

    def _gone(self, channel: bytes) -> None:
        # One that we give back ourselves may be taken at the same time: it is told of twice.
        self._channels.discard(channel)
        if self._on_gone is not None:
            self._call(partial(self._on_gone, channel))

    async def _beat(self) -> None:
        # Beats are counted, not timed: a stall of our own loop must not look like a lost engine.
        while True:
            self._send(pack((b"PING",)), (_PONG, b"", None))
            await asyncio.sleep(_BEAT_S)
            self._missed_beats += 1
            if self._missed_beats > _BEATS_MISSED:
                raise TimeoutError(f"no sign of life for {_BEAT_S * _BEATS_MISSED} s")

    async def _restore(self) -> None:
        waiting = [self._ask(b"SSUBSCRIBE", channel) for channel in sorted(self._channels)]
        # What a cluster's node has refused is told by `on_gone`; a lost connection ends this task.
        await asyncio.gather(*waiting, return_exceptions=True)
        self._call(self._on_up)

    def _came_up(self) -> None:
        self._missed_beats = 0
        self._up = True

    def _went_down(self) -> None:
        self._up = False
        for _, _, waiting in self._expected:
            if waiting is not None and not waiting.done():
                waiting.set_exception(EngineUnavailable("The engine's pub/sub connection broke."))
        self._expected.clear()
        self._unsent.clear()
        self._wake.clear()
        if not self._closing:
            self._call(self._on_lost)

    def _call(self, callback: Callable[[], None]) -> None:
        try:
            callback()
        except Exception:
            _log.exception("subscriber_callback_failed")
