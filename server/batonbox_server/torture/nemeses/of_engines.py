"""Faults of the engines: they die, stand still, forget, or let another one take over."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, ClassVar, Final

from batonbox_server.errors import BatonboxError
from batonbox_server.torture.sites.base import EngineProc
from batonbox_server.torture.stage import Stage, asked

from .base import Nemesis

__all__ = ["EngineFreeze", "EngineKill", "Failover", "FunctionFlush", "SubscriptionKill"]

_LONGEST_FREEZE_S: Final = 15.0
_OFTEN_S: Final = 0.1
_FLUSH_EVERY_S: Final = 0.5


class _OfEngine(Nemesis):
    engine: EngineProc | None = None

    @classmethod
    def impossible(cls, stage: Stage) -> str:
        """See Nemesis."""
        if not stage.own:
            return "the engine's process is not ours"
        return super().impossible(stage)

    async def _primary(self) -> str:
        found = {engine.name: engine for engine in await self.stage.primaries()}
        self.detail = _replaced(self.stage)
        target = self.take(sorted(found))
        self.engine = found.get(target)
        return target


class EngineKill(_OfEngine):
    """kill -9 of a primary; it is started again at the end."""

    name: ClassVar[str] = "engine-kill"

    async def begin(self) -> str:
        """See Nemesis."""
        target = await self._primary()
        if self.engine is not None:
            await self.engine.kill()
        return target

    async def end(self) -> None:
        """See Nemesis."""
        if self.engine is not None:
            await self.engine.start()


class EngineFreeze(_OfEngine):
    """A primary is stopped (SIGSTOP) and goes on at the end, at most 15 s later."""

    name: ClassVar[str] = "engine-freeze"

    async def begin(self) -> str:
        """See Nemesis."""
        target = await self._primary()
        if self.engine is not None:
            self.engine.freeze()
        return target

    async def end(self) -> None:
        """See Nemesis."""
        if self.engine is not None:
            self.engine.thaw()


class Failover(Nemesis):
    """Another engine takes over in good order."""

    name: ClassVar[str] = "failover"
    topologies: ClassVar[frozenset[str]] = frozenset({"sentinel", "cluster"})

    @classmethod
    def impossible(cls, stage: Stage) -> str:
        """See Nemesis."""
        return super().impossible(stage) or ("" if stage.own else "the engines are not ours")

    async def begin(self) -> str:
        """See Nemesis."""
        target = self.take(["failover"])
        if target:
            self.detail = _replaced(self.stage)
            try:
                await self.stage.site.failover()
            except (BatonboxError, OSError, TimeoutError) as error:
                self.detail |= {"refused": str(error)[:200]}
        return target

    async def end(self) -> None:
        """See Nemesis."""


class _ByCommand(Nemesis):
    """One command to every engine, again and again."""

    command: ClassVar[tuple[str, ...]]
    every_s: ClassVar[float]
    done = 0

    @classmethod
    def impossible(cls, stage: Stage) -> str:
        """See Nemesis."""
        if not stage.own and stage.site.topology != "standalone":
            return "needs engines of its own, or a standalone one"
        return super().impossible(stage)

    async def begin(self) -> str:
        """See Nemesis."""
        target = self.take([self.name])
        if target:
            self.keep_doing(self._strike, every_s=self.every_s)
        return target

    async def _strike(self) -> None:
        told: list[Any] = []
        with contextlib.suppress(asyncio.TimeoutError):
            told = await asyncio.gather(
                *(asked(url, *self.command) for url in self.stage.engine_urls())
            )
        self.done += sum(answer is not None for answer in told)
        self.detail = {"times": self.done}

    async def end(self) -> None:
        """See Nemesis."""


class SubscriptionKill(_ByCommand):
    """Every 100 ms all pub/sub connections of the engine are closed."""

    name: ClassVar[str] = "subscription-kill"
    command: ClassVar[tuple[str, ...]] = ("CLIENT", "KILL", "TYPE", "pubsub")
    every_s: ClassVar[float] = _OFTEN_S


class FunctionFlush(_ByCommand):
    """Every 500 ms the engine forgets all functions."""

    name: ClassVar[str] = "function-flush"
    command: ClassVar[tuple[str, ...]] = ("FUNCTION", "FLUSH", "SYNC")
    every_s: ClassVar[float] = _FLUSH_EVERY_S


def _replaced(stage: Stage) -> dict[str, Any]:
    """Whoever takes over may lack what the one before told and had not sent on yet."""
    return {"may_lose": True} if len(stage.site.engines) > 1 else {}
