"""The clients of a cluster's primaries: opened when needed, left when they serve nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final

import structlog

from batonbox_server.errors import BatonboxError, EngineUnavailable
from batonbox_server.tasks import cancel_all, spawn

from .address import Place
from .connect import EngineClient

__all__ = ["SILENT_S", "Shards"]

_log = structlog.get_logger(__name__)
# Whoever has not answered for so long may be frozen or cut off, and another serve its slots.
SILENT_S: Final = 0.5


class Shards:
    """`make(place)` gives a client that is not connected; `on_opened()` is called when one is."""

    def __init__(
        self, make: Callable[[Place], EngineClient], *, on_opened: Callable[[], None]
    ) -> None:
        self._make = make
        self._on_opened = on_opened
        self._clients: dict[Place, EngineClient] = {}
        self._opening: dict[Place, asyncio.Task[EngineClient | BatonboxError]] = {}
        self._complaints: dict[Place, str] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def all(self) -> list[EngineClient]:
        """Each that was connected once."""
        return list(self._clients.values())

    @property
    def reachable(self) -> list[EngineClient]:
        """Those whose connection is up."""
        return [client for client in self._clients.values() if client.state]

    def at(self, place: Place | None) -> EngineClient | None:
        """The client of a node, if there is one."""
        return self._clients.get(place) if place else None

    async def reach(self, place: Place) -> EngineClient:
        """The client of a node, opened if need be; raises EngineUnavailable."""
        found = self._clients.get(place) or await self.opened(place)
        if isinstance(found, BatonboxError):
            raise EngineUnavailable(str(found))
        return found

    async def opened(self, place: Place) -> EngineClient | BatonboxError:
        """One attempt, which all share who need it; why it failed."""
        opening = self._opening.get(place)
        if opening is None:
            opening = spawn(self._tasks, self._open(place), name="cluster-open")
            self._opening[place] = opening
        return await asyncio.shield(opening)

    def open_missing(self, places: Iterable[Place]) -> None:
        """Begin to open those that are neither open nor being opened."""
        for place in set(places) - self._clients.keys() - self._opening.keys():
            spawn(self._tasks, self.opened(place), name="cluster-reach")

    async def leave(self, serving: Iterable[Place]) -> None:
        """Leave all others: once they have answered, or if they do not."""
        for place in self._clients.keys() - set(serving):
            client = self._clients[place]
            silent_s, under_way = client.load()
            if not client.state or not under_way:
                del self._clients[place]
                await client.aclose()
            elif silent_s > SILENT_S:
                client.drop()  # what is under way is told to be unknown, and may go on elsewhere

    async def aclose(self) -> None:
        """Close them all."""
        await cancel_all(self._tasks)
        clients, self._clients = self._clients, {}
        await asyncio.gather(*(client.aclose() for client in clients.values()))

    async def _open(self, place: Place) -> EngineClient | BatonboxError:
        client = self._make(place)
        try:
            await client.connect()
        except BatonboxError as error:
            if self._complaints.get(place) != str(error):
                self._complaints[place] = str(error)
                _log.warning("cluster_node_unreachable", node=place, error=str(error))
            return error
        except BaseException:
            await client.aclose()
            raise
        finally:
            del self._opening[place]
        self._complaints.pop(place, None)
        self._clients[place] = client
        self._on_opened()
        return client
