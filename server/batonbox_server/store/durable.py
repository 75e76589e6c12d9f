"""Durability levels over an engine: what it can promise, and waiting until it has kept it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final

import structlog

from batonbox_server.errors import BatonboxError, Refused
from batonbox_server.store.durable_port import LEVELS, Level, Since
from batonbox_server.store.engine import Engine
from batonbox_server.store.keys import Keys
from batonbox_server.store.lane import Need
from batonbox_server.store.sight import Sight
from batonbox_server.tasks import cancel_all, spawn

__all__ = ["Durable"]

_log = structlog.get_logger(__name__)
_LOOK_S: Final = 5.0
_NO_REPLICAS: Final = "dur: this engine has no replicas to wait for; say memory or fsync."
_NO_FILE: Final = (
    "dur: this engine keeps no append-only file (appendonly no); say memory or replica."
)
_NOT_ALWAYS: Final = (
    "dur: fsync needs an engine with appendfsync always, where CONFIG GET says so; say memory or"
    " replica."
)
_TOO_OLD: Final = "dur: fsync needs Redis or Valkey 7.2 or newer; say memory or replica."
_UNKNOWN: Final = f"dur: one of {', '.join(LEVELS)}."


class Durable:
    """Implements `store.durable_port.Durability`.

    `default` is the level of commands that ask for none, `least` what none falls below; `replicas`
    have to have a write (0: replicas are never waited for); `within_ms` is how long.  `expected`:
    the engine's set-up has replicas, whether or not one is there now; else they are expected from
    when the first one has been seen.

    Raises ValueError: no such level.
    """

    def __init__(
        self,
        client: Engine,
        *,
        keys: Keys,
        default: str = "memory",
        least: str = "memory",
        replicas: int = 1,
        within_ms: int = 2000,
        expected: bool = False,
    ) -> None:
        self._client = client
        self._keys = keys
        self._default = _known(default)
        self._least = _known(least)
        self._replicas = replicas
        self._within_ms = within_ms
        self._expected = expected
        self._sight = Sight()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._confirmed = self._unconfirmed = 0

    async def open(self) -> None:
        """Look at the engine, and again now and then; it is connected already."""
        await self._look()
        spawn(self._tasks, self._keep_looking(), name="durability")

    async def aclose(self) -> None:
        """Look no more."""
        await cancel_all(self._tasks)

    @property
    def counts(self) -> dict[str, float]:
        """How many writes were confirmed, and how many were not."""
        return {"durable_confirmed": self._confirmed, "durable_unconfirmed": self._unconfirmed}

    def level(self, asked: str | None) -> Level:
        """See the port."""
        wanted = self._default if asked is None else _told(asked)
        if wanted == self._least == "memory":
            return wanted
        level = max(wanted, self._least, key=LEVELS.index)
        lack = self._lack(level)
        if lack:
            raise Refused("bad_request", lack)
        return level

    @property
    def own(self) -> Level:
        """See the port."""
        replica: Level = "replica" if self._has_replicas else "memory"
        least: Level = "memory" if self._lack(self._least) else self._least
        return max(replica, least, key=LEVELS.index)

    def since(self) -> Since:
        """See the port."""
        return self._client.since()

    async def confirm(
        self,
        level: Level,
        since: Since,
        *,
        logs: Iterable[str] = (),
        number: str = "",
        organisation: bool = False,
    ) -> None:
        """See the port."""
        if level == "memory":
            return
        # A replica tells of its disk once a second; that it has something, at once.
        needs = [Need(self._replicas)] if self._has_replicas else []
        if level == "fsync":
            needs.append(Need(disk=True))
        prefixes = [self._keys.inbox(log) for log in logs]
        if number:
            prefixes.append(self._keys.number(number))
        if organisation:
            prefixes.append(self._keys.org)
        asked = (
            self._client.lasts(prefix, need, since=since, within_ms=self._within_ms)
            for prefix in prefixes
            for need in needs
        )
        if not all(await asyncio.gather(*asked)):
            self._unconfirmed += 1
            raise Refused("durability_timeout")
        self._confirmed += 1

    @property
    def _has_replicas(self) -> bool:
        return self._expected and self._replicas > 0

    def _lack(self, level: Level) -> str:
        """Why this engine cannot promise it, "" where it can."""
        if level == "replica" and not self._has_replicas:
            return _NO_REPLICAS
        if level != "fsync":
            return ""
        if not self._sight.knows_disk:
            return _TOO_OLD
        if not self._sight.append_only:
            return _NO_FILE
        # With `everysec` a WAITAOF confirms what a power cut then takes (docs/operations.md).
        return "" if self._sight.always else _NOT_ALWAYS

    async def _look(self) -> None:
        try:
            self._sight = await self._client.look()
        except BatonboxError as error:
            _log.warning("durability_unknown", error=str(error))
            return
        # Never unlearned: replicas that are away are what a failover loses writes by.
        self._expected = self._expected or self._sight.replicas > 0

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            await self._look()


def _told(asked: str) -> Level:
    for level in LEVELS:
        if asked == level:
            return level
    raise Refused("bad_request", _UNKNOWN)


def _known(name: str) -> Level:
    for level in LEVELS:
        if name == level:
            return level
    raise ValueError(f"{name!r} is no durability: it is one of {', '.join(LEVELS)}")
