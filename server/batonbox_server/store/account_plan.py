"""Changes of carrier accounts, planned against one instant of the directory; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from batonbox_server.errors import Refused
from batonbox_server.store.account_port import AccountRecord
from batonbox_server.store.directory_port import OrgState

from .directory_plan import Plan
from .directory_records import pack

__all__ = ["account_from", "plan_account", "plan_account_gone", "plan_new_account"]

_MOST: Final = 50
_FIELDS: Final = (
    "id", "kind", "name", "created_ms", "config", "rate_per_s", "sealed", "key", "secret_file",
)  # fmt: skip
Accounts = Mapping[str, AccountRecord]


def account_from(found: dict[str, Any]) -> AccountRecord:
    """An account as it is stored."""
    return AccountRecord(**found)


def plan_new_account(accounts: Accounts, new: AccountRecord, *, lone_key: bool) -> Plan:
    """An account whose id is free."""
    if new.id in accounts:
        raise Refused("conflict", f"There is an account {new.id!r} already; choose another id.")
    if len(accounts) >= _MOST:
        raise Refused("conflict", f"There are {_MOST} accounts already; delete some first.")
    return _put(accounts, new, "carrier_changed", lone_key=lone_key)


def plan_account(
    accounts: Accounts, old: AccountRecord, new: AccountRecord, *, lone_key: bool
) -> Plan:
    """A change of one."""
    if new == old:
        return Plan()
    if (new.sealed, new.secret_file) != (old.sealed, old.secret_file):
        return _put(accounts, new, "carrier_secret_replaced", lone_key=lone_key)
    plan = _put(accounts, new, "carrier_changed", lone_key=False)
    plan.was[old.id] = _told(old)
    return plan


def plan_account_gone(state: OrgState, accounts: Accounts, account: str) -> Plan:
    """The record goes, and with it the secret, unless a number uses it."""
    if account not in accounts:
        raise Refused("not_found", f"There is no carrier account {account!r}.")
    users = sorted(
        number
        for number, route in state.routes.items()
        if account in (route.carrier, route.intended.carrier)
    )
    if users:
        raise Refused("conflict", f"{users[0]} uses it; give that number another carrier first.")
    plan = Plan()
    plan.drop("carriers", account, "carrier_deleted", {"id": account})
    plan.was[account] = _told(accounts[account])
    return plan


def _put(accounts: Accounts, new: AccountRecord, event: str, *, lone_key: bool) -> Plan:
    if lone_key and new.sealed:
        _check_key(accounts, new)
    plan = Plan()
    record = {name: getattr(new, name) for name in _FIELDS}
    plan.writes.append(("carriers", new.id, pack({**record, "config": dict(new.config)})))
    plan.events.append((event, pack(_told(new))))
    return plan


def _check_key(accounts: Accounts, new: AccountRecord) -> None:
    for other in accounts.values():
        if other.id != new.id and other.sealed and other.key != new.key:
            raise Refused(
                "conflict",
                f"The secret of the carrier account {other.id!r} is sealed under the key "
                f"{other.key}, and this server's own is {new.key}. Give every server the same "
                "BATONBOX_SECRETS_KEY.",
            )


def _told(account: AccountRecord) -> dict[str, Any]:
    return {
        "id": account.id,
        "kind": account.kind,
        "name": account.name,
        "config": dict(account.config),
        "rate_per_s": account.rate_per_s,
        "secret": account.secret,
        "secret_file": account.secret_file,
    }
