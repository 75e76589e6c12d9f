"""Waiting for conditions, never for time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["eventually", "unread"]


def unread(marks: dict[str, Any], waiting: Iterable[str]) -> set[str]:
    """Which of the `waiting` conversations are unread, by the marks of a SNAP or ME."""
    if "seen" in marks:
        return set(waiting) - set(marks["seen"])
    return set(marks["blue"])


async def eventually(
    condition: Callable[[], object], *, timeout_s: float = 30.0, what: str = "the condition"
) -> None:
    """Poll until `condition()` holds; fails the test at the deadline."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    while not condition():
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"{what} did not come true within {timeout_s} s")
        await asyncio.sleep(0.01)
