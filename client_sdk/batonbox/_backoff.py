"""When to try again: full jitter, and what each close code asks for."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from batonbox._wire import Close

__all__ = ["Backoff", "Next", "after_close"]

_FASTEST_EXPONENT = 32
# The longest wait that a server can ask for.
_ASKED_S = 60.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """Full jitter: the n-th wait is uniform in 0..min(cap, base * 2^n); tries never end."""

    base_s: float = 0.2
    cap_s: float = 20.0

    def delay_s(
        self,
        failures: int,
        draw: Callable[[], float] = random.random,
        *,
        spread_s: float = 0.0,
        after_s: float = 0.0,
    ) -> float:
        """How long to wait after `failures` (0: none yet) attempts in a row.

        `spread_s` is over how long the server wants its clients to spread, `after_s` what it wants
        this one to wait, up to a second less.
        """
        longest_s = self.base_s * 2.0 ** min(failures, _FASTEST_EXPONENT)
        drawn = draw()
        own_s = drawn * min(self.cap_s, max(longest_s, spread_s))
        return max(own_s, min(_ASKED_S, after_s) - drawn)


class Next(Enum):
    """What a client does once a connection has closed."""

    RESUME = "resume"
    REAUTHORIZE = "reauthorize"
    STOP = "stop"


def after_close(code: int) -> Next:
    """The range of a close code decides; everything outside the ranges is a broken link."""
    if 4100 <= code <= 4199:
        return Next.REAUTHORIZE
    if 4400 <= code <= 4499:
        return Next.STOP
    return Next.RESUME


def least_failures(code: int) -> int:
    """A rate-limited client starts further up the ladder."""
    return 4 if code == Close.RATE else 0
