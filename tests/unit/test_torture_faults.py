"""The relay of the torture tool, between a real client and a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from batonbox_server.torture.faults import FaultProxy, proxying
from tests.support import eventually

SOON_S = 0.15  # so long nothing comes where nothing shall


class Echo:
    """A server that sends back what it gets, and knows how many connections it has."""

    def __init__(self) -> None:
        self.open = 0
        self.got = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        with suppress(OSError):
            while data := await reader.read(65536):
                self.got += data
                writer.write(data)
                await writer.drain()
        self.open -= 1
        writer.transport.abort()


class Peer:
    """A client of the relay."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def says(self, data: bytes) -> None:
        self.writer.write(data)

    async def hears(self, count: int) -> bytes:
        return await asyncio.wait_for(self.reader.readexactly(count), 10)

    async def hears_nothing(self) -> bool:
        try:
            await asyncio.wait_for(self.reader.read(1), SOON_S)
        except TimeoutError:
            return True
        return False

    async def reset(self) -> bool:
        try:
            return await asyncio.wait_for(self.reader.read(1), 10) == b""
        except ConnectionError:
            return True


_peers: list[Peer] = []


@pytest.fixture(autouse=True)
async def hung_up() -> AsyncIterator[None]:
    """Clients close what they opened."""
    yield
    while _peers:
        writer = _peers.pop().writer
        writer.close()
        with suppress(OSError):
            await asyncio.wait_for(writer.wait_closed(), 10)


async def connect(proxy: FaultProxy) -> Peer:
    peer = Peer(*await asyncio.open_connection("127.0.0.1", proxy.port))
    _peers.append(peer)
    return peer


@asynccontextmanager
async def relayed() -> AsyncIterator[tuple[Echo, FaultProxy]]:
    echo = Echo()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()
    try:
        async with proxying(lambda: address) as proxy:
            yield echo, proxy
    finally:
        server.close()


async def dial(proxy: FaultProxy) -> Peer:
    peer = await connect(proxy)
    peer.says(b"hello")
    assert await peer.hears(5) == b"hello"
    return peer


async def test_it_relays() -> None:
    async with relayed() as (_, proxy):
        peer = await dial(proxy)
        assert proxy.open == 1
        peer.says(b"x" * 300_000)
        assert await peer.hears(300_000) == b"x" * 300_000


async def test_what_a_black_hole_swallowed_arrives_when_it_ends() -> None:
    async with relayed() as (echo, proxy):
        peer = await dial(proxy)
        await proxy.begin("drop")
        peer.says(b"lost?")
        late = await connect(proxy)
        late.says(b"late")
        assert await peer.hears_nothing() and await late.hears_nothing()
        assert echo.got == b"hello" and echo.open == 1
        await proxy.heal()
        assert await peer.hears(5) == b"lost?"
        assert await late.hears(4) == b"late"


@pytest.mark.parametrize(("way", "arrives"), [("up", b""), ("down", b"one")])
async def test_one_way_holds_back_one_direction_only(way: str, arrives: bytes) -> None:
    async with relayed() as (echo, proxy):
        peer = await dial(proxy)
        await proxy.begin("one_way", way="up" if way == "up" else "down")
        peer.says(b"one")
        assert await peer.hears_nothing()
        assert echo.got.removeprefix(b"hello") == arrives
        await proxy.heal()
        assert await peer.hears(3) == b"one"


async def test_half_open_hides_the_end_from_the_client_until_it_is_told() -> None:
    async with relayed() as (echo, proxy):
        peer = await dial(proxy)
        await proxy.begin("half_open")
        await eventually(lambda: echo.open == 0)
        peer.says(b"anybody?")
        assert await peer.hears_nothing()
        await dial(proxy)  # who comes now gets through
        await proxy.heal()
        assert await peer.reset()
        assert echo.got == b"hellohello"


async def test_reset_ends_connections_old_and_new() -> None:
    async with relayed() as (_, proxy):
        peer = await dial(proxy)
        await proxy.begin("reset")
        assert await peer.reset()
        late = await connect(proxy)
        assert await late.reset()
        await proxy.heal()
        await dial(proxy)


async def test_drip_lets_everything_through_slowly() -> None:
    async with relayed() as (_, proxy):
        peer = await dial(proxy)
        loop = asyncio.get_running_loop()
        await proxy.begin("drip")
        began_s = loop.time()
        peer.says(b"y" * 4096)
        assert await peer.hears(4096) == b"y" * 4096
        assert loop.time() - began_s > 0.3  # eight pieces, 50 ms each
        await proxy.heal()
        peer.says(b"z" * 100_000)
        assert await peer.hears(100_000) == b"z" * 100_000


async def test_a_server_that_is_away_ends_the_clients_connection() -> None:
    async with proxying(lambda: ("127.0.0.1", 1)) as proxy:
        peer = await connect(proxy)
        assert await peer.reset()
        await eventually(lambda: proxy.open == 0)
