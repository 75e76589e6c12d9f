"""Who acts, as the scripts take it in one argument: for stored replies, roles and the audit log."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]

from batonbox_server.origin import Origin, acting

__all__ = ["AUDIT_ENTRIES", "by_command", "by_organisation", "pack_for_lua", "pack_origin"]

# How many entries of an audit log are kept, unless the settings say otherwise.
AUDIT_ENTRIES: Final = 100_000


def pack_for_lua(value: Any) -> bytes:
    """cmsgpack knows no `bin`: bytes travel as `str`, which is all that Lua has."""
    return bytes(msgpack.packb(value, use_bin_type=False))


def by_command(*, actor: str, cid: str, digest: str, keep: int) -> bytes:
    """The argument `by` of a member's command: theirs, from where the present call comes."""
    origin = acting.get().origin
    packed = {
        "actor": actor,
        "cid": cid,
        "digest": digest,
        "origin": pack_origin(origin),
        "keep": keep,
    }
    if origin.as_member:
        packed["as_member"] = True
    return pack_for_lua(packed)


def by_organisation(*, keep: int, acts: Sequence[bytes] = ()) -> bytes:
    """The argument `by` of a change to the organisation; `acts` are packed entries of its log."""
    actor, origin = acting.get()
    return pack_for_lua(
        {
            "actor": actor,
            "origin": pack_origin(origin),
            "token": origin.token,
            "agent": origin.agent,
            "keep": keep,
            "acts": list(acts),
        }
    )


@lru_cache(maxsize=1024)
def pack_origin(origin: Origin) -> bytes:
    """From where, as entries of the audit log carry it."""
    return pack_for_lua([origin.via, origin.address, origin.token])
