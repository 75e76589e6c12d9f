"""Faults of what engines keep: memory full, disk full, an older append-only file come back."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar, Final

from batonbox_server.torture.sites.base import EngineProc
from batonbox_server.torture.stage import Stage, asked

from .base import Nemesis

__all__ = ["DiskFull", "MemoryFull", "OldFile"]

_STANDALONE: Final = frozenset({"standalone"})
_AOF: Final = "appendonlydir"
_ROOM_BYTES: Final = 4096  # that the file may still grow


class _Standalone(Nemesis):
    topologies: ClassVar[frozenset[str]] = _STANDALONE
    engine: EngineProc | None = None

    @classmethod
    def impossible(cls, stage: Stage) -> str:
        """See Nemesis."""
        return super().impossible(stage) or ("" if stage.own else "the engine is not ours")

    def _take(self) -> str:
        (engine,) = self.stage.site.engines
        target = self.take([engine.name])
        self.engine = engine if target else None
        return target


class MemoryFull(Nemesis):
    """`maxmemory` is what the engines use already: they refuse whatever would take more."""

    name: ClassVar[str] = "memory-full"

    @classmethod
    def impossible(cls, stage: Stage) -> str:
        """See Nemesis."""
        return super().impossible(stage) or ("" if stage.own else "the engine is not ours")

    async def begin(self) -> str:
        """See Nemesis."""
        target = self.take(["memory"])
        if target:
            await self._limit([e for e in self.stage.site.engines if e.running], "1mb")
        return target

    async def end(self) -> None:
        """See Nemesis: again and again, until every engine has heard it, those that are down, too.

        Sentinels let engines write down the settings they have; one that starts with what was
        written meanwhile would be full again once it is the primary.
        """
        while not await self._limit(self.stage.site.engines, "0"):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.1)
        for engine in self.stage.site.engines:
            await asked(engine.url, "CONFIG", "REWRITE")  # refused where there is no file

    async def _limit(self, engines: Iterable[EngineProc], most: str) -> bool:
        told = [await asked(engine.url, "CONFIG", "SET", "maxmemory", most) for engine in engines]
        return all(answer is not None for answer in told)


class DiskFull(_Standalone):
    """The engine's files may not grow any more; it ends rather than acknowledge what it cannot
    keep, and is started again when there is room.
    """

    name: ClassVar[str] = "disk-full"

    @classmethod
    def impossible(cls, stage: Stage) -> str:
        """See Nemesis."""
        if sys.platform != "linux":
            return "needs prlimit(2)"
        return super().impossible(stage)

    async def begin(self) -> str:
        """See Nemesis."""
        target = self._take()
        if self.engine is not None:
            size = max((f.stat().st_size for f in _files(self.engine)), default=0)
            _limit_files(self.engine.pid, size + _ROOM_BYTES)
        return target

    async def end(self) -> None:
        """See Nemesis."""
        if self.engine is None:
            return
        self.detail = {"ended": not self.engine.running}
        if self.engine.running:
            _limit_files(self.engine.pid, resource.RLIM_INFINITY)
            await asyncio.sleep(0.1)
        if not self.engine.running:
            await self.engine.start()


class OldFile(_Standalone):
    """The engine comes back with its append-only file as it was at the beginning.

    What was acknowledged since is lost: that has to be detected, and told.
    """

    name: ClassVar[str] = "old-file"
    copy: Path | None = None

    async def begin(self) -> str:
        """See Nemesis."""
        target = self._take()
        if self.engine is not None:
            self.detail = {"may_lose": True}
            self.copy = self.engine.folder / "older"
            await asyncio.to_thread(_copied, self.engine.folder / _AOF, self.copy)
        return target

    async def end(self) -> None:
        """See Nemesis."""
        if self.engine is None or self.copy is None:
            return
        await self.engine.kill()
        await asyncio.to_thread(_replaced, self.engine.folder / _AOF, self.copy)
        await self.engine.start()


def _files(engine: EngineProc) -> list[Path]:
    return [path for path in (engine.folder / _AOF).iterdir() if path.is_file()]


def _limit_files(pid: int, most: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)  # type: ignore[attr-defined, unused-ignore]
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, hard))  # type: ignore[attr-defined, unused-ignore]


def _copied(source: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)


def _replaced(target: Path, source: Path) -> None:
    shutil.rmtree(target)
    source.rename(target)
