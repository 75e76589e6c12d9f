"""The whole site of a run: engines, relays, nodes, and an organisation of its own in them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from batonbox_server.errors import EngineUnsuitable
from batonbox_server.store.engine import Engine
from batonbox_server.store.keys import Keys
from batonbox_server.store.topology import engine_of

from .faults import FaultProxy, proxying
from .line import Door
from .nodes import NodeProcess
from .office import Office
from .sites.base import Site
from .sites.cluster import ClusterSite
from .sites.sentinel import SentinelSite
from .sites.standalone import OwnersSite, StandaloneSite
from .stage import Stage
from .truth import Reader

__all__ = ["ADMIN", "USERS", "Grounds", "prepared"]

ADMIN: Final = "admin"
USERS: Final = ("ann", "bob", "cyd", "dan", "eve")
_PLAIN: Final = frozenset({"redis", "valkey"})
_PORT: Final = 6379
_ERASED_AT_ONCE: Final = 500


@dataclass(slots=True)
class Grounds:
    """What rounds are played on. `doors` lead through the relays; `tokens` are by user."""

    stage: Stage
    office: Office
    reader: Reader
    client: Engine
    doors: list[Door]
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def engine(self) -> str:
        """The engine's name and version."""
        return f"{self.client.server_name} {self.client.server_version}"


def site_of(topology: str, url: str, folder: Path) -> Site:
    """The engines: the user's behind `url`, or ones of our own. Raises EngineUnsuitable."""
    if url:
        return OwnersSite(url)
    match topology:
        case "standalone":
            return StandaloneSite(folder)
        case "sentinel":
            return SentinelSite(folder)
        case "cluster":
            return ClusterSite(folder)
    raise EngineUnsuitable(f"{topology}: one of standalone, sentinel, cluster.")


@asynccontextmanager
async def prepared(
    folder: Path, *, topology: str, url: str, nodes: int, settings: Mapping[str, str]
) -> AsyncIterator[Grounds]:
    """Everything started, and ended again; the user's engine is left without a trace."""
    async with AsyncExitStack() as stack:
        site = site_of(topology, url, folder)
        stack.push_async_callback(site.stop)
        await site.start()
        space = f"torture-{secrets.token_hex(6)}"
        client = engine_of(site.url, command_timeout_s=2.0)
        stack.push_async_callback(client.aclose)
        await client.connect()
        if url:
            stack.push_async_callback(_erase, client, space, in_cluster=site.topology == "cluster")
        stage = Stage(site, [], [], [])
        given = {**settings, "key_space": space}
        stage.nodes, stage.back = await _nodes(stack, site.url, folder, nodes, given)
        stage.front = [await _relay(stack, node.address) for node in stage.nodes]
        doors = [
            Door(node.name, relay.port)
            for node, relay in zip(stage.nodes, stage.front, strict=True)
        ]
        await stage.nodes[0].start()  # it loads the functions, and makes what is there once
        await asyncio.gather(*(node.start() for node in stage.nodes[1:]))
        first = stage.nodes[0]
        await first.ask(op="setup", organisation="Torture", user=ADMIN, name="Admin")
        tokens = {ADMIN: (await first.ask(op="token", user=ADMIN))["token"]}
        office = await stack.enter_async_context(Office(tokens[ADMIN], doors))
        for user in USERS:
            await office.call("POST", "/v1/admin/users", {"id": user, "name": user})
            tokens[user] = (await first.ask(op="token", user=user))["token"]
        yield Grounds(stage, office, Reader(client, Keys(space)), client, doors, tokens)


async def _nodes(
    stack: AsyncExitStack, url: str, folder: Path, count: int, settings: Mapping[str, str]
) -> tuple[list[NodeProcess], list[FaultProxy]]:
    """Nodes that are not started yet, and the relays between them and a plain engine."""
    nodes, relays = [], []
    for number in range(1, count + 1):
        through, relay = await _through(stack, url)
        relays += [relay] if relay is not None else []
        given = {**settings, "redis_url": through}
        node = NodeProcess(f"node{number}", folder / f"node{number}", settings=given)
        stack.push_async_callback(node.stop)
        nodes.append(node)
    return nodes, relays


async def _through(stack: AsyncExitStack, url: str) -> tuple[str, FaultProxy | None]:
    """The engine's address by way of a relay, where one can stand in between unnoticed."""
    parts = urlsplit(url)
    if parts.scheme not in _PLAIN or not parts.hostname:
        return url, None
    relay = await _relay(stack, (parts.hostname, parts.port or _PORT))
    login = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    there = f"{login}127.0.0.1:{relay.port}"
    return urlunsplit((parts.scheme, there, parts.path, parts.query, "")), relay


async def _relay(stack: AsyncExitStack, address: tuple[str, int]) -> FaultProxy:
    return await stack.enter_async_context(proxying(lambda: address))


async def _erase(client: Engine, space: str, *, in_cluster: bool) -> None:
    """What the run left in the user's engine: its key space, and nothing else."""
    cursor, pattern = b"0", f"{space}{{*"
    while True:
        if in_cluster:  # a cursor is one primary's
            names, cursor = await client.execute("KEYS", pattern), b"0"
        else:
            cursor, names = await client.execute(
                "SCAN", cursor, "MATCH", pattern, "COUNT", _ERASED_AT_ONCE
            )
        for name in names:
            await client.execute("UNLINK", name)
        if cursor == b"0":
            return
