"""What a process counts as it goes: how long things took, how far somebody is behind, how it went.

A value costs a search among its bounds and two additions; whoever exposes them reads the sums.
Names must be of a table of ours: each is kept for ever.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import Final

__all__ = [
    "CLIENT_LAG",
    "COMMAND_S",
    "FEED_BREAKS",
    "RESETS",
    "RESUMES",
    "SCRIPT_S",
    "Distribution",
]


class Distribution:
    """Counts by name into buckets that end at `bounds`, and one beyond the last."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts: dict[str, list[int]] = {}
        self.sums: dict[str, float] = {}

    def add(self, name: str, value: float) -> None:
        """One more of `name`."""
        counts = self.counts.get(name)
        if counts is None:
            counts = self.counts[name] = [0] * (len(self.bounds) + 1)
            self.sums[name] = 0.0
        counts[bisect_left(self.bounds, value)] += 1
        self.sums[name] += value


_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
# Seconds from handing a script to the engine until its answer is here, by script.
SCRIPT_S: Final = Distribution(_SECONDS)
# Seconds from reading a websocket's command until its answer is written, by command.
COMMAND_S: Final = Distribution(_SECONDS)
# Events of its inbox that a client had not applied yet when it answered PING.
CLIENT_LAG: Final = Distribution((0.0, 1.0, 10.0, 100.0, 1000.0, 10_000.0))

# Feeds that were no prefix of their log any more, by reason.
FEED_BREAKS: Final[Counter[str]] = Counter()
# How subscriptions began: `resumed`, `snapshot`, or why a position could not be resumed.
RESUMES: Final[Counter[str]] = Counter()
# RESET frames by reason. Alerts look at how much a count increases: it has to be there before.
RESETS: Final[Counter[str]] = Counter(epoch=0, fork=0)
