"""The client and the subscriber that an engine's address asks for."""

from __future__ import annotations

from collections.abc import Callable

from .address import Address
from .cluster import ClusterClient
from .cluster_pubsub import ClusterSubscriber
from .connect import EngineClient
from .engine import Engine, Subscriptions
from .pubsub import Subscriber

__all__ = ["engine_of", "subscriber_of"]


def engine_of(url: str, *, command_timeout_s: float = 5.0) -> Engine:
    """The client for this address, not connected yet.

    Raises:
        EngineUnsuitable: no such address; says what is wrong with it.
    """
    address = Address.parse(url)
    if address.topology == "cluster":
        return ClusterClient(address, command_timeout_s=command_timeout_s)
    return EngineClient(url, command_timeout_s=command_timeout_s)


def subscriber_of(
    engine: Engine,
    *,
    on_message: Callable[[bytes, bytes], None],
    on_lost: Callable[[], None],
    on_up: Callable[[], None],
    connect_timeout_s: float = 5.0,
) -> Subscriptions:
    """A subscriber of the same engine, which shares with its client what is known of primaries."""
    if isinstance(engine, ClusterClient):
        return ClusterSubscriber(
            engine.map,
            on_message=on_message,
            on_lost=on_lost,
            on_up=on_up,
            connect_timeout_s=connect_timeout_s,
        )
    assert isinstance(engine, EngineClient)
    return Subscriber(
        engine.locator,
        on_message=on_message,
        on_lost=on_lost,
        on_up=on_up,
        connect_timeout_s=connect_timeout_s,
    )
