"""What admins are told of the archive over HTTP."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.served import served

KEPT = 5
# Lines leave in batches, and a conversation is looked at in steps of four lines.
MOVED = 40 - 2 * KEPT - 4


async def test_it_says_how_much_is_there_and_that_nothing_waits(
    engine_url: str, prefix: str, tmp_path: Path
) -> None:
    rules: dict[str, Any] = {
        "archive_url": f"sqlite://{tmp_path}/archive.sqlite",
        "archive_keep_messages": KEPT,
        "archive_sweep_s": 0.02,
    }
    async with served(engine_url, prefix, **rules) as site:
        for n in range(40):
            await site.texts(f"text {n}")

        for _ in range(500):
            told = await site.get("admin", "/v1/archive")
            if told["messages"] >= MOVED and not told["waiting"]:
                break
            await asyncio.sleep(0.02)
        assert (told["state"], told["kind"], told["conversations"]) == ("ok", "sqlite", 0)
        assert told["messages"] >= MOVED
        assert told["size_bytes"] > 0
        assert told["memory_used"] > 0
        assert (await site.call("agent1", "GET", "/v1/archive")).status_code == 403


async def test_without_one_it_says_so(engine_url: str, prefix: str) -> None:
    async with served(engine_url, prefix) as site:
        told = await site.get("admin", "/v1/archive")
        assert (told["state"], told["kind"], told["messages"]) == ("none", "none", 0)
