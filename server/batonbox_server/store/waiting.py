"""How much of a log waits to leave the engine, counted there."""

from __future__ import annotations

from typing import Final

from batonbox_server.store.engine import Engine
from batonbox_server.store.keys import Keys
from batonbox_server.store.scripts import Scripts
from batonbox_server.store.waiting_port import Waiting

__all__ = ["RedisWaiting"]

# As `InboxArchive.crowded` has it: lines leave in batches.
_FEW: Final = 10


class RedisWaiting:
    """Implements `store.waiting_port.WaitingStore`."""

    def __init__(self, client: Engine, *, keys: Keys) -> None:
        self._keys = keys
        self._scripts = Scripts(client)

    async def waiting(self, *, log: str, keep: int, before_ms: int) -> Waiting:
        """See the port."""
        prefix = self._keys.inbox(log)
        reply = await self._scripts.waiting(
            prefix, least=keep + min(keep, _FEW) + 1, before_ms=before_ms
        )
        if reply[0] != b"ok":
            return Waiting()
        _, crowded, due, oldest, holds, away = reply
        return Waiting(crowded, due, int(oldest), holds, int(away))
