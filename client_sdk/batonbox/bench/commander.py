"""A connection that sends commands, many at a time, and tells each one's answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgpack  # type: ignore[import-untyped]

from batonbox._errors import BatonboxError, api_error
from batonbox._wire import Frame, Op
from batonbox.bench.address import Address
from batonbox.bench.lean import Lean, packed

__all__ = ["Commander", "failure"]

NAME = "bench"
Then = Callable[[Frame], None]


def failure(frame: Frame) -> BatonboxError | None:
    """What an answer refuses with; None for OK."""
    if frame[0] == Op.OK:
        return None
    return api_error(frame[2], frame[3], frame[4], retry_ms=frame[5] if len(frame) > 5 else None)


class Commander(Lean):
    """Ready once signed in.  Requests of one turn of the loop leave in one write.

    `welcome` is the server's WELCOME; `refused` counts answers that were ERR, by their slug.
    """

    __slots__ = ("_due", "_next", "_queue", "_waiting", "refused", "welcome")

    def __init__(self, address: Address, token: str) -> None:
        super().__init__(address, hello=packed([int(Op.HELLO), token, NAME]))
        self.welcome: Frame = []
        self.refused: dict[str, int] = {}
        self._next = 0
        self._waiting: dict[int, Then] = {}
        self._queue: list[bytes] = []
        self._due = False

    @property
    def in_flight(self) -> int:
        """Requests without an answer."""
        return len(self._waiting)

    def command(self, name: str, args: dict[str, Any], then: Then) -> None:
        """Send a command; `then` gets its OK or ERR."""
        self.request(then, Op.CMD, name, args)

    def request(self, then: Then, op: Op, *fields: Any) -> None:
        """Send any frame that carries a request id; `then` gets its OK or ERR.

        When the connection has ended or ends first, `then` gets an ERR of the slug `unavailable`.
        """
        self._next += 1
        self._waiting[self._next] = then
        if self.ended:
            asyncio.get_running_loop().call_soon(self.lost)
            return
        self._queue.append(packed([int(op), self._next, *fields]))
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._flush)

    async def ask(self, op: Op, *fields: Any, timeout_s: float = 30.0) -> Any:
        """The result of one request; raises what it was refused with, or TimeoutError."""
        answer: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()

        def then(frame: Frame) -> None:
            if not answer.done():
                answer.set_result(frame)

        self.request(then, op, *fields)
        async with asyncio.timeout(timeout_s):
            frame = await answer
        error = failure(frame)
        if error is not None:
            raise error
        return frame[2]

    def message(self, payload: bytes) -> None:
        unpacker = msgpack.Unpacker(raw=False, strict_map_key=False)
        unpacker.feed(payload)
        for frame in unpacker:
            op = frame[0]
            if op in {Op.OK, Op.ERR}:
                self._answered(frame)
            elif op == Op.WELCOME:
                self.welcome = frame
                if not self.ready.done():
                    self.ready.set_result(None)
            elif op == Op.PING:
                self.write(packed([int(Op.PONG)]))

    def lost(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for number, then in waiting.items():
            then([int(Op.ERR), number, 130, "unavailable", self.ended])

    def _answered(self, frame: Frame) -> None:
        if frame[0] == Op.ERR:
            self.refused[frame[3]] = self.refused.get(frame[3], 0) + 1
        then = self._waiting.pop(frame[1], None)
        if then is not None:
            then(frame)

    def _flush(self) -> None:
        self._due = False
        queue, self._queue = self._queue, []
        self.write(b"".join(queue))
