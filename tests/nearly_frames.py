"""Messages that are nearly frames: golden ones changed by a seeded generator, and what explodes."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]

from batonbox_server import wire

__all__ = ["Nearly", "bombs"]

_GOLDEN: Final = [
    vector["frame"]
    for vector in json.loads((Path(__file__).parent / "vectors" / "frames.json").read_text())
]
_FROM_CLIENT: Final = [frame for frame in _GOLDEN if frame[0] in wire.CLIENT_FRAMES]
_COMMANDS: Final = [
    [int(wire.Op.CMD), 9, name, {"cid": "c-9", "conv": "sales.c1", "own_tok": "1.a", "text": "x"}]
    for name in wire.COMMANDS
]
_ODD: Final[tuple[Any, ...]] = (
    None, True, -1, 0, 2**31, 2**53, 2**63, 2**64 - 1, 1.5, float("inf"), float("nan"), "", "\0",
    "x" * 300, "\ud800", "é\U0001f469‍\U0001f4bb" * 9, "sales", "sales.c1", "badge", "list",
    "conv:sales.c1", "conv:", "0123456789abcdef", [], {}, [[]], {"a": {"b": [1]}}, list(range(300)),
    [["sales", "list"]] * 200, [None] * 3, {"cid": "c"}, "2026-01-01T00:00:00Z",
)  # fmt: skip
_ODD_PACKED: Final[tuple[Any, ...]] = (
    b"\xff", b"", {1: 2}, msgpack.ExtType(5, b"x"), msgpack.Timestamp(1, 2),
)  # fmt: skip


class Nearly:
    """One seed, one sequence.

    `broken` is the share of messages whose bytes are changed; most of those are no frames at all
    any more. In the others values are changed, and they stay frames.
    """

    def __init__(self, seed: int, *, broken: float = 0.4) -> None:
        self._random = random.Random(seed)
        self._broken = broken

    def message(self, subprotocol: str) -> bytes | str:
        """The next one, as a client of this subprotocol would send it."""
        draw = self._random
        as_json = subprotocol == wire.JSON_SUBPROTOCOL
        frames = [self._frame(as_json=as_json) for _ in range(draw.choice((1, 1, 1, 2, 5)))]
        encoded = [_encoded(frame, as_json=as_json) for frame in frames]
        data = (b"\n" if as_json else b"").join(encoded)
        if draw.random() < self._broken:
            data = self._bytes(data)
        if not as_json:
            return data if draw.random() > 0.01 else data.decode("latin-1")
        return data.decode("utf-8", "replace") if draw.random() > 0.01 else data

    def _frame(self, *, as_json: bool) -> list[Any]:
        draw = self._random
        pool = draw.choice((_FROM_CLIENT, _FROM_CLIENT, _COMMANDS, _GOLDEN))
        frame: list[Any] = copy.deepcopy(draw.choice(pool))
        for _ in range(draw.choice((0, 1, 1, 2, 4))):
            self._change(frame, as_json=as_json)
        return frame

    def _change(self, frame: list[Any], *, as_json: bool) -> None:
        """One value somewhere in it becomes another, goes, or comes."""
        draw = self._random
        at: Any = frame
        while True:
            keys: list[Any] = list(range(len(at))) if isinstance(at, list) else list(at)
            key = draw.choice(keys) if keys else None
            if key is None or not isinstance(at[key], list | dict) or draw.random() < 0.3:
                break
            at = at[key]
        odd = draw.choice(_ODD if as_json else _ODD + _ODD_PACKED)
        how = draw.random()
        if key is None or how < 0.2:
            if isinstance(at, list):
                at.insert(draw.randrange(len(at) + 1), copy.deepcopy(odd))
            else:
                at[draw.choice(("conv", "to", "n", "text", "cid", "", "x"))] = copy.deepcopy(odd)
        elif how < 0.35:
            del at[key]
        else:
            at[key] = copy.deepcopy(odd)

    def _bytes(self, data: bytes) -> bytes:
        draw, found = self._random, bytearray(data)
        for _ in range(draw.choice((1, 1, 2, 8))):
            at = draw.randrange(len(found) + 1)
            upto = min(len(found), at + draw.choice((1, 2, 4, 64)))
            how = draw.randrange(5)
            if how == 0 and at < len(found):
                found[at] ^= 1 << draw.randrange(8)
            elif how == 1:
                found[at:at] = draw.randbytes(draw.choice((1, 2, 4, 16)))
            elif how == 2:
                del found[at:upto]
            elif how == 3:
                found[at:at] = found[at:upto] * draw.choice((1, 2, 8))
            else:
                found[at:upto] = draw.choice(
                    (
                        b"\xdd\xff\xff\xff\xff",
                        b"\xdc\xff\xff",
                        b"\xc9\x7f\xff\xff\xff\x05",
                        b"[" * 99,
                    )
                )
        return bytes(found)


def _encoded(frame: list[Any], *, as_json: bool) -> bytes:
    if as_json:
        return json.dumps(frame).encode()
    packed: bytes = msgpack.packb(frame, unicode_errors="surrogatepass")
    return packed


def bombs(subprotocol: str, size: int) -> list[tuple[str, bytes | str]]:
    """Messages of about `size` bytes that a careless reader makes far more of, by name."""
    if subprotocol == wire.JSON_SUBPROTOCOL:
        return [
            ("arrays in arrays", "[6," + "[" * (size - 4)),
            ("objects in objects", '[1,1,"note",' + '{"a":' * (size // 6)),
            ("a number of many digits", "[6," + "9" * (size - 4) + "]"),
            ("many frames", "[6]\n" * (size // 4)),
        ]

    def filled(head: bytes, repeated: bytes) -> bytes:
        return (head + repeated * size)[:size]

    heads: dict[str, Callable[[bytes], bytes]] = {
        "in a frame": lambda rest: b"\x92\x06" + rest,
        "in a command": lambda rest: b"\x94\x01\x01\xa4note\x81\xa1a" + rest,
        "as a message": lambda rest: rest,
    }
    inside = {
        "arrays in arrays": b"\x91",
        "maps in maps": b"\x81\xa1a",
        "arrays of 65535 in arrays": b"\xdc\xff\xff",
        "arrays of as many as fit in arrays": b"\xdd" + size.to_bytes(4, "big"),
        "arrays of 4 billion": b"\xdd\xff\xff\xff\xff",
        "maps of 4 billion": b"\xdf\xff\xff\xff\xff",
        "a text of 4 GB": b"\xdb\xff\xff\xff\xff",
        "bytes of 4 GB": b"\xc6\xff\xff\xff\xff",
        "an extension of 4 GB": b"\xc9\xff\xff\xff\xff\x05",
    }
    found: list[tuple[str, bytes | str]] = [
        (f"{name} {where}", filled(head(b""), repeated))
        for name, repeated in inside.items()
        for where, head in heads.items()
    ]
    found.append(("many frames", b"\x91\x06" * (size // 2)))
    for op in (wire.Op.UNSUB, wire.Op.PONG):
        heads_of = (b"\xdc\xff\xff", b"\xdd\xff\xff\xff\xff")
        found += [(f"{op.name} of many", bytes([0x92, op]) + head) for head in heads_of]
    found.append(("SUB of many", b"\x93\x02\x01\xdd\xff\xff\xff\xff"))
    return found
