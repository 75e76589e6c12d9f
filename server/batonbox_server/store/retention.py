"""The rule of how long messages are kept, over an engine."""

from __future__ import annotations

from dataclasses import asdict

from batonbox_server.errors import EngineUnavailable, Refused
from batonbox_server.store.directory import RedisDirectory
from batonbox_server.store.directory_plan import Plan
from batonbox_server.store.directory_port import OrgState
from batonbox_server.store.directory_records import pack, unpack
from batonbox_server.store.engine import Engine
from batonbox_server.store.keys import Keys
from batonbox_server.store.retention_port import Rules

__all__ = ["RedisRetention"]


class RedisRetention:
    """Implements `store.retention_port.RetentionStore`."""

    def __init__(self, client: Engine, organisation: RedisDirectory, *, keys: Keys) -> None:
        self._client = client
        self._organisation = organisation
        self._profile = f"{keys.org}:profile"

    async def rules(self) -> Rules:
        """See the port."""
        try:
            raw = await self._client.execute("HGET", self._profile, "retention")
        except EngineUnavailable as error:
            raise Refused("unavailable") from error
        return Rules(**unpack(raw)) if raw else Rules()

    async def set_rules(self, rules: Rules) -> None:
        """See the port."""

        async def plan(_: OrgState) -> Plan:
            old, planned = await self.rules(), Plan()
            if old != rules:
                planned.writes.append(("profile", "retention", pack(asdict(rules))))
                planned.events.append(("retention_changed", pack(asdict(rules))))
                planned.was[""] = asdict(old)  # the organisation's own record goes by no name
            return planned

        await self._organisation.change(plan)
