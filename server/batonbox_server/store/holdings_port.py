"""What somebody holds in an inbox."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

__all__ = ["Held", "Holdings"]


@dataclass(frozen=True, slots=True)
class Held:
    """A conversation with the token of its ownership; `last_ms` is unique in the inbox."""

    conv: str
    own_tok: str
    last_ms: int


class Holdings(Protocol):
    """One question, asked of one inbox."""

    async def held(self, *, inbox: str, user: str, after_ms: int, n: int) -> tuple[int, list[Held]]:
        """Where the newest of all stands, and up to n above `after_ms`, the oldest first."""
