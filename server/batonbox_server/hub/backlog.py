"""Reads shared by everybody who asks at the same time: snapshots, and old events of the log."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Final, Generic, TypeVar

from batonbox_server import wire
from batonbox_server.errors import Refused
from batonbox_server.tasks import spawn

from .port import EntryLike

__all__ = ["Chunk", "SharedRead", "SnapshotFrame", "chunk_of"]

_T = TypeVar("_T")
_KEPT: Final = 16


class SharedRead(Generic[_T]):
    """At most one read per key is under way; whoever asks meanwhile gets its result.

    Results are kept until `forget`, for at most 16 keys; `fresh` says whether one still serves.
    What is under way then is forgotten too: whoever waits for it reads again.
    """

    def __init__(self, tasks: set[asyncio.Task[Any]], *, fresh: Callable[[_T], bool]) -> None:
        self._tasks = tasks
        self._fresh = fresh
        self._reads: dict[Hashable, asyncio.Task[_T | Refused]] = {}
        self._forgotten = 0

    async def get(self, key: Hashable, read: Callable[[], Awaitable[_T]]) -> _T:
        """The shared result; a failure is everybody's, and not kept."""
        while True:
            asked = self._forgotten
            task = self._reads.get(key)
            if task is None or not self._serves(task):
                if len(self._reads) >= _KEPT:
                    self._reads.pop(next(iter(self._reads)))
                task = self._reads[key] = spawn(self._tasks, _run(read), name="shared-read")
            result = task.result() if task.done() else await asyncio.shield(task)
            if asked == self._forgotten:
                break
        if isinstance(result, Refused):
            raise Refused(result.slug, result.message)
        return result

    def forget(self) -> None:
        """Nothing read so far serves any more."""
        self._reads.clear()
        self._forgotten += 1

    def _serves(self, task: asyncio.Task[_T | Refused]) -> bool:
        if not task.done():
            return True
        if task.cancelled() or task.exception() is not None:
            return False
        result = task.result()
        return not isinstance(result, Refused) and self._fresh(result)


async def _run(read: Callable[[], Awaitable[_T]]) -> _T | Refused:
    try:
        return await read()
    except Refused as refused:
        return refused


class Chunk:
    """Contiguous old events, joined once per codec; `last` is the cursor behind them."""

    def __init__(self, frames: list[bytes], last: int) -> None:
        self._frames = frames
        self._json = b""
        self._msgpack = b"".join(frames)
        self.last = last

    def data(self, *, as_json: bool) -> bytes:
        """The events as one message."""
        if not as_json:
            return self._msgpack
        if not self._json:
            self._json = b"\n".join(map(wire.transcode, self._frames))
        return self._json


def chunk_of(entries: list[EntryLike], *, after: int, max_bytes: int) -> Chunk | None:
    """Entries behind a cursor; None when the log does not reach back to it."""
    if not entries or entries[0].seq != after + 1:
        return None
    frames: list[bytes] = []
    size = 0
    for entry in entries:
        if frames and size + len(entry.frame) > max_bytes:
            break
        frames.append(entry.frame)
        size += len(entry.frame)
    return Chunk(frames, after + len(frames))


class SnapshotFrame:
    """A snapshot, encoded once per codec; only `me` differs between its readers."""

    def __init__(self, inbox: str, snapshot: Any) -> None:
        self._inbox = inbox
        self._snapshot = snapshot
        self._parts: dict[str, tuple[bytes, bytes]] = {}
        self.epoch: str = snapshot.epoch
        self.seq: int = snapshot.seq
        self.tip: str = snapshot.tip

    def pieces(self, subprotocol: str, me: dict[str, Any]) -> tuple[bytes, bytes, bytes]:
        """The SNAP frame in pieces that are shared, but for the one in the middle."""
        if subprotocol not in self._parts:
            self._parts[subprotocol] = self._around(subprotocol)
        head, tail = self._parts[subprotocol]
        return head, _encode(me, subprotocol), tail

    def _around(self, subprotocol: str) -> tuple[bytes, bytes]:
        s = self._snapshot
        values = [int(wire.Op.SNAP), self._inbox, s.epoch, s.seq, s.tip, s.counts]
        head = [_encode(value, subprotocol) for value in values]
        tail = [_encode(value, subprotocol) for value in (s.rows, s.next or None)]
        if subprotocol == wire.JSON_SUBPROTOCOL:
            return b"[" + b",".join(head) + b",", b"," + b",".join(tail) + b"]"
        return bytes([0x90 | (len(head) + 1 + len(tail))]) + b"".join(head), b"".join(tail)


def _encode(value: Any, subprotocol: str) -> bytes:
    return wire.encode(value, subprotocol)
