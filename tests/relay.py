"""TCP relays on loopback between clients and servers: a link that can be cut, a balancer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import cycle
from typing import Any

from batonbox_server.tasks import cancel_all, spawn

__all__ = ["Balancer", "Cutter", "Wall", "cuttable", "relaying"]

_CHUNK_BYTES = 1 << 16


class Cutter:
    """Relays to `port`; `cut` resets every connection, `closed` refuses new ones, `held` lets
    bytes towards the client wait (a network that neither delivers nor fails).
    """

    def __init__(self, port: int) -> None:
        self.target = port
        self.port = 0
        self.closed = False
        self.cuts = 0
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._pairs: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[Any]] = set()

    def chosen(self) -> int:
        """The port that the next connection goes to."""
        return self.target

    @property
    def url(self) -> str:
        """The server's address by way of this link."""
        return f"http://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Reset every connection at once."""
        self.cuts += 1
        for writer in list(self._pairs):
            writer.transport.abort()

    def hold(self) -> None:
        """Deliver nothing to clients any more, and tell nobody."""
        self._flowing.clear()

    def release(self) -> None:
        """Deliver again what was held."""
        self._flowing.set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client."""
        await self._relay(reader, writer, towards=False, back=True)

    async def _relay(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        towards: bool,
        back: bool,
    ) -> None:
        """Whether bytes towards the server, and those back, are held."""
        if self.closed:
            writer.transport.abort()
            return
        try:
            inner_reader, inner = await asyncio.open_connection("127.0.0.1", self.chosen())
        except OSError:
            writer.transport.abort()
            return
        self._pairs |= {writer, inner}
        try:
            await asyncio.gather(
                self._pump(reader, inner, held=towards), self._pump(inner_reader, writer, held=back)
            )
        finally:
            self._pairs -= {writer, inner}
            for end in (writer, inner):
                end.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, held: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK_BYTES):
                if held:
                    await self._flowing.wait()
                writer.write(data)
                await writer.drain()
        with contextlib.suppress(OSError, RuntimeError):
            writer.write_eof()

    def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Called by the listener for every client."""
        spawn(self._tasks, self.accept(reader, writer), name="cutter")

    async def aclose(self) -> None:
        """End every connection."""
        self.cut()
        await cancel_all(self._tasks)


class Balancer(Cutter):
    """Gives each connection to the next of its servers, whoever comes: nobody stays with one."""

    def __init__(self, ports: Sequence[int]) -> None:
        super().__init__(ports[0])
        self._turn = cycle(ports)

    def chosen(self) -> int:
        """See Cutter."""
        return next(self._turn)


class Wall(Cutter):
    """Holds back both ways, and only those who connect from `source`: for them a black hole."""

    def __init__(self, port: int, *, source: str) -> None:
        super().__init__(port)
        self._source = source

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """See Cutter."""
        held = writer.get_extra_info("peername")[0] == self._source
        await self._relay(reader, writer, towards=held, back=held)


@asynccontextmanager
async def cuttable(port: int) -> AsyncIterator[Cutter]:
    """A relay in front of the server on `port`."""
    cutter = Cutter(port)
    async with relaying(cutter):
        yield cutter


@asynccontextmanager
async def relaying(cutter: Cutter, *, port: int = 0) -> AsyncIterator[int]:
    """The relay at work on this port; gives it."""
    listener = await asyncio.start_server(cutter.serve, "127.0.0.1", port)
    cutter.port = listener.sockets[0].getsockname()[1]
    try:
        yield cutter.port
    finally:
        listener.close()
        await cutter.aclose()
