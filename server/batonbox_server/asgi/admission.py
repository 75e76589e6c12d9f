"""Load shedding: what this process turns away so that it serves the rest, and until when.

Whoever is connected is served first, owners' replies before everything. Most new connections are
turned away while the process is busy, all of them and requests that can wait while it is
overloaded; each is told when to come back, spread so that those who were turned away return at the
rate at which they are served.
"""

from __future__ import annotations

import asyncio
import random
import resource
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import IntEnum
from pathlib import Path
from typing import Any, Final

import structlog

from batonbox_server.session.limits import Gcra

__all__ = ["BUSY", "Bounds", "Crowd", "Level", "LoadShedder", "Pressure"]

BUSY: Final = "The server has too much to do; it did nothing, send it again in retry_ms."

_log = structlog.get_logger(__name__)
_SAMPLE_S: Final = 0.1
_LAGS: Final = 3  # one late turn of the loop is no overload: so many in a row are
_MEMORY_EVERY: Final = 10  # samples
_CALM_S: Final = 2.0  # of pressure below half of what raised the level, before it falls
# Somebody gets in even so: a busy machine may stay busy for reasons of its own.
_BUSY_PART: Final = 0.1
# From the whole of the bound on nobody gets in, until it is below this part of it.
_MEMORY_KEPT: Final = 0.95
_MOST_S: Final = 30.0
_RECONNECT_MOST_S: Final = 3.0
# Open files that are no websockets: the engine, the archive, HTTP, log files.
_OTHER_FILES: Final = 256
# Connections of HTTP that wait for their next request; as many files stay free for the others.
_KEPT_MAX: Final = 1000
_FREE_FILES: Final = 128
_HTTP_LEAST: Final = 16
_STATM: Final = Path("/proc/self/statm")


class Level(IntEnum):
    """What is turned away: nothing; nine of ten new connections; all, and what can wait, too."""

    CALM = 0
    BUSY = 1
    OVERLOADED = 2


