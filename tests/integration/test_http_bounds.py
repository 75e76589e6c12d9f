"""HTTP from those who never get on: each is cut, and nobody else notices."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from uvicorn.protocols.http.h11_impl import H11Protocol

from batonbox_server.asgi import http_bounds
from batonbox_server.asgi.admission import Bounds, LoadShedder
from batonbox_server.asgi.http_bounds import bounded
from tests.ports import on_port
from tests.support import eventually

HEAD: Final = b"GET /answer HTTP/1.1\r\nHost: x\r\n"
POST: Final = b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
CHUNKED: Final = b"POST /ignore HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
BIG: Final = bytes(1 << 20)


async def application(scope: Any, receive: Any, send: Any) -> None:
    """`/read` reads all of the body, `/big` answers a lot, the others a little."""
    path = scope["path"]
    while path == "/read" and (await receive()).get("more_body"):
        pass
    body = BIG if path == "/big" else b"there"
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Client:
    """A connection on which bytes are written as they are."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def rest(self) -> bytes:
        """What the server says until it closes."""
        async with asyncio.timeout(20):
            try:
                return await self.reader.read()
            except ConnectionError:
                return bytes(self.reader._buffer)  # type: ignore[attr-defined]

    async def answer(self) -> bytes:
        """One answer: its status line."""
        async with asyncio.timeout(20):
            head = await self.reader.readuntil(b"\r\n\r\n")
            size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await self.reader.readexactly(size)
        return head.partition(b"\r\n")[0]

    async def drip(self, part: bytes, *, every_s: float = 0.02) -> None:
        """This again and again, until nobody takes it any more.

        Past the stream, which forgets what came when it hears that nobody takes what it writes.
        """
        number = self.writer.get_extra_info("socket").fileno()
        while not self.writer.transport.is_closing():
            try:
                os.write(number, part)
            except OSError:
                return
            await asyncio.sleep(every_s)


class Site:
    """The application behind bounds, and those who dialled it."""

    def __init__(self, port: int, shedder: LoadShedder) -> None:
        self.port, self.shedder = port, shedder
        self._clients: list[Client] = []

    async def dial(self, first: bytes = b"", *, window: int = 0) -> Client:
        """A connection, its first bytes sent; `window`: so little is taken from the server.

        They are there before the server, which lives in this loop, learns of the connection.
        """
        sock = socket.socket()
        if window:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        sock.connect(("127.0.0.1", self.port))
        sock.sendall(first)
        sock.setblocking(False)
        self._clients.append(Client(*await asyncio.open_connection(sock=sock, limit=4096)))
        return self._clients[-1]

    async def close(self) -> None:
        """All clients go."""
        for client in self._clients:
            client.writer.transport.abort()
        await asyncio.sleep(0)


