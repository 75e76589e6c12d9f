"""Is the engine ready: AUTH and PING, through LOADING."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

__all__ = ["wait_ready"]

_POLL_S: Final = 0.01
_REPLY_TIMEOUT_S: Final = 2.0


async def wait_ready(
    socket: Path, *, password: str, running: Callable[[], bool], timeout_s: float
) -> bool:
    """Poll until the engine answers; False when it ended or the time is over."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    while running() and asyncio.get_running_loop().time() < deadline:
        if await _answers(socket, password):
            return True
        await asyncio.sleep(_POLL_S)
    return False


async def _answers(socket: Path, password: str) -> bool:
    try:
        async with asyncio.timeout(_REPLY_TIMEOUT_S):
            reader, writer = await asyncio.open_unix_connection(str(socket))
            try:
                writer.write(f"AUTH {password}\r\nPING\r\n".encode())
                await writer.drain()
                said = await reader.readline() + await reader.readline()
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError):
        return False
    return said == b"+OK\r\n+PONG\r\n"
