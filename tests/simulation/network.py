"""Connections without sockets: ordered bytes that take time, and are cut at any moment.

The server's end is what asyncio gives to `asgi/transport.py`, the client's end what the SDK's link
needs; everything between the two ends and the code that reads and writes them is real.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from typing import TYPE_CHECKING, Any

from batonbox._errors import ConnectionLost
from batonbox._transport import ABNORMAL, Closed
from batonbox_server.asgi.paced import Paced
from batonbox_server.asgi.transport import WebSocketTransport
from batonbox_server.asgi.upgrade import ACCEPT
from batonbox_server.wire import JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL

if TYPE_CHECKING:
    from tests.simulation.node import Node

CLOSE = 0x88
TEXT = 0x81


class Delays:
    """How long things take: mostly little, now and then long."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def draw_s(self) -> float:
        """One delay."""
        rare = self._rng.random()
        if rare < 0.02:
            return self._rng.uniform(0.1, 1.0)
        return self._rng.uniform(0.0, 0.05) if rare < 0.2 else self._rng.uniform(0.0, 0.003)


class _Pipe:
    """One direction: everything arrives in order, later, or not at all once it is cut."""

    def __init__(self, delays: Delays) -> None:
        self._delays = delays
        self._last_s = 0.0
        self._under_way: deque[tuple[Any, tuple[Any, ...]]] = deque()
        self.cut = False

    def carry(self, deliver: Any, *args: Any) -> None:
        loop = asyncio.get_running_loop()
        self._last_s = max(self._last_s, loop.time() + self._delays.draw_s())
        self._under_way.append((deliver, args))
        loop.call_at(self._last_s, self._arrive)

    def _arrive(self) -> None:
        # Timers of one moment have no order: what was sent first arrives first.
        deliver, args = self._under_way.popleft()
        if not self.cut:
            deliver(*args)


class Socket(asyncio.Transport):
    """The server's end; `client` is the other one."""

    def __init__(self, delays: Delays, *, text: bool) -> None:
        super().__init__()
        self.client = ClientEnd(self, text=text)
        self.websocket = WebSocketTransport(self, text=text, max_bytes=1 << 20, turns=Paced(1))
        self.down, self.up = _Pipe(delays), _Pipe(delays)
        self._delays = delays
        self._paused: list[bytes] | None = None
        self.open = True

    # What the server does

    def write(self, data: Any) -> None:
        if self.open:
            self.down.carry(self.client.arrived, bytes(data))

    def pause_reading(self) -> None:
        if self._paused is None:
            self._paused = []

    def resume_reading(self) -> None:
        waiting, self._paused = self._paused or [], None
        for data in waiting:
            self.heard(data)

    def close(self) -> None:
        self._server_lost()

    def abort(self) -> None:
        self._server_lost()

    def is_closing(self) -> bool:
        return not self.open

    # What the network does

    def heard(self, data: bytes) -> None:
        """Bytes of the client."""
        if not self.open:
            return
        if self._paused is not None:
            self._paused.append(data)
        else:
            self.websocket.data_received(data)

    def cut(self) -> None:
        """Nothing arrives any more; each end notices in its own time."""
        self.down.cut = self.up.cut = True
        loop = asyncio.get_running_loop()
        loop.call_later(10 * self._delays.draw_s(), self._server_lost)
        loop.call_later(10 * self._delays.draw_s(), self.client.ended, ABNORMAL, "cut")

    def _server_lost(self) -> None:
        if self.open:
            self.open = False
            self.up.cut = True
            loop = asyncio.get_running_loop()
            loop.call_soon(self.websocket.connection_lost, None)
            if not self.down.cut:
                self.down.carry(self.client.ended, ABNORMAL, "the server has gone")


class ClientEnd:
    """What the SDK's link reads and writes (`batonbox._transport.Transport`)."""

    def __init__(self, socket: Socket, *, text: bool) -> None:
        self.socket, self._text = socket, text
        self._messages: deque[bytes | str] = deque()
        self._more = asyncio.Event()
        self._closed: Closed | None = None

    def arrived(self, data: bytes) -> None:
        """A whole frame, as the server writes them."""
        if self._closed is not None:
            return
        size, at = data[1], 2
        if size == 126:
            size, at = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, at = int.from_bytes(data[2:10], "big"), 10
        body, rest = data[at : at + size], data[at + size :]
        if data[0] == CLOSE:
            self.ended(int.from_bytes(body[:2], "big"), body[2:].decode())
            self.socket.up.carry(self.socket.abort)
            return
        self._messages.append(body.decode() if data[0] == TEXT else body)
        self._more.set()
        if rest:
            self.arrived(rest)

    def ended(self, code: int, reason: str) -> None:
        """The connection is gone."""
        if self._closed is None:
            self._closed = Closed(code, reason)
            self._more.set()

    async def send(self, data: bytes) -> None:
        """See Transport."""
        if self._closed is not None:
            raise self._closed
        size = len(data)
        head = bytes([TEXT if self._text else 0x82])
        if size < 126:
            head += bytes([0x80 | size])
        elif size < 65536:
            head += b"\xfe" + size.to_bytes(2, "big")
        else:
            head += b"\xff" + size.to_bytes(8, "big")
        self.socket.up.carry(self.socket.heard, head + bytes(4) + data)  # a mask of zeros

    async def receive(self) -> bytes | str:
        """See Transport."""
        while not self._messages:
            if self._closed is not None:
                raise self._closed
            self._more.clear()
            await self._more.wait()
        return self._messages.popleft()

    async def close(self, code: int = 1000) -> None:
        """See Transport."""
        self.ended(code, "closed here")
        self.socket.up.carry(self.socket.abort)

    def cut(self) -> None:
        """See Transport."""
        self.ended(ABNORMAL, "cut off")
        self.socket.up.carry(self.socket.abort)


async def dial(node: Node, delays: Delays, *, codec: str) -> ClientEnd:
    """A connection to a node; raises ConnectionLost where there is none to be had."""
    await asyncio.sleep(delays.draw_s())
    if not node.alive:
        raise ConnectionLost("nobody listens there")
    text = codec == "json"
    socket = Socket(delays, text=text)
    taken: list[str] = []

    def accept(verdict: str) -> WebSocketTransport:
        taken.append(verdict)
        return socket.websocket

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    async def send(_: Any) -> None:
        pass

    scope = {
        "type": "websocket",
        "scheme": "ws",
        "headers": [(b"host", b"node")],
        "subprotocols": [JSON_SUBPROTOCOL if text else MSGPACK_SUBPROTOCOL],
        "client": ("127.0.0.1", 1),
        "extensions": {"websocket.http.response": {}, ACCEPT: accept},
    }
    await node.pump(scope, receive, send)
    if not taken:
        raise ConnectionLost("the node refuses connections")
    node.sockets.append(socket)
    return socket.client
