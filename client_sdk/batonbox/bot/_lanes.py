"""Jobs with the same key one after the other, others at the same time, so many at once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from functools import partial
from typing import Any, TypeAlias

from batonbox._tasks import cancel_all, spawn

__all__ = ["Lanes"]

Job: TypeAlias = Callable[[], Coroutine[Any, Any, None]]


class Lanes:
    """Each key is a lane, and lanes take turns: a busy one does not keep the others waiting.

    `concurrency` jobs run at a time; `room()` waits while `waiting_max` have not begun, or stand
    aside.
    """

    def __init__(self, *, concurrency: int, waiting_max: int) -> None:
        self._concurrency = concurrency
        self._waiting_max = waiting_max
        self._lanes: dict[Hashable, deque[Job]] = {}
        self._turns: deque[Hashable] = deque()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._aside: set[asyncio.Task[Any]] = set()  # of the tasks
        self._back: deque[tuple[asyncio.Task[Any], asyncio.Event]] = deque()
        self._moved = asyncio.Event()
        self._closed = False
        self._waiting = 0

    def put(self, key: Hashable, job: Job) -> None:
        """Line up behind what has the same key; nothing once it is closed."""
        if self._closed:
            return
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = deque()
            self._turns.append(key)
        lane.append(job)
        self._waiting += 1
        self._go_on()

    def busy(self, key: Hashable) -> bool:
        """Whether a job with this key runs or waits."""
        return key in self._lanes

    @property
    def begun(self) -> int:
        """How many jobs have begun and not ended."""
        return len(self._tasks)

    async def aside(self, until: Awaitable[object]) -> None:
        """For a job: let other lanes go on until then, and go on when there is room for it.

        Its own lane waits.
        """
        task = asyncio.current_task()
        assert task is not None, "only a job stands aside"
        turn = asyncio.Event()
        self._aside.add(task)
        self._go_on()
        self._moved.set()
        try:
            await until
            self._back.append((task, turn))
            self._go_on()
            await turn.wait()
        finally:
            self._aside.discard(task)

    async def room(self) -> None:
        """Until less than `waiting_max` wait."""
        while self._waiting + len(self._aside) >= self._waiting_max:
            await self._change()

    async def idle(self) -> None:
        """Until nothing runs, and nothing waits but for what stands aside."""
        while self._running or self._turns:
            await self._change()

    async def ended(self) -> None:
        """Until everything that has begun has ended."""
        while self._tasks:
            await self._change()

    def close(self) -> None:
        """Begin nothing more; what runs goes on."""
        self._closed = True
        self._waiting = 0
        for key in self._turns:
            del self._lanes[key]
        self._turns.clear()
        for lane in self._lanes.values():
            lane.clear()
        self._moved.set()

    async def cut(self) -> None:
        """Cancel what runs, and wait until it has ended."""
        self.close()
        await cancel_all(self._tasks)

    @property
    def _running(self) -> int:
        return len(self._tasks) - len(self._aside)

    def _go_on(self) -> None:
        while self._back and self._running < self._concurrency:
            back, turn = self._back.popleft()
            self._aside.discard(back)
            turn.set()
            self._moved.set()
        while self._turns and self._running < self._concurrency:
            key = self._turns.popleft()
            self._waiting -= 1
            job = self._lanes[key].popleft()
            task = spawn(self._tasks, job(), name="batonbox-handler")
            task.add_done_callback(partial(self._ended, key))

    def _ended(self, key: Hashable, _: asyncio.Task[Any]) -> None:
        if self._lanes[key]:
            self._turns.append(key)
        else:
            del self._lanes[key]
        self._go_on()
        self._moved.set()

    async def _change(self) -> None:
        self._moved.clear()
        await self._moved.wait()
