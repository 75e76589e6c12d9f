"""Rates that all nodes share, counted in the organisation's slot."""

from __future__ import annotations

from batonbox_server.store.engine import Engine
from batonbox_server.store.keys import Keys
from batonbox_server.store.scripts import Scripts

__all__ = ["RedisRates"]


class RedisRates:
    """Implements `store.rates_port.RateStore`."""

    def __init__(self, client: Engine, *, keys: Keys) -> None:
        self._org = keys.org
        self._scripts = Scripts(client)

    async def take(self, name: str, *, every_ms: float, burst: int, n: int) -> tuple[int, int]:
        """See the port."""
        # Beside the names of attempts to sign in, which begin with a: and u:.
        reply = await self._scripts.org_rate_take(
            self._org, name=f"r:{name}", every_ms=every_ms, burst=burst, n=n
        )
        return (int(reply[1]), 0) if reply[0] == b"ok" else (0, int(reply[1]))
