"""Hundreds want the same conversation, and the server or its engine is killed meanwhile."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.processes import Server, batonbox, serving

SMALL = {"agents": 30, "conversations": 150}
BIG = {"agents": 200, "conversations": 100}


async def race(
    server: Server, *, agents: int, conversations: int, kill: str = "", kills: int = 0
) -> dict[str, Any]:
    """Run `batonbox race`; kill `server` or `engine` at seeded random moments while it races."""
    token = await server.token()
    process = await batonbox(
        "race", "--json", "--agents", str(agents), "--conversations", str(conversations),
        url=server.url, token=token,
    )  # fmt: skip
    assert process.stdout is not None
    rng = random.Random(20)
    killed = 0
    lines = []
    racing = asyncio.Event()

    async def watch() -> None:
        assert process.stderr is not None
        async for line in process.stderr:
            lines.append(line.decode().strip())
            if "inbound" in lines[-1]:
                racing.set()

    watching = asyncio.get_running_loop().create_task(watch())
    await asyncio.wait_for(racing.wait(), 60)
    while killed < kills and process.returncode is None:
        await asyncio.sleep(rng.uniform(0.02, 0.25))
        if kill == "engine":
            server.kill_engine()
        else:
            await server.kill()
            await server.start()
        killed += 1
        await server.ready()
    out = await asyncio.wait_for(process.stdout.read(), 300)
    await asyncio.wait_for(process.wait(), 30)
    await watching
    report: dict[str, Any] = json.loads(out)
    print(json.dumps({"kill": kill, "kills": killed, **report}))
    assert process.returncode == 0, (report, lines[-20:])
    assert killed == kills, f"the race was over after {killed} kills: give it more conversations"
    return report


def judged(report: dict[str, Any], *, conversations: int) -> None:
    """Exactly one winner each, no acknowledged claim lost, none doubled."""
    assert report["winners"] == report["conversations"] == conversations
    assert report["double_owners"] == 0
    assert report["lost_claims"] == 0
    assert report["passed"] is True


@pytest.mark.parametrize(("kill", "kills"), [("", 0), ("server", 2), ("engine", 2)])
async def test_one_winner_each(tmp_path: Path, kill: str, kills: int) -> None:
    async with serving(tmp_path / "data", outbox_sweep_s=5) as server:
        report = await race(server, **SMALL, kill=kill, kills=kills)
    judged(report, conversations=SMALL["conversations"])


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("kill", "kills"), [("", 0), ("server", 10), ("engine", 10)])
async def test_one_winner_each_among_two_hundred(tmp_path: Path, kill: str, kills: int) -> None:
    async with serving(tmp_path / "data", outbox_sweep_s=5) as server:
        report = await race(server, **BIG, kill=kill, kills=kills)
    judged(report, conversations=BIG["conversations"])
