"""Carrier accounts over an engine."""

from __future__ import annotations

from batonbox_server.errors import EngineUnavailable, Refused
from batonbox_server.store.account_plan import (
    account_from,
    plan_account,
    plan_account_gone,
    plan_new_account,
)
from batonbox_server.store.account_port import AccountRecord, AccountUpdate
from batonbox_server.store.directory import RedisDirectory
from batonbox_server.store.directory_plan import Plan
from batonbox_server.store.directory_port import OrgState
from batonbox_server.store.directory_records import unpack
from batonbox_server.store.engine import Engine
from batonbox_server.store.keys import Keys

__all__ = ["RedisAccounts"]


class RedisAccounts:
    """Implements `store.account_port.AccountStore`."""

    def __init__(self, client: Engine, organisation: RedisDirectory, *, keys: Keys) -> None:
        self._client = client
        self._organisation = organisation
        self._keys = keys

    async def accounts(self) -> dict[str, AccountRecord]:
        """See the port."""
        try:
            raw = await self._client.execute("HVALS", f"{self._keys.org}:carriers")
        except EngineUnavailable as error:
            raise Refused("unavailable") from error
        return {found.id: found for found in map(account_from, map(unpack, raw))}

    async def create(self, record: AccountRecord, *, lone_key: bool) -> None:
        """See the port."""

        async def plan(_: OrgState) -> Plan:
            return plan_new_account(await self.accounts(), record, lone_key=lone_key)

        await self._organisation.change(plan)

    async def update(self, account: str, change: AccountUpdate, *, lone_key: bool) -> AccountRecord:
        """See the port."""
        made: list[AccountRecord] = []

        async def plan(_: OrgState) -> Plan:
            accounts = await self.accounts()
            if account not in accounts:
                raise Refused("not_found", f"There is no carrier account {account!r}.")
            new = change(accounts[account])
            made[:] = [new]
            return plan_account(accounts, accounts[account], new, lone_key=lone_key)

        await self._organisation.change(plan)
        return made[0]

    async def delete(self, account: str) -> None:
        """See the port."""

        async def plan(state: OrgState) -> Plan:
            return plan_account_gone(state, await self.accounts(), account)

        await self._organisation.change(plan)
