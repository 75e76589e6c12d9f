"""How many requests and callbacks may come: rates that all nodes share, asked about seldom.

A quarter of a rate passes on each process without a question. What is beyond that takes from the
rate in the engine, a tenth of a second's worth at a time, and who was refused there is refused here
until it makes sense to ask again. So a usual request costs no round trip, a busy caller ten a
second and a flood fewer; N processes let pass at most N quarters more than the rate.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from batonbox_server.errors import Refused
from batonbox_server.session.limits import Gcra
from batonbox_server.session.ports import Principal
from batonbox_server.store.rates_port import RateStore

__all__ = ["Rate", "RequestRates", "SharedRates"]

_OWN_PART: Final = 4  # of a rate that a process lets pass without asking
_ASKS_PER_S: Final = 10
_KEEP_MS: Final = 1000.0  # what was taken and not used by then is given up
_IDLE_MS: Final = 60_000
_KEPT_MOST: Final = 50_000


@dataclass(frozen=True, slots=True)
class Rate:
    """`burst` at once, then `per_s`; 0 per second: no bound."""

    per_s: float
    burst: int


@dataclass(slots=True)
class _Purse:
    """What this process knows of one name's rate; times in ms of its clock."""

    own: Gcra
    left: int = 0
    left_until: float = 0.0
    shut_until: float = 0.0
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    def idle(self, now_ms: float) -> bool:
        return self.own.idle(now_ms) and self.shut_until <= now_ms and not self.asking.locked()


class SharedRates:
    """Rates by name. `clock` gives ms."""

    def __init__(
        self, store: RateStore, *, clock: Callable[[], float] = lambda: 1000 * time.monotonic()
    ) -> None:
        self._store = store
        self._clock = clock
        self._purses: dict[tuple[str, Rate], _Purse] = {}
        self._swept_ms = 0.0

    async def take(self, name: str, rate: Rate) -> int:
        """Count one: 0, or how many ms to wait, and then it does not count.

        While the engine is down everybody passes: what they ask for is refused there.
        """
        if rate.per_s <= 0:
            return 0
        purse, now_ms = self._purse(name, rate), self._clock()
        if not purse.own.admit(now_ms):
            return 0
        wait_ms = self._known(purse, now_ms)
        if wait_ms is not None:
            return wait_ms
        async with purse.asking:
            # Whoever waited for the lock may be told what the one before found out.
            wait_ms = self._known(purse, self._clock())
            return wait_ms if wait_ms is not None else await self._ask(name, rate, purse)

    def _known(self, purse: _Purse, now_ms: float) -> int | None:
        if purse.shut_until > now_ms:
            return math.ceil(purse.shut_until - now_ms)
        if purse.left and now_ms < purse.left_until:
            purse.left -= 1
            return 0
        return None

    async def _ask(self, name: str, rate: Rate, purse: _Purse) -> int:
        n = max(1, min(rate.burst, round(rate.per_s / _ASKS_PER_S)))
        try:
            passed, wait_ms = await self._store.take(
                name, every_ms=1000 / rate.per_s, burst=max(1, rate.burst), n=n
            )
        except Refused:
            return 0
        now_ms = self._clock()
        if not passed:
            purse.shut_until = now_ms + wait_ms
            return wait_ms
        purse.left, purse.left_until = passed - 1, now_ms + _KEEP_MS
        return 0

    def _purse(self, name: str, rate: Rate) -> _Purse:
        now_ms, key = self._clock(), (name, rate)
        if now_ms - self._swept_ms > _IDLE_MS:
            self._swept_ms = now_ms
            self._purses = {k: p for k, p in self._purses.items() if not p.idle(now_ms)}
        purse = self._purses.get(key)
        if purse is None:
            if len(self._purses) >= _KEPT_MOST:  # of a crowd of addresses the first is forgotten
                del self._purses[next(iter(self._purses))]
            own = Gcra(per_s=rate.per_s / _OWN_PART, burst=rate.burst // _OWN_PART)
            purse = self._purses[key] = _Purse(own)
        return purse


class RequestRates:
    """The rates of the settings; each method raises Refused("rate_limited") beyond its own."""

    def __init__(self, store: RateStore, settings: Any) -> None:
        self._shared = SharedRates(store)
        self._address = Rate(settings.requests_address_per_s, settings.requests_address_burst)
        self._user = Rate(settings.requests_per_s, settings.requests_burst)
        self._carrier = Rate(settings.callbacks_per_s, settings.callbacks_burst)

    async def address(self, address: str) -> None:
        """A request from this address, whoever sent it."""
        await self._count(f"address:{address}", self._address, "requests from this address")

    async def principal(self, principal: Principal) -> None:
        """A request of somebody, by whatever token; a token with numbers of its own has its own."""
        limits = principal.limits
        if "requests_per_s" in limits or "requests_burst" in limits:
            rate = Rate(
                limits.get("requests_per_s", self._user.per_s),
                int(limits.get("requests_burst", self._user.burst)),
            )
            await self._count(f"token:{principal.token}", rate, "requests with this token")
        else:
            await self._count(f"user:{principal.user}", self._user, "requests of this user")

    async def carrier(self, account: str) -> None:
        """A callback that was proved to come from this carrier account."""
        await self._count(f"carrier:{account}", self._carrier, "callbacks of this account")

    async def _count(self, name: str, rate: Rate, what: str) -> None:
        wait_ms = await self._shared.take(name, rate)
        if wait_ms:
            seconds = math.ceil(wait_ms / 1000)
            raise Refused(
                "rate_limited",
                f"Too many {what}: {rate.per_s:g} a second; try again in {seconds} s.",
                retry_ms=wait_ms,
            )