@dataclass(frozen=True, slots=True)
class Pressure:
    """What is measured: the loop's lag and the engine's oldest command in seconds.

    `engine_used` is the share of commands that may be under way, `memory_used` that of the bound.
    """

    lag_s: float = 0.0
    engine_s: float = 0.0
    engine_used: float = 0.0
    memory_used: float = 0.0

    def level(self, *, part: float = 1.0) -> Level:
        """What it asks for, measured against this part of the thresholds."""
        if self.lag_s >= part or self.engine_s >= 2 * part or self.engine_used >= 0.9 * part:
            return Level.OVERLOADED
        busy = (
            self.lag_s >= 0.25 * part
            or self.engine_s >= 0.5 * part
            or self.engine_used >= 0.5 * part
            # Half of it being in use is no reason to stay busy.
            or self.memory_used >= 1 - (1 - part) * 2 * (1 - _MEMORY_KEPT)
        )
        return Level.BUSY if busy else Level.CALM


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The settings of the same names; 0: none, of connections what open files allow."""

    handshakes_per_s: float = 500.0
    handshakes_pending_max: int = 1000
    connections_max: int = 0
    http_connections_max: int = 10_000
    memory_max: int = 0

    @classmethod
    def taken_from(cls, settings: Any) -> Bounds:
        """From an object with attributes of the same names."""
        return cls(**{f.name: getattr(settings, f.name) for f in fields(cls)})


@dataclass(slots=True)
class Crowd:
    """Open websockets, and those of them that have not signed in yet."""

    connections: int = 0
    pending: int = 0


class LoadShedder:
    """One per process. `start` and `close` bracket its life; both methods `refuse...` only count.

    `engine()` gives the age of its oldest command and `Pressure.engine_used`; `crowd` is kept by
    whoever accepts connections.
    """

    def __init__(
        self,
        bounds: Bounds,
        *,
        engine: Callable[[], tuple[float, float]] = lambda: (0.0, 0.0),
    ) -> None:
        self.crowd = Crowd()
        self.level = Level.CALM
        self.pressure = Pressure()
        self.shed: Counter[str] = Counter()
        self._bounds = bounds
        self._engine = engine
        self._files = _files()
        self._most = bounds.connections_max or self._files - _OTHER_FILES
        self._rate = _limiter(bounds.handshakes_per_s)
        self._busy_rate = _limiter(bounds.handshakes_per_s * _BUSY_PART)
        self._lags = [0.0] * _LAGS
        self._sampled = 0
        self._memory = 0.0
        self._quiet_since_s = 0.0
        self._turned_away = 0.0  # who are expected back
        self._turned_at_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to measure."""
        self._expect(asyncio.get_running_loop().time())

    def close(self) -> None:
        """Measure no more."""
        if self._timer is not None:
            self._timer.cancel()

    # Deciding

    def refuses_connection(self, now_ms: float) -> int:
        """0: go on; else seconds after which this client should come back."""
        reason = self._against(now_ms)
        if not reason:
            return 0
        self.shed[f"connection_{reason}"] += 1
        return self._after_s(now_ms / 1000)

    def refuses_request(self, *, vital: bool) -> int:
        """0: go on; else ms after which the request may be sent again. It took no effect."""
        if vital or self.level is not Level.OVERLOADED:
            return 0
        self.shed["request"] += 1
        return random.randint(1000, 3000)  # noqa: S311

    def refuses_http(self, open_now: int) -> int:
        """Whether one connection of HTTP too many is open, this one included: as above."""
        left = self._files - self.crowd.connections - _FREE_FILES
        if open_now <= max(_HTTP_LEAST, min(self._bounds.http_connections_max, left)):
            return 0
        self.shed["connection_http"] += 1
        return random.randint(1, 3)  # noqa: S311

    def cut(self, what: str) -> None:
        """A connection of HTTP does not get on with this any more, and ends."""
        self.shed[f"http_{what}"] += 1

    def reconnect_ms(self) -> int:
        """Over how long those here should spread their return if all were dropped at once."""
        every_s = self.crowd.connections / max(1.0, self._bounds.handshakes_per_s)
        return round(1000 * min(_RECONNECT_MOST_S, every_s))

    def kept_max(self) -> int:
        """How many connections of HTTP may be open and wait for their next request."""
        return max(0, min(_KEPT_MAX, self._files - self.crowd.connections - _FREE_FILES))

    def told(self) -> str:
        """The level in a word."""
        return self.level.name.lower()

    @property
    def counts(self) -> dict[str, float]:
        """For metrics."""
        return {
            "load_level": int(self.level),
            "loop_lag_seconds": self.pressure.lag_s,
            "engine_oldest_command_seconds": self.pressure.engine_s,
            "handshakes_pending": self.crowd.pending,
            "connections_max": self._most,
            "shed_requests": self.shed["request"],
            "shed_connections": self._shed("connection_"),
            "http_cut": self._shed("http_"),
        }

    def _shed(self, kind: str) -> int:
        return sum(count for what, count in self.shed.items() if what.startswith(kind))

    def _against(self, now_ms: float) -> str:
        if self.crowd.connections >= self._most:
            return "full"
        if self.level is not Level.CALM and self.pressure.memory_used >= _MEMORY_KEPT:
            return "memory"
        if self.level is Level.OVERLOADED or (
            self.level is Level.BUSY and self._busy_rate.admit(now_ms)
        ):
            return "busy"
        if self.crowd.pending >= self._bounds.handshakes_pending_max:
            return "pending"
        return "rate" if self._rate.admit(now_ms) else ""

    def _after_s(self, now_s: float) -> int:
        """Evenly over as long as it takes to serve all who were turned away before."""
        per_s = max(1.0, self._bounds.handshakes_per_s)
        served = per_s * max(0.0, now_s - self._turned_at_s)
        self._turned_away = max(0.0, self._turned_away - served) + 1
        self._turned_at_s = now_s
        spread_s = min(_MOST_S, 1 + self._turned_away / per_s)
        return 1 + int(random.random() * spread_s)  # noqa: S311

    # Measuring

    def _expect(self, now_s: float) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(now_s + _SAMPLE_S, self._sample, now_s + _SAMPLE_S)

    def _sample(self, due_s: float) -> None:
        now_s = asyncio.get_running_loop().time()
        self._lags = [*self._lags[1:], now_s - due_s]
        if self._bounds.memory_max and self._sampled % _MEMORY_EVERY == 0:
            self._memory = _resident_bytes() / self._bounds.memory_max
        self._sampled += 1
        oldest_s, used = self._engine()
        # A reply may wait to be read as long as the loop is late, which is not the engine's fault.
        engine_s = max(0.0, oldest_s - 2 * max(self._lags))
        self.measured(Pressure(min(self._lags), engine_s, used, self._memory), now_s)
        self._expect(now_s)

    def measured(self, pressure: Pressure, now_s: float) -> None:
        """A level rises at once, and falls after a while of much less pressure."""
        self.pressure = pressure
        wanted, kept = pressure.level(), pressure.level(part=0.5)
        if wanted >= self.level:
            self._quiet_since_s = now_s
            self._become(wanted)
        elif kept >= self.level:
            self._quiet_since_s = now_s
        elif now_s - self._quiet_since_s >= _CALM_S:
            self._quiet_since_s = now_s
            self._become(Level(self.level - 1))

    def _become(self, level: Level) -> None:
        if level is not self.level:
            self.level = level
            _log.warning("load_level", level=self.told(), pressure=self.pressure)


def _limiter(per_s: float) -> Gcra:
    return Gcra(per_s=per_s, burst=max(1, round(per_s)))


def _files() -> int:
    """How many files this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft != resource.RLIM_INFINITY else 1 << 30


def _resident_bytes() -> int:
    """What the process takes now; 0 where the system does not tell."""
    try:
        pages = int(_STATM.read_text(encoding="ascii").split()[1])
    except OSError:
        return 0
    return pages * resource.getpagesize()
