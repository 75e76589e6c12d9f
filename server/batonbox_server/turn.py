"""Whose turn it is: requests about one thing take effect in the order in which they came."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from heapq import heappop, heappush
from typing import Final

__all__ = ["Lines", "Turn", "pass_turn", "turn"]


class Turn:
    """A request's place behind the one before it.

    Hold it from `come` until the request's effect is on its way on a connection that keeps the
    order (`pass_turn`), or until the request has ended (`over`): then the next one may come.
    """

    __slots__ = ("_before", "_next", "passed")

    def __init__(self, before: Turn | None) -> None:
        self.passed = False
        self._before = before if before is not None and not before.passed else None
        self._next: asyncio.Future[None] | None = None

    @property
    def waits(self) -> bool:
        """Whether `come` would wait."""
        return self._before is not None and not self._before.passed

    async def come(self) -> None:
        """Return once those before have passed; at once where there are none."""
        before, self._before = self._before, None
        if before is not None and not before.passed:
            # At most one waits for each: the one that came next.
            before._next = asyncio.get_running_loop().create_future()
            await before._next

    def over(self) -> None:
        """Let the next one come; idempotent."""
        self.passed = True
        if self._next is not None:
            waiting, self._next = self._next, None
            if not waiting.done():
                waiting.set_result(None)


# None: nobody waits for whoever acts here.
turn: Final[ContextVar[Turn | None]] = ContextVar("turn", default=None)


def pass_turn() -> None:
    """What the present request is about has been handed to the engine: the next may follow it.

    To be called where the effect is certain to come before that of whatever is sent from now on,
    a repetition after a lost connection included, and where nothing has to be sent before it.
    """
    mine = turn.get()
    if mine is not None:
        mine.over()


class Lines:
    """One line for each thing: whoever stands in it goes on alone, the lowest number first."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[tuple[int, asyncio.Future[None]]]] = {}

    def __contains__(self, about: str) -> bool:
        """Whether somebody is in the line."""
        return about in self._waiting

    @asynccontextmanager
    async def turn(self, about: str, number: int) -> AsyncIterator[None]:
        """Stand in the line; the block runs when it is one's turn. Numbers differ."""
        waiting = self._waiting.get(about)
        if waiting is None:
            self._waiting[about] = []
        else:
            called: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            heappush(waiting, (number, called))
            try:
                await called
            except asyncio.CancelledError:
                if not called.cancelled():
                    self._next(about)
                raise
        try:
            yield
        finally:
            self._next(about)

    def _next(self, about: str) -> None:
        waiting = self._waiting[about]
        while waiting:
            _, called = heappop(waiting)
            if not called.done():
                called.set_result(None)
                return
        del self._waiting[about]
