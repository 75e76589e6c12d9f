"""Carrier accounts as they are stored: in the organisation's slot, told in its log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

__all__ = ["AccountRecord", "AccountStore", "AccountUpdate", "SecretFrom"]

SecretFrom = Literal["none", "set", "file"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRecord:
    """An account with a carrier; `config` is what its kind says it is.

    The secret is `sealed` under the key of the id `key`, or stands in `secret_file`, a path that is
    read at use; "" for neither. `rate_per_s` 0: as many messages as there are.
    """

    id: str
    kind: str
    name: str
    created_ms: int
    config: Mapping[str, Any] = field(default_factory=dict)
    rate_per_s: float = 0.0
    sealed: bytes = b""
    key: str = ""
    secret_file: str = ""

    @property
    def secret(self) -> SecretFrom:
        """Where the secret is."""
        if self.secret_file:
            return "file"
        return "set" if self.sealed else "none"


AccountUpdate = Callable[[AccountRecord], AccountRecord]


class AccountStore(Protocol):
    """Changes append to the organisation's log, as events without any secret.

    CARRIER_CHANGED, CARRIER_SECRET_REPLACED (with it, whatever else changed), CARRIER_DELETED {id}.
    """

    async def accounts(self) -> dict[str, AccountRecord]:
        """Every record, by id."""

    async def create(self, record: AccountRecord, *, lone_key: bool) -> None:
        """Refused("conflict") when the id is taken or there are too many.

        `lone_key`: the key is this node's alone. Refused("conflict") when another account's secret
        is sealed under another one: whoever sealed that could not read this.
        """

    async def update(self, account: str, change: AccountUpdate, *, lone_key: bool) -> AccountRecord:
        """Change a record; Refused: `not_found`, and `conflict` as above."""

    async def delete(self, account: str) -> None:
        """Refused: `not_found`, `conflict` while a number uses it."""
