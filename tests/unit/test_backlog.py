"""Shared reads: one for all who ask meanwhile, and none that was forgotten."""

from __future__ import annotations

import asyncio
from typing import Any

from batonbox_server.hub.backlog import SharedRead


async def test_a_read_that_is_forgotten_while_it_is_under_way_is_taken_again() -> None:
    tasks: set[asyncio.Task[Any]] = set()
    shared = SharedRead[int](tasks, fresh=lambda _: True)
    begun, answers = 0, [asyncio.Event(), asyncio.Event()]

    async def read() -> int:
        nonlocal begun
        begun += 1
        mine = begun
        await answers[mine - 1].wait()
        return mine

    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(shared.get("key", read)) for _ in range(2)]
        while not begun:
            await asyncio.sleep(0)
        shared.forget()
        for answer in answers:
            answer.set()
    assert [task.result() for task in waiting] == [2, 2]
    assert begun == 2
