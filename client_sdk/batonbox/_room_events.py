"""Typed events of rooms: what happened in a direct room or a channel, in the order of its log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batonbox._events import Event, LogEvent, event_of_log, log_fields
from batonbox._models import Media, media_of
from batonbox._room_models import RoomRow, room_row_of
from batonbox._session import Applied

if TYPE_CHECKING:
    from batonbox._room import Room

__all__ = [
    "Deleted",
    "Edited",
    "Posted",
    "RoomChanged",
    "RoomCreated",
    "RoomEvent",
    "RoomNotified",
    "room_event_of",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomNotified(Event):
    """For me alone: `mention`, `direct` (a post in a direct room), `added` (to a channel)."""

    kind: str
    room: Room
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomEvent(LogEvent):
    """About a room; `row` is its state right after, `n` the line that it is about.

    `at_ms`: when, epoch ms.
    """

    room: Room
    row: RoomRow
    cid: str
    n: int
    at_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted(RoomEvent):
    """Somebody wrote; `mentions` are those whom it names."""

    text: str = ""
    mentions: tuple[str, ...] = ()
    media: tuple[Media, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited(RoomEvent):
    """Post `n` says something else now."""

    text: str = ""
    mentions: tuple[str, ...] = ()
    media: tuple[Media, ...] = ()


class Deleted(RoomEvent):
    """Post `n` is empty now."""

    __slots__ = ()


class RoomCreated(RoomEvent):
    """The beginning of a room's log."""

    __slots__ = ()


class RoomChanged(RoomEvent):
    """Its name, or whether it is archived: see `row`."""

    __slots__ = ()


_WORDS: dict[str, type[Posted | Edited]] = {"posted": Posted, "edited": Edited}
_PLAIN: dict[str, type[RoomEvent]] = {
    "deleted": Deleted,
    "room_created": RoomCreated,
    "room_changed": RoomChanged,
}


def room_event_of(applied: Applied, room_of: Callable[[RoomRow], Room]) -> LogEvent:
    """The typed event of a frame; memberships are those of inboxes."""
    meta = applied.meta
    kind = str(meta.get("type", ""))
    row = room_row_of(meta.get("row"))
    if row is None or not (kind in _WORDS or kind in _PLAIN):
        return event_of_log(applied)
    common: dict[str, Any] = {
        **log_fields(applied),
        "room": room_of(row),
        "row": row,
        "cid": str(meta.get("cid") or ""),
        "n": int(meta.get("n") or 0),
        "at_ms": int(meta.get("at_ms") or row.last_ms),
    }
    if kind in _WORDS:
        return _WORDS[kind](**common, **_said(applied.body))
    return _PLAIN[kind](**common)


def _said(body: Any) -> dict[str, Any]:
    if not isinstance(body, Mapping):
        return {}
    return {
        "text": str(body.get("text") or ""),
        "mentions": tuple(body.get("mentions") or ()),
        "media": media_of(body),
    }
