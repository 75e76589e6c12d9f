"""Simulated customers' phones, kept in the engine so that every node sees the same ones."""

from __future__ import annotations

from typing import Any, Final

import msgpack  # type: ignore[import-untyped]

from batonbox_server.errors import EngineUnavailable, Refused
from batonbox_server.store.engine import Engine
from batonbox_server.store.keys import Keys
from batonbox_server.store.scripts import Scripts

__all__ = ["EnginePhones"]

_MOST_MESSAGES: Final = 10_000


class EnginePhones:
    """Implements `carriers.loopback.Phones`."""

    def __init__(self, client: Engine, *, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._scripts = Scripts(client)

    async def deliver(
        self, *, to: str, key: str, message: dict[str, Any]
    ) -> tuple[bool, str] | None:
        """Put a message on a phone, once per `key`; (permanent, reason) when told to fail."""
        reply = await self._scripts.phone_deliver(
            self._keys.number(to),
            id=key,
            record=msgpack.packb({"id": key, **message}),
            most=_MOST_MESSAGES,
        )
        if reply[0] == b"failed":
            return reply[1] == b"1", reply[2].decode()
        return None

    async def messages(self, *, to: str) -> list[dict[str, Any]]:
        """What the phone received, oldest first."""
        found = await self._execute("LRANGE", f"{self._keys.number(to)}:phone", 0, -1)
        return [msgpack.unpackb(raw) for raw in found]

    async def fail_next(self, *, to: str, count: int, permanent: bool, reason: str) -> None:
        """Make the next `count` deliveries to this phone fail."""
        key = f"{self._keys.number(to)}:fail"
        fields = ("count", count, "permanent", int(permanent), "reason", reason)
        await self._execute("HSET", key, *fields)

    async def _execute(self, *args: str | bytes | int) -> Any:
        try:
            return await self._client.execute(*args)
        except EngineUnavailable as error:
            raise Refused("unavailable") from error
