"""A primary cut off from replicas and sentinels goes on taking writes, which are lost later.

What matters is that the loss is bounded, and that whoever was told "done" is told that it is not.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from redis.exceptions import RedisError

from batonbox import Client, Resync
from batonbox_server.errors import BatonboxError
from batonbox_server.torture.sites.base import EngineProc
from batonbox_server.torture.sites.sentinel import SentinelSite
from tests.noting import Noting, notes, noting
from tests.relay import Cutter, Wall, relaying
from tests.served import served
from tests.support import eventually

# Another address of loopback, so that a relay can tell the site's own connections from a node's.
INSIDE = "127.0.0.2"
PAUSE_S = 0.05
SPLIT_S = 8.0
SOON_S = 60.0


@dataclass
class Split:
    """What came of it: numbers of notes, and seconds."""

    acknowledged: set[int] = field(default_factory=set)
    during: set[int] = field(default_factory=set)
    """Those acknowledged while the site was split."""
    lost: set[int] = field(default_factory=set)
    reported: set[int] = field(default_factory=set)
    refused: int = 0
    reasons: list[str] = field(default_factory=list)


async def split(folder: Path, space: str, *, min_replicas: int, node_too: bool) -> Split:
    """Cut the primary off for SPLIT_S after its successor was chosen, and look what is left.

    `node_too`: the node is on the primary's side, and reaches no sentinel either.
    """
    found = Split()
    async with AsyncExitStack() as stack:
        site = SentinelSite(folder, min_replicas=min_replicas, source=INSIDE)
        stack.push_async_callback(site.stop)
        primary = site.engines[0]
        wall = Wall(primary.port, source=INSIDE)
        site.announced[primary.name] = await stack.enter_async_context(relaying(wall))
        sides: list[Cutter] = [wall]
        url = site.url
        for sentinel in site.sentinels if node_too else []:
            relay = Cutter(sentinel.port)
            port = await stack.enter_async_context(relaying(relay))
            url = url.replace(f":{sentinel.port}", f":{port}")
            sides.append(relay)
        await site.start()
        node = await stack.enter_async_context(served(url, space))
        client = await stack.enter_async_context(await node.sdk("agent1"))
        writer = await noting(node, client, pause_s=PAUSE_S)
        group = await stack.enter_async_context(asyncio.TaskGroup())
        watching = group.create_task(_resyncs(client, writer, found))
        writing = group.create_task(writer.run())
        await eventually(lambda: len(writer.acknowledged) >= 20, timeout_s=SOON_S)
        for side in sides:
            side.hold()
        before = set(writer.acknowledged)
        async with asyncio.timeout(SOON_S):
            while await site.primary() is primary:
                await asyncio.sleep(0.05)
        await asyncio.sleep(SPLIT_S)
        found.during = set(writer.acknowledged) - before
        for side in sides:
            side.release()
        async with asyncio.timeout(SOON_S):
            while not await _is_replica(primary):
                await asyncio.sleep(0.05)
        await _goes_on(writer)
        writing.cancel()
        await asyncio.wait([writing])
        found.acknowledged, found.refused = set(writer.acknowledged), writer.refused
        found.lost = found.acknowledged - await notes(client, writer.conv.id)
        await eventually(
            lambda: found.reported >= found.lost, timeout_s=SOON_S, what="the report of every loss"
        )
        watching.cancel()
    print(
        f"min-replicas-to-write {min_replicas}, node {'cut off too' if node_too else 'outside'}: "
        f"{len(found.during)} acknowledged during the split, {len(found.lost)} lost, "
        f"{len(found.reported)} reported, {found.refused} refused ({', '.join(found.reasons)})"
    )
    return found


async def _resyncs(client: Client, writer: Noting, found: Split) -> None:
    numbers = {writer.key(number): number for number in range(10_000)}
    async with client.events(Resync, inbox="sales") as stream:
        async for resync in stream:
            assert isinstance(resync, Resync)
            found.reasons.append(resync.reason)
            found.reported |= {numbers[write.cid] for write in resync.lost}


async def _is_replica(engine: EngineProc) -> bool:
    try:
        role = await engine.ask("ROLE")
    except (BatonboxError, RedisError, OSError):
        return False  # clients are sent away while it changes
    return bool(role[0] == b"slave")


async def _goes_on(writer: Noting) -> None:
    """Return once a command that began now was acknowledged, and some more."""
    since = len(writer.acknowledged)
    await eventually(
        lambda: len(writer.acknowledged) > since + 20, timeout_s=SOON_S, what="writes after it"
    )


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("min_replicas", [0, 1])
async def test_a_node_that_reaches_the_sentinels_leaves_the_old_primary(
    tmp_path: Path, prefix: str, min_replicas: int
) -> None:
    found = await split(tmp_path, prefix, min_replicas=min_replicas, node_too=False)
    assert found.reported == found.lost
    # The sentinels took their time, then the node looked: at 20 notes a second, far below all.
    assert len(found.lost) < SPLIT_S / PAUSE_S / 2


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_a_node_on_the_wrong_side_reports_what_is_lost(tmp_path: Path, prefix: str) -> None:
    found = await split(tmp_path, prefix, min_replicas=0, node_too=True)
    # Without the guard everything that was acknowledged meanwhile is lost, and every bit is told.
    assert len(found.lost) >= len(found.during) - 1
    assert len(found.lost) > 20
    assert found.reported == found.lost
    assert "fork" in found.reasons


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_the_guard_bounds_what_is_lost(tmp_path: Path, prefix: str) -> None:
    found = await split(tmp_path, prefix, min_replicas=1, node_too=True)
    # A black hole is noticed after min-replicas-max-lag (2 s) and its rounding.
    assert len(found.lost) <= 4 / PAUSE_S
    assert found.reported == found.lost
    assert found.refused > 0
