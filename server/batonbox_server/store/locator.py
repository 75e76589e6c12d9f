"""Where the engine is that takes writes, whenever a link has to be opened to it."""

from __future__ import annotations

from typing import Protocol

from redis.asyncio.connection import AbstractConnection

from .address import Address
from .resp import open_connection
from .sentinel import SentinelLocator

__all__ = ["Locator", "located"]


class Locator(Protocol):
    """Opens connections to the present primary; one serves every link of a node."""

    async def open(self, *, timeout_s: float) -> AbstractConnection:
        """A connected, authenticated connection; raises as `resp.open_connection` does."""
        ...

    async def watch(self, connection: AbstractConnection) -> None:
        """Raises ConnectionResetError once another engine is the primary; may just return."""
        ...

    async def aclose(self) -> None:
        """Close what is kept between two looks; a later look opens it again."""
        ...


class _Fixed:
    """One server, whatever it is."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def open(self, *, timeout_s: float) -> AbstractConnection:
        return await open_connection(self._url, timeout_s=timeout_s)

    async def watch(self, connection: AbstractConnection) -> None:
        """Nobody else can be it."""

    async def aclose(self) -> None:
        """Nothing is kept."""


def located(at: str | Locator) -> Locator:
    """The locator for the URL of a server, or of servers with sentinels; others as they are.

    Raises:
        EngineUnsuitable: no such URL; says what is wrong with it.
    """
    if not isinstance(at, str):
        return at
    address = Address.parse(at)
    assert address.topology != "cluster", "a link leads to one server"
    return SentinelLocator(address) if address.topology == "sentinel" else _Fixed(address.url)
