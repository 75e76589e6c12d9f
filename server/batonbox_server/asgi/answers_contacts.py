"""What the endpoints of contacts answer, as shapes."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["ContactItem", "ContactList", "LookedUp"]


class ContactItem(Struct):
    """A customer, and their numbers in E.164; `rev` is for changing it if nobody was faster."""

    id: str
    name: str
    numbers: list[str]
    note: str
    created_at: str | None
    changed_at: str | None
    rev: int


class ContactList(Struct):
    """Contacts by name; `next` null at the end, `total` of all there are."""

    items: list[ContactItem]
    next: str | None
    total: int


class LookedUp(Struct):
    """Contacts by number."""

    numbers: dict[str, ContactItem]
