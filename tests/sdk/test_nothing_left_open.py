"""However a client ends, its connection ends with it: against a server that never says goodbye."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.protocol import State

from batonbox import Backoff, Client, ConnectionLost
from batonbox._wire import Op
from tests.sdk.conftest import SignIn
from tests.sdk.scripted import Peer, Script
from tests.support import eventually


def left_open() -> list[ClientConnection]:
    """Connections of this process that nobody has closed or cut off."""
    found = [thing for thing in gc.get_objects() if type(thing) is ClientConnection]
    return [connection for connection in found if not connection.transport.is_closing()]


async def until_one_closes() -> None:
    """Until a close frame has left for a server that will not answer."""
    await eventually(lambda: any(c.state is State.CLOSING for c in left_open()))


@asynccontextmanager
async def deaf(peer: Peer) -> AsyncIterator[None]:
    """The peer reads nothing more, not even that it is to close."""
    peer.pause_reading()
    try:
        yield
    finally:
        peer.cut()


async def cancelled(task: asyncio.Task[object]) -> None:
    """Cancel it and wait until it has ended so."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_cancelled_while_it_closes(sign_in: SignIn) -> None:
    client, peer = await sign_in()
    async with deaf(peer):
        closing = asyncio.get_running_loop().create_task(client.aclose())
        await until_one_closes()
        await cancelled(closing)
        assert left_open() == []


async def test_closed_while_the_connection_before_is_still_closing(
    script: Script, sign_in: SignIn
) -> None:
    client, old = await sign_in()
    async with deaf(old):
        await old.send([int(Op.GOAWAY), 0, "drain"])
        await (await script.next()).welcome()
        await until_one_closes()
        await client.aclose()
        assert left_open() == []


async def test_cancelled_twice_before_the_server_has_answered_hello(script: Script) -> None:
    client = Client(script.url, "t", backoff=Backoff(0.001, 0.01))
    entering = asyncio.get_running_loop().create_task(client.__aenter__())
    peer = await script.next()
    await peer.expect(Op.HELLO)
    async with deaf(peer):
        entering.cancel()
        await until_one_closes()
        await cancelled(entering)
        assert left_open() == []


@pytest.mark.parametrize("patient", [True, False])
async def test_ended_before_the_server_has_answered_the_upgrade(patient: bool) -> None:
    reached = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        client = Client(f"http://127.0.0.1:{port}", "t", timeout_s=60 if patient else 0.2)
        entering = asyncio.get_running_loop().create_task(client.__aenter__())
        await reached.wait()
        if patient:
            await cancelled(entering)
        else:
            with pytest.raises(ConnectionLost):
                await entering
        assert left_open() == []
