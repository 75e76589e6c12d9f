"""A websocket client that costs little, so that the server is what is measured.

It speaks as much of RFC 6455 as a batonbox server answers with: whole binary messages, unmasked,
and control frames.  One thread only: all connections read into one buffer.
"""

from __future__ import annotations

import asyncio
import struct
from abc import ABC, abstractmethod
from typing import Final, cast

import msgpack  # type: ignore[import-untyped]

from batonbox._errors import (
    BatonboxError,
    ConnectionLost,
    Forbidden,
    ProtocolError,
    Unauthorized,
)
from batonbox._transport import refused_upgrade
from batonbox._wire import MSGPACK_SUBPROTOCOL, Close, Frame
from batonbox.bench.address import Address

__all__ = ["Lean", "Refused", "masked", "packed"]

_BUFFER: Final = memoryview(bytearray(1 << 18))
_HEAD_MAX_BYTES: Final = 16384
_UPGRADE: Final = (
    "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: " + MSGPACK_SUBPROTOCOL + "\r\n\r\n"
)
_WHOLE_BINARY, _CLOSE, _PING, _PONG = 0x82, 0x88, 0x89, 0x8A
_ABNORMAL: Final = 1006


class Refused(ConnectionLost):
    """The server takes no connection now; it may in `retry_after_s`."""

    def __init__(self, status: int, retry_after_s: float) -> None:
        self.status = status
        text = f"the server is not taking connections (HTTP {status})"
        super().__init__(text, retry_after_s=retry_after_s)


def masked(payload: bytes, head: int = _WHOLE_BINARY) -> bytes:
    """A client's frame; the masking key is zero, so the payload stays as it is."""
    size = len(payload)
    if size < 126:
        return struct.pack("!BBI", head, 0x80 | size, 0) + payload
    if size < 1 << 16:
        return struct.pack("!BBHI", head, 0x80 | 126, size, 0) + payload
    return struct.pack("!BBQI", head, 0x80 | 127, size, 0) + payload


def packed(*frames: Frame) -> bytes:
    """Frames of the wire as one masked websocket message."""
    return masked(b"".join(msgpack.packb(frame) for frame in frames))


class Lean(asyncio.BufferedProtocol, ABC):
    """Upgrades, sends `hello` (frames of websocket messages), hands each message to `message`.

    `ready` is resolved by the subclass, or fails with the reason when the connection ends before.
    `ended` is empty while the connection is open, then says why it ended.
    """

    __slots__ = ("_hello", "_rest", "_upgraded", "address", "ended", "ready", "transport")

    def __init__(self, address: Address, *, hello: bytes) -> None:
        self.address: Address = address
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.ended: str = ""
        self._hello = hello
        self._rest = b""
        self._upgraded = False

    @abstractmethod
    def message(self, payload: bytes) -> None:
        """One websocket message: one or more frames of the wire."""

    def lost(self) -> None:
        """The connection has ended; `ended` says why."""

    def write(self, data: bytes) -> None:
        """Masked frames; ignored once the connection has ended."""
        if not self.transport.is_closing():
            self.transport.write(data)

    def cut(self) -> None:
        """End the connection at once, without a farewell."""
        self.ended = self.ended or "cut off here"
        self.transport.abort()

    def close(self) -> None:
        """Say farewell and end the connection."""
        self.ended = self.ended or "closed here"
        self.write(masked(struct.pack("!H", 1000), _CLOSE))
        self.transport.close()

    def fail(self, error: BatonboxError) -> None:
        """End the connection for this reason, and tell whoever waits for `ready`."""
        self.ended = self.ended or str(error)
        if not self.ready.done():
            self.ready.set_exception(error)
            # A batch that has failed already looks at none of the others.
            self.ready.exception()
        self.transport.abort()

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes.
        self.transport: asyncio.Transport = cast(asyncio.Transport, transport)
        request = _UPGRADE.format(path=self.address.path, host=self.address.netloc)
        self.transport.write(request.encode())

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        # What was read is taken out of it before anybody else can be read.
        return _BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        data = self._rest + _BUFFER[:nbytes] if self._rest else bytes(_BUFFER[:nbytes])
        self._rest = b""
        if self._upgraded:
            self._rest = self._split(data)
        else:
            self._head(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.fail(ConnectionLost(f"the connection ended ({exc or 'closed by the server'})"))
        self.lost()

    def _head(self, data: bytes) -> None:
        head, end, rest = data.partition(b"\r\n\r\n")
        if not end:
            self._rest = data
            if len(data) > _HEAD_MAX_BYTES:
                self.fail(ProtocolError("this is no websocket server's answer"))
            return
        if not head.startswith(b"HTTP/1.1 101 "):
            self.fail(_refusal(head))
            return
        self._upgraded = True
        self.transport.write(self._hello)
        self._hello = b""
        self._rest = self._split(rest)

    def _split(self, data: bytes) -> bytes:
        """Hand over the whole frames in `data`; what is left belongs to the next one."""
        at, end = 0, len(data)
        while end - at >= 2:
            size, body = data[at + 1], at + 2
            if size >= 126:
                body += 2 if size == 126 else 8
                if end < body:
                    break
                size = int.from_bytes(data[at + 2 : body], "big")
            if end < body + size:
                break
            if data[at] == _WHOLE_BINARY:
                self.message(data[body : body + size])
            else:
                self._control(data[at], data[body : body + size])
            at = body + size
        return data[at:] if at else data

    def _control(self, head: int, payload: bytes) -> None:
        if head == _PING:
            self.write(masked(payload, _PONG))
        elif head == _CLOSE:
            code = int.from_bytes(payload[:2], "big") if payload else _ABNORMAL
            self.fail(closed(code, payload[2:].decode(errors="replace")))
        elif head != _PONG:
            self.fail(ProtocolError(f"a websocket frame that begins with {head:#x}"))


def closed(code: int, reason: str) -> BatonboxError:
    """What a close code of the server means to somebody who waits."""
    if code == Close.UNAUTHORIZED:
        return Unauthorized(101, "unauthorized", reason or "The server refused the token.")
    if code == Close.FORBIDDEN:
        return Forbidden(103, "forbidden", reason or "The server refused this token.")
    return ConnectionLost(f"the server closed the connection ({code} {reason})".replace(" )", ")"))


def _refusal(head: bytes) -> BatonboxError:
    line, *headers = head.decode("latin-1").split("\r\n")
    number = line.split(" ")[1] if line.startswith("HTTP/1.") and " " in line else ""
    status = int(number) if number.isdecimal() else 400
    if status not in {429, 503}:
        return refused_upgrade(status)
    fields = dict(header.lower().partition(":")[::2] for header in headers)
    after = fields.get("retry-after", "").strip()
    return Refused(status, float(after) if after.isdecimal() else 1.0)
