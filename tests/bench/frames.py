"""Frames that a load client sends and waits for, spelled beforehand for a numbered inbox.

`python -m tests.bench.frames SIZE` prints them in hex as JSON, for events of SIZE bytes.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from typing import Final

import msgpack  # type: ignore[import-untyped]

from batonbox_server.wire import Op

from .fixture import WRITER, conv_of, inbox_of, secret_of, user_of

__all__ = ["CHANNEL", "SERIAL", "Frames", "frames"]

# What the load client puts a number in place of: the inbox's, and a fresh one for each event.
CHANNEL: Final = "%CHN"
SERIAL: Final = "%SEQ%SEQ%SEQ%SEQ"
_SUBS: Final = b"\x81" + msgpack.packb("subs")
# Any number does; this one is found in no other frame.
_REQUEST: Final = 0x62656E63


@dataclass(frozen=True, slots=True)
class Frames:
    """Opening of a subscriber and of the writer, what answers them, and how an event is written.

    An event is `before`, its text, and nothing behind it; `written` is in what answers it.
    """

    subscribe: bytes
    subscribed: bytes
    sign_in: bytes
    signed_in: bytes
    before: bytes
    written: bytes


def frames(size: int, *, channel: str = CHANNEL, serial: str = SERIAL) -> Frames:
    """Those of events of `size` bytes."""
    sub = [Op.SUB, 1, [[inbox_of(channel), "list"]]]
    args = {"cid": serial, "conv": conv_of(channel), "text": "x" * size}
    note = msgpack.packb([Op.CMD, _REQUEST, "note", args])
    return Frames(
        subscribe=_hello(user_of(channel)) + msgpack.packb(sub),
        subscribed=msgpack.packb(Op.OK) + msgpack.packb(1) + _SUBS,
        sign_in=_hello(WRITER),
        signed_in=msgpack.packb(WRITER),
        before=note[: len(note) - size],
        written=msgpack.packb(Op.OK) + msgpack.packb(_REQUEST),
    )


def _hello(user: str) -> bytes:
    packed: bytes = msgpack.packb([Op.HELLO, secret_of(user), "bench"])
    return packed


if __name__ == "__main__":
    told = asdict(frames(int(sys.argv[1])))
    print(json.dumps({name: value.hex() for name, value in told.items()}))
