"""One connection's I/O: a reader task, and a writer that exists only while there is something."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from batonbox._tasks import cancel_all, spawn
from batonbox._transport import ABNORMAL, Closed, Transport
from batonbox._wire import (
    JSON_SUBPROTOCOL,
    MSGPACK_SUBPROTOCOL,
    Close,
    Frame,
    WireError,
    decode,
    encode,
    join,
)

__all__ = ["Link"]

# Messages to the server stay under its 64 KiB (8 KiB before it has answered HELLO).
MESSAGE_BYTES = 32 << 10
QUEUED_MAX = 8192


class Link:
    """A connection; `on_frame` is called for each frame in order and must not block.

    `ended` is resolved with (close code, reason) once the connection is gone, however it went.
    """

    def __init__(
        self, transport: Transport, *, codec: str, on_frame: Callable[[Link, Frame], None]
    ) -> None:
        self._transport = transport
        self._subprotocol = JSON_SUBPROTOCOL if codec == "json" else MSGPACK_SUBPROTOCOL
        self._on_frame = on_frame
        self._queue: deque[bytes] = deque()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._writing = False
        self._silence: asyncio.TimerHandle | None = None
        self._silence_s = 60.0
        self._heard_s = 0.0
        loop = asyncio.get_running_loop()
        self.welcomed: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[tuple[int, str]] = loop.create_future()

    def start(self) -> None:
        """Begin to read."""
        self.expect_within(self._silence_s)
        spawn(self._tasks, self._read(), name="batonbox-read")

    def expect_within(self, silence_s: float) -> None:
        """End the link when nothing is heard for so long."""
        self._silence_s = silence_s
        self._heard_s = asyncio.get_running_loop().time()
        self._watch()

    def send(self, frame: Frame) -> None:
        """Queue a frame; frames queued in one turn of the loop travel as one message."""
        if len(self._queue) >= QUEUED_MAX:
            self._end(ABNORMAL, "the connection does not take what is written")
            return
        self._queue.append(encode(frame, self._subprotocol))
        if not self._writing and not self.ended.done():
            self._writing = True
            spawn(self._tasks, self._write(), name="batonbox-write")

    def abandon(self, reason: str) -> None:
        """Take the connection for broken; its owner closes it."""
        self._end(ABNORMAL, reason)

    async def close(self, code: int = 1000) -> None:
        """Close the connection and end its tasks; cut off when cancelled meanwhile."""
        self._end(code, "closed here")
        try:
            await cancel_all(self._tasks)
            await self._transport.close(code)
        finally:
            self._transport.cut()

    def cut(self) -> None:
        """End the connection at once; its tasks follow by themselves."""
        self._end(ABNORMAL, "cut off here")
        self._transport.cut()

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                data = await self._transport.receive()
                self._heard_s = loop.time()
                for frame in decode(data, self._subprotocol):
                    self._on_frame(self, frame)
        except Closed as closed:
            self._end(closed.code, closed.reason)
        except WireError as error:
            self._end(int(Close.BAD_FRAME), str(error))
        finally:
            self._end(ABNORMAL, "the reader ended")

    async def _write(self) -> None:
        try:
            while self._queue:
                await self._transport.send(self._batch())
        except Closed as closed:
            self._end(closed.code, closed.reason)
        finally:
            self._writing = False

    def _batch(self) -> bytes:
        frames, size = [self._queue.popleft()], 0
        size = len(frames[0])
        while self._queue and size + len(self._queue[0]) < MESSAGE_BYTES:
            size += len(self._queue[0])
            frames.append(self._queue.popleft())
        return join(frames, self._subprotocol)

    def _watch(self) -> None:
        if self._silence is not None:
            self._silence.cancel()
        loop = asyncio.get_running_loop()
        quiet_s = loop.time() - self._heard_s
        if quiet_s >= self._silence_s:
            self._end(ABNORMAL, f"nothing heard for {quiet_s:.0f} s")
            return
        self._silence = loop.call_later(self._silence_s - quiet_s + 0.01, self._watch)

    def _end(self, code: int, reason: str) -> None:
        if self._silence is not None:
            self._silence.cancel()
        if not self.ended.done():
            self.ended.set_result((code, reason))
