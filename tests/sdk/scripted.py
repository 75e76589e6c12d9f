"""A real websocket server whose every frame the test writes: tests read as scripts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from batonbox._wire import SUBPROTOCOLS, Op, decode, encode, join

WAIT_S = 20.0  # a process has to start first, on a machine that may be busy
TIP = "0123456789abcdef"


def row(conv: str = "sales.c1", **changes: Any) -> dict[str, Any]:
    """A conversation's row on the wire."""
    base = {"id": conv, "our": "+1", "customer": "+2", "own_tok": "1.aaaaaaaa", "rev": 1, "n": 1}
    return {**base, "att": "1.bbbbbbbb", "in_seq": "1.bbbbbbbb", **changes}


def event(seq: int, kind: str = "received", body: Any = None, **changes: Any) -> list[Any]:
    """EV number `seq` of the inbox `sales`."""
    meta = {"type": kind, "conv": "sales.c1", "actor": "", "cid": "", "n": 1}
    return [int(Op.EV), "sales", seq, meta | {"row": row(rev=seq, **changes)}, body, f"tip{seq}"]


def snap(seq: int, *rows: dict[str, Any], epoch: str = "e1", now: int = 0) -> list[Any]:
    """SNAP of the inbox `sales` at `seq`, with marks as of `now`."""
    me = {"seq": now} if now else {}
    return [int(Op.SNAP), "sales", epoch, seq, f"tip{seq}", {}, me, list(rows)]


class Peer:
    """The server's side of one connection."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection
        self._frames: asyncio.Queue[list[Any]] = asyncio.Queue()
        self.closed: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @property
    def codec(self) -> str:
        return str(self._connection.subprotocol)

    async def read(self) -> None:
        try:
            async for data in self._connection:
                for frame in decode(data, self.codec):
                    self._frames.put_nowait(frame)
        except ConnectionClosed:
            pass
        self.closed.set_result(self._connection.close_code or 1006)

    async def send(self, *frames: list[Any]) -> None:
        for frame in frames:
            data = encode(frame, self.codec)
            await self._connection.send(data.decode() if self.codec.endswith("json") else data)

    async def send_joined(self, *frames: list[Any]) -> None:
        """All of them in one message of MessagePack."""
        await self._connection.send(
            join([encode(frame, self.codec) for frame in frames], self.codec)
        )

    async def expect(self, op: Op) -> list[Any]:
        """The next frame, which has to be `op`."""
        async with asyncio.timeout(WAIT_S):
            frame = await self._frames.get()
        assert frame[0] == op, f"expected {op.name}, got {frame}"
        return frame

    def nothing_more(self) -> bool:
        return self._frames.empty()

    async def welcome(self, **limits: int) -> list[Any]:
        """Sign the client in as agent1, who sees the inbox `sales`; returns its HELLO."""
        hello = await self.expect(Op.HELLO)
        await self.send(
            [int(Op.WELCOME), "conn", "agent1", 25, limits, "test", 0, 0],
            [
                int(Op.ORG),
                "state",
                {
                    "user": {"id": "agent1", "name": "Agent 1", "role": "member"},
                    "inboxes": [{"id": "sales", "name": "Sales", "joined": True}],
                    "users": [],
                },
            ],
        )
        return hello

    async def ok(self, request: list[Any], **result: Any) -> None:
        await self.send([int(Op.OK), request[1], result])

    async def close(self, code: int, reason: str = "") -> None:
        await self._connection.close(code, reason)

    def pause_reading(self) -> None:
        """Take nothing more from the network, no close frame either."""
        self._connection.transport.pause_reading()

    def cut(self) -> None:
        """The network is gone: no close frame."""
        self._connection.transport.abort()


class Script:
    """Connections in the order in which they come."""

    def __init__(self) -> None:
        self.peers: asyncio.Queue[Peer] = asyncio.Queue()
        self.url = ""

    async def next(self) -> Peer:
        async with asyncio.timeout(WAIT_S):
            return await self.peers.get()

    async def serve(self, connection: ServerConnection) -> None:
        peer = Peer(connection)
        self.peers.put_nowait(peer)
        await peer.read()


@asynccontextmanager
async def scripted() -> AsyncIterator[Script]:
    """A server that listens; `script.next()` is its next connection."""
    script = Script()
    offered = [Subprotocol(name) for name in SUBPROTOCOLS]
    server: Server
    async with serve(
        script.serve, "127.0.0.1", 0, subprotocols=offered, compression=None, ping_interval=None
    ) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        script.url = f"http://127.0.0.1:{port}"
        yield script
