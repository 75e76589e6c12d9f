"""A carrier brings customers' messages in and takes ours out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Outbound:
    """A message to send; `id` stays the same on every attempt, for the carrier's own dedupe."""

    id: str
    our: str
    customer: str
    text: str
    media: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Accepted:
    """The carrier took it; `delivered` when it also knows that it arrived."""

    carrier_id: str
    delivered: bool = False


class SendFailed(Exception):
    """The carrier refused or could not be reached; `permanent` means: do not try again."""

    def __init__(self, reason: str, *, permanent: bool) -> None:
        self.reason = reason
        self.permanent = permanent
        super().__init__(reason)


class Carrier(Protocol):
    """`send` may be called twice for one `id` after a crash: pass the id on where it can dedupe."""

    @property
    def name(self) -> str:
        """As routes name it."""

    async def send(self, message: Outbound) -> Accepted:
        """Hand the message over. Raises SendFailed."""
