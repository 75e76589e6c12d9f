"""Clients that mean harm, or cannot help it: they stall, flood, drip, explode, ask for too much."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, cast

from batonbox._wire import JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL, Op
from batonbox.bench import masked, packed
from tests.nearly_frames import bombs

__all__ = ["Attack", "Raw", "Sizes"]

_TEXT, _BINARY, _PING, _CONT = 0x81, 0x82, 0x89, 0x00
_AT_ONCE: Final = 200
_ENDED_S: Final = 60.0
_DRIP_S: Final = 0.5
_HEAD: Final = b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Drip: "
_BODY: Final = b"POST /v1/auth/session HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How many of each."""

    stalled: int
    strangers: int
    dripping: int
    bombs: int
    subscriptions: int


def upgrade(subprotocol: str = MSGPACK_SUBPROTOCOL) -> bytes:
    """The request that opens a websocket."""
    return (
        "GET /v1/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Protocol: {subprotocol}\r\n\r\n"
    ).encode()


class Raw(asyncio.Protocol):
    """Says `first`, and `then` once it is answered; reads on, or stops there."""

    def __init__(self, first: bytes, then: bytes = b"", *, reads: bool = True) -> None:
        self.head = b""
        self.last = b""  # of what came
        self.ended = asyncio.Event()
        self._first, self._then, self._reads = first, then, reads

    @property
    def status(self) -> str:
        """Of the answer, "" for none."""
        return self.head[9:12].decode()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self._first)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self.last = data[-200:]
        if not self.head:
            self.head = data[:200]
            self.transport.write(self._then)
            self._then = b""
            if not self._reads:
                self.transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """See asyncio.Protocol."""
        self.ended.set()

    async def end(self) -> None:
        """Until the server has ended it."""
        async with asyncio.timeout(_ENDED_S):
            await self.ended.wait()


class Attack:
    """On the server at this port, partly with a member's token; each part ends by itself."""

    def __init__(self, port: int, token: str, sizes: Sizes, inbox: str) -> None:
        self._port = port
        self._inbox = inbox
        self.sizes = sizes
        self.answers: Counter[str] = Counter()
        self._hello = [int(Op.HELLO), token, "attack"]
        self._gate = asyncio.Semaphore(_AT_ONCE)
        self._dripping: dict[Raw, bytes] = {}

    async def dial(
        self, first: bytes, then: bytes = b"", *, reads: bool = True, window: int = 0
    ) -> Raw:
        """One connection; `window`: its system takes so little from the server."""
        sock = socket.socket()
        sock.setblocking(False)
        if window:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        loop = asyncio.get_running_loop()
        async with self._gate:
            await loop.sock_connect(sock, ("127.0.0.1", self._port))
            _, raw = await loop.create_connection(lambda: Raw(first, then, reads=reads), sock=sock)
        return raw

    async def stall(self) -> list[Raw]:
        """Members who follow the inbox and read nothing; they are there when this returns."""
        hello = packed(self._hello, [int(Op.SUB), 1, [[self._inbox, "list"]]])
        some = [
            await self.dial(upgrade(), hello, reads=False, window=4096)
            for _ in range(self.sizes.stalled)
        ]
        async with asyncio.timeout(_ENDED_S):
            while not all(one.head for one in some):
                await asyncio.sleep(0.05)
        return some

    async def flood(self) -> None:
        """Strangers who open websockets and say nothing."""
        some = await self._all(lambda _: self.dial(upgrade()), range(self.sizes.strangers))
        for one in some:
            await one.end()
            self.answers[one.status] += 1

    async def drip(self) -> None:
        """HTTP: a third silent, a third in the head of a request, a third in its body."""
        firsts = (b"", _HEAD, _BODY)
        some = await self._all(lambda n: self.dial(firsts[n % 3]), range(self.sizes.dripping))
        while left := [one for one in some if not one.ended.is_set()]:
            for number, one in enumerate(some):
                if one in left and number % 3 and not one.transport.is_closing():
                    one.transport.write(b"x")
            await asyncio.sleep(_DRIP_S)

    async def explode(self) -> None:
        """Messages that are far more than they look like, giant frames, floods of small ones."""
        some: list[tuple[str, bytes]] = []
        for number in range(self.sizes.bombs):
            size = 65_536 if number % 2 else 8000
            for subprotocol in (MSGPACK_SUBPROTOCOL, JSON_SUBPROTOCOL):
                for _, bomb in bombs(subprotocol, size):
                    data = bomb.encode() if isinstance(bomb, str) else bomb
                    kind = _TEXT if subprotocol == JSON_SUBPROTOCOL else _BINARY
                    some.append((subprotocol, masked(data, kind)))
            some += [
                (MSGPACK_SUBPROTOCOL, b"\x82\xff" + (1 << 62).to_bytes(8, "big") + bytes(4)),
                (MSGPACK_SUBPROTOCOL, masked(bytes(900_000))),
                (MSGPACK_SUBPROTOCOL, b"\xc2" + masked(b"deflated")[1:]),
                (MSGPACK_SUBPROTOCOL, masked(b"x", _PING) * 5000),
                (MSGPACK_SUBPROTOCOL, masked(b"x", 0x02) + masked(b"", _CONT) * 5000),
            ]
        await self._all(self._explodes, some)

    async def _explodes(self, bomb: tuple[str, bytes]) -> Raw:
        subprotocol, data = bomb
        hello = packed(self._hello)
        if subprotocol == JSON_SUBPROTOCOL:
            hello = masked(f'[0,"{self._hello[1]}","attack"]'.encode(), _TEXT)
        raw = await self.dial(upgrade(subprotocol), hello + data)
        await raw.end()
        return raw

    async def subscribe(self) -> None:
        """To as many inboxes as there are not, as fast as it goes."""
        names = [[f"nobody{number}", "badge"] for number in range(self.sizes.subscriptions)]
        frames = [[int(Op.SUB), 1 + at, names[at : at + 256]] for at in range(0, len(names), 256)]
        raw = await self.dial(upgrade(), packed(self._hello) + b"".join(map(packed, frames)))
        async with asyncio.timeout(_ENDED_S):
            while not raw.head:
                await asyncio.sleep(0.05)
        await asyncio.sleep(1)
        raw.transport.abort()
        await raw.end()

    async def all(self) -> None:
        """Everything at once but the stalled, until it is over."""
        async with asyncio.TaskGroup() as group:
            for part in (self.flood, self.drip, self.explode, self.subscribe):
                group.create_task(part())

    async def _all(self, begin: Callable[[Any], Awaitable[Raw]], of: Iterable[Any]) -> list[Raw]:
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(item: Any) -> Raw:
            async with gate:
                return await begin(item)

        return list(await asyncio.gather(*map(one, of)))
