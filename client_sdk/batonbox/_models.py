"""What the client shows of the server's state: frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec
from msgspec import Struct

__all__ = [
    "Badge",
    "Dur",
    "Inbox",
    "Media",
    "Message",
    "Position",
    "Presence",
    "Present",
    "Row",
    "State",
    "User",
    "Write",
    "media_of",
    "row_of",
]


# How durable a command is when it succeeds; see `Client`.
Dur: TypeAlias = Literal["memory", "replica", "fsync"]


class State(StrEnum):
    """Of a client's connection."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"
    STOPPED = "stopped"


class Position(NamedTuple):
    """A place in an inbox's log; keep it to go on from there after a restart."""

    epoch: str
    seq: int
    tip: str


class Presence(StrEnum):
    """Of a colleague, as everybody sees it."""

    ONLINE = "online"
    AWAY = "away"
    OFFLINE = "offline"


class Present(NamedTuple):
    """Somebody's presence now."""

    user: str
    presence: Presence


class Row(Struct, frozen=True, kw_only=True):
    """A conversation at one instant; empty strings and zeros mean nobody and never.

    `snoozed_until`: its owner put it aside until then, epoch ms. `opted_out`: since when the
    customer wants no messages from our number.
    """

    id: str
    our: str = ""
    customer: str = ""
    status: str = "unassigned"
    assignee: str = ""
    own_tok: str = ""
    rev: int = 0
    att: str = ""
    in_seq: str = ""
    last_ms: int = 0
    waiting_since: int = 0
    last_assignee: str = ""
    unanswered: int = 0
    preview: str = ""
    n: int = 0
    snoozed_until: int = 0
    opted_out: int = 0

    @property
    def inbox(self) -> str:
        """The inbox's id: a conversation's id begins with it."""
        return self.id.partition(".")[0]


class Badge(Struct, frozen=True):
    """Absolute totals of an inbox for me: unassigned and unseen, mine and unseen, queue depth."""

    inbox: str
    blue: int
    green: int
    unassigned: int
    seq: int = 0


class User(Struct, frozen=True, kw_only=True):
    """A team member or bot; `away`: what they set, "" (available), "away" or "release"."""

    id: str
    name: str = ""
    role: str = "member"
    away: str = ""


class Inbox(Struct, frozen=True, kw_only=True):
    """An inbox I may see; `joined`: its badges and hand-overs reach me."""

    id: str
    name: str = ""
    joined: bool = True
    numbers: list[str] = []
    members: list[str] = []
    members_may_dispatch: bool = False


class Media(Struct, frozen=True, kw_only=True):
    """A file of a message; `size` in bytes, `type` "" until the server has it from the carrier.

    `reason`: why it will never be had. Without an `id` only its name was kept.
    """

    id: str = ""
    type: str = ""
    size: int = 0
    name: str = ""
    reason: str = ""


class Message(Struct, array_like=True, frozen=True):
    """One line of a conversation or a room, in the order of the wire's MESSAGE_FIELDS.

    Of a post `state` is "edited" or "deleted" where it was.
    """

    n: int
    seq: int
    at_ms: int
    kind: str
    actor: str = ""
    cid: str = ""
    state: str = ""
    body: Any = None
    reason: str = ""  # why it failed

    @property
    def text(self) -> str:
        """The text, empty for system lines."""
        return str(self.body.get("text", "")) if isinstance(self.body, Mapping) else ""

    @property
    def mentions(self) -> tuple[str, ...]:
        """Whom a note or a post names."""
        return tuple(self.body.get("mentions") or ()) if isinstance(self.body, Mapping) else ()

    @property
    def media(self) -> tuple[Media, ...]:
        """Its files; `Conversation.media` fetches one."""
        return media_of(self.body)


def media_of(body: Any) -> tuple[Media, ...]:
    """The files of a message's body."""
    found = body.get("media") if isinstance(body, Mapping) else None
    return tuple(
        Media(name=each) if isinstance(each, str) else msgspec.convert(each, Media)
        for each in found or ()
    )


class Write(NamedTuple):
    """An acknowledged command and the place its event took in the log."""

    inbox: str
    command: str
    cid: str
    seq: int
    tip: str


def row_of(value: Any) -> Row | None:
    """A row from the wire's map; None where there is none."""
    return msgspec.convert(value, Row) if isinstance(value, dict) and "id" in value else None
