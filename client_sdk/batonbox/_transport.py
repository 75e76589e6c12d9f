"""One websocket: opening it, and the difference between "try again" and "give up"."""

from __future__ import annotations

import ipaddress
import os
from typing import Literal, Protocol
from urllib.parse import urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.typing import Subprotocol

from batonbox._errors import (
    BatonboxError,
    ConnectionLost,
    Forbidden,
    ProtocolError,
    Unauthorized,
)
from batonbox._wire import JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL

__all__ = [
    "Closed",
    "Codec",
    "Transport",
    "base_url",
    "open_websocket",
    "refused_upgrade",
    "websocket_url",
]

Codec = Literal["msgpack", "json"]
DEFAULT_URL = "http://127.0.0.1:8080"
# The server's batches are 64 KiB; a snapshot of 200 rows may be larger.
MESSAGE_MAX_BYTES = 16 << 20
ABNORMAL = 1006


class Closed(Exception):
    """The websocket has closed with `code`."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"{code} {reason}".strip())


class Transport(Protocol):
    """What a link needs of a connection."""

    async def send(self, data: bytes) -> None:
        """Raises Closed."""

    async def receive(self) -> bytes | str:
        """Raises Closed."""

    async def close(self, code: int = 1000) -> None:
        """Close and wait, at most a few seconds; cut off when cancelled meanwhile."""

    def cut(self) -> None:
        """End the connection at once, without a farewell; nothing to do when it has ended."""


def base_url(url: str | None) -> str:
    """The server's address: as given, from $BATONBOX_URL, or the default of `make run`."""
    return (url or os.environ.get("BATONBOX_URL") or DEFAULT_URL).rstrip("/")


def websocket_url(url: str) -> str:
    """`http://host:port` to `ws://host:port/v1/ws`; raises ValueError for anything else."""
    parts = urlsplit(url)
    scheme = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}.get(parts.scheme)
    if scheme is None or not parts.hostname:
        raise ValueError(f"{url!r} is not a server's base address such as http://127.0.0.1:8080")
    return urlunsplit((scheme, parts.netloc, parts.path.rstrip("/") + "/v1/ws", "", ""))


class WebSocket:
    """`Transport` over the websockets library."""

    __slots__ = ("_connection", "_text")

    def __init__(self, connection: ClientConnection, *, text: bool) -> None:
        self._connection = connection
        self._text = text

    async def send(self, data: bytes) -> None:
        try:
            await self._connection.send(data.decode() if self._text else data)
        except ConnectionClosed as error:
            raise _closed(error) from error

    async def receive(self) -> bytes | str:
        try:
            return await self._connection.recv()
        except ConnectionClosed as error:
            raise _closed(error) from error

    async def close(self, code: int = 1000) -> None:
        try:
            await self._connection.close(code)
        finally:
            self.cut()

    def cut(self) -> None:
        self._connection.transport.abort()


async def open_websocket(url: str, *, codec: Codec, timeout_s: float) -> Transport:
    """Connect to a server's base address.

    Raises: ConnectionLost when trying again may help; Unauthorized, Forbidden or ProtocolError when
    it will not.
    """
    address = websocket_url(url)
    subprotocol = JSON_SUBPROTOCOL if codec == "json" else MSGPACK_SUBPROTOCOL
    try:
        connection = await connect(
            address,
            subprotocols=[Subprotocol(subprotocol)],
            compression=None,
            ping_interval=None,
            open_timeout=timeout_s,
            close_timeout=2.0,
            max_size=MESSAGE_MAX_BYTES,
            proxy=None if _is_loopback(address) else True,
        )
    except InvalidStatus as error:
        after = error.response.headers.get("Retry-After")
        raise refused_upgrade(error.response.status_code, retry_after=after) from error
    except InvalidURI as error:
        raise ProtocolError(str(error)) from error
    except (OSError, TimeoutError, InvalidHandshake, EOFError) as error:
        raise ConnectionLost(f"cannot connect to {address}: {str(error) or 'no answer'}") from error
    websocket = WebSocket(connection, text=codec == "json")
    if connection.subprotocol != subprotocol:
        await websocket.close(1002)
        raise ProtocolError(f"{address} does not speak {subprotocol}")
    return websocket


def refused_upgrade(status: int, *, retry_after: str | None = None) -> BatonboxError:
    """What an HTTP status instead of the upgrade means, with the header of that name."""
    if status == 401:
        return Unauthorized(101, "unauthorized", "The server refused the token.")
    if status == 403:
        return Forbidden(103, "forbidden", "The server refused this origin or token.")
    if status in {400, 404, 426}:
        return ProtocolError(f"no batonbox server of this wire version there (HTTP {status})")
    after_s = float(retry_after) if retry_after and retry_after.isdecimal() else 0.0
    text = f"the server is not taking connections (HTTP {status})"
    return ConnectionLost(text, retry_after_s=after_s)


def _closed(error: ConnectionClosed) -> Closed:
    received = error.rcvd
    return Closed(received.code, received.reason) if received else Closed(ABNORMAL, "no close")


def _is_loopback(address: str) -> bool:
    """A proxy of the environment is not for this machine itself."""
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
