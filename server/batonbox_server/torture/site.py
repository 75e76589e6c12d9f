"""The whole site of a run: engines, relays, nodes, and an organisation of its own in them."""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from redis.exceptions import NoPermissionError

from batonbox_server.errors import EngineUnsuitable
from batonbox_server.store.cluster import ClusterClient
from batonbox_server.store.engine import Engine
from batonbox_server.store.keys import Keys
from batonbox_server.store.topology import engine_of
from batonbox_server.store.verifying import VerifyingReads

from .carrier import Carrier
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


@dataclass(slots=True)
class Grounds:
    """What rounds are played on. `doors` lead through the relays; `tokens` are by user."""

    stage: Stage
    office: Office
    carrier: Carrier
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
        back = await _before_engines(stack, site)
        await site.start()
        space = f"torture-{secrets.token_hex(6)}"
        client = engine_of(site.url, command_timeout_s=2.0)
        stack.push_async_callback(client.aclose)
        await client.connect()
        if url:
            await _check_rights(client, space)
            stack.push_async_callback(_erase, client, Keys(space))
        stage = Stage(site, [], [], back)
        secret = secrets.token_bytes(32)
        given = {
            **settings, "key_space": space, "webhook_secret": base64.b64encode(secret).decode()
        }  # fmt: skip
        stage.nodes, of_nodes = await _nodes(stack, site.url, folder, nodes, given)
        stage.back = {**back, **of_nodes}
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
        carrier, reader = Carrier(office.nodes, secret), Reader(client, Keys(space))
        yield Grounds(stage, office, carrier, reader, client, doors, tokens)


async def _before_engines(stack: AsyncExitStack, site: Site) -> dict[str, FaultProxy]:
    """A relay in front of each engine of a site that can tell others to come by it."""
    relays = {}
    if isinstance(site, SentinelSite | ClusterSite):
        for engine in site.engines:
            relay = relays[engine.name] = await _relay(stack, ("127.0.0.1", engine.port))
            site.announced[engine.name] = relay.port
    return relays


async def _nodes(
    stack: AsyncExitStack, url: str, folder: Path, count: int, settings: Mapping[str, str]
) -> tuple[list[NodeProcess], dict[str, FaultProxy]]:
    """Nodes that are not started yet, and the relays between them and a plain engine."""
    nodes, relays = [], {}
    for number in range(1, count + 1):
        name = f"node{number}"
        through, relay = await _through(stack, url)
        if relay is not None:
            relays[name] = relay
        node = NodeProcess(name, folder / name, settings={**settings, "redis_url": through})
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


async def _check_rights(client: Engine, space: str) -> None:
    """Before anything is written that could not be erased. Raises EngineUnsuitable."""
    try:
        for server in client.servers() if isinstance(client, ClusterClient) else [client]:
            await server.execute("SCAN", 0, "COUNT", 1)
        await client.execute("EXISTS", f"{space}{{org}}:none")
    except NoPermissionError as error:
        raise EngineUnsuitable(
            f"The engine's user may not do what a run does ({error}): beside the rights of a server"
            " it needs ~torture-* &torture-* +scan; see docs/torture.md."
        ) from error


async def _erase(client: Engine, keys: Keys) -> None:
    """What the run left in the user's engine: its key space, and nothing else."""
    async for names in VerifyingReads(client, keys=keys, hurry=True).every_key():
        await asyncio.gather(*(client.execute("DEL", name) for name in names))
