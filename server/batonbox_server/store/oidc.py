"""Sign-ins under way at an identity provider, and whose identity is whose, beside the directory."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import Any

from batonbox_server.errors import EngineUnavailable, Refused
from batonbox_server.store.directory import RedisDirectory
from batonbox_server.store.directory_plan import Plan
from batonbox_server.store.directory_port import OrgState, User
from batonbox_server.store.directory_records import pack, unpack
from batonbox_server.store.engine import Engine
from batonbox_server.store.identity_plan import plan_identified, plan_identity_gone
from batonbox_server.store.keys import Keys
from batonbox_server.store.oidc_port import Begun, Identity

__all__ = ["RedisOidc"]


class RedisOidc:
    """Implements `store.oidc_port.OidcStore`."""

    def __init__(self, client: Engine, organisation: RedisDirectory, *, keys: Keys) -> None:
        self._client = client
        self._organisation = organisation
        self._org = keys.org

    async def begin(self, state: str, begun: Begun, *, ttl_s: int) -> None:
        """See the port."""
        await self._execute("SET", self._key(state), pack(asdict(begun)), "EX", ttl_s)

    async def take(self, state: str) -> Begun | None:
        """See the port."""
        raw = await self._execute("GETDEL", self._key(state))
        return None if raw is None else Begun(**unpack(raw))

    async def identify(self, identity: Identity, *, claim: str, fresh: User | None) -> User:
        """See the port."""
        found: list[User] = []

        async def plan(state: OrgState) -> Plan:
            # Read after the state: whatever links an identity makes that state stale.
            linked = await self._linked()
            user, planned = plan_identified(state, linked, identity, claim=claim, fresh=fresh)
            found[:] = [user]
            return planned

        await self._organisation.change(plan)  # a member who is in no inbox leaves no jobs
        return found[0]

    async def forget(self, user: str) -> bool:
        """See the port."""
        had = False

        async def plan(state: OrgState) -> Plan:
            nonlocal had
            planned = plan_identity_gone(state, await self._linked(), user)
            had = bool(planned.events)
            return planned

        await self._organisation.change(plan)
        return had

    async def _linked(self) -> dict[str, str]:
        raw = await self._execute("HGETALL", f"{self._org}:oidc")
        pairs = raw.items() if isinstance(raw, dict) else zip(raw[::2], raw[1::2], strict=True)
        return {user.decode(): text.decode() for user, text in pairs}

    def _key(self, state: str) -> str:
        return f"{self._org}:oidc_state:{hashlib.sha256(state.encode()).hexdigest()}"

    async def _execute(self, *args: str | bytes | int) -> Any:
        try:
            return await self._client.execute(*args)
        except EngineUnavailable as error:
            raise Refused("unavailable") from error
