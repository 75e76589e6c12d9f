"""What somebody holds in an inbox, over an engine."""

from __future__ import annotations

from batonbox_server.store.engine import Engine
from batonbox_server.store.holdings_port import Held
from batonbox_server.store.keys import Keys
from batonbox_server.store.scripts import Scripts

__all__ = ["RedisHoldings"]


class RedisHoldings:
    """Implements `store.holdings_port.Holdings`."""

    def __init__(self, client: Engine, *, keys: Keys) -> None:
        self._keys = keys
        self._scripts = Scripts(client)

    async def held(self, *, inbox: str, user: str, after_ms: int, n: int) -> tuple[int, list[Held]]:
        """See the port."""
        prefix = self._keys.inbox(inbox)
        reply = await self._scripts.held(prefix, user=user, after_ms=after_ms, n=n)
        if reply[0] != b"ok":
            return 0, []
        found = [
            Held(conv.decode(), own_tok.decode(), int(last)) for conv, own_tok, last in reply[2]
        ]
        return int(reply[1]), found
