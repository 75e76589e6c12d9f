"""What the endpoints of retention and holds answer."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["Held", "HoldItem", "RetentionRules"]


class RetentionRules(Struct):
    """Days after which messages with customers, and those of rooms, are erased; 0: never."""

    external_days: int
    internal_days: int


class HoldItem(Struct):
    """Nothing of this conversation or room is erased; `inbox` is "" of a room."""

    conv: str
    inbox: str
    reason: str
    by: str
    since_at: str | None


class Held(Struct):
    """What holds it now; null: nothing."""

    hold: HoldItem | None
