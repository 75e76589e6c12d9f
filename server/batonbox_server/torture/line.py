"""A client's connection: one websocket after the other, to whichever node lets it in."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.typing import Subprotocol

from batonbox_server import wire
from batonbox_server.wire import Op

__all__ = ["Door", "Line", "Listener"]

_OPEN_S: Final = 4.0
_CLOSE_S: Final = 0.2
_SILENCE_S: Final = 4.0  # twice the nodes' ping_s
_PAUSE_MIN_S: Final = 0.05
_PAUSE_MAX_S: Final = 1.0
_OUTGOING_MOST: Final = 1024


@dataclass(frozen=True, slots=True)
class Door:
    """Where a node is reached: its name, and the port (of a relay in front of it)."""

    node: str
    port: int


class Listener(Protocol):
    """Whose line it is."""

    def opened(self) -> None:
        """WELCOME came: frames may be sent."""

    def heard(self, frame: list[Any]) -> None:
        """Any other frame of the present connection."""

    def closed(self, code: int) -> None:
        """What was opened is gone."""


class Line:
    """Keeps a connection up, through `doors`; `number` is that of the present connection.

    As the protocol wants it: HELLO first, another connection after a silence of twice the server's
    ping and after GOAWAY, the next attempt later and elsewhere where one failed.
    """

    def __init__(
        self, token: str, doors: Sequence[Door], rng: random.Random, listener: Listener
    ) -> None:
        self.up = False
        self.number = 0
        self._token = token
        self._doors = doors
        self._door = doors[rng.randrange(len(doors))]
        self._rng = rng
        self._listener = listener
        self._ws: ClientConnection | None = None
        self._outgoing: asyncio.Queue[bytes] | None = None

    @property
    def node(self) -> str:
        """The node it is at, or tries to be."""
        return self._door.node

    def send(self, *frame: Any) -> None:
        """Hand a frame to the connection; without one it is lost, as it may be at any time."""
        if self._outgoing is None:
            return
        try:
            self._outgoing.put_nowait(wire.encode(frame, wire.MSGPACK_SUBPROTOCOL))
        except asyncio.QueueFull:
            self.cut()

    def cut(self) -> None:
        """End the connection as a network would."""
        if self._ws is not None:
            self._ws.transport.abort()

    async def run(self) -> None:
        """Be connected, until cancelled."""
        pause_s = _PAUSE_MIN_S
        while True:
            before = self.number
            await self._connection()
            pause_s = _PAUSE_MIN_S if self.number > before else min(2 * pause_s, _PAUSE_MAX_S)
            self._door = self._doors[self._rng.randrange(len(self._doors))]
            await asyncio.sleep(self._rng.uniform(0.01, pause_s))

    async def _connection(self) -> None:
        try:
            ws = await connect(
                f"ws://127.0.0.1:{self._door.port}/v1/ws",
                subprotocols=[Subprotocol(wire.MSGPACK_SUBPROTOCOL)],
                compression=None,
                max_size=None,
                ping_interval=None,
                open_timeout=_OPEN_S,
                close_timeout=_CLOSE_S,
                proxy=None,
            )
        except (OSError, TimeoutError, EOFError, WebSocketException):
            return
        self._ws, self._outgoing = ws, asyncio.Queue(_OUTGOING_MOST)
        writing = asyncio.get_running_loop().create_task(_write(ws, self._outgoing))
        try:
            self.send(Op.HELLO, self._token, "torture/1")
            await self._read(ws)
        finally:
            self._ws = self._outgoing = None
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            ws.transport.abort()
            if self.up:
                self.up = False
                self._listener.closed(ws.close_code or 1006)

    async def _read(self, ws: ClientConnection) -> None:
        try:
            while True:
                async with asyncio.timeout(_SILENCE_S):
                    data = await ws.recv()
                for frame in wire.decode(data, wire.MSGPACK_SUBPROTOCOL):
                    self._heard(frame)
        except (ConnectionClosed, TimeoutError, OSError):
            pass  # another connection follows

    def _heard(self, frame: list[Any]) -> None:
        match frame:
            case [Op.WELCOME, *_]:
                self.up = True
                self.number += 1
                self._listener.opened()
            case [Op.GOAWAY, int(after_ms), *_]:
                loop = asyncio.get_running_loop()
                loop.call_later(after_ms / 1000, self._leave, self.number)
            case _:
                self._listener.heard(frame)

    def _leave(self, number: int) -> None:
        if number == self.number:
            self.cut()


async def _write(ws: ClientConnection, outgoing: asyncio.Queue[bytes]) -> None:
    try:
        while True:
            await ws.send(await outgoing.get())
    except (ConnectionClosed, OSError):
        pass  # the reader ends, too
