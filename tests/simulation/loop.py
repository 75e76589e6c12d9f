"""An event loop whose clock stands still while anything is to be done, and jumps to the next timer.

Nothing in it waits for the machine: a schedule of seconds takes milliseconds, and the same seed
gives the same schedule.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Clock:
    """In the place of the selector: nothing is ever read, time passes at once."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("nothing will ever happen again")
        self.now_s += timeout
        return []


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs callbacks in the order in which they were asked for, timers in the order of time."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = _Clock()
        self.failures: list[dict[str, Any]] = []
        self.set_exception_handler(lambda _, context: self.failures.append(context))

    def time(self) -> float:
        return self._selector.now_s

    def _process_events(self, event_list: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass


def run(
    make: Callable[[], Coroutine[Any, Any, T]], *, within_s: float = 600.0
) -> tuple[T, list[str]]:
    """Run a schedule on a loop of its own; also what broke in callbacks and tasks.

    Raises TimeoutError when it takes so long by its own clock.
    """
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)

    async def bounded() -> T:
        async with asyncio.timeout(within_s):
            return await make()

    try:
        found = loop.run_until_complete(bounded())
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    finally:
        loop.close()
        asyncio.set_event_loop(None)
    return found, [str(c.get("exception") or c["message"]) for c in loop.failures]
