"""Waiting for what comes first."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

__all__ = ["unless"]


async def unless(event: asyncio.Event, *works: Coroutine[Any, Any, Any]) -> None:
    """Run these until one of them ends, or the event is set; then no other runs any more.

    Raises what one of them raised.
    """
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(work) for work in works]
    asked = loop.create_task(event.wait())
    try:
        await asyncio.wait({asked, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (asked, *tasks):
            task.cancel()
        await asyncio.gather(asked, *tasks, return_exceptions=True)
    for task in tasks:
        if not task.cancelled():
            task.result()
