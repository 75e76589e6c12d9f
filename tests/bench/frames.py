"""Frames that a load client sends and waits for, spelled beforehand for a numbered inbox.

`python -m tests.bench.frames SIZE` prints them in hex as JSON, for events of SIZE bytes.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]

from batonbox_server.wire import Op

from .fixture import WRITER, conv_of, inbox_of, number_of, secret_of, user_of

__all__ = ["CHANNEL", "Frames", "event", "frames", "greeting"]

# What the load client puts a number in place of: the inbox's, and a fresh one for each event.
CHANNEL: Final = "%CHN"
_SERIAL: Final = "%SEQ%SEQ%SEQ%SEQ"
_SUB: Final = 1
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


def frames(size: int) -> Frames:
    """Those of events of `size` bytes."""
    sub = [Op.SUB, _SUB, [[inbox_of(CHANNEL), "list"]]]
    args = {"cid": _SERIAL, "conv": conv_of(CHANNEL), "text": "x" * size}
    note = msgpack.packb([Op.CMD, _REQUEST, "note", args])
    subs = b"\x81" + msgpack.packb("subs")
    return Frames(
        subscribe=_hello(user_of(CHANNEL)) + msgpack.packb(sub),
        subscribed=msgpack.packb(Op.OK) + msgpack.packb(_SUB) + subs,
        sign_in=_hello(WRITER),
        signed_in=msgpack.packb(WRITER),
        before=note[: len(note) - size],
        written=msgpack.packb(Op.OK) + msgpack.packb(_REQUEST),
    )


def greeting(inbox: str) -> bytes:
    """What answers HELLO and SUB where there is neither a token nor a log: WELCOME, SNAP, OK."""
    told = (
        [Op.WELCOME, "c", "u", 0, {}, "", 0, 0],
        [Op.SNAP, inbox, "e", 0, "t", {}, {}, [], None],
        [Op.OK, _SUB, {"subs": [[inbox, "snapshot", 0]]}],
    )
    return b"".join(msgpack.packb(frame) for frame in told)


def event(inbox: str, seq: int, args: dict[str, Any]) -> bytes:
    """The event of a note, as large as the server's own: yardsticks deliver what it delivers."""
    conv, number = f"{inbox}.c", number_of(inbox[1:])
    standing = {"status": "unassigned", "assignee": "", "att": "5.3bd0a5e4"}
    row = {
        **standing,
        "id": conv,
        "our": number,
        "customer": "+19055550142",
        "own_tok": "5.9b6214a7",
        "rev": seq,
        "in_seq": "5.3bd0a5e4",
        "last_ms": 1 << 40,
        "waiting_since": 1 << 40,
        "last_assignee": "",
        "unanswered": 1,
        "preview": "hello",
        "n": seq,
        "snoozed_until": 0,
        "opted_out": 0,
    }
    meta = {"type": "noted", "conv": conv, "actor": WRITER, "cid": args["cid"], "n": seq}
    meta |= {"unseen": False, "before": standing, "row": row}
    body = {"text": args["text"], "mentions": []}
    packed: bytes = msgpack.packb([Op.EV, inbox, seq, meta, body, f"{seq:016x}"])
    return packed


def _hello(user: str) -> bytes:
    packed: bytes = msgpack.packb([Op.HELLO, secret_of(user), "bench"])
    return packed


if __name__ == "__main__":
    told = asdict(frames(int(sys.argv[1])))
    print(json.dumps({name: value.hex() for name, value in told.items()}))
