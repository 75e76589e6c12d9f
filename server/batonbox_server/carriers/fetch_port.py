"""Getting a customer's file from where its carrier keeps it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

__all__ = ["FetchFailed", "Fetched", "Fetcher"]


@dataclass(frozen=True, slots=True)
class Fetched:
    """The bytes, and what their server calls them."""

    data: bytes
    type: str


class FetchFailed(Exception):
    """No bytes; `permanent` means: they would be refused the next time, too."""

    def __init__(self, reason: str, *, permanent: bool) -> None:
        self.reason = reason
        self.permanent = permanent
        super().__init__(reason)


class Fetcher(Protocol):
    """Fetches from URLs that others name."""

    async def fetch(
        self,
        url: str,
        *,
        headers_of: Callable[[str], Mapping[str, str]],
        max_bytes: int,
        timeout_s: float,
    ) -> Fetched:
        """All of it, within the time; `headers_of` is asked anew for each URL of a redirect.

        Raises FetchFailed and what `headers_of` raises.
        """
