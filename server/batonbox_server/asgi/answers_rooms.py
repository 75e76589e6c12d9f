"""What the endpoints of rooms and of Interactions answer."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from batonbox_server.domain.model import RoomKind

from .answers import Conversation

__all__ = [
    "ChannelItem",
    "InteractionItem",
    "MyRoom",
    "Room",
    "RoomDone",
    "RoomSeen",
    "RoomWithPeople",
    "VersionItem",
]


class Room(Struct):
    """A direct room or a channel: its public row; null is nobody and never.

    `people`: the two of a direct room (one: somebody with themselves). `posts` counts what people
    wrote, `n` every line. `archived_at`: closed to posts since then.
    """

    id: str
    kind: RoomKind
    name: str
    people: list[str]
    archived_at: str | None
    rev: int
    n: int
    posts: int
    last_ms: int
    last_at: str | None
    last_by: str | None
    preview: str


class MyRoom(Room):
    """A room of the caller's: posts they have not seen, and those of them that name them."""

    unread: int
    mentions: int


class RoomWithPeople(MyRoom):
    """A room of the caller's with everybody in it; `read` of its posts the caller has seen."""

    members: list[str]
    read: int
    seq: int


class ChannelItem(Struct):
    """A channel; `member`: the caller is in it, `members`: how many are."""

    id: str
    name: str
    kind: RoomKind
    archived_at: str | None
    member: bool
    members: int


class RoomDone(Struct):
    """A command's result, and the room as it is now where it could be read back."""

    conv: str
    inbox: str
    seq: int
    tip: str
    n: int | UnsetType = UNSET
    noop: bool | UnsetType = UNSET
    room: Room | UnsetType = UNSET


class RoomSeen(Struct):
    """Whether the mark moved."""

    seen: bool


class VersionItem(Struct):
    """What stood in a post before `by` edited or deleted it."""

    at_ms: int
    at: str | None
    by: str
    body: dict[str, Any] | None


class InteractionItem(Struct):
    """One of `conversation` and `room`, by its `kind`."""

    kind: Literal["external", "direct", "channel"]
    conversation: Conversation | UnsetType = UNSET
    room: MyRoom | UnsetType = UNSET
