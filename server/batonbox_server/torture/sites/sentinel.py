"""A primary with replicas, and sentinels that choose another when it fails."""

from __future__ import annotations

import asyncio
import secrets
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from redis.exceptions import RedisError

from batonbox_server.engine.configuration import COMMON
from batonbox_server.engine.locate import EngineBinary, locate
from batonbox_server.errors import BatonboxError, EngineUnsuitable

from .base import EngineProc, Tls, random_password

__all__ = ["SentinelSite"]

_HOST: Final = "127.0.0.1"
_SERVICE: Final = "batonbox"
_POLL_S: Final = 0.02
_WAIT_S: Final = 30.0
_ENGINE: Final = """\
repl-backlog-size 64mb
repl-diskless-sync-delay 0
"""
_SENTINEL: Final = f"""\
sentinel down-after-milliseconds {_SERVICE} 1000
sentinel failover-timeout {_SERVICE} 6000
sentinel parallel-syncs {_SERVICE} 2
"""


class SentinelSite:
    """See `base.Site`: a primary, two replicas and three sentinels, unless told otherwise.

    `min_replicas`: a primary that hears of fewer replicas takes no writes; 0: no such guard, and a
    primary that was cut off goes on.  `announced` tells others another port of an engine, by its
    name, such as a relay's: nodes, sentinels and replicas come by it.  `source`, for tests, is the
    address all of them connect from.
    """

    topology: Final = "sentinel"

    def __init__(
        self,
        folder: Path,
        *,
        binary: EngineBinary | None = None,
        replicas: int = 2,
        sentinels: int = 3,
        min_replicas: int = 1,
        source: str = "",
        tls: Tls | None = None,
    ) -> None:
        self._folder = folder
        self._source = source
        self._tls = tls
        self.announced: dict[str, int] = {}
        self._settings = {
            "appendonly": "yes",
            "appendfsync": "always",
            "min-replicas-to-write": str(min_replicas),
            "min-replicas-max-lag": "2",
        }
        binary, password, other = binary or locate(), random_password(), random_password()
        self._engines = [
            EngineProc(name, folder / name, binary, "", password=password, tls=tls)
            for name in (f"engine-{number}" for number in range(1, replicas + 2))
        ]
        self.sentinels = [
            EngineProc(
                name, folder / name, binary, "", password=other, options=["--sentinel"], tls=tls
            )
            for name in (f"sentinel-{number}" for number in range(1, sentinels + 1))
        ]
        self._healthy = sorted(
            [b"master", *replicas * [b"slave"], *(sentinels - 1) * [b"sentinel"]]
        )
        # Coordinated: the primary takes no more writes until its replica has all of them.
        self.coordinated = binary.name == "valkey" and binary.version >= (9, 0, 0)
        self._ids = [secrets.token_hex(20) for _ in self.sentinels]

    @property
    def url(self) -> str:
        """See the protocol."""
        places = ",".join(f"{_HOST}:{sentinel.port}" for sentinel in self.sentinels)
        password, other = self._engines[0].password, self.sentinels[0].password
        scheme, more = ("rediss", f"&{self._tls.option}") if self._tls else ("redis", "")
        at = f":{password}@{places}/{_SERVICE}"
        return f"{scheme}+sentinel://{at}?sentinel_password={other}{more}"

    @property
    def engines(self) -> Sequence[EngineProc]:
        """See the protocol; the first is the primary until there is a failover."""
        return self._engines

    @property
    def settings(self) -> Mapping[str, str]:
        """See the protocol."""
        return self._settings

    async def start(self) -> None:
        """See the protocol."""
        first, *others = self._engines
        self.configure()
        await first.start()
        await asyncio.gather(*(other.start() for other in others))
        await self._wait(lambda: self._linked(len(others)), "the replicas did not come")
        await asyncio.gather(*(sentinel.start() for sentinel in self.sentinels))
        await self._wait(self._watched, "the sentinels did not agree")

    def configure(self) -> None:
        """Say what each process is told at its first start; `start` does so too."""
        first, *others = self._engines
        told = "".join(
            f"{name} {value}\n" for name, value in self._settings.items() if name not in COMMON
        )
        bound = f"bind-source-addr {self._source}\n" if self._source else ""
        for engine in self._engines:
            words = f"requirepass {engine.password}\nmasterauth {engine.password}\n"
            told_of = f"replica-announce-ip {_HOST}\nreplica-announce-port {self._port(engine)}\n"
            follows = "" if engine is first else f"replicaof {_HOST} {self._port(first)}\n"
            engine.configuration = COMMON + _ENGINE + told + bound + words + told_of + follows
        for sentinel, own in zip(self.sentinels, self._ids, strict=True):
            # Told of each other and of the replicas they need not find out, which takes seconds.
            known = "".join(
                f"sentinel known-replica {_SERVICE} {_HOST} {self._port(other)}\n"
                for other in others
            ) + "".join(
                f"sentinel known-sentinel {_SERVICE} {_HOST} {other.port} {theirs}\n"
                for other, theirs in zip(self.sentinels, self._ids, strict=True)
                if other is not sentinel
            )
            quorum = len(self.sentinels) // 2 + 1
            sentinel.configuration = (
                f"{bound}requirepass {sentinel.password}\n"
                f"sentinel announce-ip {_HOST}\n"
                f"sentinel sentinel-pass {sentinel.password}\n"
                f"sentinel myid {own}\n"
                f"sentinel monitor {_SERVICE} {_HOST} {self._port(first)} {quorum}\n"
                f"sentinel auth-pass {_SERVICE} {first.password}\n"
                f"{_SENTINEL}{known}"
            )

    async def stop(self) -> None:
        """See the protocol."""
        every = [*self.sentinels, *self._engines]
        await asyncio.gather(*(process.release() for process in every))
        for process in every:
            shutil.rmtree(self._folder / process.name, ignore_errors=True)

    async def failover(self) -> None:
        """See the protocol; returns when most sentinels name another primary.

        Below Valkey 9 it may lose what the old primary took while its successor was promoted.
        """
        before = await self.primary()
        leader = await self._leader()
        how = ["COORDINATED"] if self.coordinated else []
        await leader.ask("SENTINEL", "FAILOVER", _SERVICE, *how)
        await self._wait(lambda: self._moved(before), "there was no failover")

    async def primary(self) -> EngineProc:
        """Whom most sentinels that answer name. Raises EngineUnsuitable: nobody of ours."""
        asked = [_named(sentinel) for sentinel in self.sentinels]
        ports = [port for port in await asyncio.gather(*asked) if port]
        if ports:
            named = max(ports, key=ports.count)
            for engine in self._engines:
                if named in (engine.port, self._port(engine)):
                    return engine
        raise EngineUnsuitable("The sentinels name no primary.")

    async def _leader(self) -> EngineProc:
        for sentinel in self.sentinels:
            if await _named(sentinel):
                return sentinel
        raise EngineUnsuitable("No sentinel answers.")

    def _port(self, engine: EngineProc) -> int:
        return self.announced.get(engine.name, engine.port)

    async def _linked(self, count: int) -> bool:
        said: bytes = await self._engines[0].ask("INFO", "replication")
        return said.count(b"state=online") >= count

    async def _watched(self) -> bool:
        """Every sentinel reaches all the others, and knows all engines: they could vote."""
        for sentinel in self.sentinels:
            seen = [await sentinel.ask("SENTINEL", "MASTER", _SERVICE)]
            for kind in ("REPLICAS", "SENTINELS"):
                seen += await sentinel.ask("SENTINEL", kind, _SERVICE)
            flags = [dict(zip(one[::2], one[1::2], strict=True))[b"flags"] for one in seen]
            if sorted(flags) != self._healthy:
                return False
        return True

    async def _moved(self, before: EngineProc) -> bool:
        return await self.primary() is not before

    async def _wait(self, done: Callable[[], Any], otherwise: str) -> None:
        deadline_s = asyncio.get_running_loop().time() + _WAIT_S
        while True:
            try:
                if await done():
                    return
            except (BatonboxError, RedisError, OSError):
                pass  # not yet
            if asyncio.get_running_loop().time() > deadline_s:
                raise EngineUnsuitable(f"The site is not as it has to be: {otherwise}.")
            await asyncio.sleep(_POLL_S)


async def _named(sentinel: EngineProc) -> int:
    """The port of the primary, 0 where the sentinel names none."""
    if not sentinel.running:
        return 0
    try:
        place = await sentinel.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", _SERVICE)
    except (BatonboxError, RedisError, OSError):
        return 0
    return int(place[1]) if place else 0
