"""What a run consists of, as far as nemeses may lay hands on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from redis.exceptions import RedisError

from batonbox_server.errors import BatonboxError
from batonbox_server.store.resp import close_connection, open_connection, request

from .faults import FaultProxy
from .nodes import NodeProcess
from .sites.base import EngineProc, Site

__all__ = ["Stage", "asked"]


@dataclass(slots=True)
class Stage:
    """`front`: relays between clients and each node. `back`: between nodes and engines, by the node
    whose they are where there is one engine, else by the engine; empty where nodes speak to the
    engine themselves. `inboxes`: those under load. `taken`: what a nemesis has in its hands;
    `alone`: there is only one in this round.
    """

    site: Site
    nodes: Sequence[NodeProcess]
    front: Sequence[FaultProxy]
    back: Mapping[str, FaultProxy]
    inboxes: Sequence[str] = ()
    taken: set[str] = field(default_factory=set)
    alone: bool = False

    @property
    def own(self) -> bool:
        """Whether the engines are the run's, and not the user's."""
        return bool(self.site.engines)

    def engine_urls(self) -> list[str]:
        """Where each engine takes commands: not through the relays."""
        return [engine.url for engine in self.site.engines] or [self.site.url]

    async def whole(self) -> bool:
        """Whether every engine of ours is there, and replicas have all that their primary has."""
        roles = [await asked(engine.url, "ROLE") for engine in self.site.engines]
        return all(role and (role[0] == b"master" or role[3] == b"connected") for role in roles)

    async def primaries(self) -> list[EngineProc]:
        """The engines that call themselves primary, and answer."""
        found = []
        for engine in self.site.engines:
            role = await asked(engine.url, "ROLE")
            if role and role[0] == b"master":
                found.append(engine)
        return found


async def asked(url: str, *command: Any) -> Any:
    """One command to one engine, on a connection of its own; None where it does not answer."""
    try:
        connection = await open_connection(url, timeout_s=2.0)
    except BatonboxError:
        return None
    try:
        return await request(connection, *command)
    except (RedisError, OSError, BatonboxError):
        return None
    finally:
        await close_connection(connection)
