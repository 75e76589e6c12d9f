"""Contacts: whose numbers are whose; the organisation's address book, in a slot of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

__all__ = [
    "CONTACTS_MOST",
    "NOTE_CHARS",
    "NUMBERS_MOST",
    "Contact",
    "ContactPage",
    "ContactStore",
    "Written",
]

CONTACTS_MOST: Final = 100_000
NUMBERS_MOST: Final = 20  # of one contact
NOTE_CHARS: Final = 2000


@dataclass(frozen=True, slots=True)
class Contact:
    """A customer; a number (E.164) belongs to one contact at most. Times are epoch ms.

    `rev` is the position in the contacts' log of the last change.
    """

    id: str
    name: str
    numbers: tuple[str, ...] = ()
    note: str = ""
    created_ms: int = 0
    changed_ms: int = 0
    rev: int = 0


@dataclass(frozen=True, slots=True)
class ContactPage:
    """By name, then id; `next` "" at the end; `total` is how many there are in all."""

    items: list[Contact]
    next: str
    total: int = 0


@dataclass(frozen=True, slots=True)
class Written:
    """What became of one contact of several: `ok`; `stale`, it has changed since; `taken`, a number
    of it is the contact `other`'s; `full`, there are CONTACTS_MOST.
    """

    outcome: str
    other: str


class ContactStore(Protocol):
    """Each change appends to the contacts' log: meta {type, id, numbers}, where `numbers` are those
    whose name may be another now; types `contact_changed` (body: the contact as a map) and
    `contact_deleted`. Repeated under the same `cid` it has no second effect.
    """

    async def open(self) -> None:
        """Make the log if this engine is new."""

    async def save(self, contact: Contact, *, actor: str, cid: str, rev: int | None) -> Contact:
        """Make it, or replace it if it stands at `rev` (None: whatever it is).

        Refused: `conflict` when it has changed since, or when a number is another contact's.
        """

    async def delete(self, contact: str, *, actor: str, cid: str) -> None:
        """Refused("not_found")."""

    async def merge(self, *, into: str, gone: str, actor: str, cid: str) -> Contact:
        """`into` gets the other's numbers and note, in one step; Refused("not_found").

        `bad_request` when both together are too much for one, or are the same.
        """

    async def save_all(
        self, changes: Sequence[tuple[Contact | None, Contact]], *, actor: str
    ) -> list[Written]:
        """Replace many, each (from what it was, to what it shall be) for itself; at most 200."""

    async def contact(self, contact: str) -> Contact:
        """Refused("not_found")."""

    async def by_numbers(self, numbers: Sequence[str]) -> dict[str, Contact]:
        """Of at most 4000 numbers those that are somebody's."""

    async def by_ids(self, ids: Sequence[str]) -> dict[str, Contact]:
        """Of at most 4000 ids those that there are."""

    async def page(self, *, after: str = "", n: int = 100, begins: str = "") -> ContactPage:
        """Everybody, by name; or those with a name, a word of it or a number that `begins` so."""

    async def scan(self, *, at: int = 0, n: int = 500) -> tuple[int, list[str]]:
        """Some ids, and where to go on, 0 at the end: whoever is there throughout is met."""
