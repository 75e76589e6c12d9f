"""How much of a log waits to leave the engine: for operators, not for deciding anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

__all__ = ["Waiting", "WaitingStore"]


@dataclass(frozen=True, slots=True)
class Waiting:
    """Conversations of one log.

    `crowded`: with more lines than are kept; `due`: done for long enough and not held, the oldest
    changed last at `oldest_ms` (0: none); `holds`: held; `away`: in the archive alone.
    """

    crowded: int = 0
    due: int = 0
    oldest_ms: int = 0
    holds: int = 0
    away: int = 0


class WaitingStore(Protocol):
    """Raises Refused("unavailable") when the engine is down."""

    async def waiting(self, *, log: str, keep: int, before_ms: int) -> Waiting:
        """Of one inbox or room; nothing of one that is not there."""
