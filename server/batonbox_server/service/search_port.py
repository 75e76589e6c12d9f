"""Search over messages and contacts, whoever keeps the index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Hit", "Progress", "SearchIndex"]


@dataclass(frozen=True, slots=True)
class Hit:
    """Where a query was found, and the text around it.

    `kind` is message (conv, n, at_ms), conversation (conv: by its customer's number), contact (id).
    `marks` are (start, end) in characters of `excerpt`.
    """

    kind: str
    conv: str = ""
    n: int = 0
    at_ms: int = 0
    id: str = ""
    excerpt: str = ""
    marks: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the index is: `behind` log entries; of a rebuilding, `done` of `total` messages."""

    complete: bool
    behind: int
    done: int
    total: int


class SearchIndex(Protocol):
    """One per node (SQLite FTS5), or the engine's own (FT.SEARCH)."""

    async def find(
        self, q: str, *, logs: Sequence[str], kinds: frozenset[str], after: str, n: int
    ) -> tuple[list[Hit], str]:
        """Hits in these inboxes and rooms alone, the newest first, and the cursor ("" at the end).

        Words are prefixes; case and diacritics do not count; a phone number is found in whatever
        notation. Refused("bad_request") of a query without a letter or digit.
        """

    @property
    def progress(self) -> Progress: ...
