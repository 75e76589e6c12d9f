"""A websocket client that costs little, so that the server is what is measured.

It speaks as much of RFC 6455 as our servers answer with: whole binary frames, unmasked.
"""

from __future__ import annotations

import asyncio
import struct
from abc import ABC, abstractmethod
from typing import cast

__all__ = ["MARKER", "Commander", "Counter", "Lean", "masked"]

# Occurs in every event of the fan-out and nowhere else on the wire.
MARKER = b"~bench~marker~"
_UPGRADE = (
    b"GET %b HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: batonbox.v1.msgpack\r\n\r\n"
)


def masked(payload: bytes) -> bytes:
    """A client's binary frame; the masking key is zero, so the payload stays as it is."""
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", 0x82, 0x80 | size) + bytes(4) + payload
    return struct.pack("!BBH", 0x82, 0x80 | 126, size) + bytes(4) + payload


class Lean(asyncio.Protocol, ABC):
    """Upgrades, sends `hello`, and hands every further byte to `fed`."""

    def __init__(self, *, path: str, hello: bytes) -> None:
        self.path, self.hello = path, hello
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.lost = False
        self._head: bytes | None = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes.
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(_UPGRADE % self.path.encode())

    def data_received(self, data: bytes) -> None:
        if self._head is None:
            self.fed(data)
            return
        self._head += data
        head, end, rest = self._head.partition(b"\r\n\r\n")
        if end:
            self._head = None
            if not head.startswith(b"HTTP/1.1 101 "):
                self.fail(ConnectionError(head.split(b"\r\n")[0].decode()))
                return
            self.transport.write(masked(self.hello))
            self.fed(rest)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self.fail(exc or ConnectionError("closed"))

    def fail(self, error: Exception) -> None:
        """Tell whoever waits."""
        if not self.ready.done():
            self.ready.set_exception(error)

    @abstractmethod
    def fed(self, data: bytes) -> None:
        """Bytes after the upgrade."""


class Counter(Lean):
    """Ready once `opening` has been seen; from then on counts MARKERs."""

    def __init__(self, *, path: str, hello: bytes, opening: bytes) -> None:
        super().__init__(path=path, hello=hello)
        self.count = 0
        self._opening = opening
        self._tail = b""

    def fed(self, data: bytes) -> None:
        joined = self._tail + data
        if not self.ready.done() and self._opening in joined:
            self.ready.set_result(None)
        # Shorter than a marker: what has been counted is not counted again.
        self.count += joined.count(MARKER)
        self._tail = joined[1 - len(MARKER) :]


class Commander(Lean):
    """Hands whole messages to `message`."""

    def __init__(self, *, path: str, hello: bytes) -> None:
        super().__init__(path=path, hello=hello)
        self._buffer = b""

    def fed(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= 2:
            size, at = self._buffer[1], 2
            if size == 126:
                size, at = int.from_bytes(self._buffer[2:4], "big"), 4
            elif size == 127:
                size, at = int.from_bytes(self._buffer[2:10], "big"), 10
            if len(self._buffer) < at + size:
                return
            payload, self._buffer = self._buffer[at : at + size], self._buffer[at + size :]
            self.message(payload)

    @abstractmethod
    def message(self, payload: bytes) -> None:
        """One websocket message."""
