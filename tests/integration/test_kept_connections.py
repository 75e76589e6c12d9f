"""HTTP connections between two requests: who closes them, and that no request is lost by it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx2
import pytest

from batonbox_server.config import Settings
from batonbox_server.listeners import listen
from batonbox_server.node import Node
from batonbox_server.serving import Server, server_of
from batonbox_server.tasks import spawn
from tests.support import eventually

# What proxies use a connection for without having asked over it: nginx, HAProxy, AWS's balancer.
BALANCERS_S: Final = 60


class Site:
    """A node behind the HTTP server that `serve` has."""

    def __init__(self, server: Server, address: tuple[str, int]) -> None:
        self.server = server
        self.address = address
        self._links: list[Link] = []

    async def link(self) -> Link:
        """A connection of its own."""
        self._links.append(Link(*await asyncio.open_connection(*self.address)))
        return self._links[-1]

    def cut(self) -> None:
        """All connections."""
        for link in self._links:
            link.cut()


class Link:
    """One connection, over which one request follows another."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def asks(self) -> str:
        """A request's answer: its head in lower case."""
        self._writer.write(b"GET /livez HTTP/1.1\r\nHost: batonbox\r\n\r\n")
        async with asyncio.timeout(5):
            head = await self._reader.readuntil(b"\r\n\r\n")
            size = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            await self._reader.readexactly(int(size))
        return head.decode().lower()

    async def ends(self, within_s: float) -> bool:
        """Whether the server closes it."""
        try:
            async with asyncio.timeout(within_s):
                return await self._reader.read() == b""
        except TimeoutError:
            return False

    def cut(self) -> None:
        """Away with it."""
        self._writer.transport.abort()
        self._writer.close()


@asynccontextmanager
async def running(engine_url: str, prefix: str, tmp_path: Any, **more: Any) -> AsyncIterator[Site]:
    settings = Settings(
        redis_url=engine_url, key_space=prefix, port=0, data_dir=str(tmp_path), **more
    )
    (listener,) = listen(settings)
    node = Node(settings)
    tasks: set[asyncio.Task[Any]] = set()
    await node.open()
    server = server_of(node, [listener])
    serving = spawn(tasks, server.main_loop(), name="serving")
    try:
        await server.accept([0])
        site = Site(server, listener.getsockname())
        try:
            yield site
        finally:
            site.cut()
    finally:
        server.should_exit = True
        await serving
        await asyncio.wait_for(server.shutdown(), 10)
        await node.close()
        listener.close()


def told_to_close(head: str) -> bool:
    assert head.startswith("http/1.1 200 "), head
    return "\r\nconnection: close\r\n" in head


def test_it_outlasts_what_balancers_and_clients_keep() -> None:
    assert Settings().http_keep_alive_s > BALANCERS_S


async def test_it_is_closed_after_as_long_as_the_setting_says(
    engine_url: str, prefix: str, tmp_path: Any
) -> None:
    async with running(engine_url, prefix, tmp_path, http_keep_alive_s=1) as site:
        link = await site.link()
        assert not told_to_close(await link.asks())
        await asyncio.sleep(0.5)
        assert not told_to_close(await link.asks())
        began_s = time.monotonic()
        assert await link.ends(within_s=5)
        assert time.monotonic() - began_s > 0.9


async def test_one_that_clients_take_for_alive_answers(
    engine_url: str, prefix: str, tmp_path: Any
) -> None:
    """Clients that keep idle connections for five seconds, as many do, use them until then."""
    async with running(engine_url, prefix, tmp_path) as site:
        link = await site.link()
        await link.asks()
        assert not await link.ends(within_s=5.5)
        assert not told_to_close(await link.asks())


async def test_where_there_are_too_many_an_answer_is_the_last(
    engine_url: str, prefix: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(engine_url, prefix, tmp_path) as site:
        monkeypatch.setattr("batonbox_server.asgi.admission._KEPT_MAX", 3)
        links = [await site.link() for _ in range(6)]
        await eventually(lambda: len(site.server.server_state.connections) == 6, what="all of them")
        found = [told_to_close(await link.asks()) for link in links]
        assert found == [True, True, True, False, False, False]
        assert [await link.ends(within_s=0.2) for link in links] == found


async def test_two_hundred_at_once_are_all_answered(
    engine_url: str, prefix: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Again and again over the same client, with fewer connections kept than it has."""
    async with running(engine_url, prefix, tmp_path) as site:
        monkeypatch.setattr("batonbox_server.asgi.admission._KEPT_MAX", 50)
        host, port = site.address
        none = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
        async with httpx2.AsyncClient(base_url=f"http://{host}:{port}", limits=none) as http:
            for _ in range(3):
                answers = await asyncio.gather(*(http.get("/livez") for _ in range(200)))
                assert {answer.status_code for answer in answers} == {200}


async def test_a_server_that_ends_says_with_each_answer_that_it_is_the_last(
    engine_url: str, prefix: str, tmp_path: Any
) -> None:
    async with running(engine_url, prefix, tmp_path) as site:
        link = await site.link()
        assert not told_to_close(await link.asks())
        site.server.let_go()
        assert told_to_close(await link.asks())
        assert await link.ends(within_s=1)
