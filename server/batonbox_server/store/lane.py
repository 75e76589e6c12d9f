"""A second connection that only waits until what was written is on replicas, or on disk."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import structlog
from redis.asyncio.connection import AbstractConnection

from batonbox_server.errors import BatonboxError
from batonbox_server.tasks import cancel_all, spawn

from .keys import Keys
from .link import Jobs, Link
from .resp import Argument, Replies, pack

__all__ = ["Lane", "Need"]

_log = structlog.get_logger(__name__)
# Whoever asks beyond is told at once that nothing is sure.
_ASKS_MOST: Final = 10_000
# How long the key of a batch stays: it means nothing.
_KEPT_MS: Final = 60_000


class Need(NamedTuple):
    """In the memory of so many replicas; or, `disk`, on the engine's own."""

    replicas: int = 0
    disk: bool = False

    def command(self, within_ms: int) -> tuple[Argument, ...]:
        """What waits for it, and counts."""
        if self.disk:
            return ("WAITAOF", 1, 0, within_ms)
        return ("WAIT", self.replicas, within_ms)

    def met(self, reply: Any) -> bool:
        """Whether the count suffices."""
        if isinstance(reply, Exception):
            return False
        return bool(reply[0] >= 1 if self.disk else reply >= self.replicas)


class _Ask(asyncio.Future[bool]):
    """Somebody who waits."""

    prefix: str
    need: Need
    within_ms: int


class _Batch:
    """Those whose write and WAIT go out together, and the replies so far."""

    def __init__(self, asks: list[_Ask]) -> None:
        self._asks = asks
        self._prefixes = list(dict.fromkeys(ask.prefix for ask in asks))
        self._needs = list(dict.fromkeys(ask.need for ask in asks))
        self._within_ms = max(ask.within_ms for ask in asks)
        self._replies: list[Any] = []
        self.longest_s = len(self._needs) * self._within_ms / 1000

    def packed(self) -> bytes:
        """A write of each prefix's slot, then one wait for each need."""
        commands: list[tuple[Argument, ...]] = [
            ("SET", Keys.waited(prefix), 1, "PX", _KEPT_MS) for prefix in self._prefixes
        ]
        commands += [need.command(self._within_ms) for need in self._needs]
        return b"".join([pack(command) for command in commands])

    def heard(self, replies: list[Any]) -> bool:
        """Take replies; whether they were the last."""
        self._replies += replies
        return len(self._replies) >= len(self._prefixes) + len(self._needs)

    def settle(self) -> None:
        """Tell each who asked."""
        written = dict(zip(self._prefixes, self._replies, strict=False))
        met = {
            need: need.met(reply)
            for need, reply in zip(self._needs, self._replies[len(self._prefixes) :], strict=True)
        }
        for ask in self._asks:
            _tell(ask, sure=met[ask.need] and written[ask.prefix] == b"OK")

    def fail(self) -> None:
        """Nobody can know."""
        for ask in self._asks:
            _tell(ask, sure=False)


class Lane:
    """Commands take effect over the client's own connection, which a WAIT would hold up.

    WAIT is about what its own connection wrote last: so each batch begins with a write that means
    nothing, and is in the history of the engine behind everything that had been answered when
    somebody asked: commands, and answers that were stored before, alike.  All who ask in one turn
    of the loop, or while others are waited for, share one batch.  `link` makes the connection,
    which is opened when somebody asks for the first time.
    """

    def __init__(self, link: Callable[..., Link], *, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._link = link(
            name="engine-lane",
            jobs=self._jobs,
            on_up=lambda: None,
            on_down=self._went_down,
        )
        self._opening = False
        self._engine: Replies | None = None
        self._asked: list[_Ask] = []
        self._batch: _Batch | None = None
        self._began_s = 0.0
        self._due = False
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def run(self) -> str:
        """Which process it speaks to; see `Server.run`."""
        return self._link.server.run

    async def aclose(self) -> None:
        """Close; whoever waits is told that nothing is sure."""
        await cancel_all(self._tasks)
        await self._link.aclose()
        self._fail()

    async def lasts(self, prefix: str, need: Need, *, within_ms: int) -> bool:
        """Whether everything that the engine has answered by now about this prefix is known to be
        where it is needed; False: not known, in that time."""
        if len(self._asked) >= _ASKS_MOST:
            return False
        loop = asyncio.get_running_loop()
        ask = _Ask(loop=loop)
        ask.prefix, ask.need, ask.within_ms = prefix, need, within_ms
        self._asked.append(ask)
        if self._engine is not None:
            self._soon()
        elif not self._opening:
            self._opening = True
            spawn(self._tasks, self._open(), name="engine-lane-open")
        timer = loop.call_later(within_ms / 1000, _tell_no, ask)
        try:
            return await ask
        finally:
            timer.cancel()

    def _soon(self) -> None:
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._due = False
        if self._engine is None or self._batch is not None:
            return
        asks, self._asked = [ask for ask in self._asked if not ask.done()], []
        if not asks:
            return
        self._batch = _Batch(asks)
        self._began_s = asyncio.get_running_loop().time()
        # A transport that is closed says so once more, in `ended`.
        with contextlib.suppress(Exception):
            self._engine.write(self._batch.packed())

    def _heard(self, replies: list[Any]) -> None:
        batch = self._batch
        if batch is None:
            raise ConnectionResetError(f"replies nobody asked for: {replies!r}")
        if batch.heard(replies):
            self._batch = None
            batch.settle()
            self._soon()

    # The connection

    async def _open(self) -> None:
        try:
            await self._link.connect()  # which is kept up from then on
        except BatonboxError as error:
            _log.warning("engine_lane_unreachable", error=str(error))
            self._opening = False
            self._fail()

    def _jobs(self, connection: AbstractConnection) -> Jobs:
        self._engine = Replies(connection, self._heard)
        self._flush()
        return self._engine.ended(), self._watch()

    async def _watch(self) -> None:
        now_s = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(self._timeout_s / 2)
            if self._batch is None:
                continue
            if now_s() - self._began_s > self._batch.longest_s + self._timeout_s:
                raise TimeoutError(f"no reply to a WAIT of {self._batch.longest_s} s")

    def _went_down(self) -> None:
        self._engine = None
        self._fail()

    def _fail(self) -> None:
        batch, self._batch = self._batch, None
        asked, self._asked = self._asked, []
        if batch is not None:
            batch.fail()
        for ask in asked:
            _tell(ask, sure=False)


def _tell(ask: _Ask, *, sure: bool) -> None:
    if not ask.done():
        ask.set_result(sure)


def _tell_no(ask: _Ask) -> None:
    _tell(ask, sure=False)
