"""Tasks that have an owner."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

_log = logging.getLogger("batonbox")


def spawn(
    owner: set[asyncio.Task[Any]], coroutine: Coroutine[Any, Any, Any], *, name: str
) -> asyncio.Task[Any]:
    """Run `coroutine` as a task kept in `owner` until it ends; a crash is logged, never lost."""
    task = asyncio.get_running_loop().create_task(coroutine, name=name)
    owner.add(task)
    task.add_done_callback(owner.discard)
    task.add_done_callback(_report)
    return task


def _report(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("task %s ended with an error", task.get_name(), exc_info=error)


async def cancel_all(owner: set[asyncio.Task[Any]]) -> None:
    """Cancel every task of `owner` but the caller's, and wait until they have ended."""
    tasks = [task for task in owner if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
