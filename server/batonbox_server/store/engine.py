"""What stores and nodes need of an engine: one server, several with sentinels, or a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from .lane import Need
from .library import Library
from .resp import Argument
from .sight import Sight

__all__ = ["Engine", "Subscriptions"]


class Engine(Protocol):
    """Commands in, replies out; kept up in the background from `connect` to `aclose`.

    Commands about one prefix take effect in the order of the calls.  `topology.engine_of` makes the
    one that an address asks for.
    """

    on_state: Callable[[bool], None] | None
    """Called with True when the engine can be reached (the first time included), with False when it
    cannot any more.  Cheap, and must not raise."""
    on_replies: Callable[[], None]
    """Called after the futures of a batch of replies were resolved, before any of those who wait
    for them runs.  Cheap, and must not raise."""

    @property
    def state(self) -> bool:
        """Whether the engine can be reached."""
        ...

    @property
    def away(self) -> tuple[str, ...]:
        """Of several servers those that cannot be reached while others can, as `host:port`."""
        ...

    @property
    def server_name(self) -> str:
        """`redis` or `valkey`; empty before the first connect."""
        ...

    @property
    def server_version(self) -> str:
        """As the server says it, e.g. `9.1.2`."""
        ...

    def load(self) -> tuple[float, float]:
        """Seconds since the oldest command was sent that waits for its reply, and the share of
        commands under way of those that may be; of several servers the worst."""
        ...

    async def connect(self) -> None:
        """Connect and check the engine.

        Raises:
            EngineUnavailable: not reachable now.
            EngineUnsuitable: too old, it may evict keys, or it refuses our credentials.
        """
        ...

    async def aclose(self) -> None:
        """Close; commands still waiting for a reply end in `OutcomeUnknown`."""
        ...

    def know(self, libraries: Iterable[Library]) -> None:
        """Whose functions `evaluate` may call; the engine is given them on every connect."""
        ...

    async def ask(self, *args: Argument) -> Any:
        """`execute` of what may be repeated; raises Refused("unavailable") when it fails."""
        ...

    def execute(self, *args: Argument) -> asyncio.Future[Any]:
        """Send a command, whose first key is its second word; see `EngineClient.execute`."""
        ...

    def evaluate(self, function: str, prefix: str, args: Iterable[Argument]) -> asyncio.Future[Any]:
        """Call a known library's function with one key; see `EngineClient.evaluate`."""
        ...

    async def look(self) -> Sight:
        """What can be promised now; raises EngineUnavailable."""
        ...

    def since(self) -> object:
        """Names the connections that are up; before a write, for `lasts`."""
        ...

    async def lasts(self, prefix: str, need: Need, *, since: object, within_ms: int) -> bool:
        """Whether all that was answered `since` then about this prefix is where it is needed.

        False: that is not known, in this time; or it was answered over a connection that is lost,
        so that it may have been another engine.
        """
        ...


class Subscriptions(Protocol):
    """Sharded pub/sub that notices when it is lost; `topology.subscriber_of` makes it.

    See `pubsub.Subscriber` for what its callbacks are told.
    """

    @property
    def channels(self) -> frozenset[bytes]:
        """The channels acknowledged by the engine and not given back."""
        ...

    async def connect(self) -> None:
        """Connect; raises as `Engine.connect` does."""
        ...

    async def aclose(self) -> None:
        """Close, without a call of `on_lost`."""
        ...

    async def subscribe(self, channel: bytes) -> None:
        """Return once the engine has acknowledged; raises EngineUnavailable: not subscribed."""
        ...

    async def unsubscribe(self, channel: bytes) -> None:
        """Give the channel back; idempotent, and no error when the connection is down."""
        ...
