"""A cluster as one engine: a client for each primary, and commands that find their slot's."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from functools import partial
from itertools import count
from typing import Any, Final

import structlog
from redis.exceptions import (
    AskError,
    BusyLoadingError,
    ClusterDownError,
    MovedError,
    TryAgainError,
)

from batonbox_server.errors import BatonboxError, EngineUnavailable, EngineUnsuitable, Refused
from batonbox_server.tasks import cancel_all, spawn

from .address import Address, Place
from .cluster_everywhere import ANYWHERE, EVERYWHERE, ask_all
from .cluster_holding import Holding
from .cluster_map import SLOTS, ClusterMap, slot_of
from .cluster_shards import SILENT_S, Shards
from .connect import EngineClient
from .lane import Need
from .library import Library
from .outgoing import Waiting
from .resp import Argument
from .sight import Sight

__all__ = ["ClusterClient"]

_log = structlog.get_logger(__name__)
# How often the nodes are asked who serves what: while all is well, and while something is away.
_LOOK_S: Final = 5.0
_LOOK_AWAY_S: Final = 0.2
_LOOK_PAUSE_S: Final = 0.05
_ELSEWHERE: Final = (AskError, TryAgainError, ClusterDownError, BusyLoadingError)


class ClusterClient:
    """Implements `engine.Engine` over a Redis or Valkey Cluster.

    Commands about one slot take effect in the order of the calls, also while the slot moves from
    one primary to another and while a replica takes over; see `cluster_holding.Holding`.  Slots of
    other primaries go on.  A command without a key goes to any primary or to all: see
    `cluster_everywhere`.
    """

    def __init__(
        self,
        address: Address,
        *,
        command_timeout_s: float = 5.0,
        max_in_flight: int = 4096,
        on_state: Callable[[bool], None] | None = None,
    ) -> None:
        self.on_state = on_state
        self.on_replies: Callable[[], None] = lambda: None
        self._timeout_s = command_timeout_s
        self._max_in_flight = max_in_flight
        self.map = ClusterMap(address)
        self._known: set[Library] = set()
        self._shards = Shards(self._make, on_opened=self._on_opened)
        self._by_slot: list[EngineClient | None] = [None] * SLOTS
        self._turns = count(1)
        self._up = False
        self._holding = Holding(
            owner=self._owner,
            client_at=self._shards.reach,
            patience_s=command_timeout_s,
            most=max_in_flight,
            on_calm=self._listen,
        )
        self._changes = 0  # of who serves what
        self.map.listen(self._assign)
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def state(self) -> bool:
        """Whether every slot is served by a primary that can be reached."""
        return self._up

    @property
    def away(self) -> tuple[str, ...]:
        """The primaries that cannot be reached while others can."""
        there = {place: self._shards.at(place) for place in self._primaries()}
        down = sorted(place for place, client in there.items() if not (client and client.state))
        return tuple(f"{host}:{port}" for host, port in down) if self._shards.reachable else ()

    @property
    def server_name(self) -> str:
        """See the protocol."""
        return max((client.server_name for client in self._shards.all), default="")

    @property
    def server_version(self) -> str:
        """See the protocol; of several the oldest."""
        told = [client.server_version for client in self._shards.all if client.server_version]
        return min(told, key=_numbers, default="")

    def load(self) -> tuple[float, float]:
        """See the protocol."""
        loads = [client.load() for client in self._shards.all]
        held = self._holding.count / self._max_in_flight if self._holding else 0.0
        oldest_s = max((oldest_s for oldest_s, _ in loads), default=0.0)
        return oldest_s, max([held, *(share for _, share in loads)])

    async def connect(self) -> None:
        """Connect to every primary; from then on, as slots and primaries change, by itself.

        Raises:
            EngineUnavailable: no primary can be reached.
            EngineUnsuitable: one is too old or may evict keys, or it is no cluster.
        """
        await self.map.refresh()
        reached = await asyncio.gather(*map(self._shards.opened, self._primaries()))
        errors = [found for found in reached if isinstance(found, BatonboxError)]
        unsuitable = [error for error in errors if isinstance(error, EngineUnsuitable)]
        if unsuitable or not self._shards.all:
            await self.aclose()
            none = EngineUnavailable("The cluster serves no slot; assign its slots first.")
            raise (*unsuitable, *errors, none)[0]
        spawn(self._tasks, self._keep_up(), name="cluster-map")

    async def aclose(self) -> None:
        """See the protocol."""
        await cancel_all(self._tasks)
        await self._holding.aclose()
        await self._shards.aclose()

    def know(self, libraries: Iterable[Library]) -> None:
        """See the protocol."""
        self._known.update(libraries)
        for client in self._shards.all:
            client.know(self._known)

    async def ask(self, *args: Argument) -> Any:
        """See the protocol."""
        try:
            return await self.execute(*args)
        except EngineUnavailable as error:
            raise Refused("unavailable") from error

    def execute(self, *args: Argument) -> asyncio.Future[Any]:
        """See the protocol, and `EngineClient.execute`."""
        name = str(args[0]).upper()
        if name in EVERYWHERE:
            clients = self._shards.reachable
            if not clients:
                raise EngineUnavailable("The engine is not reachable; retry with the same id.")
            asking = asyncio.get_running_loop().create_task(ask_all(clients, args))
            self._tasks.add(asking)
            asking.add_done_callback(self._tasks.discard)
            return asking
        if name in ANYWHERE:
            for client in self._shards.reachable:
                return client.execute(*args)
            raise EngineUnavailable("The engine is not reachable; retry with the same id.")
        key = args[3] if name in {"EVAL", "EVALSHA", "FCALL"} else args[1]
        return self._send(slot_of(key if isinstance(key, bytes) else str(key)), args)

    def evaluate(self, function: str, prefix: str, args: Iterable[Argument]) -> asyncio.Future[Any]:
        """See the protocol, and `EngineClient.evaluate`."""
        return self._send(slot_of(prefix), ("FCALL", function, 1, prefix, *args), prefix)

    def servers(self) -> list[EngineClient]:
        """Those that serve slots and can be reached: what no key names is asked of each of them."""
        return self._shards.reachable

    async def look(self) -> Sight:
        """See the protocol."""
        sights = await asyncio.gather(*(client.look() for client in self._shards.reachable))
        if not sights:
            raise EngineUnavailable("The engine is not reachable; retry.")
        return Sight(*(min(said) for said in zip(*sights, strict=True)))

    def since(self) -> object:
        """See the protocol."""
        return self._changes, {client: client.since() for client in self._shards.all}

    async def lasts(self, prefix: str, need: Need, *, since: object, within_ms: int) -> bool:
        """See the protocol; after a change of who serves what nothing is sure."""
        assert isinstance(since, tuple)
        changes, connections = since
        client = self._by_slot[slot_of(prefix)]
        if changes != self._changes or client is None or client not in connections:
            return False
        return await client.lasts(prefix, need, since=connections[client], within_ms=within_ms)

    # Sending

    def _send(self, slot: int, args: tuple[Argument, ...], prefix: str = "") -> Waiting:
        waiting = Waiting.of(args, asyncio.get_running_loop())
        waiting.slot, waiting.turn = slot, next(self._turns)
        waiting.prefix, waiting.repeats = prefix, bool(prefix)
        if slot in self._holding:
            self._holding.later(waiting)
        else:
            self._owner(slot).hand(waiting)
        return waiting

    def _owner(self, slot: int) -> EngineClient:
        client = self._by_slot[slot]
        if client is None:
            raise EngineUnavailable("The cluster serves this slot nowhere; retry.")
        return client

    def _refused(self, place: Place, waiting: Waiting, error: Exception) -> bool:
        """The hook of the clients: whether the command goes on elsewhere, or later."""
        if waiting.slot < 0 or not isinstance(error, _ELSEWHERE):
            return False
        if isinstance(error, AskError):  # MOVED is one of its kind
            to = (error.host or place[0], error.port)
            if isinstance(error, MovedError):
                self.map.learn(waiting.slot, to)
            elif not waiting.repeats:
                waiting.target = to
        else:
            self.map.wanted.set()
        self._holding.refused(waiting, error, by=self._shards.at(place))
        self._listen()
        return True

    def _listen(self) -> None:
        """Be told of answers while there is somebody whom they may overtake."""
        told = self._holding.answered if self._holding else None
        for client in self._shards.all:
            client.on_answer = told

    # Who serves what

    def _primaries(self) -> set[Place]:
        return {place for place in self.map.owners() if place is not None}

    async def _keep_up(self) -> None:
        now_s = asyncio.get_running_loop().time
        looked_s = now_s()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_AWAY_S):
                    await self.map.wanted.wait()
            is_well = self._up and self.load()[0] < SILENT_S and not self.map.wanted.is_set()
            if is_well and now_s() - looked_s < _LOOK_S:
                continue
            self.map.wanted.clear()
            looked_s = now_s()
            try:
                await self.map.refresh()
            except BatonboxError as error:
                _log.warning("cluster_unreachable", error=str(error))
            primaries = self._primaries()
            self._shards.open_missing(primaries)
            await self._shards.leave(primaries)
            await asyncio.sleep(_LOOK_PAUSE_S)

    def _make(self, place: Place) -> EngineClient:
        client = EngineClient(
            self.map.url(place),
            command_timeout_s=self._timeout_s,
            max_in_flight=self._max_in_flight,
            on_state=self._on_state,
            on_refused=partial(self._refused, place),
        )
        client.know(self._known)
        client.on_replies = self._replied
        return client

    def _on_opened(self) -> None:
        self._assign()
        self._listen()

    def _assign(self, slot: int | None = None) -> None:
        """Commands go where the map says from now on; see `ClusterMap.listen`."""
        if slot is None:
            self._by_slot = [self._shards.at(place) for place in self.map.owners()]
        else:
            self._by_slot[slot] = self._shards.at(self.map.owner(slot))
        self._changes += 1
        for client in self._shards.all:
            if client.state:
                for number in client.busy():
                    if self._by_slot[number] is not client:
                        self._holding.behind(number, client)
        self._take_over()
        if slot is None or not self._up or self._by_slot[slot] is None:
            self._judge()

    def _take_over(self) -> None:
        """What became unknown at a primary that is gone goes on at its successor."""
        for client in self._shards.all:
            if client.state:
                continue
            for waiting in self._strays(client):
                self._holding.refused(waiting, EngineUnavailable("its primary is gone"), by=None)
        self._listen()

    def _strays(self, client: EngineClient) -> list[Waiting]:
        return client.leave(lambda waiting: self._by_slot[waiting.slot] is not client)

    def _replied(self) -> None:
        self.on_replies()

    def _on_state(self, _: bool) -> None:
        self.map.wanted.set()
        self._take_over()
        self._judge()

    def _judge(self) -> None:
        up = all(client is not None and client.state for client in set(self._by_slot))
        if up != self._up:
            self._up = up
            if self.on_state is not None:
                self.on_state(up)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
