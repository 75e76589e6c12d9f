"""A server that starts before its engine, or in an outage, waits for it and says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from batonbox_server.config import Settings
from batonbox_server.errors import EngineUnavailable, EngineUnsuitable
from batonbox_server.node import Organisation
from batonbox_server.torture.sites.base import EngineProc
from batonbox_server.torture.sites.sentinel import SentinelSite
from batonbox_server.torture.sites.standalone import StandaloneSite
from tests.chaos.processes import Server
from tests.support import eventually


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[EngineProc]:
    """Of a standalone site; not started."""
    site = StandaloneSite(tmp_path)
    yield site.engine
    await site.stop()


def organisation(url: str, folder: Path, *, wait_s: float) -> Organisation:
    """What every node begins with."""
    settings = Settings(redis_url=url, data_dir=str(folder), engine_timeout_s=1.0)
    return Organisation(settings, engine_wait_s=wait_s)


async def test_an_engine_that_comes_later_is_waited_for(engine: EngineProc, tmp_path: Path) -> None:
    it = organisation(engine.url, tmp_path, wait_s=60.0)
    try:
        with structlog.testing.capture_logs() as logged:
            async with asyncio.TaskGroup() as group:
                opening = group.create_task(it.open())
                await eventually(lambda: awaited(logged), what="the warning")
                assert not opening.done()
                await engine.start()
        assert await it.client.execute("PING") == b"PONG"
    finally:
        await it.close()


async def test_waiting_ends_with_the_last_error_and_the_setting(
    engine: EngineProc, tmp_path: Path
) -> None:
    it = organisation(engine.url, tmp_path, wait_s=0.2)
    with pytest.raises(EngineUnavailable, match=r"Cannot reach .* 0\.2 s .*ENGINE_WAIT_S"):
        await it.open()
    await it.close()


async def test_a_password_that_is_refused_is_not_waited_for(
    engine: EngineProc, tmp_path: Path
) -> None:
    await engine.start()
    it = organisation(engine.url.replace(engine.password, "wrong"), tmp_path, wait_s=600.0)
    with pytest.raises(EngineUnsuitable, match="refuses our user"):
        await it.open()
    await it.close()


async def test_sentinels_without_a_primary_are_waited_for(tmp_path: Path) -> None:
    """And then a primary that has too few replicas yet."""
    site = SentinelSite(tmp_path)
    site.configure()
    it = organisation(site.url, tmp_path, wait_s=60.0)
    try:
        await asyncio.gather(*(sentinel.start() for sentinel in site.sentinels))
        with structlog.testing.capture_logs() as logged:
            async with asyncio.TaskGroup() as group:
                group.create_task(it.open())
                await eventually(lambda: awaited(logged), what="the warning")
                first, second, _ = site.engines
                await first.start()
                await eventually(lambda: "too few of its replicas" in awaited(logged), timeout_s=30)
                await second.start()
        assert it.client.state
    finally:
        await it.close()
        await site.stop()


async def test_who_waits_can_be_stopped(engine: EngineProc, tmp_path: Path) -> None:
    server = Server(tmp_path / "data", demo=False, redis_url=engine.url, engine_wait_s=600)
    starting = asyncio.get_running_loop().create_task(server.start())
    await eventually(
        lambda: server.log.exists() and "engine_awaited" in server.log.read_text(),
        timeout_s=60,
        what="the warning",
    )
    starting.cancel()
    assert await server.stop() == 0


def awaited(logged: list[Any]) -> str:
    """Why the engine is waited for, as the log has it."""
    return " ".join(line["why"] for line in logged if line["event"] == "engine_awaited")
