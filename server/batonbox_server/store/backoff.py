"""Pauses between attempts to reach the engine."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

__all__ = ["pauses_s"]

_FIRST_S: Final = 0.05
_LONGEST_S: Final = 1.0


def pauses_s() -> Iterator[float]:
    """Full jitter under a ceiling of 50 ms that doubles up to 1 s."""
    ceiling_s = _FIRST_S
    while True:
        yield random.uniform(0, ceiling_s)  # noqa: S311 - spreading load, not a secret
        ceiling_s = min(ceiling_s * 2, _LONGEST_S)
