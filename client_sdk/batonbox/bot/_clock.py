"""Time as bots have it, so that a test can have another."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

__all__ = ["Clock", "RealClock"]


class Clock(Protocol):
    """Seconds that go by."""

    def monotonic_s(self) -> float:
        """From any beginning."""
        ...

    async def sleep(self, seconds: float) -> None:
        """So long."""
        ...


class RealClock:
    """The machine's."""

    def monotonic_s(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
