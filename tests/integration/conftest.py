"""What several files of this folder stand on."""

from __future__ import annotations

import pytest

from batonbox_server.store.connect import EngineClient
from tests.integration.store_harness import Box


@pytest.fixture
async def box(client: EngineClient, prefix: str) -> Box:
    """An inbox of the test's own."""
    box = Box(client, prefix)
    await box.open()
    return box
