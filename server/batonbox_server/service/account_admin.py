"""Carrier accounts as admins work with them: made, changed, tried out and deleted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlsplit

from batonbox_server.carriers.port import SecretUnreadable
from batonbox_server.errors import Refused
from batonbox_server.store.account_port import AccountRecord, AccountStore

from .accounts import Accounts
from .vault import Vault

__all__ = ["AccountAdmin"]

# What settings may bring at any time, and what the check of a number uses.
_RESERVED: Final = frozenset({"loopback", "webhook", "twilio", "kannel", "check"})
_CHECK_S: Final = 15.0
_SLOWEST_PER_S: Final = 0.01


class AccountAdmin:
    """Every change returns once it is durable and holds on this node."""

    def __init__(self, store: AccountStore, accounts: Accounts, vault: Vault) -> None:
        self._store = store
        self._accounts = accounts
        self._vault = vault

    async def all(self) -> list[AccountRecord]:
        """Those of the settings, then the others, the oldest first."""
        await self._accounts.refresh()
        made = sorted(self._accounts.records.values(), key=lambda r: (r.created_ms, r.id))
        fixed = [found.record for found in self._accounts.built_in.values()]
        return [*fixed, *(record for record in made if record.id in self._accounts)]

    async def one(self, account: str) -> AccountRecord:
        """Refused("not_found")."""
        await self._accounts.refresh()
        found = self._accounts.record(account)
        if found is None:
            raise Refused("not_found", f"There is no carrier account {account!r}.")
        return found

    async def create(
        self,
        account: str,
        *,
        kind: str,
        name: str,
        config: Mapping[str, Any],
        secret: str,
        secret_file: str,
        rate_per_s: float,
    ) -> AccountRecord:
        """Refused: `bad_request`, `conflict` when the id is taken."""
        if account in _RESERVED or account in self._accounts.built_in:
            raise Refused("conflict", f"{account!r} is an account of the settings; choose another.")
        if kind not in self._accounts.kinds:
            known = ", ".join(sorted(self._accounts.kinds))
            raise Refused("bad_request", f"kind: one of {known}.")
        bare = AccountRecord(
            id=account,
            kind=kind,
            name=name,
            created_ms=int(time.time() * 1000),
            config=self._checked(kind, config),
            rate_per_s=_checked_rate(rate_per_s),
        )
        record = await self._with_secret(bare, secret, secret_file)
        await self._store.create(record, lone_key=self._vault.lone)
        await self._accounts.refresh()
        return record

    async def edit(
        self,
        account: str,
        *,
        secret: str | None = None,
        secret_file: str | None = None,
        **changed: Any,
    ) -> AccountRecord:
        """Change name, config (whole), rate_per_s or the secret; None is left as it was.

        Refused: `bad_request`, `not_found`, `conflict` of one of the settings.
        """
        old = await self._own(account)
        given = {name: value for name, value in changed.items() if value is not None}
        if "config" in given:
            given["config"] = self._checked(old.kind, given["config"])
            if old.sealed and secret is None and secret_file is None:
                _check_same_place(old.config, given["config"])
        if "rate_per_s" in given:
            _checked_rate(given["rate_per_s"])
        if secret is not None or secret_file is not None:
            fresh = await self._with_secret(old, secret or "", secret_file or "")
            given |= {name: getattr(fresh, name) for name in ("sealed", "key", "secret_file")}
        made = await self._store.update(
            account, lambda was: replace(was, **given), lone_key=self._vault.lone
        )
        await self._accounts.refresh()
        return made

    async def delete(self, account: str) -> None:
        """Refused: `not_found`, `conflict` while a number uses it or when it is the settings'."""
        await self._own(account)
        await self._store.delete(account)
        await self._accounts.refresh()

    async def check(self, account: str) -> str:
        """Ask the carrier whether the credentials work: "" or why they do not."""
        await self.one(account)
        problem = self._accounts.problem(account)
        found = self._accounts.account(account)
        if problem or found is None:
            return problem
        try:
            async with asyncio.timeout(_CHECK_S):
                return await found.check()
        except TimeoutError:
            return "The carrier did not answer in time."

    async def _own(self, account: str) -> AccountRecord:
        if account in self._accounts.built_in:
            raise Refused("conflict", f"{account!r} is an account of the settings; change those.")
        return await self.one(account)

    def _checked(self, kind: str, config: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return self._accounts.kinds[kind].checked(config)
        except ValueError as error:
            raise Refused("bad_request", f"config.{error}") from error

    async def _with_secret(
        self, record: AccountRecord, secret: str, secret_file: str
    ) -> AccountRecord:
        if secret and secret_file:
            raise Refused("bad_request", "secret, secret_file: give one of them.")
        if secret_file:
            try:
                self._vault.read(secret_file)
            except SecretUnreadable as error:
                raise Refused("bad_request", str(error)) from error
        if not secret:
            return replace(record, sealed=b"", key="", secret_file=secret_file)
        await self._have_key()
        sealed = self._vault.seal(record.id, secret)
        return replace(record, sealed=sealed, key=self._vault.key_id, secret_file="")

    async def _have_key(self) -> None:
        """A key that is made here must not be a second one beside that of sealed secrets."""
        if self._vault.key_id:
            return
        for other in (await self._store.accounts()).values():
            if other.sealed:
                raise Refused(
                    "conflict",
                    f"The secret of the carrier account {other.id!r} is sealed under the key "
                    f"{other.key}, which this server does not have. Set BATONBOX_SECRETS_KEY.",
                )
        try:
            self._vault.make_key()
        except (OSError, ValueError) as error:
            says = f"The key for secrets cannot be kept in the data folder: {error}."
            raise Refused("internal", says) from error


def _checked_rate(rate_per_s: float) -> float:
    if 0 < rate_per_s < _SLOWEST_PER_S:
        raise Refused("bad_request", f"rate_per_s: 0 for no limit, or {_SLOWEST_PER_S} and more.")
    return rate_per_s


def _check_same_place(old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """A sealed secret is shown to nobody: neither to a server that an admin names instead."""
    was, now = (urlsplit(str(config.get("url", "")))[:2] for config in (old, new))
    if was != now:
        told = "config.url: give the secret again, too: it would be sent to another server."
        raise Refused("bad_request", told)
