"""`health` is what a container's health check runs: one status, one line."""

from __future__ import annotations

import asyncio
import sys
import uuid

from tests.ports import free_port
from tests.served import served


async def asked(*words: str) -> tuple[int, str]:
    """Exit status and what was said; errors too."""
    asking = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "batonbox_server.health", *words,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await asyncio.wait_for(asking.communicate(), 60)
    assert asking.returncode is not None
    return asking.returncode, said.decode().strip()


async def test_it_says_what_readyz_says(engine_url: str) -> None:
    async with served(engine_url, f"h{uuid.uuid4().hex[:8]}") as site:
        port = ("--port", str(site.port))
        assert await asked(*port) == (0, "ready")
        # What listens everywhere is asked on loopback.
        assert await asked(*port, "--host", "0.0.0.0") == (0, "ready")
        await site.node.drain(within_s=0)
        assert await asked(*port) == (1, "not ready: not_draining")
        assert await asked(*port, "--live") == (0, "alive")


async def test_what_is_no_server_of_ours_is_not_ready() -> None:
    port = free_port()
    status, said = await asked("--port", str(port), "--timeout", "5")
    assert status == 1 and said.startswith(f"no answer from 127.0.0.1:{port} (")

    async def teapot(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 418 I am\r\ncontent-length: 2\r\n\r\n[]")
        writer.close()

    async with await asyncio.start_server(teapot, "127.0.0.1", port):
        assert await asked("--port", str(port)) == (1, "/readyz says 418")
    status, said = await asked("--port", "0")
    assert status == 1 and "--port" in said
