"""Links between clients and a server that can be broken: bytes pass until they are reset."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

from batonbox._tasks import cancel_all, spawn

__all__ = ["Relay"]

CHUNK_BYTES = 1 << 16
# Closing then sends RST: what is on its way is lost, and both ends are told so at once.
_RESET = struct.pack("ii", 1, 0)


class Relay:
    """Listens on a free port of loopback, and passes on to `target` there."""

    def __init__(self) -> None:
        self.target = 0
        self.port = 0
        self._listener: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def open(self) -> None:
        """Begin to listen."""
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def aclose(self) -> None:
        """Listen no more, and reset what is open."""
        if self._listener is not None:
            self._listener.close()
        await self.drop()
        await cancel_all(self._tasks)

    async def drop(self) -> int:
        """Reset every connection; returns how many there were."""
        ends = list(self._ends)
        for end in ends:
            _reset(end)
        return len(ends) // 2

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        spawn(self._tasks, self._pass(reader, writer), name="batonbox-relay")

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            _reset(writer)
            return
        ends = {writer, inner}
        self._ends |= ends
        try:
            await asyncio.gather(_pump(reader, inner), _pump(inner_reader, writer))
        finally:
            self._ends -= ends
            for end in ends:
                end.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except (OSError, RuntimeError):
        # Either end is gone: so is the other. RuntimeError: it is closing already.
        writer.transport.abort()


def _reset(writer: asyncio.StreamWriter) -> None:
    end: socket.socket | None = writer.get_extra_info("socket")
    if end is not None and not writer.transport.is_closing():
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
