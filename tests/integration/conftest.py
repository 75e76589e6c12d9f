"""What several files of this folder stand on."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from batonbox_server.store.connect import EngineClient
from tests.integration.hooks_harness import Receiver, receiving
from tests.integration.rooms_live_harness import Talk, talking
from tests.integration.store_harness import Box


@pytest.fixture
async def box(client: EngineClient, prefix: str) -> Box:
    """An inbox of the test's own."""
    box = Box(client, prefix)
    await box.open()
    return box


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """Somebody else's server, which is told by webhooks."""
    async with receiving() as receiver:
        yield receiver


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def talking_nodes(engine_url: str) -> AsyncIterator[Talk]:
    """Two nodes for all tests of a file, which share its loop."""
    async with talking(engine_url) as talk:
        yield talk


@pytest_asyncio.fixture(loop_scope="module")
async def talk(talking_nodes: Talk) -> AsyncIterator[Talk]:
    """Each test has people, rooms and sockets of its own."""
    async with talking_nodes.sockets():
        yield talking_nodes
