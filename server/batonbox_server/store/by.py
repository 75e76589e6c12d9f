"""Who acts, as the scripts take it in one argument: for stored replies, roles and the audit log."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]
import msgspec

from batonbox_server.origin import Origin, acting

__all__ = ["AUDIT_ENTRIES", "by_command", "by_organisation", "pack_for_lua", "pack_origin"]

# How many entries of an audit log are kept, unless the settings say otherwise.
AUDIT_ENTRIES: Final = 100_000
_MAPS: Final = [bytes([0x80 + n]) for n in range(16)]
_pack: Final = msgspec.msgpack.Encoder().encode
_ACTOR, _CID, _DIGEST = _pack("actor"), _pack("cid"), _pack("digest")


def pack_for_lua(value: Any) -> bytes:
    """cmsgpack knows no `bin`: bytes travel as `str`, which is all that Lua has."""
    return bytes(msgpack.packb(value, use_bin_type=False))


def by_command(*, actor: str, cid: str, digest: str, keep: int) -> bytes:
    """The argument `by` of a member's command: theirs, from where the present call comes."""
    count, known = _known_of(acting.get().origin, keep)
    # A map is its header and its pairs: those that stay the same are packed once.
    told = (_ACTOR, _pack(actor), _CID, _pack(cid), _DIGEST, _pack(digest))
    return b"".join((_MAPS[count + 3], *told, known))


@lru_cache(maxsize=1024)
def _known_of(origin: Origin, keep: int) -> tuple[int, bytes]:
    """How many pairs of `by_command` do not change from one command to the next, and the pairs."""
    pairs: dict[str, Any] = {"origin": pack_origin(origin), "keep": keep}
    if origin.as_member:
        pairs["as_member"] = True
    return len(pairs), b"".join(pack_for_lua(part) for pair in pairs.items() for part in pair)


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
