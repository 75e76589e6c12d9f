"""Bytes of one websocket message as a server sends it (RFC 6455 §5.2): whole, unmasked."""

from __future__ import annotations

import struct
from typing import Final

__all__ = ["BINARY", "TEXT", "framed"]

# FIN, and the opcode.
TEXT: Final = 0x81
BINARY: Final = 0x82
_SHORT: Final = struct.Struct("!BB").pack
_MEDIUM: Final = struct.Struct("!BBH").pack
_LONG: Final = struct.Struct("!BBQ").pack


def framed(data: bytes, *, text: bool) -> bytes:
    """The message with its header: ready for any number of transports."""
    head, size = TEXT if text else BINARY, len(data)
    if size < 126:
        return _SHORT(head, size) + data
    if size < 65536:
        return _MEDIUM(head, 126, size) + data
    return _LONG(head, 127, size) + data
