"""The live view over server processes, one of which is killed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2

from batonbox import Client
from tests.chaos.processes import Server

LEASE_S = 6.0


async def test_a_killed_process_is_gone_within_its_lease_and_its_clients_with_it(
    engine_url: str, prefix: str, tmp_path: Path
) -> None:
    space = prefix.rstrip(":")
    servers = [
        Server(tmp_path / name, redis_url=engine_url, key_space=space) for name in ("one", "other")
    ]
    try:
        for server in servers:
            await server.start()
        await _watch(*servers)
    finally:
        await asyncio.gather(*(server.stop() for server in servers))


async def _watch(one: Server, other: Server) -> None:
    token = await one.token("agent1")
    headers = {"authorization": f"Bearer {await one.token('admin')}"}
    async with (
        httpx2.AsyncClient(base_url=one.url, headers=headers, timeout=10) as http,
        Client(one.url, token),
        Client(other.url, token) as lost,
    ):
        both = await _until(http, lambda view: view["connections"] == 2)
        assert [node["connections"] for node in both["nodes"]] == [1, 1]
        assert both["people"] == [{"user": "agent1", "connections": 2, "assigned": 0}]
        await other.kill()
        killed_s = time.monotonic()
        left = await _until(http, lambda view: len(view["nodes"]) == 1)
        assert time.monotonic() - killed_s < LEASE_S + 3  # and a second, and a slow machine's
        assert left["people"] == [{"user": "agent1", "connections": 1, "assigned": 0}]
        await lost.aclose()


async def _until(http: httpx2.AsyncClient, true: Callable[[Any], bool]) -> Any:
    async with asyncio.timeout(30):
        while True:
            view = (await http.get("/v1/admin/live")).json()
            if true(view):
                return view
            await asyncio.sleep(0.1)
