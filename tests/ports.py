"""Applications and ports of this machine, for tests."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn

from batonbox_server.asgi.upgrade import Upgrade

__all__ = ["free_port", "kept_port", "on_port"]


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def kept_port() -> Iterator[int]:
    """A port that is given to nobody else meanwhile, while servers come and go on it.

    Else a connection of whatever runs beside may get it while nobody listens there.
    """
    with socket.socket() as keeper:
        # Who listens reuses addresses, too: next to one that does not listen it may.
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeper.bind(("127.0.0.1", 0))
        yield int(keeper.getsockname()[1])


@asynccontextmanager
async def on_port(app: Any, *, port: int = 0, **more: Any) -> AsyncIterator[int]:
    """Serves an ASGI application in this loop, as a node is served; gives its port.

    `more` are settings of uvicorn's.
    """
    given: dict[str, Any] = {
        "log_level": "critical",
        "lifespan": "off",
        "ws": Upgrade,
        **more,
    }
    config = uvicorn.Config(app, port=port, **given)
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    await server.on_tick(0)  # once: its loop would let every test wait for the next turn
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        await _accept_no_more(server)
        await asyncio.wait_for(server.shutdown(), 10)


async def _accept_no_more(server: uvicorn.Server) -> None:
    """And let those in who were accepted: asyncio loses whom it has accepted for a server that is
    closed by the time that it makes the transport, with their sockets open.
    """
    loop = asyncio.get_running_loop()
    for listening in server.servers:
        for sock in listening.sockets:
            loop.remove_reader(sock.fileno())
    for _ in range(5):  # from accept to connection_made
        await asyncio.sleep(0)
