"""A TCP relay on loopback whose network can be made bad, in the ways networks are."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, Literal

from batonbox_server.tasks import cancel_all, spawn

__all__ = ["MODES", "FaultProxy", "Mode", "Way", "proxying"]

Mode = Literal["through", "drop", "half_open", "drip", "reset", "one_way"]
Way = Literal["up", "down"]  # to the server, to the client
MODES: Final[tuple[Mode, ...]] = ("drop", "half_open", "drip", "reset", "one_way")
_CHUNK_BYTES: Final = 1 << 16
_DRIP_BYTES: Final = 512
_DRIP_PAUSE_S: Final = 0.05
_CONNECT_S: Final = 5.0
_RESET_EVERY_S: Final = 0.2


class _Pair:
    """One client's connection and ours to the server; `severed`: the server's end is gone, and
    the client has not been told.
    """

    def __init__(self, client: asyncio.StreamWriter) -> None:
        self.client = client
        self.server: asyncio.StreamWriter | None = None
        self.severed = False

    def abort(self) -> None:
        """Reset both ends."""
        for writer in (self.client, self.server):
            if writer is not None:
                writer.transport.abort()


class FaultProxy:
    """Relays every connection to what `target()` names, (host, port), in the present `mode`.

    `through`: as it is. `drop`: a black hole; bytes neither arrive nor fail, and those that wait
    arrive when it ends. `half_open`: the server's ends of what is open close, the clients' do not,
    and what clients send goes nowhere. `drip`: 512 bytes every 50 ms, each way and connection.
    `reset`: every connection is reset, again and again. `one_way`: a black hole one way only.
    """

    def __init__(self, target: Callable[[], tuple[str, int]]) -> None:
        self._target = target
        self.port = 0
        self.mode: Mode = "through"
        self._flows: dict[Way, asyncio.Event] = {"up": asyncio.Event(), "down": asyncio.Event()}
        for flow in self._flows.values():
            flow.set()
        self._pairs: set[_Pair] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._resetting: set[asyncio.Task[Any]] = set()

    @property
    def open(self) -> int:
        """How many connections there are."""
        return len(self._pairs)

    async def begin(self, mode: Mode, *, way: Way = "down") -> None:
        """The network gets bad; `way` is that of `one_way` which is lost."""
        await self.heal()
        self.mode = mode
        match mode:
            case "drop":
                self._hold("up", "down")
            case "one_way":
                self._hold(way)
            case "half_open":
                self._sever()
            case "reset":
                spawn(self._resetting, self._reset(), name="torture-resets")

    async def heal(self) -> None:
        """The network is well; who was cut off unknowingly learns it by a reset."""
        self.mode = "through"
        await cancel_all(self._resetting)
        for flow in self._flows.values():
            flow.set()
        for pair in [pair for pair in self._pairs if pair.severed]:
            pair.abort()

    def cut(self) -> int:
        """Reset whatever is open, once; how many that were."""
        for pair in list(self._pairs):
            pair.abort()
        return len(self._pairs)

    def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Called by the listener for every client."""
        spawn(self._tasks, self._relay(reader, writer), name="torture-relay")

    async def aclose(self) -> None:
        """End everything."""
        await self.heal()
        self.cut()
        await cancel_all(self._tasks)

    def _hold(self, *ways: Way) -> None:
        for way in ways:
            self._flows[way].clear()

    def _sever(self) -> None:
        for pair in self._pairs:
            pair.severed = True
            if pair.server is not None:
                pair.server.transport.abort()

    async def _reset(self) -> None:
        while True:
            self.cut()
            await asyncio.sleep(_RESET_EVERY_S)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pair = _Pair(writer)
        self._pairs.add(pair)
        try:
            # In a black hole even the handshake waits.
            await self._flows["up"].wait()
            async with asyncio.timeout(_CONNECT_S):
                answers, pair.server = await asyncio.open_connection(*self._target())
            await self._both(pair, reader, answers, pair.server)
        except (OSError, TimeoutError):
            pass  # the server is away: the client's end is reset below
        finally:
            self._pairs.discard(pair)
            pair.abort()

    async def _both(
        self,
        pair: _Pair,
        reader: asyncio.StreamReader,
        answers: asyncio.StreamReader,
        server: asyncio.StreamWriter,
    ) -> None:
        loop = asyncio.get_running_loop()
        up = loop.create_task(self._pump("up", reader, server, pair))
        down = loop.create_task(self._pump("down", answers, pair.client, pair))
        try:
            await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
            if pair.severed:
                # The client goes on talking to nobody until it gives up, or is told.
                await asyncio.wait({up})
        finally:
            for task in (up, down):
                task.cancel()
            await asyncio.gather(up, down, return_exceptions=True)

    async def _pump(
        self, way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pair: _Pair
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK_BYTES):
                await self._flows[way].wait()
                if pair.severed:
                    continue
                for piece in self._pieces(data):
                    writer.write(piece)
                    await writer.drain()
                    if self.mode == "drip":
                        await asyncio.sleep(_DRIP_PAUSE_S)

    def _pieces(self, data: bytes) -> list[bytes]:
        size = _DRIP_BYTES if self.mode == "drip" else len(data)
        return [data[at : at + size] for at in range(0, len(data), size)]


@asynccontextmanager
async def proxying(
    target: Callable[[], tuple[str, int]], *, host: str = "127.0.0.1"
) -> AsyncIterator[FaultProxy]:
    """A relay at work on a free port."""
    proxy = FaultProxy(target)
    listener = await asyncio.start_server(proxy.serve, host, 0)
    proxy.port = int(listener.sockets[0].getsockname()[1])
    try:
        yield proxy
    finally:
        listener.close()
        await proxy.aclose()
