"""Work of the loop's, and a thread that waits for it and may be interrupted anywhere."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, Generic, TypeVar

__all__ = ["Job"]

T = TypeVar("T")
# So often who waits looks whether there is a loop still.
_LOOK_S: Final = 1.0


class Job(Generic[T]):
    """Work that `make` makes, handed to the loop by `Portal.hand`; begun there once.

    Ctrl-C comes in the middle of anything. A future of `concurrent.futures` that is waited for just
    then stays locked, and the loop with it. Here the waiting thread holds nothing but a lock in C
    that the loop only ever opens; all else is the loop's own.
    """

    def __init__(self, make: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self.handed: bool = False
        self.done: bool = False
        self._make = make
        self._task: asyncio.Task[T] | None = None
        self._bell = threading.Lock()
        self._bell.acquire()

    @property
    def begun(self) -> bool:
        """Whether there is a task of it."""
        return self._task is not None

    def begin(self) -> None:
        """In the loop."""
        if self._task is None and not self.done:
            self._task = asyncio.get_running_loop().create_task(self._make())
            self._task.add_done_callback(self._ended)

    def cancel(self) -> None:
        """In the loop: it ends as cancelled, also where it has not begun."""
        if self._task is not None:
            self._task.cancel()
        elif not self.done:
            self._ring()

    async def over(self) -> None:
        """In the loop: until it has ended."""
        if self._task is not None and not self._task.done():
            await asyncio.wait([self._task])

    def wait(self, timeout_s: float | None, *, over: Callable[[], bool]) -> bool:
        """Whether it has ended, in this time; given up once there is no loop (`over`)."""
        until_s = None if timeout_s is None else time.monotonic() + timeout_s
        while not self.done and not over():
            left_s = _LOOK_S if until_s is None else min(_LOOK_S, until_s - time.monotonic())
            if left_s <= 0:
                return False
            if self._bell.acquire(timeout=left_s):
                self._bell.release()
        return True

    def result(self) -> T:
        """What it gave or raised; CancelledError where it was cancelled, or cut off by the end."""
        if not self.done or self._task is None:
            raise asyncio.CancelledError
        return self._task.result()

    def _ended(self, task: asyncio.Task[T]) -> None:
        if not task.cancelled():
            task.exception()  # it is raised where it is asked for, if anywhere
        self._ring()

    def _ring(self) -> None:
        self.done = True
        self._bell.release()
