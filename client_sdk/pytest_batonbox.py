"""The pytest plugin of `batonbox.testing`: nothing is loaded before a test asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from batonbox import sync
    from batonbox.testing import LocalServer

__all__ = ["batonbox_client", "batonbox_server"]


@pytest.fixture(scope="session")
def batonbox_server() -> Iterator[LocalServer]:
    """The real server with the demo organisation, one for all tests of a run (or of a worker)."""
    from batonbox.testing import LocalServer

    with LocalServer() as server:
        yield server


@pytest.fixture
def batonbox_client(batonbox_server: LocalServer) -> Iterator[sync.Client]:
    """A blocking client of it, signed in as the demo's `agent1`."""
    with batonbox_server.sync_client("agent1") as client:
        yield client
