"""How long messages are kept: the organisation's rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

__all__ = ["DAYS_MOST", "RetentionStore", "Rules"]

DAYS_MOST: Final = 36_500


@dataclass(frozen=True, slots=True)
class Rules:
    """Messages older than so many days are erased; 0: never.

    `external_days` of conversations with customers, `internal_days` of rooms.
    """

    external_days: int = 0
    internal_days: int = 0


class RetentionStore(Protocol):
    """The rules, in the organisation's profile."""

    async def rules(self) -> Rules:
        """As they stand."""

    async def set_rules(self, rules: Rules) -> None:
        """RETENTION_CHANGED of the organisation's log, and an entry of its audit log."""
