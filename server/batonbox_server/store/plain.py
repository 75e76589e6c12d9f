"""RESP2 in plain Python, for installations without the extra [fast]; same interface as hiredis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

__all__ = ["NOT_YET", "PlainReader", "pack_command"]

NOT_YET: Final = object()


def pack_command(args: tuple[bytes | str | int | float, ...]) -> bytes:
    """One command as an array of bulk strings."""
    parts = [b"*%d\r\n" % len(args)]
    for arg in args:
        raw = arg if isinstance(arg, bytes) else str(arg).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(raw), raw))
    return b"".join(parts)


class PlainReader:
    """`feed` bytes, then `gets` until it returns `NOT_YET`; error replies are exception values."""

    def __init__(self, reply_error: Callable[[str], Exception]) -> None:
        self._reply_error = reply_error
        self._buffer = bytearray()
        self._at = 0

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def gets(self) -> Any:
        """The next whole reply.

        Raises:
            ConnectionError: the bytes are not RESP2.
        """
        start = self._at
        try:
            reply = self._parse()
        except IndexError:  # incomplete: start over from here when more has come
            self._at = start
            del self._buffer[:start]
            self._at = 0
            return NOT_YET
        return reply

    def _parse(self) -> Any:
        end = self._buffer.find(b"\r\n", self._at)
        if end < 0:
            raise IndexError
        kind, line = self._buffer[self._at], bytes(self._buffer[self._at + 1 : end])
        self._at = end + 2
        match chr(kind):
            case "+":
                return line
            case "-":
                return self._reply_error(line.decode(errors="replace"))
            case ":":
                return int(line)
            case "$":
                return self._bulk(int(line))
            case "*":
                return None if line == b"-1" else [self._parse() for _ in range(int(line))]
            case other:
                raise ConnectionError(f"the engine sent {other!r}, which is not RESP2")

    def _bulk(self, length: int) -> bytes | None:
        if length < 0:
            return None
        end = self._at + length
        if len(self._buffer) < end + 2:
            raise IndexError
        found = bytes(self._buffer[self._at : end])
        self._at = end + 2
        return found
