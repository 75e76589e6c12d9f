"""What is measured: figures with a name, a unit and the rounds behind them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from .processes import busy_s, cpu_s

if TYPE_CHECKING:
    from .targets import Target

__all__ = ["Figures", "Spent", "spending"]


class Figures:
    """Names are `part.server.case.what`; each is the median of its rounds."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def add(self, name: str, unit: str, rounds: Iterable[float]) -> float:
        """Keep one, and return its median; nothing of no rounds."""
        values = [float(f"{value:.6g}") for value in rounds]
        value = median(values) if values else 0.0
        if values:
            self.rows.append({"name": name, "unit": unit, "value": value, "rounds": values})
        return value

    def extend(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Figures of a part that names its own."""
        self.rows.extend(dict(row) for row in rows)


@dataclass(slots=True)
class Spent:
    """What a block took, in seconds; `noise`: share of both cores that others used meanwhile."""

    wall_s: float = 0.0
    server_s: float = 0.0
    engine_s: float = 0.0
    load_s: float = 0.0
    noise: float = 0.0

    @property
    def cpu_s(self) -> float:
        """Of the server and its engine together."""
        return self.server_s + self.engine_s


@contextmanager
def spending(target: Target) -> Iterator[Spent]:
    """Measure a block; the figures are there when it has ended."""
    spent = Spent()
    began = _clocks(target)
    try:
        yield spent
    finally:
        wall_s, server_s, engine_s, load_s, all_s = (
            now - then for now, then in zip(_clocks(target), began, strict=True)
        )
        spent.wall_s, spent.server_s, spent.engine_s = wall_s, server_s, engine_s
        spent.load_s = load_s
        others_s = all_s - server_s - engine_s - load_s
        spent.noise = max(0.0, others_s / wall_s / 2)


def _clocks(target: Target) -> tuple[float, ...]:
    server_s, engine_s = cpu_s(*target.pids), cpu_s(*target.engine)
    return time.perf_counter(), server_s, engine_s, time.process_time(), busy_s()
