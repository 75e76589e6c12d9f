"""Death at the worst moment: a carrier has a message, and the server dies before it knows.

A relay stands before the carrier: it lets through what it waits for, holds back the answer, and
ends the server, which waits for that.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import httpx2

from batonbox_server.tasks import cancel_all, spawn
from tests.chaos.processes import Server
from tests.served import CUSTOMER, SALES

__all__ = ["Reaper", "Site", "reaping", "to"]

Pipe: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_CHUNK_BYTES: Final = 1 << 16
# So long an answer is waited for, since earlier ones may stand before it.
_ACCEPTS_WITHIN_S: Final = 0.05


class Reaper:
    """Relays to what `connect` opens; `arm` it for the next request that contains `wanted`.

    `pause_s()`: how long each piece of a request takes to get through.
    """

    def __init__(self, connect: Callable[[], Awaitable[Pipe]]) -> None:
        self._connect = connect
        self._wanted = b""
        self._kill: Callable[[], None] = lambda: None
        self._reaped = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self.pause_s: Callable[[], float] = lambda: 0.0
        self.port = 0

    def arm(self, wanted: bytes, kill: Callable[[], None]) -> None:
        """`kill` is called once, when the carrier has what contains `wanted`."""
        self._wanted, self._kill = wanted, kill
        self._reaped.clear()

    async def reaped(self) -> None:
        """Until it has happened."""
        await asyncio.wait_for(self._reaped.wait(), 20)

    def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Called by the listener for every client."""
        spawn(self._tasks, self._relay(reader, writer), name="reaper")

    async def aclose(self) -> None:
        """End every connection."""
        await cancel_all(self._tasks)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            theirs, ours = await self._connect()
        except OSError:
            writer.transport.abort()
            return
        back = asyncio.get_running_loop().create_task(_copy(theirs, writer))
        try:
            with contextlib.suppress(OSError):
                while data := await reader.read(_CHUNK_BYTES):
                    wanted = bool(self._wanted) and self._wanted in data
                    if wanted:
                        back.cancel()  # its answer does not arrive
                        await asyncio.wait([back])
                    await asyncio.sleep(self.pause_s())
                    ours.write(data)
                    await ours.drain()
                    if wanted:
                        rest = asyncio.get_running_loop().create_task(_copy(reader, ours))
                        await self._reap(theirs, rest)
                        return
        finally:
            back.cancel()
            await asyncio.wait([back])
            for end in (writer, ours):
                end.transport.abort()

    async def _reap(self, theirs: asyncio.StreamReader, rest: asyncio.Task[None]) -> None:
        """The rest of the request may still be on its way."""
        self._wanted = b""
        try:
            await asyncio.wait_for(theirs.read(_CHUNK_BYTES), 10)
            await asyncio.sleep(_ACCEPTS_WITHIN_S)
        finally:
            rest.cancel()
            await asyncio.wait([rest])
        self._kill()
        self._reaped.set()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK_BYTES):
            writer.write(data)
            await writer.drain()


def to(port: int) -> Callable[[], Awaitable[Pipe]]:
    """How a reaper gets to a carrier on this port."""

    async def connect() -> Pipe:
        return await asyncio.open_connection("127.0.0.1", port)

    return connect


@asynccontextmanager
async def reaping(
    connect: Callable[[], Awaitable[Pipe]], *, path: str = ""
) -> AsyncIterator[Reaper]:
    """A reaper on a free port, or on the Unix socket `path`."""
    it = Reaper(connect)
    if path:
        listener = await asyncio.start_unix_server(it.serve, path)
    else:
        listener = await asyncio.start_server(it.serve, "127.0.0.1", 0)
        it.port = listener.sockets[0].getsockname()[1]
    try:
        yield it
    finally:
        listener.close()
        await it.aclose()


@dataclass(slots=True)
class Site:
    """A server that dies and is started again, and a conversation of agent1's with a customer."""

    server: Server
    reaper: Reaper
    http: httpx2.AsyncClient
    conv: str = ""
    token: str = ""
    keys: Any = field(default_factory=itertools.count)

    async def open(self, carrier: str) -> None:
        """The Sales number gets this carrier, a customer writes, and agent1 takes it on."""
        admin = await self.server.token("admin")
        given = {"inbox": "sales", "carrier": carrier}
        await self._call(admin, "PUT", f"/v1/admin/numbers/{SALES}", given)
        text = {"from": CUSTOMER, "to": SALES, "text": "hello"}
        found = await self._call(admin, "POST", "/v1/loopback/inbound", text)
        self.conv = found["conv"]
        self.token = await self.server.token("agent1")
        await self._call(self.token, "POST", f"/v1/conversations/{self.conv}/assign", {})

    async def dies_while_sending(self, text: str, wanted: bytes) -> None:
        """Agent1 writes, the carrier has it, the server is killed, and started again."""
        self.reaper.arm(wanted, self.server.process.kill)
        path = f"/v1/conversations/{self.conv}/reply"
        reply = asyncio.get_running_loop().create_task(
            self._call(self.token, "POST", path, {"text": text})
        )
        reaped = asyncio.get_running_loop().create_task(self.reaper.reaped())
        await asyncio.wait([reply, reaped], return_when=asyncio.FIRST_EXCEPTION)
        if not reaped.done():
            reaped.cancel()
            await reply  # says what was wrong with it
        await reaped
        await self.server.process.wait()
        await self.server.start()
        await asyncio.wait_for(reply, 20)

    async def states(self) -> dict[str, str]:
        """What became of each of agent1's messages, by its text."""
        found = await self._call(self.token, "GET", f"/v1/conversations/{self.conv}?n=100")
        sent = [m for m in found["messages"] if m["kind"] == "replied"]
        return {m["body"]["text"]: m["state"] for m in sent}

    async def all_are(self, state: str, *, within_s: float) -> None:
        """Until every one of them has this state."""
        found: dict[str, str] = {}
        for _ in range(int(within_s / 0.1)):
            found = await self.states()
            if set(found.values()) == {state}:
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"not all became {state}: {found}")

    async def _call(self, token: str, method: str, path: str, body: Any = None) -> Any:
        """A request under one key, sent again until it is answered."""
        headers = {"authorization": f"Bearer {token}", "idempotency-key": f"k{next(self.keys)}"}
        while True:
            try:
                answer = await self.http.request(method, path, json=body, headers=headers)
            except httpx2.HTTPError:
                answer = None
            if answer is not None and answer.status_code < 500:
                assert answer.is_success, answer.text
                return answer.json()
            await asyncio.sleep(0.05)
