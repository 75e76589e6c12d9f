"""Customers' words about being written to, kept in the slots of our numbers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from batonbox_server.store.engine import Engine
from batonbox_server.store.keys import Keys
from batonbox_server.store.scripts import Scripts

__all__ = ["KEEP_MS", "RedisWords"]

# A day longer than an inbox knows the messages it has.
KEEP_MS: Final = 8 * 24 * 3600 * 1000
_BATCH: Final = 500


class RedisWords:
    """Implements `store.words_port.WordsStore`."""

    def __init__(self, client: Engine, *, keys: Keys) -> None:
        self._keys = keys
        self._scripts = Scripts(client)

    async def said(self, *, number: str, provider_id: str, customer: str, word: str) -> int:
        """See the port."""
        reply = await self._scripts.number_word(
            self._keys.number(number),
            provider_id=provider_id,
            customer=customer,
            word=word,
            keep_ms=KEEP_MS,
        )
        return int(reply[1])

    async def words(self, *, number: str) -> AsyncIterator[dict[str, int]]:
        """See the port."""
        prefix, cursor = self._keys.number(number), b"0"
        while True:
            _, cursor, flat = await self._scripts.number_words(prefix, cursor=cursor, n=_BATCH)
            pairs = zip(flat[::2], flat[1::2], strict=True)
            yield {customer.decode(): int(at) for customer, at in pairs}
            if cursor == b"0":
                return
