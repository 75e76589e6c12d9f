"""What a websocket message says, decoded once however many subscribers get the same bytes."""

from __future__ import annotations

from typing import Any, Final

import msgpack  # type: ignore[import-untyped]
from msgspec import Struct

from batonbox._wire import Frame, Op

__all__ = ["Digests", "Run", "stamp", "stamped_s"]

_KEPT: Final = 1024
_HEAD_BYTES, _TAIL_BYTES = 64, 24


class Run(Struct, frozen=True):
    """Consecutive events of one log; `sent_s`: when each was sent, where its cid is a stamp."""

    inbox: str
    first: int
    last: int
    tip: str
    sent_s: tuple[float, ...] = ()


Digest = tuple[Run | Frame, ...]


def stamp(run: str, now_s: float) -> str:
    """A command id that tells when it was sent, and is unique within `run`'s microsecond."""
    return f"{run}@{now_s:.7f}"


def stamped_s(cid: Any) -> float | None:
    """When the command was sent, if its id is a stamp."""
    _, at, text = cid.rpartition("@") if isinstance(cid, str) else ("", "", "")
    try:
        return float(text) if at else None
    except ValueError:
        return None


class Digests:
    """Remembers the latest messages: a log's subscribers get the same bytes at the same time.

    `timed` looks into each event for its stamp, which costs a few microseconds per message.
    """

    def __init__(self, *, timed: bool = False) -> None:
        self.timed = timed
        self._kept: dict[tuple[int, bytes, bytes], tuple[bytes, Digest]] = {}

    def of(self, payload: bytes) -> Digest:
        """Runs of events and other frames, in their order."""
        # An event ends with its tip, so this nearly always tells messages apart; comparing whole
        # messages is several times cheaper than hashing them.
        key = (len(payload), payload[:_HEAD_BYTES], payload[-_TAIL_BYTES:])
        kept = self._kept.get(key)
        if kept is not None and kept[0] == payload:
            return kept[1]
        digest = self._decoded(payload)
        if len(self._kept) >= _KEPT:
            self._kept.clear()
        self._kept[key] = (payload, digest)
        return digest

    def _decoded(self, payload: bytes) -> Digest:
        unpacker = msgpack.Unpacker(raw=False, strict_map_key=False)
        unpacker.feed(payload)
        found: list[Run | Frame] = []
        while unpacker.tell() < len(payload):
            size = unpacker.read_array_header()
            op = unpacker.unpack()
            if op != Op.EV:
                found.append([op, *(unpacker.unpack() for _ in range(size - 1))])
                continue
            run = self._event(unpacker, size)
            before = found[-1] if found else None
            if isinstance(before, Run) and _follows(before, run):
                sent = before.sent_s + run.sent_s
                found[-1] = Run(run.inbox, before.first, run.last, run.tip, sent)
            else:
                found.append(run)
        return tuple(found)

    def _event(self, unpacker: Any, size: int) -> Run:
        inbox, seq = unpacker.unpack(), unpacker.unpack()
        sent_s: float | None = None
        if self.timed:
            sent_s = stamped_s(unpacker.unpack().get("cid"))
        else:
            unpacker.skip()
        unpacker.skip()
        tip = unpacker.unpack()
        for _ in range(size - 6):
            unpacker.skip()
        return Run(inbox, seq, seq, tip, () if sent_s is None else (sent_s,))


def _follows(before: Run, run: Run) -> bool:
    return before.inbox == run.inbox and before.last + 1 == run.first
