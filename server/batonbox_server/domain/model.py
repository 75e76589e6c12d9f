"""The nouns as values: rows, members, messages' kinds and states."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

UNDO_WINDOW_MS: Final = 10_000
ROOM_SIGN: Final = "~"  # what the ids of rooms begin with, and no inbox's does


class Status(StrEnum):
    """Where a conversation stands; Open = UNASSIGNED and ASSIGNED together."""

    UNASSIGNED = "unassigned"
    ASSIGNED = "assigned"
    DONE = "done"


class Role(StrEnum):
    """What a person may do; the organisation's role, copied into each inbox's membership."""

    MEMBER = "member"
    ADMIN = "admin"


class Destination(StrEnum):
    """The kinds of routing destinations that phone numbers are assigned to."""

    DEPARTMENT = "department"
    RING_GROUP = "ring_group"
    WELCOME_MENU = "welcome_menu"


class Availability(StrEnum):
    """What a person set: whether customers' messages wait for them."""

    AVAILABLE = ""
    AWAY = "away"
    RELEASE = "release"  # away, and a customer's next message goes back to everybody


class Presence(StrEnum):
    """What colleagues see of a person; being away is set, and wins over being connected."""

    ONLINE = "online"
    AWAY = "away"
    OFFLINE = "offline"


class ReopenTo(StrEnum):
    """Where a customer's message takes a conversation that was done."""

    QUEUE = "queue"
    LAST_ASSIGNEE = "last_assignee"  # if available, else the queue


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxOptions:
    """How an inbox treats what its owners do not; minutes of 0 switch a rule off.

    `silent_min`: an owner who leaves a customer without an answer for so long loses the
    conversation to the queue. `offline_min`: an owner without any connection for so long does.
    Texts are the automatic answers to opt-out keywords; "" is the default one.
    """

    reopen_to: ReopenTo = ReopenTo.QUEUE
    members_may_dispatch: bool = False
    silent_min: int = 0
    offline_min: int = 5
    stop_text: str = ""
    start_text: str = ""
    help_text: str = ""


class RoomKind(StrEnum):
    """Where team members talk to each other."""

    DIRECT = "direct"  # two people (or one with themselves), for ever
    PUBLIC = "public"  # a channel that everybody may find and join
    PRIVATE = "private"  # a channel one is put into


class Kind(StrEnum):
    """Types of events; those about a conversation are also the kinds of its messages."""

    RECEIVED = "received"
    ASSIGNED = "assigned"
    TRANSFERRED = "transferred"
    RETURNED = "returned"
    DONE = "done"
    UNDONE = "undone"
    REPLIED = "replied"
    COMPOSED = "composed"
    NOTED = "noted"
    SNOOZED = "snoozed"
    WOKEN = "woken"
    ANSWERED = "answered"  # automatically, to a keyword
    DELIVERY_CHANGED = "delivery_changed"
    INBOX_CREATED = "inbox_created"
    INBOX_CHANGED = "inbox_changed"
    INBOX_DELETED = "inbox_deleted"
    MEMBER_JOINED = "member_joined"
    MEMBER_REMOVED = "member_removed"
    PURGED = "purged"  # the retention rule erased a conversation's messages up to number n
    ROOM_CREATED = "room_created"
    ROOM_CHANGED = "room_changed"  # its name, or whether it is archived
    POSTED = "posted"
    EDITED = "edited"  # the post n
    DELETED = "deleted"  # the post n


class Delivery(StrEnum):
    """Towards the carrier; a message only moves forward, except by a retry of a failed one."""

    NONE = ""
    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Row:
    """A conversation's public state: an absolute register, the same in events, pages, snapshots.

    `att` and `in_seq` are marks `"<seq>.<tip8>"` compared for equality only, "" for none; times are
    epoch ms, 0 for none; `assignee` and `last_assignee` are "" for nobody. `opted_out`: since when
    the customer wants no messages from our number, as of the row's last change.
    """

    id: str
    our: str
    customer: str
    status: Status = Status.UNASSIGNED
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
        return inbox_of(self.id)


@dataclass(frozen=True, slots=True)
class RoomRow:
    """A room's public state: an absolute register, the same in events, lists and snapshots.

    `people` are the two of a direct room (one, talking to themselves), empty of a channel, whose
    `name` is "" in a direct room. `n` counts lines of its thread, `posts` those that people wrote:
    what somebody has not seen is `posts` minus their own mark. `archived`: since when, epoch ms, 0:
    not. `last_by` wrote last; `last_ms` is the time of the last post (before one: of its making).
    """

    id: str
    kind: RoomKind
    name: str = ""
    people: tuple[str, ...] = ()
    archived: int = 0
    rev: int = 0
    n: int = 0
    posts: int = 0
    last_ms: int = 0
    last_by: str = ""
    preview: str = ""


@dataclass(frozen=True, slots=True)
class Prev:
    """What an ownership change replaced: kept on the row, never shown, for undo."""

    status: Status
    assignee: str
    actor: str
    tok: str
    at_ms: int
    waiting_since: int
    unanswered: int


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody's standing in an inbox.

    Every active admin stands in every inbox; `joined` decides badges, notifications and being a
    transfer target.  `since_seq` is the log position at which the membership began.
    """

    role: Role
    joined: bool
    since_seq: int


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of an inbox's log, decoded: the frame `[EV, inbox, seq, meta, body, tip]`."""

    inbox: str
    seq: int
    meta: dict[str, Any]
    body: Any
    tip: str


def is_room(name: str) -> bool:
    """Whether this is the id of a direct room or a channel."""
    return name.startswith(ROOM_SIGN)


def inbox_of(conversation: str) -> str:
    """The log a conversation lives in: ids are `<inbox>.<unique>`; a room is its own."""
    return conversation.partition(".")[0]
