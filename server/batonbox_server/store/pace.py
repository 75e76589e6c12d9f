"""How fast messages leave by each carrier account, over all nodes."""

from __future__ import annotations

from batonbox_server.store.engine import Engine
from batonbox_server.store.keys import Keys
from batonbox_server.store.outbox_port import Slot
from batonbox_server.store.scripts import Scripts

__all__ = ["EnginePace"]


class EnginePace:
    """Implements `store.outbox_port.PaceStore`."""

    def __init__(self, client: Engine, *, keys: Keys) -> None:
        self._keys = keys
        self._scripts = Scripts(client)

    async def take(self, *, account: str, rate_per_s: float, most_ms: int, again: bool) -> Slot:
        """See the port."""
        word, wait_ms = await self._scripts.org_take_slot(
            self._keys.org,
            account=account,
            every_us=max(1, round(1_000_000 / rate_per_s)),
            most_ms=most_ms,
            again=int(again),
        )
        return Slot(word == b"ok", int(wait_ms))
