"""What the endpoints of retention and holds answer."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["ArchiveReport", "Held", "HoldItem", "RetentionRules"]


class ArchiveReport(Struct):
    """How much is in the archive, and what waits to go there; sizes in bytes.

    `state`: `ok`, `none`, or why nothing is moved. `waiting` conversations are the ones this node
    counted when it last looked; `memory_bound` 0: the engine has no bound.
    """

    state: str
    kind: str
    messages: int
    conversations: int
    size_bytes: int
    waiting: int
    memory_used: int
    memory_bound: int


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
