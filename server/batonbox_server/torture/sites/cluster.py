"""A cluster: primaries with a replica each."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from redis.exceptions import RedisError

from batonbox_server.engine.locate import EngineBinary, locate
from batonbox_server.errors import BatonboxError, EngineUnsuitable
from batonbox_server.store.cluster_map import SLOTS
from batonbox_server.store.resp import Argument, close_connection, open_connection, request

from .base import EngineProc, Tls, random_password, reserve_port
from .slots import SlotMoves, until

__all__ = ["ClusterSite"]

_HOST: Final = "127.0.0.1"
_REPLY_TIMEOUT_S: Final = 5.0
_CONFIGURATION: Final = """\
save ""
aof-use-rdb-preamble yes
maxmemory-policy noeviction
busy-reply-threshold 500
enable-debug-command no
repl-diskless-sync-delay 0
cluster-enabled yes
cluster-config-file nodes.conf
"""


class ClusterSite(SlotMoves):
    """See `base.Site`; every primary has one replica.

    `announced` tells others another port of an engine, by its name, such as a relay's: whoever asks
    the cluster is led there, and replicas come by it, too. What nodes tell each other does not.
    """

    topology: Final = "cluster"

    def __init__(
        self,
        folder: Path,
        *,
        primaries: int = 3,
        node_timeout_ms: int = 1000,
        binary: EngineBinary | None = None,
        tls: Tls | None = None,
    ) -> None:
        self._folder = folder / "cluster"
        super().__init__(random_password())
        self._tls = tls
        self.announced: dict[str, int] = {}
        self._settings = {
            "appendonly": "yes",
            "appendfsync": "always",
            "cluster-node-timeout": str(node_timeout_ms),
            "cluster-require-full-coverage": "no",
        }
        self._buses: dict[str, socket.socket] = {}
        binary = binary or locate()
        self.atomic = binary.name == "valkey" and binary.version >= (9, 0, 0)
        names = [f"{kind}{n}" for kind in ("primary", "replica") for n in range(1, primaries + 1)]
        self._engines = [
            EngineProc(name, self._folder / name, binary, "", password=self.password, tls=tls)
            for name in names
        ]
        self._count = primaries
        self._ids: dict[str, EngineProc] = {}

    @property
    def url(self) -> str:
        """See the protocol; three nodes lead to all."""
        nodes = ",".join(f"{_HOST}:{self._port(engine)}" for engine in self._engines[:3])
        scheme, more = ("rediss", f"?{self._tls.option}") if self._tls else ("redis", "")
        return f"{scheme}+cluster://:{self.password}@{nodes}{more}"

    @property
    def engines(self) -> Sequence[EngineProc]:
        """See the protocol."""
        return self._engines

    @property
    def settings(self) -> Mapping[str, str]:
        """See the protocol."""
        return self._settings

    async def start(self) -> None:
        """See the protocol."""
        for engine in self._engines:
            engine.configuration = self._told(engine)
            await engine.start(wait=False)
        await asyncio.gather(*(engine.ready() for engine in self._engines))
        await self._join()
        await self.whole()

    async def stop(self) -> None:
        """See the protocol."""
        await asyncio.gather(*(engine.release() for engine in self._engines))
        for bus in self._buses.values():
            bus.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def failover(self) -> None:
        """The first replica takes over from its primary."""
        for engine in self._engines:
            if await self._is_replica(engine):
                await self.ask(engine, "CLUSTER", "FAILOVER")

                async def over(engine: EngineProc = engine) -> bool:
                    return not await self._is_replica(engine)

                await until(over, what=f"{engine.name} taking over")
                return
        raise EngineUnsuitable("No replica of the cluster answers.")

    # Beyond the protocol

    async def whole(self) -> None:
        """Wait until everybody runs, agrees, and every primary has its replica."""

        async def is_whole() -> bool:
            said = await asyncio.gather(*(self._is_content(engine) for engine in self._engines))
            return all(said)

        await until(is_whole, what="the whole cluster")

    async def owner(self, slot: int) -> EngineProc:
        """See SlotMoves: as the first engine says that answers."""
        for engine in self._engines:
            if not engine.running:
                continue
            try:
                ranges = await self.ask(engine, "CLUSTER", "SLOTS")
            except (RedisError, OSError, BatonboxError):
                continue
            for first, last, primary, *_ in ranges:
                if first <= slot <= last:
                    return self._ids[primary[2].decode()]
        raise EngineUnsuitable(f"Nobody serves slot {slot}.")

    async def primaries(self) -> list[EngineProc]:
        """See SlotMoves."""
        running = [engine for engine in self._engines if engine.running]
        replicas = await asyncio.gather(*(self._is_replica(engine) for engine in running))
        return [engine for engine, replica in zip(running, replicas, strict=True) if not replica]

    async def replica_of(self, primary: EngineProc) -> EngineProc:
        """The replica of a primary that runs."""
        told = (await self._info(primary))["slave0"]
        port = int(dict(part.split("=") for part in told.split(","))["port"])
        return next(engine for engine in self._engines if engine.port == port)

    async def ask(self, engine: EngineProc, *args: Argument) -> Any:
        """See SlotMoves."""
        connection = await open_connection(engine.url, timeout_s=_REPLY_TIMEOUT_S)
        try:
            async with asyncio.timeout(_REPLY_TIMEOUT_S):
                return await request(connection, *args)
        finally:
            await close_connection(connection)

    def id_of(self, engine: EngineProc) -> str:
        """See SlotMoves."""
        return next(name for name, known in self._ids.items() if known is engine)

    def _told(self, engine: EngineProc) -> str:
        """The configuration of an engine that has not been started yet."""
        bus = self._buses[engine.name] = reserve_port()
        told = {
            **self._settings,
            "cluster-port": bus.getsockname()[1],
            "cluster-announce-bus-port": bus.getsockname()[1],
            "requirepass": self.password,
            "masterauth": self.password,
        }
        if engine.name in self.announced:
            told["cluster-announce-port"] = self.announced[engine.name]
        if self._tls:
            told["tls-cluster"] = "yes"
        return _CONFIGURATION + "".join(f"{name} {value}\n" for name, value in told.items())

    def _port(self, engine: EngineProc) -> int:
        return self.announced.get(engine.name, engine.port)

    async def _join(self) -> None:
        engines, count = self._engines, self._count
        ids = await asyncio.gather(*(self.ask(engine, "CLUSTER", "MYID") for engine in engines))
        self._ids = {name.decode(): engine for name, engine in zip(ids, engines, strict=True)}
        for n, engine in enumerate(engines[:count]):
            first, last = n * SLOTS // count, (n + 1) * SLOTS // count - 1
            await self.ask(engine, "CLUSTER", "ADDSLOTSRANGE", first, last)
        for n, engine in enumerate(engines, 1):
            await self.ask(engine, "CLUSTER", "SET-CONFIG-EPOCH", n)
        # Everybody meets everybody: by hearsay it would take a second.
        for one, other in itertools.combinations(engines, 2):
            bus = self._buses[other.name].getsockname()[1]
            await self.ask(one, "CLUSTER", "MEET", _HOST, self._port(other), bus)
        for primary, replica in zip(engines[:count], engines[count:], strict=True):

            async def follows(one: EngineProc = primary, other: EngineProc = replica) -> bool:
                try:
                    await self.ask(other, "CLUSTER", "REPLICATE", self.id_of(one))
                except RedisError:
                    return False  # they have not met yet
                return True

            await until(follows, what=f"{replica.name} knowing {primary.name}")

    async def _is_content(self, engine: EngineProc) -> bool:
        if not engine.running:
            return False
        try:
            told = await self._info(engine)
            cluster = _fields(await self.ask(engine, "CLUSTER", "INFO"))
        except (RedisError, OSError, BatonboxError):
            return False
        if cluster["cluster_state"] != "ok" or int(cluster["cluster_known_nodes"]) != len(
            self._ids
        ):
            return False
        if cluster["cluster_slots_ok"] != str(SLOTS):
            return False
        if told["role"] == "slave":
            return told["master_link_status"] == "up"
        return int(told["connected_slaves"]) >= 1

    async def _is_replica(self, engine: EngineProc) -> bool:
        try:
            return (await self._info(engine))["role"] == "slave"
        except (RedisError, OSError, BatonboxError):
            return False

    def mate(self, engine: EngineProc) -> EngineProc:
        """See SlotMoves."""
        return self._engines[(self._engines.index(engine) + self._count) % len(self._engines)]

    async def _info(self, engine: EngineProc) -> dict[str, str]:
        return _fields(await self.ask(engine, "INFO", "replication"))


def _fields(info: bytes) -> dict[str, str]:
    return dict(line.split(":", 1) for line in info.decode().splitlines() if ":" in line)
