"""The audit log as the service reads it: one stream per inbox, and the organisation's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

__all__ = ["CONTACTS", "ORGANISATION", "AuditEntry", "AuditStore", "Place"]

# Whose stream is the organisation's own; ids of inboxes are never empty.
ORGANISATION = ""
CONTACTS = "~contacts"  # that of the address book


class Place(NamedTuple):
    """Where an entry stands among all streams; what is newer comes first.

    Entries never move and streams grow at their newer end only, so whoever goes on from a place
    meets nothing again and passes over nothing that was there when they began.
    """

    at_ms: int
    n: int
    stream: str

    @property
    def rank(self) -> tuple[int, int, str]:
        """Sorts places, the newest first."""
        return (-self.at_ms, -self.n, self.stream)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Who did what, from where, and what it changed; it never holds a message's text or a secret.

    `actor` "": nobody who has signed in, or the server itself (`via` says which).
    """

    place: Place
    actor: str
    via: str
    address: str
    token: str
    action: str
    inbox: str
    conv: str
    target: str
    before: dict[str, Any]
    after: dict[str, Any]
    detail: dict[str, Any]


class AuditStore(Protocol):
    """Reading, and the one kind of entry that changes nothing else."""

    async def older(
        self, stream: str, *, than: Place | None, since_ms: int, until_ms: int, n: int
    ) -> list[AuditEntry]:
        """Up to n entries of one stream, the newest first, beyond `than`.

        `since_ms` is the first instant, `until_ms` the first instant no more (0: no end).
        """

    async def write(
        self, *, action: str, target: str, detail: dict[str, Any], conv: str = ""
    ) -> None:
        """An act of the present caller that changes nothing, in the organisation's stream.

        One about a conversation of an inbox, `conv`, is in that inbox's.
        """
