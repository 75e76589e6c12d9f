"""The seam to redis-py: one raw connection, packing, and replies read in batches.

redis-py does addresses, TLS, AUTH and the handshake; packing and parsing in bulk are ours, because
its per-command path costs five times the engine's own work.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Final, TypeAlias

from redis._parsers.base import BaseParser
from redis.asyncio.connection import AbstractConnection, Connection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from batonbox_server.errors import EngineUnavailable

from .plain import NOT_YET, PlainReader, pack_command

hiredis: Any
try:
    import hiredis
except ImportError:  # the extra [fast] is not installed
    hiredis = None

__all__ = [
    "Argument",
    "close_connection",
    "drained",
    "open_connection",
    "pack",
    "replies",
    "request",
    "send",
    "write",
]

Argument: TypeAlias = bytes | str | int | float
_READ_BYTES: Final = 256 * 1024
# So much may wait for an engine that does not read.
_UNREAD_BYTES: Final = 1 << 20

pack: Callable[[tuple[Argument, ...]], bytes] = (
    pack_command if hiredis is None else hiredis.pack_command
)


async def open_connection(url: str, *, timeout_s: float) -> AbstractConnection:
    """A connected, authenticated connection that never retries and never times out by itself.

    Raises:
        EngineUnavailable: not reachable, or the credentials were refused.
    """
    kwargs: dict[str, Any] = dict(parse_url(url))
    connection_class: type[AbstractConnection] = kwargs.pop("connection_class", Connection)
    # redis-py's own retries run *after* sending: one command with two lost replies ran three times.
    kwargs |= {"retry": Retry(NoBackoff(), 0), "socket_timeout": None, "protocol": 2}
    connection = connection_class(**kwargs, socket_connect_timeout=timeout_s)
    try:
        async with asyncio.timeout(timeout_s):
            await connection.connect()  # type: ignore[no-untyped-call]
    except (RedisError, OSError, TimeoutError) as error:
        await close_connection(connection)
        raise EngineUnavailable(
            f"Cannot reach the engine: {str(error) or 'no answer'}. Check that it runs and that "
            "BATONBOX_REDIS_URL has its address and password."
        ) from error
    except BaseException:
        await close_connection(connection)
        raise
    return connection


async def close_connection(connection: AbstractConnection) -> None:
    """Close without waiting for the peer."""
    try:
        await connection.disconnect(nowait=True)
    except (RedisError, OSError, RuntimeError):
        pass  # closing what broke already


async def request(connection: AbstractConnection, *args: Argument) -> Any:
    """One command and its reply; only before `replies` has taken the connection over."""
    await send(connection, pack(args))
    return await connection.read_response()


async def send(connection: AbstractConnection, packed: bytes) -> None:
    """Write packed commands; waits while the peer does not read.  Never reconnects by itself."""
    if not connection.is_connected:
        raise ConnectionResetError("the engine's connection is closed")
    await connection.send_packed_command(packed, check_health=False)


def write(connection: AbstractConnection, packed: bytes) -> bool:
    """Write packed commands at once; False: wait for `drained` before the next.

    Raises what the event loop raises on a closed connection.
    """
    writer = connection._writer
    if writer is None:
        raise ConnectionResetError("the engine's connection is closed")
    writer.write(packed)
    return writer.transport.get_write_buffer_size() <= _UNREAD_BYTES


async def drained(connection: AbstractConnection) -> None:
    """Until the engine has read enough of what was written."""
    writer = connection._writer
    if writer is None:
        raise ConnectionResetError("the engine's connection is closed")
    await writer.drain()


async def replies(connection: AbstractConnection) -> AsyncIterator[list[Any]]:
    """Batches of replies as they arrive, bytes undecoded; error replies come as exceptions.

    Raises:
        OSError: the connection is lost (it never just ends).
    """
    reader = _new_reader()
    stream = connection._reader
    if stream is None:
        raise ConnectionResetError("the engine's connection is closed")
    while data := await stream.read(_READ_BYTES):
        reader.feed(data)
        batch: list[Any] = []
        while (reply := reader.gets()) is not NOT_YET:
            batch.append(reply)
        if batch:
            yield batch
    raise ConnectionResetError("the engine closed the connection")


def _new_reader() -> Any:
    if hiredis is None:
        return PlainReader(BaseParser.parse_error)
    return hiredis.Reader(
        protocolError=ConnectionError, replyError=BaseParser.parse_error, notEnoughData=NOT_YET
    )
