"""One server for all examples; each test has an inbox of its own there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from batonbox.testing import LocalServer


@pytest.fixture(scope="session")
def site() -> Iterator[LocalServer]:
    """Its clock goes ahead now and then."""
    with LocalServer(demo=False) as server:
        yield server
