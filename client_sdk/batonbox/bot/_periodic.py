"""What runs every so many seconds."""

from __future__ import annotations

from collections.abc import Callable

from batonbox.bot._clock import Clock

__all__ = ["periodically"]


async def periodically(clock: Clock, seconds: float, begin: Callable[[], None]) -> None:
    """Call `begin` every so many seconds until cancelled; times that were missed are left out."""
    next_s = clock.monotonic_s() + seconds
    while True:
        await clock.sleep(max(0.0, next_s - clock.monotonic_s()))
        begin()
        late_s = max(0.0, clock.monotonic_s() - next_s)
        next_s += seconds * (1 + late_s // seconds)
