"""Sweeps that several nodes share: together they look as often as one would by itself.

Nobody holds a lease, so that a node that stands still holds nobody up: each looks at everything,
more seldom the more there are.
"""

from __future__ import annotations

import random

__all__ = ["alone", "pause_of"]


def alone() -> int:
    """One node: nobody shares its sweeps."""
    return 1


def pause_of(every_s: float, nodes: int) -> float:
    """Until a node looks again, where `nodes` do; spread, so that they do not look together."""
    if nodes <= 1:
        return every_s
    return every_s * nodes * random.uniform(0.75, 1.25)  # noqa: S311
