"""The engine's client: one connection, commands of one loop tick coalesced, replies in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as NotServed

from batonbox_server.errors import EngineUnavailable, OutcomeUnknown, Refused

from .link import Jobs, Link
from .resp import Argument, pack, replies, send

__all__ = ["EngineClient"]

_Waiting = asyncio.Future[Any]


class EngineClient:
    """Commands in, replies out, over one connection that is kept up in the background.

    Commands take effect in the order of the calls of `execute`.  Nothing is ever sent twice.
    `on_state` is called with True when the connection comes up (the first time included) and with
    False when it is lost; it must be cheap and must not raise.
    """

    def __init__(
        self,
        url: str,
        *,
        command_timeout_s: float = 5.0,
        max_in_flight: int = 4096,
        on_state: Callable[[bool], None] | None = None,
    ) -> None:
        self._timeout_s = command_timeout_s
        self._max_in_flight = max_in_flight
        self.on_state = on_state
        self._up = False
        self._unsent: list[tuple[bytes, _Waiting]] = []
        self._sent: deque[tuple[float, _Waiting]] = deque()
        self._wake = asyncio.Event()
        self._link = Link(
            url,
            name="engine-client",
            timeout_s=command_timeout_s,
            jobs=self._jobs,
            on_up=self._came_up,
            on_down=self._went_down,
        )

    @property
    def state(self) -> bool:
        """Whether the connection is up."""
        return self._up

    @property
    def server_name(self) -> str:
        """`redis` or `valkey`; empty before the first connect."""
        return self._link.server.name

    @property
    def server_version(self) -> str:
        """As the server says it, e.g. `9.1.2`."""
        return self._link.server.version

    async def connect(self) -> None:
        """Connect and check the engine; from then on the connection is kept up.

        Raises:
            EngineUnavailable: not reachable, or the credentials were refused.
            EngineUnsuitable: too old, or it may evict keys.
        """
        await self._link.connect()

    async def aclose(self) -> None:
        """Close; commands still waiting for a reply end in `OutcomeUnknown`."""
        await self._link.aclose()

    async def ask(self, *args: Argument) -> Any:
        """`execute` of what may be repeated; raises Refused("unavailable") when it fails."""
        try:
            return await self.execute(*args)
        except EngineUnavailable as error:
            raise Refused("unavailable") from error

    def execute(self, *args: Argument) -> asyncio.Future[Any]:
        """Send a command; await the result for its reply (bytes undecoded, RESP2 shapes).

        Cancelling the wait leaves the command to its fate and every other reply in its place.

        Raises:
            EngineUnavailable: at once when down or over `max_in_flight`, and certainly not sent.
            OutcomeUnknown: (awaited) the connection broke, or no reply came in time.
            redis.exceptions.ResponseError: (awaited) the engine's error reply.
        """
        if not self._up:
            raise EngineUnavailable("The engine is not reachable; retry with the same id.")
        if len(self._unsent) + len(self._sent) >= self._max_in_flight:
            raise EngineUnavailable("The engine is overloaded; retry with the same id.")
        waiting: _Waiting = asyncio.get_running_loop().create_future()
        self._unsent.append((pack(args), waiting))
        self._wake.set()
        return waiting

    def _jobs(self, connection: AbstractConnection) -> Jobs:
        return self._write(connection), self._read(connection), self._watch()

    async def _write(self, connection: AbstractConnection) -> None:
        now_s = asyncio.get_running_loop().time
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch, self._unsent = self._unsent, []
            # Counted as sent before the write: a write that fails half-way may have arrived.
            at_s = now_s()
            self._sent.extend((at_s, waiting) for _, waiting in batch)
            await send(connection, b"".join([packed for packed, _ in batch]))

    async def _read(self, connection: AbstractConnection) -> None:
        sent = self._sent
        async for batch in replies(connection):
            for reply in batch:
                if not sent:
                    raise ConnectionResetError(f"a reply nobody asked for: {reply!r}")
                _, waiting = sent.popleft()
                if not waiting.done():  # its caller may have been cancelled
                    _resolve(waiting, reply)

    async def _watch(self) -> None:
        now_s = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(self._timeout_s / 10)
            if self._sent and now_s() - self._sent[0][0] > self._timeout_s:
                raise TimeoutError(f"no reply within {self._timeout_s} s")

    def _came_up(self) -> None:
        self._up = True
        if self.on_state is not None:
            self.on_state(True)

    def _went_down(self) -> None:
        self._up = False
        for _, waiting in self._sent:
            _fail(waiting, OutcomeUnknown("The connection to the engine broke after sending."))
        for _, waiting in self._unsent:
            _fail(waiting, EngineUnavailable("The connection to the engine broke before sending."))
        self._sent.clear()
        self._unsent.clear()
        self._wake.clear()
        if self.on_state is not None:
            self.on_state(False)


def _resolve(waiting: _Waiting, reply: Any) -> None:
    if isinstance(reply, NotServed):
        # LOADING, NOAUTH and the like: certainly not executed
        _fail(waiting, EngineUnavailable(str(reply)))
    elif isinstance(reply, Exception):
        waiting.set_exception(reply)
    else:
        waiting.set_result(reply)


def _fail(waiting: _Waiting, error: Exception) -> None:
    if not waiting.done():
        waiting.set_exception(error)
