"""Posting an event to somebody else's server, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Answer", "Poster"]


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` 0: none came, and `error` says why; any 2xx is a success.

    `retry_after_s`: what the receiver asked for, 0 for nothing.
    """

    status: int
    duration_ms: int
    error: str = ""
    retry_after_s: float = 0.0

    @property
    def ok(self) -> bool:
        """The receiver has it."""
        return 200 <= self.status < 300


class Poster(Protocol):
    """Never raises but on cancellation: whatever happens is an answer."""

    def check(self, url: str) -> str:
        """The URL as it is used; raises ValueError that says why it cannot be."""

    async def post(
        self, url: str, *, secrets: Sequence[str], message_id: str, body: bytes, timeout_s: float
    ) -> Answer:
        """One attempt, signed with every one of the secrets."""
