"""Hundreds want one conversation while its slot moves between primaries, and while they die."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from batonbox_server.store.address import Address
from batonbox_server.store.cluster import ClusterClient
from batonbox_server.store.cluster_map import slot_of
from batonbox_server.store.keys import Keys
from batonbox_server.torture.sites.base import EngineProc
from batonbox_server.torture.sites.cluster import ClusterSite
from tests.chaos.processes import serving
from tests.chaos.test_race import judged, race

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]
SLOT = slot_of(Keys().inbox("sales"))


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[ClusterSite]:
    """A cluster of the test's own."""
    site = ClusterSite(tmp_path / "site")
    try:
        await site.start()
        yield site
    finally:
        await site.stop()


@asynccontextmanager
async def meanwhile(trouble: Callable[[], Awaitable[None]]) -> AsyncIterator[list[int]]:
    """Again and again; yields how often it was done."""
    done: list[int] = []

    async def again() -> None:
        while True:
            await trouble()
            done.append(len(done))

    troubling = asyncio.get_running_loop().create_task(again())
    try:
        yield done
        assert not troubling.done() or troubling.exception() is None
    finally:
        troubling.cancel()
        await asyncio.gather(troubling, return_exceptions=True)


@pytest.mark.parametrize("atomic", [False, True])
async def test_one_winner_each_while_the_slot_moves(
    tmp_path: Path, site: ClusterSite, *, atomic: bool
) -> None:
    async def move() -> None:
        here = await site.owner(SLOT)
        there = [engine for engine in await site.primaries() if engine is not here]
        await site.migrate(SLOT, random.choice(there), atomic=atomic)
        await asyncio.sleep(0.2)

    async with (
        serving(tmp_path / "data", outbox_sweep_s=5, redis_url=site.url) as server,
        meanwhile(move) as moves,
    ):
        report = await race(server, agents=50, conversations=200)
    print(f"{len(moves)} moves")
    assert len(moves) >= 3
    judged(report, conversations=200)


async def test_one_winner_each_while_primaries_die(tmp_path: Path, site: ClusterSite) -> None:
    async def kill() -> None:
        await asyncio.sleep(random.uniform(0.5, 1.5))
        dead = await site.owner(SLOT)
        await dead.kill()
        await asyncio.sleep(random.uniform(2.5, 4))
        await dead.start()
        await site.whole()

    async with (
        serving(tmp_path / "data", outbox_sweep_s=5, redis_url=site.url) as server,
        meanwhile(kill) as kills,
    ):
        report = await race(server, agents=50, conversations=400)
    print(f"{len(kills)} kills")
    assert len(kills) >= 1
    judged(report, conversations=400)


async def test_how_long_a_dead_primary_is_missed(site: ClusterSite) -> None:
    """Acknowledged writes survive, and only this primary's slots wait."""
    client = ClusterClient(Address.parse(site.url))
    await client.connect()
    outages: list[float] = []
    lost, acknowledged, other_errors = 0, 0, 0
    for n in range(10):
        key = f"{{{n}}}"
        dead = await site.owner(slot_of(key))
        other = next(k for k in map(str, range(99)) if client.map.owner(slot_of(k)) != (
            "127.0.0.1", dead.port))  # fmt: skip
        kept: list[bytes] = []
        longest_s, last_s = 0.0, time.monotonic()
        loop = asyncio.get_running_loop()
        killing = loop.create_task(_kill(dead))
        end_s = time.monotonic() + 6
        while time.monotonic() < end_s:
            value = b"%d" % len(kept)
            try:
                await client.execute("RPUSH", f"{key}:kept", value)
                kept.append(value)
                longest_s = max(longest_s, time.monotonic() - last_s)
                last_s = time.monotonic()
            except Exception:
                await asyncio.sleep(0.01)
            try:
                await client.execute("SET", other, value)
            except Exception:
                other_errors += 1
        await killing
        there = set(await client.execute("LRANGE", f"{key}:kept", 0, -1))
        lost += len(set(kept) - there)
        acknowledged += len(kept)
        outages.append(longest_s)
        await dead.start()
        await site.whole()
    outages.sort()
    print(f"kill -9 of a primary x{len(outages)}: outage {outages[0]:.2f} to {outages[-1]:.2f} s, "
          f"median {outages[len(outages) // 2]:.2f}; acknowledged {acknowledged}, lost {lost}; "
          f"errors on other slots {other_errors}")  # fmt: skip
    assert outages[-1] < 6
    assert other_errors == 0
    await client.aclose()


async def _kill(dead: EngineProc) -> None:
    await asyncio.sleep(0.5)
    await dead.kill()
