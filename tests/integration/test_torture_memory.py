"""The torture tool's full memory ends for good, whatever engines have written down meanwhile."""

from __future__ import annotations

import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from batonbox_server.torture.nemeses.of_storage import MemoryFull
from batonbox_server.torture.sites.base import EngineProc, random_password
from batonbox_server.torture.stage import Stage
from tests import engines


async def test_an_engine_that_starts_again_has_its_memory_back(tmp_path: Path) -> None:
    password = random_password()
    settings = f"requirepass {password}\nappendonly yes\n"
    engine = EngineProc("one", tmp_path / "one", engines.binary(), settings, password=password)
    await engine.start()
    try:
        site = SimpleNamespace(engines=[engine])
        stage: Any = SimpleNamespace(site=site, taken=set())
        nemesis = MemoryFull(cast(Stage, stage), random.Random(1))
        assert await nemesis.begin()
        assert await engine.ask("CONFIG", "GET", "maxmemory") == [b"maxmemory", b"1048576"]
        await engine.ask("CONFIG", "REWRITE")  # as a sentinel has it do in a failover
        await nemesis.finish()
        await engine.kill()
        await engine.start()
        assert await engine.ask("CONFIG", "GET", "maxmemory") == [b"maxmemory", b"0"]
    finally:
        await engine.release()
