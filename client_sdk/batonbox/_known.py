"""What is known of conversations and rooms, and what is told of them: handles and typed events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from batonbox._conversation import Conversation
from batonbox._events import Event, LogEvent, Mentioned, Notified, event_of
from batonbox._models import Row
from batonbox._room import Room
from batonbox._room_events import RoomNotified, room_event_of
from batonbox._room_models import RoomRow, is_room
from batonbox._room_state import KnownRooms
from batonbox._rows import Rows
from batonbox._session import Applied

if TYPE_CHECKING:
    from batonbox._client import Client

__all__ = ["Known"]


class Known:
    """Rows of both kinds; `client` is whom handles ask."""

    client: Client

    def __init__(self) -> None:
        self.rows = Rows()
        self.rooms = KnownRooms()

    def put(self, value: Any) -> None:
        """Take in a row of the wire."""
        if isinstance(value, dict) and is_room(str(value.get("id", ""))):
            self.rooms.put(value)
        else:
            self.rows.put(value)

    def reset(self, log: str) -> None:
        """Forget every row of an inbox, or of a room."""
        self.rows.reset(log)
        self.rooms.reset(log)

    def conversation(self, row: Row) -> Conversation:
        """A conversation's handle."""
        return Conversation(self.client, row)

    def room(self, row: RoomRow) -> Room:
        """A room's handle."""
        return Room(self.client, row)

    def event(self, applied: Applied) -> LogEvent:
        """An entry of a log."""
        if is_room(applied.inbox):
            return room_event_of(applied, self.room)
        return event_of(applied, self.conversation)

    def notice(self, kind: str, inbox: str, conv: str, data: Mapping[str, Any]) -> Event:
        """NOTIFY."""
        by = str(data.get("by") or "")
        if is_room(conv):
            room = self.room(self.rooms.row(conv) or RoomRow(id=conv))
            return RoomNotified(inbox=inbox, kind=kind, room=room, by=by)
        handle = self.conversation(self.rows.get(conv) or Row(id=conv))
        told = Mentioned if kind == "mention" else Notified
        return told(inbox=inbox, kind=kind, conversation=handle, by=by)
