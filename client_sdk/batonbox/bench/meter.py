"""Seconds, waiting, this process's share of a core; and a collector that does not disturb."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["Meter", "quiet", "until"]


class Meter:
    """From its making on."""

    def __init__(self) -> None:
        self._began_s, self._cpu_s = time.perf_counter(), time.process_time()

    @property
    def seconds(self) -> float:
        """Since it was made."""
        return time.perf_counter() - self._began_s

    @property
    def busy(self) -> float:
        """Share of one core that this process took."""
        return (time.process_time() - self._cpu_s) / self.seconds


async def until(holds: Callable[[], bool], *, timeout_s: float, every_s: float = 0.005) -> bool:
    """Wait until it holds; False when the time is over first."""
    give_up_s = time.perf_counter() + timeout_s
    while not holds():
        if time.perf_counter() > give_up_s:
            return False
        await asyncio.sleep(every_s)
    return True


@contextmanager
def quiet() -> Iterator[None]:
    """The collector looks at nothing that is there already, and seldom at what comes."""
    gc.collect()
    gc.freeze()
    before = gc.get_threshold()
    gc.set_threshold(50_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
