"""What the client shows of rooms, contacts and search: frozen values."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

__all__ = [
    "Channel",
    "Contact",
    "Found",
    "Hit",
    "RoomRow",
    "RoomTotals",
    "RoomVersion",
    "found_of",
    "is_room",
    "room_row_of",
]


class RoomRow(Struct, frozen=True, kw_only=True):
    """A direct room or a channel at one instant; empty strings and zeros mean nobody and never.

    `kind`: direct, public or private. `people`: the two of a direct room. `archived`: closed to
    posts since then, epoch ms. `posts` counts what people wrote, `n` every line.
    """

    id: str
    kind: str = ""
    name: str = ""
    people: tuple[str, ...] = ()
    archived: int = 0
    rev: int = 0
    n: int = 0
    posts: int = 0
    last_ms: int = 0
    last_by: str = ""
    preview: str = ""


class RoomTotals(NamedTuple):
    """Of one of my rooms, absolute: posts I have not seen, and those of them that name me.

    `row` None: it is none of mine any more.
    """

    room: str
    row: RoomRow | None
    unread: int
    mentions: int


class Channel(Struct, frozen=True, kw_only=True):
    """A channel that I may find; `member`: I am in it, `members`: how many are."""

    id: str
    name: str = ""
    kind: str = "public"
    member: bool = False
    members: int = 0
    archived_at: str | None = None


class RoomVersion(Struct, frozen=True, kw_only=True):
    """What stood in a post before `by` edited or deleted it."""

    at_ms: int
    by: str
    body: dict[str, Any] | None = None

    @property
    def text(self) -> str:
        """The text that stood there."""
        return str((self.body or {}).get("text", ""))


class Contact(Struct, frozen=True, kw_only=True):
    """Whose number it is."""

    id: str
    name: str = ""
    numbers: tuple[str, ...] = ()
    note: str = ""


class Hit(Struct, frozen=True, kw_only=True):
    """Where a query was found; `marks` are (start, end) in characters of `excerpt`.

    `kind`: message (`conv`, a conversation or a room, and its line `n`), conversation (`conv`),
    contact, channel or person (`id`).
    """

    kind: str
    conv: str = ""
    n: int = 0
    at_ms: int = 0
    id: str = ""
    excerpt: str = ""
    marks: tuple[tuple[int, int], ...] = ()


class Found(NamedTuple):
    """What a search found, by kind and then the newest first.

    `complete` False: the server's index is still being made, there may be more.
    """

    hits: list[Hit]
    complete: bool


def is_room(name: str) -> bool:
    """Whether this is the id of a direct room or a channel."""
    return name.startswith("~")


def room_row_of(value: Any) -> RoomRow | None:
    """A room's row from the wire's map; None where there is none."""
    return msgspec.convert(value, RoomRow) if isinstance(value, dict) and "id" in value else None


def found_of(answer: dict[str, Any]) -> Found:
    """The answer of /v1/search."""
    hits = [Hit(kind="message", **_place(each), **_why(each)) for each in answer["messages"]]
    hits += [
        Hit(kind="conversation", conv=str(each["conversation"]["id"]), **_why(each))
        for each in answer["conversations"]
    ]
    hits += [
        Hit(kind="contact", id=str(each["contact"]["id"]), **_why(each))
        for each in answer["contacts"]
    ]
    for kind, name in (("channel", "channels"), ("person", "people")):
        hits += [Hit(kind=kind, id=str(each["id"]), **_why(each)) for each in answer[name]]
    return Found(hits, bool(answer["index"]["complete"]))


def _place(each: dict[str, Any]) -> dict[str, Any]:
    return {name: each[name] for name in ("conv", "n", "at_ms")}


def _why(each: dict[str, Any]) -> dict[str, Any]:
    return {"excerpt": each["excerpt"], "marks": tuple((a, b) for a, b in each["marks"])}
