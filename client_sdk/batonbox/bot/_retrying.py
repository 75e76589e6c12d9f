"""Another attempt at what failed for want of the server: at which errors, when, and until when."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from batonbox._backoff import Backoff
from batonbox._errors import ApiError, ConnectionLost, RateLimited, RequestTimeout
from batonbox.bot._clock import Clock
from batonbox.bot._routing import Again, report, said
from batonbox.bot._unless import unless

if TYPE_CHECKING:
    from batonbox._events import ConversationEvent
    from batonbox.bot._context import Context
    from batonbox.bot._lanes import Lanes
    from batonbox.bot._router import Router

__all__ = ["Retrying", "again_after_s"]

_BACKOFF: Final = Backoff(base_s=0.2, cap_s=5.0)
_log = logging.getLogger("batonbox.bot")


def again_after_s(error: BaseException) -> float | None:
    """For how long the server wants to be left alone before another attempt; None: no attempt."""
    match error:
        case BaseExceptionGroup():  # of a handler that does several things at the same time
            waits_s = [again_after_s(each) for each in error.exceptions]
            return None if None in waits_s else max(each for each in waits_s if each is not None)
        case RateLimited() | ConnectionLost():
            return error.retry_after_s
        case ApiError():
            return (error.retry_ms or 0) / 1000 if error.retryable else None
        case RequestTimeout():
            return 0.0
    return None


@dataclass(frozen=True, slots=True)
class _Failed:
    """An attempt that another one follows."""

    error: BaseException
    router: Router  # the innermost that it came through
    next_s: float


class Retrying:
    """Runs the work of lanes until it succeeds, or fails for good.

    The next attempt begins at most `retry_s` after the first one, and `drain_s` after `stop`.
    `resumes`: events that are not done then are begun again, by another copy or start of the bot.
    """

    def __init__(
        self,
        lanes: Lanes,
        *,
        clock: Clock,
        retry_s: float,
        drain_s: float,
        stopping: asyncio.Event,
        resumes: bool,
    ) -> None:
        self._lanes = lanes
        self._clock = clock
        self._retry_s = retry_s
        self._drain_s = drain_s
        self._stopping = stopping
        self._resumes = resumes
        self._ends_s = math.inf

    def stop(self) -> None:
        """The drain begins."""
        self._ends_s = min(self._ends_s, self._clock.monotonic_s() + self._drain_s)

    async def run(
        self,
        attempt: Callable[[Context, Again], Awaitable[None]],
        fresh: Callable[[], Context],
        *,
        event: ConversationEvent | None = None,
    ) -> bool:
        """Attempts, each with a fresh context, in a job of the lanes.

        `attempt` raises what its `Again` agrees to, and nothing else.  False: it was left undone
        for who resumes; else it has ended, and errors were told to whom they concern.
        """
        last_s = self._clock.monotonic_s() + self._retry_s
        resumes = self._resumes and event is not None
        failures = 0
        while True:
            judged = _Judged(partial(self._next_s, failures, last_s, resumes=resumes))
            try:
                await attempt(fresh(), judged.again)
            except Exception:
                failed = judged.failed
                if failed is None:
                    raise
            else:
                return True
            failures += 1
            wait_s = failed.next_s - self._clock.monotonic_s()
            _log.info("%s failed, again in %.1f s: %r", said(event), wait_s, failed.error)
            await self._lanes.aside(self._until(failed.next_s))
            if failed.next_s > self._ends_s:
                if resumes:
                    _log.warning("%s failed, left to who goes on: %r", said(event), failed.error)
                    return False
                await report(failed.router, failed.error, event, fresh())
                return True

    def _next_s(
        self, failures: int, last_s: float, error: BaseException, *, resumes: bool
    ) -> float | None:
        """When the next attempt begins, None: there is none."""
        after_s = again_after_s(error)
        if after_s is None or not self._retry_s:
            return None
        next_s = self._clock.monotonic_s() + after_s + _BACKOFF.delay_s(failures)
        if next_s > last_s:
            return None
        # Whoever resumes makes the attempt that the drain leaves no time for.
        return next_s if resumes or next_s <= self._ends_s else None

    async def _until(self, at_s: float) -> None:
        """Until then; at once when the drain ends sooner."""
        await unless(self._stopping, self._clock.sleep(at_s - self._clock.monotonic_s()))
        left_s = at_s - self._clock.monotonic_s()
        if left_s > 0 and at_s <= self._ends_s:
            await self._clock.sleep(left_s)


class _Judged:
    """What an attempt raised: decided once for each error, on its way through routers."""

    def __init__(self, next_s: Callable[[BaseException], float | None]) -> None:
        self.failed: _Failed | None = None
        self._next_s = next_s

    def again(self, error: BaseException, router: Router) -> bool:
        """An `Again`."""
        if self.failed is None or self.failed.error is not error:
            next_s = self._next_s(error)
            self.failed = None if next_s is None else _Failed(error, router, next_s)
        return self.failed is not None
