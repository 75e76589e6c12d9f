"""What lines and events of logs mean to the search index; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]
import msgspec

from batonbox_server.domain.model import Kind
from batonbox_server.store.archive_port import Line
from batonbox_server.store.contacts_port import Contact
from batonbox_server.store.port import LogEntry

from .search_port import Card, Change, Gone, Message, Place, Purged, Talk

__all__ = ["archived", "card_of", "continued", "line_of", "talk_of"]

# What people wrote; everything else in a thread is the system's.
_TEXTS: Final = frozenset(
    {Kind.RECEIVED, Kind.REPLIED, Kind.COMPOSED, Kind.NOTED, Kind.ANSWERED, Kind.POSTED}
)
_EDITS: Final = frozenset({Kind.EDITED, Kind.DELETED})


# What changes something without being about the row of a conversation.
_OTHERS: Final = frozenset({"contact_changed", "contact_deleted", Kind.PURGED})


class _Row(msgspec.Struct):
    id: str
    last_ms: int
    customer: str = ""


class _Meta(msgspec.Struct):
    """What counts here of what happened; the rest is not decoded."""

    type: str
    conv: str = ""
    n: int = 0
    id: str = ""
    whole: Any = None
    row: _Row | None = None


class _Frame(msgspec.Struct, array_like=True):
    op: int
    log: str
    seq: int
    meta: _Meta
    body: msgspec.Raw
    tip: str


_frame: Final = msgspec.msgpack.Decoder(_Frame).decode
_body: Final = msgspec.msgpack.decode


def continued(place: Place, entries: Sequence[LogEntry]) -> tuple[list[Change], Place] | None:
    """What entries of a log say behind a place, and where it stands then.

    None: they do not continue it, or there are none.
    """
    changes: list[Change] = []
    talks: dict[str, int] = {}  # where each conversation stands among them: its last word counts
    seq, tip = place.seq, place.tip
    for entry in entries:
        if entry.seq != seq + 1 or entry.prev != tip:
            return None
        frame = _frame(entry.frame)
        seq, tip = entry.seq, frame.tip
        meta = frame.meta
        if meta.type in _OTHERS:
            talks.clear()
            changes += _other(meta, frame.body)
            continue
        row = meta.row
        if row is None or not meta.conv:
            continue
        talk = Talk(row.id, row.customer, row.last_ms)
        at = talks.setdefault(row.id, len(changes))
        if at < len(changes):
            changes[at] = talk
        else:
            changes.append(talk)
        edit = meta.type in _EDITS
        if edit or meta.type in _TEXTS:
            text = _text(_body(frame.body))
            changes.append(Message(meta.conv, meta.n, row.last_ms, text, edit=edit))
    return (changes, replace(place, seq=seq, tip=tip)) if entries else None


def _other(meta: _Meta, body: msgspec.Raw) -> list[Change]:
    if meta.type == "contact_changed":
        return [_card(_body(body))]
    if meta.type == "contact_deleted":
        return [Gone(meta.id)]
    purged = Purged(meta.conv, meta.n)
    return [purged, Gone(meta.conv)] if meta.whole else [purged]


def talk_of(row: dict[str, Any]) -> Talk:
    """A conversation or room, from its public row."""
    return Talk(row["id"], row.get("customer", ""), int(row["last_ms"]))


def line_of(conv: str, line: list[Any]) -> Message | None:
    """A line of a thread, if people wrote it; in the order of `wire.MESSAGE_FIELDS`."""
    n, _, at_ms, kind, _, _, _, body = line[:8]
    text = _text(body) if kind in _TEXTS else ""
    return Message(conv, n, at_ms, text) if text else None


def archived(conv: str, line: Line) -> Message | None:
    """A line of the archive: what the engine had was read before it, and is newer."""
    found = line_of(conv, msgpack.unpackb(line.packed))
    return Message(found.conv, found.n, found.at_ms, found.text, old=True) if found else None


def card_of(contact: Contact) -> Card:
    """A contact."""
    return Card(contact.id, contact.name, contact.numbers, contact.note)


def _card(body: dict[str, Any]) -> Card:
    return Card(body["id"], body["name"], tuple(body["numbers"]), body["note"])


def _text(body: Any) -> str:
    return str(body.get("text") or "") if isinstance(body, dict) else ""
