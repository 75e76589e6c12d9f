"""What the server's processes take, as its own /metrics tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from batonbox._errors import BatonboxError
from batonbox._http import Http

__all__ = ["Usage", "cpu_each", "usage"]

_CPU: Final = "process_cpu_seconds_total"
_MEMORY: Final = "process_resident_memory_bytes"


@dataclass(frozen=True, slots=True)
class Usage:
    """All workers together, the engine not included; zeros where the server does not tell."""

    cpu_s: float = 0.0
    resident_bytes: float = 0.0

    @classmethod
    def of(cls, exposition: str) -> Usage:
        """From the Prometheus text format, whatever labels the workers have."""
        sums = {_CPU: 0.0, _MEMORY: 0.0}
        for line in exposition.splitlines():
            series, _, value = line.rpartition(" ")
            name = series.partition("{")[0]
            if name in sums:
                sums[name] += float(value)
        return cls(sums[_CPU], sums[_MEMORY])


async def usage(http: Http) -> Usage:
    """As of now."""
    try:
        return Usage.of(await http.text("/metrics"))
    except BatonboxError:  # behind a proxy that keeps it to itself
        return Usage()


def cpu_each(before: Usage, after: Usage, count: int) -> dict[str, float]:
    """The figure `server_cpu_us_each`, if the server tells its CPU and did anything."""
    if not after.cpu_s or not count:
        return {}
    return {"server_cpu_us_each": round(1e6 * (after.cpu_s - before.cpu_s) / count, 2)}
