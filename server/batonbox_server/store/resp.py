"""The seam to redis-py: one raw connection, packing, and replies in batches as they arrive.

redis-py does addresses, TLS, AUTH and the handshake; packing and parsing in bulk are ours, because
its per-command path costs five times the engine's own work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from redis._parsers.base import BaseParser
from redis.asyncio.connection import AbstractConnection, Connection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from batonbox_server.errors import BatonboxError, EngineUnavailable, EngineUnsuitable

from .plain import NOT_YET, PlainReader, pack_command

hiredis: Any
try:
    import hiredis
except ImportError:  # the extra [fast] is not installed
    hiredis = None

__all__ = [
    "Argument",
    "Replies",
    "close_connection",
    "open_connection",
    "pack",
    "request",
    "unreachable",
]

Argument: TypeAlias = bytes | str | int | float
_CLOSED: Final = "the engine closed the connection"

pack: Callable[[tuple[Argument, ...]], bytes] = (
    pack_command if hiredis is None else hiredis.pack_command
)


async def open_connection(url: str, *, timeout_s: float) -> AbstractConnection:
    """A connected, authenticated connection that never retries and never times out by itself.

    Raises:
        EngineUnavailable: not reachable.
        EngineUnsuitable: our credentials were refused.
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
        raise unreachable(error) from error
    except BaseException:
        await close_connection(connection)
        raise
    return connection


def unreachable(error: Exception) -> BatonboxError:
    """What to raise instead of an error met before a connection counts as one."""
    # redis-py wraps it where the socket is a unix socket.
    if any(
        isinstance(e, AuthenticationError | NoPermissionError) for e in (error, error.__cause__)
    ):
        return EngineUnsuitable(
            f"The engine refuses our user: {error}. BATONBOX_REDIS_URL has to have a user (or "
            "none) and a password that it accepts; docs/operations.md lists the rights it needs."
        )
    why = str(error).rstrip(".") or "no answer"
    return EngineUnavailable(
        f"Cannot reach the engine: {why}. Check that it runs and that BATONBOX_REDIS_URL has its "
        "address and password."
    )


async def close_connection(connection: AbstractConnection) -> None:
    """Close without waiting for the peer."""
    try:
        await connection.disconnect(nowait=True)
    except (RedisError, OSError, RuntimeError):
        pass  # closing what broke already


async def request(connection: AbstractConnection, *args: Argument) -> Any:
    """One command and its reply; only before `Replies` has taken the connection over."""
    if not connection.is_connected:  # redis-py would reconnect
        raise ConnectionResetError(_CLOSED)
    await connection.send_packed_command(pack(args), check_health=False)
    return await connection.read_response()


class Replies(asyncio.Protocol):
    """A connection whose transport is ours from now on: no task and no copy per batch of replies.

    `on_batch` is given the replies as they arrive, bytes undecoded, error replies as exceptions;
    what it raises ends the connection.  `ended` raises why, and never just returns.
    """

    def __init__(
        self, connection: AbstractConnection, on_batch: Callable[[list[Any]], None]
    ) -> None:
        self._on_batch = on_batch
        self._reader = _new_reader()
        self._end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._end.add_done_callback(asyncio.Future.exception)  # perhaps nobody is left to ask
        self._room = asyncio.Event()
        self._room.set()
        self._transport: asyncio.WriteTransport | None = None
        stream, writer = connection._reader, connection._writer
        if stream is None or writer is None or stream.at_eof() or writer.transport.is_closing():
            self.connection_lost(None)
            return
        writer.transport.set_protocol(self)
        self._transport = writer.transport

    async def ended(self) -> None:
        """Raises OSError: the connection is lost; else what was raised over a reply."""
        await asyncio.shield(self._end)

    def write(self, packed: bytes) -> bool:
        """Write packed commands at once; False: wait for `room` before the next.

        Raises what the event loop raises on a closed connection.
        """
        if self._transport is None:
            raise ConnectionResetError(_CLOSED)
        self._transport.write(packed)
        return self._room.is_set()

    async def room(self) -> None:
        """Until the engine has read enough of what was written."""
        await self._room.wait()

    # asyncio.Protocol

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if self._end.done():
            return
        try:
            self._reader.feed(data)
            batch: list[Any] = []
            while (reply := self._reader.gets()) is not NOT_YET:
                batch.append(reply)
            if batch:
                self._on_batch(batch)
        except Exception as error:
            self._fail(error)

    def pause_writing(self) -> None:
        """See asyncio.Protocol."""
        self._room.clear()

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        self._room.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._fail(exc or ConnectionResetError(_CLOSED))
        self._transport = None
        self._room.set()

    def _fail(self, error: Exception) -> None:
        if not self._end.done():
            self._end.set_exception(error)


def _new_reader() -> Any:
    if hiredis is None:
        return PlainReader(BaseParser.parse_error)
    return hiredis.Reader(
        protocolError=ConnectionError, replyError=BaseParser.parse_error, notEnoughData=NOT_YET
    )
