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
_KNOWN_MOST: Final = 16_384
_known: Final[dict[int, tuple[Origin, int, bytes, bytes]]] = {}
_pack: Final = msgspec.msgpack.Encoder().encode
_ACTOR, _CID, _DIGEST = _pack("actor"), _pack("cid"), _pack("digest")


def pack_for_lua(value: Any) -> bytes:
    """cmsgpack knows no `bin`: bytes travel as `str`, which is all that Lua has."""
    return bytes(msgpack.packb(value, use_bin_type=False))


def by_command(*, actor: str, cid: str, digest: str, keep: int) -> bytes:
    """The argument `by` of a member's command: theirs, from where the present call comes."""
    origin = acting.get().origin
    # By identity: a connection acts from one origin for all of its life, and hashing it costs more
    # than all else here.
    known = _known.get(id(origin))
    if known is None or known[0] is not origin or known[1] != keep:
        known = _know(origin, keep)
    # A map is its header and its pairs.
    pack = _pack
    pairs = (known[2], _ACTOR, pack(actor), _CID, pack(cid), _DIGEST, pack(digest), known[3])
    return b"".join(pairs)


def _know(origin: Origin, keep: int) -> tuple[Origin, int, bytes, bytes]:
    """The header of `by_command`, and the pairs that do not change from one command to the next."""
    pairs: dict[str, Any] = {"origin": pack_origin(origin), "keep": keep}
    if origin.as_member:
        pairs["as_member"] = True
    packed = b"".join(pack_for_lua(part) for pair in pairs.items() for part in pair)
    if len(_known) >= _KNOWN_MOST:
        _known.clear()
    known = _known[id(origin)] = (origin, keep, bytes([0x83 + len(pairs)]), packed)
    return known


def by_organisation(*, keep: int, acts: Sequence[bytes] = ()) -> bytes:
    """The argument `by` of a change to the organisation; `acts` are packed entries of its log."""
    actor, origin, _ = acting.get()
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
