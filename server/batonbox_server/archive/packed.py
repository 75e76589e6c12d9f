"""How an archive keeps a row: MessagePack, compressed, since it repeats the names of fields."""

from __future__ import annotations

import zlib
from dataclasses import replace

import msgpack  # type: ignore[import-untyped]

from batonbox_server.store.archive_port import ArchivedRow

__all__ = ["pack_row", "unpack_row", "without"]


def pack_row(row: ArchivedRow) -> bytes:
    """Both of its maps."""
    return zlib.compress(msgpack.packb([row.row, row.raw]), 1)


def without(row: ArchivedRow, upto: int) -> ArchivedRow | None:
    """The row as it is after lines up to this number were erased; None: it knows of that.

    It was read before, so that its conversation is back in the engine, but for a failover.
    """
    if int(row.raw.get("purged", 0)) >= upto:
        return None
    raw = {**row.raw, "purged": str(upto).encode(), "preview": b""}
    return replace(row, row={**row.row, "preview": ""}, raw=raw)


def unpack_row(conv: str, last_ms: int, packed: bytes, read_ms: int) -> ArchivedRow:
    """The row as it was given."""
    row, raw = msgpack.unpackb(zlib.decompress(packed))
    return ArchivedRow(conv, last_ms, row, raw, read_ms)
