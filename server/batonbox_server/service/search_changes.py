"""What lines and events of logs mean to the search index; pure."""

from __future__ import annotations

from typing import Any, Final

import msgpack  # type: ignore[import-untyped]
import msgspec

from batonbox_server.domain.model import Kind
from batonbox_server.store.archive_port import Line
from batonbox_server.store.contacts_port import Contact
from batonbox_server.store.port import LogEntry

from .search_port import Card, Change, Gone, Message, Purged, Talk

__all__ = ["Entry", "archived", "card_of", "changes_of", "line_of", "talk_of"]

# What people wrote; everything else in a thread is the system's.
_TEXTS: Final = frozenset(
    {Kind.RECEIVED, Kind.REPLIED, Kind.COMPOSED, Kind.NOTED, Kind.ANSWERED, Kind.POSTED}
)
_EDITS: Final = frozenset({Kind.EDITED, Kind.DELETED})


class _Frame(msgspec.Struct, array_like=True, frozen=True):
    op: int
    log: str
    seq: int
    meta: dict[str, Any]
    body: msgspec.Raw
    tip: str


_frames: Final = msgspec.msgpack.Decoder(_Frame)


class Entry:
    """An entry of a log, decoded: its place in the chain, and what changed with it."""

    def __init__(self, entry: LogEntry) -> None:
        frame = _frames.decode(entry.frame)
        self.seq, self.prev, self.tip = entry.seq, entry.prev, frame.tip
        self.meta = frame.meta
        self._body = frame.body

    @property
    def body(self) -> Any:
        """Decoded."""
        return msgspec.msgpack.decode(self._body)


def changes_of(entry: Entry) -> list[Change]:
    """Of an event of an inbox, a room or the contacts."""
    meta = entry.meta
    kind, conv = str(meta["type"]), str(meta.get("conv", ""))
    if kind == "contact_changed":
        return [_card(entry.body)]
    if kind == "contact_deleted":
        return [Gone(str(meta["id"]))]
    if kind == Kind.PURGED:
        purged = Purged(conv, int(meta["n"]))
        return [purged, Gone(conv)] if meta.get("whole") else [purged]
    row = meta.get("row")
    if not conv or not row:
        return []
    found: list[Change] = [talk_of(row)]
    if kind in _TEXTS or kind in _EDITS:
        text, edit = _text(entry.body), kind in _EDITS
        found.append(Message(conv, int(meta["n"]), int(row["last_ms"]), text, edit=edit))
    return found


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
