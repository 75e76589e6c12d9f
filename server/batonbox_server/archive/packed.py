"""How an archive keeps a row: MessagePack, compressed, since it repeats the names of fields."""

from __future__ import annotations

import zlib

import msgpack  # type: ignore[import-untyped]

from batonbox_server.store.archive_port import ArchivedRow

__all__ = ["pack_row", "unpack_row"]


def pack_row(row: ArchivedRow) -> bytes:
    """Both of its maps."""
    return zlib.compress(msgpack.packb([row.row, row.raw]), 1)


def unpack_row(conv: str, last_ms: int, packed: bytes, read_ms: int) -> ArchivedRow:
    """The row as it was given."""
    row, raw = msgpack.unpackb(zlib.decompress(packed))
    return ArchivedRow(conv, last_ms, row, raw, read_ms)
