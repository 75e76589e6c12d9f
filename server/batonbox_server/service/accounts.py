"""The carriers this server sends by: those of its settings, and the accounts that admins made."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog

from batonbox_server.carriers.port import Account, Carrier, Kind, SecretUnreadable
from batonbox_server.errors import BatonboxError
from batonbox_server.store.account_port import AccountRecord, AccountStore, SecretFrom
from batonbox_server.tasks import cancel_all, spawn

from .vault import Vault

__all__ = ["Accounts", "BuiltIn"]

_log = structlog.get_logger(__name__)
_RELOAD_PAUSE_S: Final = 0.5
_EVENTS: Final = frozenset({"carrier_changed", "carrier_secret_replaced", "carrier_deleted"})


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A carrier of the settings; `account` is the same where it is called back as accounts are.

    `paths`: where else it is called back, with messages and with receipts.
    """

    record: AccountRecord
    carrier: Carrier
    account: Account | None = None
    secret: SecretFrom = "none"  # noqa: S105
    paths: tuple[str, str] = ("", "")


class Accounts:
    """Follows the organisation's log: what an admin changes anywhere holds here soon after.

    `start` before use. `on_event` and `on_reset` are fed by the feed of the organisation's log.
    """

    def __init__(
        self,
        store: AccountStore,
        vault: Vault,
        kinds: Mapping[str, Kind],
        *,
        built_in: Mapping[str, BuiltIn],
        public_url: str,
    ) -> None:
        self._store = store
        self._vault = vault
        self.kinds = kinds
        self.built_in = built_in
        self.public_url = public_url.rstrip("/")
        self.records: dict[str, AccountRecord] = {}
        self._made: dict[str, Account] = {}
        self._reading = asyncio.Lock()
        self._stale = self._following = False
        self._tasks: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Read the accounts; raises Refused("unavailable")."""
        await self.refresh()

    async def aclose(self) -> None:
        """Stop following."""
        await cancel_all(self._tasks)

    def get(self, name: str) -> Carrier | None:
        """The carrier of this id."""
        if name in self.built_in:
            return self.built_in[name].carrier
        return self._made.get(name)

    def account(self, name: str) -> Account | None:
        """The account of this id, if its carrier calls back at `/v1/carriers/...`."""
        if name in self.built_in:
            return self.built_in[name].account
        return self._made.get(name)

    def __contains__(self, name: object) -> bool:
        return name in self.built_in or name in self._made

    def __iter__(self) -> Iterator[str]:
        return iter([*self.built_in, *self._made])

    def record(self, name: str) -> AccountRecord | None:
        """The account's record; one of the settings' has no secret in it."""
        if name in self.built_in:
            return self.built_in[name].record
        return self.records.get(name)

    def inbound_url(self, name: str) -> str:
        """Where the carrier is to bring messages; "" when nobody can reach this server."""
        account = self.account(name)
        if account is None or not self.public_url:
            return self._fixed_url(name, 0)
        try:
            return account.inbound_url(f"{self.public_url}/v1/carriers/{name}/inbound")
        except SecretUnreadable:
            return ""  # `problem` tells

    def status_url(self, name: str, message: str = "") -> str:
        """Where receipts of this message of ours come; "" when nobody can reach this server."""
        account = self.account(name)
        if account is None or not self.public_url:
            return self._fixed_url(name, 1)
        try:
            return account.status_url(f"{self.public_url}/v1/carriers/{name}/status", message)
        except SecretUnreadable:
            return ""

    def _fixed_url(self, name: str, which: int) -> str:
        path = self.built_in[name].paths[which] if name in self.built_in else ""
        return f"{self.public_url}{path}" if path and self.public_url else ""

    def problem(self, name: str) -> str:
        """What stands in the way of the account's working, "" for nothing that is known here."""
        account = self.account(name)
        if account is None:
            return ""
        if not self.public_url:
            return "Set BATONBOX_PUBLIC_URL: the carrier has to reach this server."
        try:
            return account.problem
        except SecretUnreadable as error:
            return str(error)

    def setup(self, name: str) -> str:
        """What to enter at the carrier so that it calls back; "" while that cannot be said."""
        account, url = self.account(name), self.inbound_url(name)
        return account.setup(url) if account is not None and url else ""

    def on_event(self, _seq: int, meta: dict[str, Any], _body: Any) -> None:
        """The next event of the organisation's log."""
        if meta["type"] in _EVENTS:
            self.on_reset()

    def on_reset(self) -> None:
        """The accounts may be others than those known."""
        self._stale = True
        if not self._following:
            self._following = True
            spawn(self._tasks, self._follow(), name="accounts")

    async def refresh(self) -> None:
        """Be at least as new as the store is now; raises Refused("unavailable")."""
        async with self._reading:
            self._become(await self._store.accounts())

    async def _follow(self) -> None:
        try:
            while self._stale:
                self._stale = False
                await self._reload()
        finally:
            self._following = False

    async def _reload(self) -> None:
        try:
            await self.refresh()
        except BatonboxError as error:
            _log.warning("accounts_reload_failed", error=str(error))
            self._stale = True
            await asyncio.sleep(_RELOAD_PAUSE_S)

    def _become(self, records: dict[str, AccountRecord]) -> None:
        made: dict[str, Account] = {}
        for name, record in records.items():
            if name in self.built_in or record.kind not in self.kinds:
                _log.error("account_unusable", account=name, kind=record.kind)
            elif self.records.get(name) == record and name in self._made:
                made[name] = self._made[name]
            else:
                made[name] = self._make(record)
        self.records, self._made = records, made

    def _make(self, record: AccountRecord) -> Account:
        return self.kinds[record.kind].make(
            record.id, record.config, secret=self._secret(record), rate_per_s=record.rate_per_s
        )

    def _secret(self, record: AccountRecord) -> Callable[[], str]:
        """How to have it: a file's at every use, since it may be another by then."""
        if record.secret_file:
            return lambda: self._vault.read(record.secret_file)
        try:
            secret = self._vault.open(record)
        except SecretUnreadable as error:
            _log.error("account_secret_unreadable", account=record.id, error=str(error))
            return _unreadable(str(error))
        return lambda: secret


def _unreadable(says: str) -> Callable[[], str]:
    def secret() -> str:
        raise SecretUnreadable(says)

    return secret
