"""Waiting for conditions, never for time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["eventually"]


async def eventually(
    condition: Callable[[], bool], *, timeout_s: float = 10.0, what: str = "the condition"
) -> None:
    """Poll until `condition()` holds; fails the test at the deadline."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    while not condition():
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"{what} did not come true within {timeout_s} s")
        await asyncio.sleep(0.01)
