"""A loop of its own for tests that hypothesis drives, and scripts on the shared engine."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from batonbox_server.store.engine import Engine
from batonbox_server.store.library import FOLDER
from batonbox_server.store.scripts import Scripts
from batonbox_server.store.topology import engine_of


@dataclass
class Bench:
    """A runner and what it talks to."""

    runner: asyncio.Runner
    client: Engine
    scripts: Scripts

    def without(self, ablation: tuple[str, str, str], folder: Path) -> Scripts:
        """Scripts of which one (its name, without `.lua`) has other words for what it has once."""
        file, old, new = ablation
        shutil.copytree(FOLDER, folder, dirs_exist_ok=True)
        path = folder / f"{file}.lua"
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{file}.lua no longer holds {old!r}"
        path.write_text(text.replace(old, new), encoding="utf-8")
        return Scripts(self.client, folder)


@pytest.fixture(scope="module")
def bench(engine_url: str) -> Iterator[Bench]:
    """Scripts on a real engine, to be run from synchronous tests."""
    with asyncio.Runner() as runner:
        client = engine_of(engine_url)
        runner.run(client.connect())
        yield Bench(runner, client, Scripts(client))
        runner.run(client.aclose())
