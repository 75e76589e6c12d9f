"""How fast and how much: a rate limiter as a value of time, shared per user on a node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any, Final

__all__ = ["Gcra", "Limiters", "SessionLimits"]

_IDLE_MS: Final = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """A connection's limits; the settings of the same names describe them."""

    pre_auth_max_bytes: int = 8192
    message_max_bytes: int = 65536
    commands_in_flight: int = 16
    commands_per_s: float = 20.0
    commands_burst: int = 40
    subscriptions_max: int = 128
    connections_per_user: int = 16
    hello_timeout_s: float = 5.0
    ping_s: float = 25.0
    pong_timeout_s: float = 20.0

    @classmethod
    def taken_from(cls, settings: Any) -> SessionLimits:
        """From an object with attributes of the same names."""
        return cls(**{f.name: getattr(settings, f.name) for f in fields(cls)})

    def raised(self, limits: Mapping[str, float]) -> SessionLimits:
        """With a token's own numbers; names that are no limits of a connection are ignored."""
        return _raised(self, frozenset(limits.items())) if limits else self

    def _with(self, limits: Mapping[str, float]) -> SessionLimits:
        known = {f.name: type(getattr(self, f.name)) for f in fields(self)}
        return replace(
            self, **{name: known[name](value) for name, value in limits.items() if name in known}
        )

    def shown(self) -> dict[str, float]:
        """What WELCOME tells."""
        names = (
            "message_max_bytes",
            "commands_in_flight",
            "commands_per_s",
            "commands_burst",
            "subscriptions_max",
            "connections_per_user",
        )
        return {name: getattr(self, name) for name in names}


@lru_cache(maxsize=256)
def _raised(limits: SessionLimits, by: frozenset[tuple[str, float]]) -> SessionLimits:
    # One for all connections of a token.
    return limits._with(dict(by))


class Gcra:
    """The generic cell rate algorithm: `burst` at once, then `per_s`; one number of state."""

    def __init__(self, *, per_s: float, burst: int) -> None:
        self._cost_ms = 1000.0 / per_s if per_s > 0 else float("inf")
        self._burst_ms = self._cost_ms * max(1, burst)
        self._full_at_ms = 0.0

    def admit(self, now_ms: float, *, times: int = 1) -> int:
        """0 and the request counts so many times, or ms to wait and it does not."""
        full_at = max(self._full_at_ms, now_ms) + self._cost_ms * times
        excess = full_at - now_ms - self._burst_ms
        if excess > 0:
            return max(1, min(60_000, int(excess) + 1))
        self._full_at_ms = full_at
        return 0

    def idle(self, now_ms: float) -> bool:
        """Whether forgetting it changes nothing."""
        return self._full_at_ms <= now_ms


class Limiters:
    """One limiter per user and rate, whatever the number of connections or transports."""

    def __init__(self) -> None:
        self._by_user: dict[tuple[str, float, int], Gcra] = {}
        self._swept_ms = 0.0

    def of(self, user: str, *, per_s: float, burst: int, now_ms: float) -> Gcra:
        """The shared limiter; those that are idle are forgotten now and then."""
        if now_ms - self._swept_ms > _IDLE_MS:
            self._swept_ms = now_ms
            self._by_user = {k: g for k, g in self._by_user.items() if not g.idle(now_ms)}
        key = (user, per_s, burst)
        if key not in self._by_user:
            self._by_user[key] = Gcra(per_s=per_s, burst=burst)
        return self._by_user[key]
