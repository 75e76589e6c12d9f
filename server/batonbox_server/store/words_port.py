"""What our numbers remember of customers who do not want to be written to, wherever they lead."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

__all__ = ["WordsStore"]


class WordsStore(Protocol):
    """The last word of every customer to every number of ours.

    It stays with the number when that moves to another inbox, and while it leads to none.
    """

    async def said(self, *, number: str, provider_id: str, customer: str, word: str) -> int:
        """Keep a customer's `stop` or `start`; returns `at`, by which their words are ordered.

        A message that comes again has the `at` of its first time, for eight days: an old `stop`
        undoes no later `start`.
        """

    def words(self, *, number: str) -> AsyncIterator[dict[str, int]]:
        """The last words to this number in batches: by customer, `at`, negative of a `start`.

        What was there when it began comes, some of it perhaps twice.
        """
