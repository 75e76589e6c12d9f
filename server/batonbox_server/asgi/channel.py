"""The engine's pub/sub as the hub's channel."""

from __future__ import annotations

from collections.abc import Callable

from batonbox_server.hub.hub import Hub
from batonbox_server.store.engine import Engine
from batonbox_server.store.topology import subscriber_of

__all__ = ["EngineChannel"]


class EngineChannel:
    """Implements `hub.port.Channel`; `connect` once the hub exists.

    It listens on a connection of its own, and speaks on the client's.
    """

    def __init__(self, client: Engine, *, connect_timeout_s: float = 5.0) -> None:
        self._client = client
        self._hub: Hub | None = None
        self._others: dict[bytes, Callable[[bytes], None]] = {}
        self._subscriber = subscriber_of(
            client,
            on_message=self._heard,
            on_lost=self._lost,
            on_up=self._up,
            connect_timeout_s=connect_timeout_s,
        )

    async def connect(self, hub: Hub) -> None:
        """Deliver to `hub` from now on; raises as `Engine.connect` does."""
        self._hub = hub
        await self._subscriber.connect()

    def pass_to(self, channel: str, heard: Callable[[bytes], None]) -> None:
        """What comes on this one is no log's: `heard` gets it."""
        self._others[channel.encode()] = heard

    async def aclose(self) -> None:
        """Stop delivering."""
        self._hub = None
        await self._subscriber.aclose()

    async def subscribe(self, channel: str) -> None:
        """See the port. Raises EngineUnavailable."""
        await self._subscriber.subscribe(channel.encode())

    async def unsubscribe(self, channel: str) -> None:
        """See the port."""
        await self._subscriber.unsubscribe(channel.encode())

    async def publish(self, channel: str, data: bytes) -> None:
        """See the port."""
        await self._client.execute("SPUBLISH", channel, data)

    def _heard(self, channel: bytes, data: bytes) -> None:
        other = self._others.get(channel)
        if other is not None:
            other(data)
        elif self._hub is not None:
            self._hub.heard(channel, data)

    def _lost(self) -> None:
        if self._hub is not None:
            self._hub.lost()

    def _up(self) -> None:
        if self._hub is not None:
            self._hub.up()