@pytest.fixture(params=["httptools", "h11"])
def http(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Both protocols of uvicorn's, whichever is installed."""
    if request.param == "h11":
        monkeypatch.setattr(http_bounds, "AutoHTTPProtocol", H11Protocol)
    return lambda shedder, timeout_s: bounded(shedder, timeout_s=timeout_s)


@pytest.fixture
async def site(http: Callable[[LoadShedder, float], Any]) -> AsyncIterator[Site]:
    async with serving(http, 0.4) as site:
        yield site


@asynccontextmanager
async def serving(http: Any, timeout_s: float, **bounds: int) -> AsyncIterator[Site]:
    shedder = LoadShedder(Bounds(**bounds))
    async with on_port(application, http=http(shedder, timeout_s)) as port:
        site = Site(port, shedder)
        try:
            yield site
        finally:
            await site.close()


async def test_who_sends_no_head_is_cut(site: Site) -> None:
    silent, dripping = await site.dial(), await site.dial(HEAD)
    async with asyncio.TaskGroup() as group:
        group.create_task(dripping.drip(b"x"))
        assert (await dripping.rest()).startswith(b"HTTP/1.1 408 ")
        dripping.writer.transport.abort()
    assert await silent.rest() == b""
    await eventually(lambda: site.shedder.counts["http_cut"] == 2)


async def test_so_is_who_begins_a_second_head(site: Site) -> None:
    client = await site.dial(HEAD + b"\r\n")
    assert await client.answer() == b"HTTP/1.1 200 OK"
    client.writer.write(HEAD)
    assert (await client.rest()).startswith(b"HTTP/1.1 408 ")


async def test_between_two_requests_nothing_is_awaited(site: Site) -> None:
    client = await site.dial(HEAD + b"\r\n")
    assert await client.answer() == b"HTTP/1.1 200 OK"
    await asyncio.sleep(1.5)  # far longer than a request may stand
    client.writer.write(HEAD + b"\r\n")
    assert await client.answer() == b"HTTP/1.1 200 OK"
    assert site.shedder.counts["http_cut"] == 0


@pytest.mark.parametrize("request_head", [POST, CHUNKED], ids=["that is read", "that is not"])
async def test_who_does_not_get_on_with_a_body_is_cut(site: Site, request_head: bytes) -> None:
    client = await site.dial(request_head)
    if request_head is CHUNKED:  # what came is forgotten when nobody takes what is sent any more
        assert await client.answer() == b"HTTP/1.1 200 OK"
    async with asyncio.TaskGroup() as group:
        group.create_task(client.drip(b"1\r\nx\r\n"))
        assert await client.rest() == b""
        client.writer.transport.abort()
    await eventually(lambda: site.shedder.counts["http_cut"] == 1)


async def test_a_slow_body_that_gets_on_is_taken_whole(site: Site) -> None:
    client = await site.dial(POST)
    for _ in range(50):
        client.writer.write(bytes(20_000))
        await asyncio.sleep(0.03)
    assert await client.answer() == b"HTTP/1.1 200 OK"
    assert site.shedder.counts["http_cut"] == 0


async def test_who_does_not_read_an_answer_is_cut(site: Site) -> None:
    client = await site.dial(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n" * 20, window=4096)
    client.reader._transport.pause_reading()  # type: ignore[attr-defined]
    await eventually(lambda: site.shedder.counts["http_cut"] == 1)


async def test_who_does_not_read_the_last_answer_is_cut(site: Site) -> None:
    last = b"GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    client = await site.dial(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n" * 8 + last, window=4096)
    client.reader._transport.pause_reading()  # type: ignore[attr-defined]
    await eventually(lambda: site.shedder.counts["http_cut"] == 1)


async def test_a_head_without_end_is_refused(http: Any) -> None:
    async with serving(http, 60.0) as site:
        client = await site.dial(HEAD)
        for _ in range(9):
            client.writer.write(b"x-y: " + b"z" * 8000 + b"\r\n")
            await client.writer.drain()
        assert (await client.rest()).startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 "))


async def test_who_was_refused_reads_why_and_is_cut_when_it_stays(
    http: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its request was there before the refusal, and more of it comes after."""
    monkeypatch.setattr(http_bounds, "_LINGER_S", 0.3)
    async with serving(http, 30.0, http_connections_max=20) as site:
        for _ in range(20):
            await site.dial()
        client = await site.dial(POST)
        async with asyncio.TaskGroup() as group, asyncio.timeout(10):
            dripping = group.create_task(client.drip(b"x"))
            assert (await client.rest()).startswith(b"HTTP/1.1 503 ")
            await dripping


async def test_only_so_many_of_the_refused_may_stay(
    http: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_bounds, "_LINGER_S", 60.0)
    monkeypatch.setattr(http_bounds, "_LINGERING", 1)
    async with serving(http, 30.0, http_connections_max=20) as site:
        for _ in range(20):
            await site.dial()
        first, second = await site.dial(POST), await site.dial(POST)
        async with asyncio.timeout(20):
            assert (await first.rest()).startswith(b"HTTP/1.1 503 ")
            await second.drip(b"x")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await first.drip(b"x")


async def test_only_so_many_connections_are_open(http: Any) -> None:
    async with serving(http, 30.0, http_connections_max=20) as site:
        some = [await site.dial() for _ in range(20)]
        await asyncio.sleep(0.1)
        told = await (await site.dial(HEAD + b"\r\n")).rest()
        assert told.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nretry-after: " in told
        assert site.shedder.counts["shed_connections"] == 1
        some.pop().writer.transport.abort()

        async def is_served() -> bool:
            return (await (await site.dial(HEAD + b"connection: close\r\n\r\n")).rest())[
                9:12
            ] == b"200"

        async with asyncio.timeout(20):
            while not await is_served():
                await asyncio.sleep(0.05)
