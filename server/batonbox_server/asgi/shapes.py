"""How the store's values look in JSON; pure."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, Final

from batonbox_server.domain.model import RoomRow, Row, inbox_of
from batonbox_server.store.contacts_port import Contact
from batonbox_server.store.rooms_port import RoomOf
from batonbox_server.wire import MESSAGE_FIELDS

__all__ = [
    "contact_json",
    "message_json",
    "my_room_json",
    "room_json",
    "row_json",
    "timestamp",
    "token_json",
]

_NOBODY: Final = frozenset({"assignee", "last_assignee"})
_TIMES: Final = frozenset({"waiting_since", "snoozed_until", "opted_out"})


def timestamp(at_ms: int) -> str | None:
    """RFC 3339 with Z; None for 0."""
    if not at_ms:
        return None
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def row_json(row: dict[str, Any]) -> dict[str, Any]:
    """A conversation: the public row, its inbox, times people can read, and null for nobody."""
    shown: dict[str, Any] = {}
    for field in fields(Row):  # in this order, whichever the engine's is
        value = row[field.name]
        if field.name in _TIMES:
            value = timestamp(value)
        elif field.name in _NOBODY:
            value = value or None
        shown[field.name] = value
    return {**shown, "inbox": inbox_of(row["id"]), "last_at": timestamp(row["last_ms"])}


def room_json(row: dict[str, Any]) -> dict[str, Any]:
    """A room: the public row, times people can read, and null for nobody."""
    shown = {field.name: row[field.name] for field in fields(RoomRow)}
    shown["people"] = list(row["people"])
    shown["archived_at"] = timestamp(shown.pop("archived"))
    shown["last_at"] = timestamp(row["last_ms"])
    shown["last_by"] = row["last_by"] or None
    return shown


def my_room_json(room: RoomOf) -> dict[str, Any]:
    """A room, and what of it its reader has not seen."""
    return {**room_json(room.row), "unread": room.unread, "mentions": room.mentions}


def contact_json(contact: Contact) -> dict[str, Any]:
    """A contact."""
    return {
        "id": contact.id,
        "name": contact.name,
        "numbers": list(contact.numbers),
        "note": contact.note,
        "created_at": timestamp(contact.created_ms),
        "changed_at": timestamp(contact.changed_ms),
        "rev": contact.rev,
    }


def message_json(message: list[Any]) -> dict[str, Any]:
    """A message of a thread by its field names."""
    shown = dict(zip(MESSAGE_FIELDS, message, strict=False))
    shown["at"] = timestamp(shown["at_ms"])
    shown["actor"] = shown["actor"] or None
    shown["state"] = shown["state"] or None
    return shown


def token_json(token: Any) -> dict[str, Any]:
    """An API token without its secret."""
    return {
        "id": token.id,
        "user": token.user,
        "label": token.label,
        "limits": token.limits,
        "scopes": list(token.scopes),
        "created_at": timestamp(token.created_ms),
        "last_used_at": timestamp(token.used_ms),
    }
