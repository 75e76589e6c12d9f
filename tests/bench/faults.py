"""Set-ups of engines, and what happens to them while somebody writes; see `lost.py`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from batonbox_server.engine import locate
from batonbox_server.store.durable_port import Level
from batonbox_server.torture.sites.base import EngineProc, Site, random_password
from batonbox_server.torture.sites.cluster import ClusterSite
from batonbox_server.torture.sites.sentinel import SentinelSite
from tests.pair import Pair, info, paired

__all__ = ["SETUPS", "Setup"]

_CUT_OFF_S: Final = 5.0
_FROZEN_S: Final = 5.0
_DOWN_S: Final = 5.0
_ONE: Final = """\
save ""
appendonly yes
appendfsync {}
maxmemory-policy noeviction
requirepass {}
"""
_PAIR: Final = """\
appendonly yes
appendfsync always
min-replicas-to-write {}
min-replicas-max-lag 2
"""


@dataclass(frozen=True, slots=True)
class Setup:
    """`site(folder)` runs it, and has a `url`; each fault is over when it returns, or soon."""

    name: str
    site: Callable[[Path], AbstractAsyncContextManager[Any]]
    levels: Sequence[Level]
    faults: Mapping[str, Callable[[Any], Awaitable[None]]]


# One engine


@asynccontextmanager
async def _one(folder: Path, *, fsync: str) -> AsyncIterator[EngineProc]:
    password, synced = random_password(), folder / "synced"
    synced.mkdir()
    library = folder / "synced.so"
    source = Path(__file__).with_name("synced.c")
    command = ["cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"]
    compiler = await asyncio.create_subprocess_exec(*command)
    assert await compiler.wait() == 0, command
    told = _ONE.format(fsync, password)
    engine = EngineProc("engine", folder / "engine", locate(), told, password=password)
    os.environ |= {"LD_PRELOAD": str(library), "SYNCED_DIR": str(synced)}
    try:
        await engine.start()
    finally:
        del os.environ["LD_PRELOAD"], os.environ["SYNCED_DIR"]
    try:
        yield engine
    finally:
        await engine.release()


async def _killed(engine: EngineProc) -> None:
    await engine.kill()
    await engine.start()


async def _power_cut(engine: EngineProc) -> None:
    """What the disk was never told to keep is gone, as a machine may lose it."""
    await engine.kill()
    synced = engine.folder.parent / "synced"
    for file in (engine.folder / "appendonlydir").glob("*.aof"):
        known = synced / file.name
        if known.exists():
            os.truncate(file, int(known.read_text()))
        elif ".incr." in file.name:
            os.truncate(file, 0)
    await engine.start()


# A primary and its replica, and an operator


async def _taken_over(pair: Pair) -> None:
    await pair.primary.kill()
    await pair.promote()
    pair.lead_to(pair.replica)
    await pair.rejoin()


async def _split(pair: Pair) -> None:
    """The primary goes on alone for a while, as one that is cut off from all others does."""
    pair.wire.hold()
    pair.replica.freeze()
    await asyncio.sleep(_CUT_OFF_S)
    await pair.primary.kill()
    pair.wire.closed = True
    pair.wire.cut()  # and what it held with it
    pair.replica.thaw()
    await _taken_over(pair)


# Several that look after themselves


@asynccontextmanager
async def _running(make: Callable[[Path], Site], folder: Path) -> AsyncIterator[Site]:
    site = make(folder)
    try:
        await site.start()
        yield site
    finally:
        await site.stop()


async def _primary(site: Site) -> EngineProc:
    for engine in site.engines:
        if (await info(engine))["role"] == "master":
            return engine
    raise AssertionError("there is no primary")


async def _primary_killed(site: Site) -> None:
    engine = await _primary(site)
    await engine.kill()
    await asyncio.sleep(_DOWN_S)
    await engine.start()


async def _primary_frozen(site: Site) -> None:
    engine = await _primary(site)
    engine.freeze()
    await asyncio.sleep(_FROZEN_S)
    engine.thaw()


_ALONE: Final[Mapping[str, Callable[[Any], Awaitable[None]]]] = {
    "kill -9": _killed,
    "power cut": _power_cut,
}
_WATCHED: Final[Mapping[str, Callable[[Any], Awaitable[None]]]] = {
    "kill -9 of the primary": _primary_killed,
    f"primary frozen for {_FROZEN_S:g} s": _primary_frozen,
}
_LED: Final[Mapping[str, Callable[[Any], Awaitable[None]]]] = {
    "kill -9, replica promoted": _taken_over,
    f"cut off for {_CUT_OFF_S:g} s, replica promoted": _split,
}
SETUPS: Final[Sequence[Setup]] = (
    Setup("one, `always`", partial(_one, fsync="always"), ("memory", "fsync"), _ALONE),
    Setup("one, `everysec`", partial(_one, fsync="everysec"), ("memory",), _ALONE),
    Setup(
        "pair, no guard",
        lambda folder: paired(folder, settings=_PAIR.format(0)),
        ("memory", "replica", "fsync"),
        _LED,
    ),
    Setup(
        "pair, `min-replicas-to-write 1`",
        lambda folder: paired(folder, settings=_PAIR.format(1)),
        ("memory", "replica"),
        _LED,
    ),
    Setup(
        "Sentinel 1 + 2, no guard",
        partial(_running, partial(SentinelSite, min_replicas=0)),
        ("memory", "replica"),
        _WATCHED,
    ),
    Setup(
        "Sentinel 1 + 2, `min-replicas-to-write 1`",
        partial(_running, SentinelSite),
        ("memory", "replica"),
        _WATCHED,
    ),
    Setup("Cluster 3 + 3", partial(_running, ClusterSite), ("memory", "replica"), _WATCHED),
)
