"""One server for the tests of a module, and bots that run while a test looks."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest_asyncio

from batonbox import Bot, Client
from batonbox._tasks import cancel_all, spawn
from tests.served import Served, served
from tests.support import eventually


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(engine_url: str) -> AsyncIterator[Served]:
    async with served(engine_url, f"t{uuid.uuid4().hex[:12]}:") as site:
        yield site


@pytest_asyncio.fixture(loop_scope="module")
async def client(site: Served) -> Client:
    """Of the bot's user, not yet entered."""
    return await site.sdk("agent1")


@asynccontextmanager
async def running(bot: Bot) -> AsyncIterator[None]:
    """The bot, once it is ready; its drain at the end."""
    ready = asyncio.Event()

    @bot.on_ready
    async def told() -> None:
        ready.set()

    tasks: set[asyncio.Task[None]] = set()
    task = spawn(tasks, bot.start(), name="bot")
    try:
        await eventually(lambda: ready.is_set() or task.done(), what="the bot's start")
        if task.done():
            task.result()
        yield
        bot.stop()
        async with asyncio.timeout(20):
            await task
    finally:
        await cancel_all(tasks)
