"""Passwords, one-click links, sessions' ends and attempts in the organisation's slot."""

from __future__ import annotations

from typing import Any, Final

from batonbox_server.errors import EngineUnavailable, Refused
from batonbox_server.store.by import AUDIT_ENTRIES, by_organisation
from batonbox_server.store.engine import Engine
from batonbox_server.store.keys import Keys
from batonbox_server.store.scripts import Scripts
from batonbox_server.store.sign_in_port import Rates

__all__ = ["RedisSignIn"]

_KNOWN_DAYS: Final = 30
_ANY: Final = "*"


class RedisSignIn:
    """Implements `store.sign_in_port.SignInStore`."""

    def __init__(self, client: Engine, *, keys: Keys, audit_entries: int = AUDIT_ENTRIES) -> None:
        self._audit_entries = audit_entries
        self._client = client
        self._org = keys.org
        self._scripts = Scripts(client)

    async def password(self, user: str) -> str | None:
        """See the port."""
        raw = await self._execute("HGET", f"{self._org}:pw", user)
        return None if raw is None else str(raw.decode())

    async def set_password(
        self, user: str, hash_: str, *, keep: str = "", before: str | None = None
    ) -> bool:
        """See the port."""
        reply = await self._scripts.org_set_password(
            self._org,
            user=user,
            hash=hash_,
            keep=keep,
            before=_ANY if before is None else before,
            by=by_organisation(keep=self._audit_entries),
        )
        if reply[0] == b"not_found":
            raise Refused("not_found", f"There is no user {user!r}.")
        return bool(reply[0] == b"ok")

    async def end_sessions(self, user: str) -> int:
        """See the port."""
        by = by_organisation(keep=self._audit_entries)
        return _count(await self._scripts.org_end_sessions(self._org, user=user, keep="", by=by))

    async def sweep_sessions(self, *, n: int) -> int:
        """See the port."""
        return _count(await self._scripts.org_sweep_sessions(self._org, n=n))

    async def slide(self, token: str, *, expires_ms: int) -> None:
        """See the port."""
        await self._scripts.org_slide_token(self._org, id=token, expires_ms=expires_ms)

    async def add_link(self, user: str, *, sha256: str, ttl_ms: int) -> None:
        """See the port."""
        await self._execute("SET", f"{self._org}:link:{sha256}", user, "PX", ttl_ms)

    async def link(self, sha256: str) -> str | None:
        """See the port."""
        raw = await self._execute("GET", f"{self._org}:link:{sha256}")
        return None if raw is None else str(raw.decode())

    async def take_attempt(self, user: str, *, address: str, rates: Rates) -> int:
        """See the port."""
        reply = await self._scripts.org_take_attempt(
            self._org,
            user=user,
            address=address,
            user_every_ms=rates.user_every_ms,
            user_burst=rates.user_burst,
            address_every_ms=rates.address_every_ms,
            address_burst=rates.address_burst,
        )
        return 0 if reply[0] == b"ok" else int(reply[1])

    async def return_attempt(self, user: str, *, address: str, rates: Rates, good: bool) -> None:
        """See the port."""
        await self._scripts.org_return_attempt(
            self._org,
            user=user,
            address=address,
            user_every_ms=rates.user_every_ms,
            address_every_ms=rates.address_every_ms,
            days=_KNOWN_DAYS if good else 0,
        )

    async def count_failure(self, user: str) -> None:
        """See the port."""
        await self._execute("HINCRBY", f"{self._org}:failed", user, 1)

    async def _execute(self, *args: str | bytes | int) -> Any:
        try:
            return await self._client.execute(*args)
        except EngineUnavailable as error:
            raise Refused("unavailable") from error


def _count(reply: list[Any]) -> int:
    return int(reply[1]) if reply[0] == b"ok" else 0
