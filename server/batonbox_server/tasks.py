"""Spawning tasks that have an owner."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from typing import Any

import structlog

__all__ = ["cancel_all", "spawn"]

_log = structlog.get_logger(__name__)


def spawn(
    owner: set[asyncio.Task[Any]],
    coroutine: Coroutine[Any, Any, Any],
    *,
    name: str,
    context: Context | None = None,
) -> asyncio.Task[Any]:
    """Run `coroutine` as a task kept in `owner` until it ends; a crash is logged, never lost.

    `context` is used rather than copied. The owner ends its tasks with `cancel_all(owner)`.
    """
    task = asyncio.get_running_loop().create_task(coroutine, name=name, context=context)
    owner.add(task)

    def ended(task: asyncio.Task[Any]) -> None:
        owner.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("task_crashed", task=task.get_name(), exc_info=error)

    task.add_done_callback(ended)
    return task


async def cancel_all(owner: set[asyncio.Task[Any]]) -> None:
    """Cancel every task of `owner` and wait until all have ended."""
    tasks = list(owner)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
