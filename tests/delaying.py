"""A relay on loopback in front of an engine's unix socket, behind which the engine answers late."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

from batonbox_server.tasks import cancel_all, spawn

__all__ = ["Delaying", "delayed"]

_CHUNK_BYTES = 1 << 16
_UNDER_WAY_MOST = 100_000


class Delaying:
    """What goes towards clients arrives `delay_s` later, in order.

    A delay, not a narrow pipe: any number of bytes may be on their way.
    """

    def __init__(self, path: str) -> None:
        self.delay_s = 0.0
        self._path = path
        self._tasks: set[asyncio.Task[Any]] = set()

    def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Called by the listener for every client."""
        spawn(self._tasks, self._relay(reader, writer), name="delaying")

    async def aclose(self) -> None:
        """End every connection."""
        await cancel_all(self._tasks)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_engine, to_engine = await asyncio.open_unix_connection(self._path)
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_UNDER_WAY_MOST)
        with contextlib.suppress(OSError):
            try:
                await asyncio.gather(
                    self._there(reader, to_engine),
                    self._back(from_engine, under_way),
                    self._arrive(under_way, writer),
                )
            finally:
                to_engine.transport.abort()
                writer.transport.abort()

    async def _there(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError("the client has gone")

    async def _back(
        self, reader: asyncio.StreamReader, under_way: asyncio.Queue[tuple[float, bytes]]
    ) -> None:
        clock = asyncio.get_running_loop().time
        while data := await reader.read(_CHUNK_BYTES):
            await under_way.put((clock() + self.delay_s, data))
        raise ConnectionResetError("the engine has gone")

    async def _arrive(
        self, under_way: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter
    ) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            due_s, data = await under_way.get()
            await asyncio.sleep(max(0.0, due_s - clock()))
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def delayed(engine_url: str) -> AsyncIterator[tuple[Delaying, str]]:
    """The relay at work, and the address of the engine by way of it."""
    parts = urlsplit(engine_url)
    relay = Delaying(unquote(parts.path))
    listener = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    try:
        yield relay, f"redis://:{parts.password}@127.0.0.1:{port}"
    finally:
        listener.close()
        await relay.aclose()
