"""A cluster: primaries with a replica each, and slots that move between them."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from redis.exceptions import RedisError

from batonbox_server.engine.locate import EngineBinary, locate
from batonbox_server.errors import BatonboxError, EngineUnsuitable
from batonbox_server.store.cluster_map import SLOTS
from batonbox_server.store.resp import Argument, close_connection, open_connection, request

from .base import EngineProc, Tls, random_password, reserve_port

__all__ = ["ClusterSite"]

_HOST: Final = "127.0.0.1"
_POLL_S: Final = 0.02
_TIMEOUT_S: Final = 30.0
_REPLY_TIMEOUT_S: Final = 5.0
_KEYS_AT_ONCE: Final = 100
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


class ClusterSite:
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
        self._password = random_password()
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
            EngineProc(name, self._folder / name, binary, "", password=self._password, tls=tls)
            for name in names
        ]
        self._count = primaries
        self._ids: dict[str, EngineProc] = {}
        self._moves: dict[int, EngineProc] = {}  # begun and not ended: the slot, and where to

    @property
    def url(self) -> str:
        """See the protocol; three nodes lead to all."""
        nodes = ",".join(f"{_HOST}:{self._port(engine)}" for engine in self._engines[:3])
        scheme, more = ("rediss", f"?{self._tls.option}") if self._tls else ("redis", "")
        return f"{scheme}+cluster://:{self._password}@{nodes}{more}"

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

                await _until(over, what=f"{engine.name} taking over")
                return
        raise EngineUnsuitable("No replica of the cluster answers.")

    # Beyond the protocol

    async def whole(self) -> None:
        """Wait until everybody runs, agrees, and every primary has its replica."""

        async def is_whole() -> bool:
            said = await asyncio.gather(*(self._is_content(engine) for engine in self._engines))
            return all(said)

        await _until(is_whole, what="the whole cluster")

    async def owner(self, slot: int) -> EngineProc:
        """The primary that serves a slot, as the first engine says that answers."""
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
        """Those that run and are no replicas."""
        running = [engine for engine in self._engines if engine.running]
        replicas = await asyncio.gather(*(self._is_replica(engine) for engine in running))
        return [engine for engine, replica in zip(running, replicas, strict=True) if not replica]

    async def replica_of(self, primary: EngineProc) -> EngineProc:
        """The replica of a primary that runs."""
        told = (await self._info(primary))["slave0"]
        port = int(dict(part.split("=") for part in told.split(","))["port"])
        return next(engine for engine in self._engines if engine.port == port)

    async def migrate(self, slot: int, to: EngineProc, *, atomic: bool = False) -> None:
        """Move a slot to another primary, key by key, or all at once where the engine can."""
        if slot in self._moves:
            await self.finish_moves()
        if await self.owner(slot) is to:
            return
        if not atomic:
            async with self.moving(slot, to) as move_keys:
                await move_keys()
            return
        here = await self.owner(slot)
        await self.ask(
            here, "CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", self.id_of(to)
        )

        async def moved() -> bool:
            said = await asyncio.gather(*(self.ask(e, "CLUSTER", "SLOTS") for e in (here, to)))
            theirs = self.id_of(to).encode()
            return all(
                primary[2] == theirs
                for ranges in said
                for first, last, primary, *_ in ranges
                if first <= slot <= last
            )

        await _until(moved, what=f"slot {slot} at {to.name}")

    @asynccontextmanager
    async def moving(
        self, slot: int, to: EngineProc
    ) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """A slot on its way, key by key: it belongs to `to` in the end. Yields what moves the keys
        that are left."""
        self._moves[slot] = to
        here = await self.owner(slot)
        await self.ask(to, "CLUSTER", "SETSLOT", slot, "IMPORTING", self.id_of(here))
        await self.ask(here, "CLUSTER", "SETSLOT", slot, "MIGRATING", self.id_of(to))

        async def move_keys() -> None:
            while keys := await self.ask(here, "CLUSTER", "GETKEYSINSLOT", slot, _KEYS_AT_ONCE):
                await self.ask(
                    here, "MIGRATE", _HOST, to.port, "", 0, 5000, "REPLACE", "AUTH", self._password,
                    "KEYS", *keys,
                )  # fmt: skip

        yield move_keys
        await move_keys()
        await self._give(slot, to, here)

    async def finish_moves(self) -> None:
        """Carry on where a move was interrupted, to whoever took over from where it went.

        Until then some keys are here and some there, and the slot serves no functions.
        """

        async def finished() -> bool:
            for slot, to in list(self._moves.items()):
                try:
                    primaries = await self.primaries()
                    now = to if to in primaries else self._mate(to)
                    if await self.owner(slot) is now:
                        await self._give(slot, now)
                        continue
                    async with self.moving(slot, now) as move_keys:
                        await move_keys()
                except (RedisError, OSError, BatonboxError):
                    return False
            return True

        await _until(finished, what="interrupted moves of slots")

    async def ask(self, engine: EngineProc, *args: Argument) -> Any:
        """One command to one engine, over a connection of its own."""
        connection = await open_connection(engine.url, timeout_s=_REPLY_TIMEOUT_S)
        try:
            async with asyncio.timeout(_REPLY_TIMEOUT_S):
                return await request(connection, *args)
        finally:
            await close_connection(connection)

    def id_of(self, engine: EngineProc) -> str:
        """What the cluster calls it."""
        return next(name for name, known in self._ids.items() if known is engine)

    def _told(self, engine: EngineProc) -> str:
        """The configuration of an engine that has not been started yet."""
        bus = self._buses[engine.name] = reserve_port()
        told = {
            **self._settings,
            "cluster-port": bus.getsockname()[1],
            "cluster-announce-bus-port": bus.getsockname()[1],
            "requirepass": self._password,
            "masterauth": self._password,
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

            await _until(follows, what=f"{replica.name} knowing {primary.name}")

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

    async def _give(self, slot: int, to: EngineProc, *first: EngineProc) -> None:
        """Whoever gets it is told first, and who gave it next: it is never nobody's."""
        others = [engine for engine in await self.primaries() if engine not in (to, *first)]
        for engine in (to, *first, *others):
            await self.ask(engine, "CLUSTER", "SETSLOT", slot, "NODE", self.id_of(to))
        del self._moves[slot]

    def _mate(self, engine: EngineProc) -> EngineProc:
        """The other engine of a primary and its replica, whichever is which now."""
        return self._engines[(self._engines.index(engine) + self._count) % len(self._engines)]

    async def _info(self, engine: EngineProc) -> dict[str, str]:
        return _fields(await self.ask(engine, "INFO", "replication"))


def _fields(info: bytes) -> dict[str, str]:
    return dict(line.split(":", 1) for line in info.decode().splitlines() if ":" in line)


async def _until(holds: Callable[[], Awaitable[bool]], *, what: str) -> None:
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            while not await holds():  # noqa: ASYNC110
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        raise EngineUnsuitable(f"Waited {_TIMEOUT_S} s in vain for {what}.") from None
