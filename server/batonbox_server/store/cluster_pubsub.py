"""Sharded pub/sub over a cluster: each channel is heard where its slot is served."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import structlog

from batonbox_server.errors import BatonboxError, EngineUnavailable
from batonbox_server.tasks import cancel_all, spawn

from .address import Place
from .cluster_map import ClusterMap, slot_of
from .pubsub import Subscriber

__all__ = ["ClusterSubscriber"]

_log = structlog.get_logger(__name__)
_LOOK_S: Final = 5.0
_LOOK_AWAY_S: Final = 0.1
# Pauses of `subscribe` while the map is asked for anew.
_PAUSES_S: Final = (0.02, 0.1, 0.3)
_AT_ONCE: Final = 256


class ClusterSubscriber:
    """Implements `engine.Subscriptions`, by a `Subscriber` for each primary that has a channel.

    `on_lost` is called when a channel is not heard any more because its primary is lost or its slot
    moves, `on_up` when all are heard again, wherever they are served by then.
    """

    def __init__(
        self,
        cluster: ClusterMap,
        *,
        on_message: Callable[[bytes, bytes], None],
        on_lost: Callable[[], None],
        on_up: Callable[[], None],
        connect_timeout_s: float = 5.0,
    ) -> None:
        """`cluster` is kept up to date by the client that it belongs to."""
        self._map = cluster
        self._on_message = on_message
        self._on_lost = on_lost
        self._on_up = on_up
        self._timeout_s = connect_timeout_s
        self._shards: dict[Place, _Shard] = {}
        self._at: dict[bytes, _Shard] = {}  # where a channel is subscribed, or about to be
        self._channels: set[bytes] = set()
        self._whole = False
        self._closing = False
        self._changed = asyncio.Event()
        self._moving: set[Place] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        cluster.listen(lambda _: self._changed.set())

    @property
    def channels(self) -> frozenset[bytes]:
        """See the protocol."""
        return frozenset(self._channels)

    async def connect(self) -> None:
        """See the protocol; each primary is connected to when a channel needs it."""
        await self._map.refresh()
        self._mended()
        spawn(self._tasks, self._keep_up(), name="cluster-subscriptions")

    async def aclose(self) -> None:
        """See the protocol."""
        self._closing = True
        await cancel_all(self._tasks)
        for shard in self._shards.values():
            await shard.subscriber.aclose()

    async def subscribe(self, channel: bytes) -> None:
        """See the protocol."""
        for pause_s in _PAUSES_S:
            with contextlib.suppress(EngineUnavailable):
                await self._hear(channel)
                break
            self._map.wanted.set()
            await asyncio.sleep(pause_s)
        else:
            await self._hear(channel)
        self._channels.add(channel)
        if not self._is_right(channel):
            self._changed.set()

    async def unsubscribe(self, channel: bytes) -> None:
        """See the protocol."""
        self._channels.discard(channel)
        shard = self._at.pop(channel, None)
        if shard is not None:
            await shard.subscriber.unsubscribe(channel)

    async def _hear(self, channel: bytes) -> None:
        """Subscribe where the map says; raises EngineUnavailable."""
        place = self._map.owner(slot_of(channel))
        if place is None:
            raise EngineUnavailable("The cluster serves this slot nowhere; subscribe again.")
        shard = self._shard(place)
        before, self._at[channel] = self._at.get(channel), shard
        try:
            await shard.open()
            await shard.subscriber.subscribe(channel)
        except EngineUnavailable:
            if self._at.get(channel) is shard:
                del self._at[channel]
            raise
        if before is not None and before is not shard:
            await before.subscriber.unsubscribe(channel)

    # Keeping every channel where its slot is

    async def _keep_up(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S if self._whole else _LOOK_AWAY_S):
                    await self._changed.wait()
            self._changed.clear()
            astray = [channel for channel in self._channels if not self._is_right(channel)]
            if not astray:
                self._mended()
                await self._leave_idle()
                continue
            self._broken()
            by_place: dict[Place, list[bytes]] = {}
            for channel in astray:
                place, shard = self._map.owner(slot_of(channel)), self._at.get(channel)
                if place is not None and (shard is None or shard.place != place):
                    by_place.setdefault(place, []).append(channel)
            for place, channels in by_place.items():
                if place not in self._moving:
                    self._moving.add(place)
                    spawn(self._tasks, self._move(place, channels), name="cluster-resubscribe")

    async def _move(self, place: Place, channels: Sequence[bytes]) -> None:
        try:
            for first in range(0, len(channels), _AT_ONCE):
                some = channels[first : first + _AT_ONCE]
                ends = await asyncio.gather(*map(self._hear, some), return_exceptions=True)
                for channel in set(some) - self._channels:  # given back meanwhile
                    self._at.pop(channel, None)
                    await self._shard(place).subscriber.unsubscribe(channel)
                if any(isinstance(error, BatonboxError) for error in ends):
                    self._map.wanted.set()
                    return
            self._changed.set()
        finally:
            self._moving.discard(place)

    def _is_right(self, channel: bytes) -> bool:
        shard = self._at.get(channel)
        return (
            shard is not None
            and shard.up
            and channel in shard.subscriber.channels
            and shard.place == self._map.owner(slot_of(channel))
        )

    async def _leave_idle(self) -> None:
        used = set(self._at.values())
        idle = [shard for shard in self._shards.values() if shard not in used]
        for shard in idle:
            del self._shards[shard.place]
            await shard.subscriber.aclose()

    def _broken(self) -> None:
        if self._whole and not self._closing:
            self._whole = False
            _call(self._on_lost)

    def _mended(self) -> None:
        if not self._whole:
            self._whole = True
            _call(self._on_up)

    # Of one primary

    def _shard(self, place: Place) -> _Shard:
        shard = self._shards.get(place)
        if shard is None:
            shard = self._shards[place] = _Shard(place)
            shard.subscriber = Subscriber(
                self._map.url(place),
                on_message=self._on_message,
                on_lost=partial(self._lost, shard),
                on_up=partial(self._back, shard),
                on_gone=partial(self._gone, shard),
                connect_timeout_s=self._timeout_s,
            )
        return shard

    def _lost(self, shard: _Shard) -> None:
        shard.up = False
        if shard in self._at.values():
            self._broken()
        self._map.wanted.set()
        self._changed.set()

    def _back(self, shard: _Shard) -> None:
        shard.up = True
        self._changed.set()

    def _gone(self, shard: _Shard, channel: bytes) -> None:
        if self._at.get(channel) is shard:
            del self._at[channel]
        if channel in self._channels:
            self._broken()
        self._map.wanted.set()
        self._changed.set()


class _Shard:
    """The subscriber of one primary; `up`: all of its channels are heard."""

    subscriber: Subscriber

    def __init__(self, place: Place) -> None:
        self.place = place
        self.up = False
        self._opening = asyncio.Lock()
        self._is_open = False

    async def open(self) -> None:
        """Connect, once for all who need it; raises EngineUnavailable."""
        async with self._opening:
            if self._is_open:
                return
            try:
                await self.subscriber.connect()
            except BatonboxError as error:
                raise EngineUnavailable(str(error)) from error
            self._is_open = True


def _call(callback: Callable[[], None]) -> None:
    try:
        callback()
    except Exception:
        _log.exception("subscriber_callback_failed")
