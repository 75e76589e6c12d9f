"""What the signals of an operator mean to a server process."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from typing import Any

__all__ = ["Stop"]


class Stop(asyncio.Event):
    """Set by SIGTERM, by SIGINT (`interrupted`: somebody waits at a terminal), by a terminal's end.

    Any other SIGHUP calls `on_hangup`; under `nohup` it stays ignored. `replaced`: another process
    serves in this one's place.
    """

    def __init__(self, *, on_hangup: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.interrupted = self.replaced = False
        self.on_hangup = on_hangup
        self._terminals = [number for number in range(3) if os.isatty(number)]
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.set)
        loop.add_signal_handler(signal.SIGINT, self._interrupt)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            loop.add_signal_handler(signal.SIGHUP, self._hang_up)

    async def outlasts(self, work: Coroutine[Any, Any, None]) -> bool:
        """Whether `work` ended before this was set; else it is cancelled. Raises what it does."""
        loop = asyncio.get_running_loop()
        working, stopping = loop.create_task(work), loop.create_task(self.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                return False
            working.result()
            return True
        finally:
            working.cancel()
            stopping.cancel()
            await asyncio.gather(working, stopping, return_exceptions=True)

    def retire(self) -> None:
        """Stop, for a successor is there."""
        self.replaced = True
        self.set()

    def _interrupt(self) -> None:
        self.interrupted = True
        self.set()

    def _hang_up(self) -> None:
        # A terminal that was closed answers nothing any more; `kill -HUP` leaves it as it was.
        if all(os.isatty(number) for number in self._terminals):
            self.on_hangup()
        else:
            self.set()
