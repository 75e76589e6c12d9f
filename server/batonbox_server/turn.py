"""Whose turn it is: requests about one thing take effect in the order in which they came."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Final

__all__ = ["Turn", "in_turn", "pass_turn", "turn"]


class Turn:
    """A request's place behind the one before it.

    Hold it from `come` until the request's effect is on its way on a connection that keeps the
    order (`pass_turn`), or until the request has ended (`over`): then the next one may come.
    """

    __slots__ = ("_before", "_next", "passed")

    def __init__(self, before: Turn | None) -> None:
        self._before = before if before is not None and not before.passed else None
        self._next: asyncio.Future[None] | None = None
        self.passed = False

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
        waiting, self._next = self._next, None
        if waiting is not None and not waiting.done():
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


@asynccontextmanager
async def in_turn(last: dict[str, Turn], about: str) -> AsyncIterator[None]:
    """The block runs behind those that came before about the same; `last` holds who waits."""
    mine = last[about] = Turn(last.get(about))
    try:
        await mine.come()
        yield
    finally:
        mine.over()
        if last.get(about) is mine:
            del last[about]
