"""A loop of its own for tests that hypothesis drives, and scripts on the shared engine."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from batonbox_server.store.engine import Engine
from batonbox_server.store.scripts import Scripts
from batonbox_server.store.topology import engine_of


@dataclass
class Bench:
    """A runner and what it talks to."""

    runner: asyncio.Runner
    client: Engine
    scripts: Scripts


@pytest.fixture(scope="module")
def bench(engine_url: str) -> Iterator[Bench]:
    """Scripts on a real engine, to be run from synchronous tests."""
    with asyncio.Runner() as runner:
        client = engine_of(engine_url)
        runner.run(client.connect())
        yield Bench(runner, client, Scripts(client))
        runner.run(client.aclose())
