"""When people are told of what moved: at once where it was quiet, else at the set pace."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from .seated import SeatedFollower

__all__ = ["Pushes"]

_STEP_S: Final = 0.005  # what moves within it is told together
_TURN_S: Final = 0.01  # then others get their turn


class Pushes:
    """One per node, with one timer: `push` of each follower at most once in `interval_s`."""

    def __init__(self, *, interval_s: float) -> None:
        self._interval_s = interval_s
        self._moved: dict[SeatedFollower, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._due_s = 0.0  # of the timer; uvloop's does not tell where it is due at once

    def close(self) -> None:
        """Tell nobody any more."""
        self._moved.clear()
        if self._timer is not None:
            self._timer.cancel()

    def moved(self, follower: SeatedFollower) -> None:
        """There may be something to tell."""
        if follower not in self._moved:
            self._moved[follower] = None
            self._at(follower.pushed_at_s + self._interval_s)

    def _at(self, due_s: float) -> None:
        if self._timer is not None and self._due_s <= due_s:
            return  # nearly always, and asking for the loop is a system call
        loop = asyncio.get_running_loop()
        due_s = max(due_s, loop.time() + _STEP_S)
        if self._timer is None or due_s < self._due_s:
            if self._timer is not None:
                self._timer.cancel()
            self._due_s = due_s
            self._timer = loop.call_at(due_s, self._push)

    def _push(self) -> None:
        self._timer = None
        clock: Callable[[], float] = asyncio.get_running_loop().time
        began_s, next_s = clock(), float("inf")
        for follower in list(self._moved):
            due_s = follower.pushed_at_s + self._interval_s
            if due_s > began_s + _STEP_S:
                next_s = min(next_s, due_s)
            elif clock() - began_s > _TURN_S:
                next_s = 0.0
                break
            else:
                del self._moved[follower]
                if follower.push():
                    follower.pushed_at_s = began_s
        if self._moved:
            self._at(next_s)
