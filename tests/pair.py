"""A primary and its replica as an operator runs them, and an address that leads to one of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from batonbox_server.store.resp import Argument, close_connection, open_connection, request
from batonbox_server.torture.sites.base import EngineProc, random_password
from tests import engines
from tests.relay import Cutter, cuttable

__all__ = ["Pair", "paired", "said"]

_CONFIGURATION = """\
save ""
maxmemory-policy noeviction
repl-diskless-sync-delay 0
"""


class Pair:
    """`url` leads to the primary, by way of `link`, until `lead_to` says otherwise.

    What the primary tells its replica goes over `wire`.
    """

    def __init__(self, folder: Path, link: Cutter, wire: Cutter, *, settings: str) -> None:
        binary, password = engines.binary(), random_password()
        told = f"{_CONFIGURATION}{settings}requirepass {password}\nmasterauth {password}\n"
        self.password, self.link, self.wire = password, link, wire
        self.primary = EngineProc("primary", folder / "primary", binary, told, password=password)
        follows = f"replicaof 127.0.0.1 {wire.port}\n"
        self.replica = EngineProc(
            "replica", folder / "replica", binary, told + follows, password=password
        )
        link.target = wire.target = self.primary.port

    @property
    def url(self) -> str:
        """As BATONBOX_REDIS_URL takes it."""
        return f"redis://:{self.password}@127.0.0.1:{self.link.port}"

    async def start(self) -> None:
        """Both run, and the replica has what the primary has."""
        await self.primary.start()
        await self.replica.start()
        await self.in_step()

    async def stop(self) -> None:
        """Neither runs any more."""
        await self.replica.release()
        await self.primary.release()

    async def in_step(self) -> None:
        """Return once the replica has what the primary has."""

        async def same() -> bool:
            here, there = await info(self.primary), await info(self.replica)
            up = there["master_link_status"] == "up"
            return up and here["master_repl_offset"] == there["slave_repl_offset"]

        await until(same, what="the replica's coming into step")

    async def promote(self) -> None:
        """The replica takes writes of its own, and hears nothing more of the primary's."""
        await said(self.replica, "REPLICAOF", "NO", "ONE")

    async def rejoin(self) -> None:
        """What was the primary comes back, as the replica of what was the replica."""
        await self.primary.start()
        await said(self.primary, "REPLICAOF", "127.0.0.1", self.replica.port)

    def lead_to(self, engine: EngineProc) -> None:
        """Whoever comes by the address from now on comes to this one; who is there is cut off."""
        self.link.target = engine.port
        self.link.cut()


@asynccontextmanager
async def paired(folder: Path, *, settings: str = "appendonly no\n") -> AsyncIterator[Pair]:
    """A pair at work; `settings` are lines of both configurations."""
    async with cuttable(0) as link, cuttable(0) as wire:
        pair = Pair(folder, link, wire, settings=settings)
        try:
            await pair.start()
            yield pair
        finally:
            await pair.stop()


async def said(engine: EngineProc, *command: Argument) -> Any:
    """What this process answers, whatever it is."""
    connection = await open_connection(engine.url, timeout_s=10)
    try:
        return await request(connection, *command)
    finally:
        await close_connection(connection)


async def info(engine: EngineProc, section: str = "replication") -> dict[str, str]:
    """A section of its INFO."""
    text: bytes = await said(engine, "INFO", section)
    return dict(line.split(":", 1) for line in text.decode().splitlines() if ":" in line)


async def calls(engine: EngineProc, command: str) -> int:
    """How often this command was called."""
    stats = await info(engine, "commandstats")
    told = stats.get(f"cmdstat_{command}", "calls=0")
    return int(told.split(",")[0].removeprefix("calls="))


async def until(holds: Callable[[], Awaitable[bool]], *, what: str) -> None:
    """As `support.eventually`, of what has to be asked."""
    async with asyncio.timeout(30):
        while not await holds():
            await asyncio.sleep(0.01)
