"""Typed events: what happened in an inbox, in the order of its log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batonbox._models import Media, Row, Write, media_of, row_of
from batonbox._session import Applied

if TYPE_CHECKING:
    from batonbox._conversation import Conversation

__all__ = [
    "Answered",
    "Assigned",
    "Before",
    "Composed",
    "ConversationEvent",
    "DeliveryChanged",
    "Done",
    "Event",
    "InboxChanged",
    "LogEvent",
    "MemberJoined",
    "MemberRemoved",
    "Mentioned",
    "MessageReceived",
    "Noted",
    "Notified",
    "Purged",
    "Replied",
    "Resync",
    "Returned",
    "Snoozed",
    "Transferred",
    "Undone",
    "UnknownEvent",
    "Woken",
    "event_of",
    "event_of_log",
    "log_fields",
]


@dataclass(frozen=True, slots=True)
class Before:
    """A conversation's status and owner before the event."""

    status: str
    assignee: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Anything a stream of events yields."""

    inbox: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resync(Event):
    """Events are missing: read again what you derived from earlier ones.

    `reason`: fork, epoch, trimmed, perm (of the server), gap, snapshot, slow_consumer, writes_lost.
    `inbox` "" stands for all. `lost` are my acknowledged commands that are no longer in the log.
    """

    reason: str
    lost: tuple[Write, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Notified(Event):
    """For me alone: `handed_to_you`, `taken_from_you`, `woken`, `mention`; not part of the log."""

    kind: str
    conversation: Conversation
    by: str = ""


class Mentioned(Notified):
    """A note of a conversation names me; `by` wrote it."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEvent(Event):
    """One entry of the inbox's log, or of a room's: then `inbox` is the room."""

    seq: int
    tip: str
    actor: str
    meta: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationEvent(LogEvent):
    """About one conversation; `row` is its state right after, `actor` "" for nobody's act."""

    conversation: Conversation
    row: Row
    before: Before | None
    cid: str
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TextEvent(ConversationEvent):
    """Carries words."""

    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageReceived(TextEvent):
    """The customer wrote.

    `reason`: "opt_out" or "opt_in" where it is a keyword, which is answered automatically and
    waits for nobody; "" else.
    """

    media: tuple[Media, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replied(TextEvent):
    """The owner answered."""

    media: tuple[Media, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed(TextEvent):
    """Somebody wrote to a customer first, and owns the conversation."""

    media: tuple[Media, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered(TextEvent):
    """An automatic answer to a keyword is on its way to the customer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted(TextEvent):
    """An internal note."""

    mentions: tuple[str, ...] = ()


class Assigned(ConversationEvent):
    """Somebody owns it now: `row.assignee`."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Transferred(TextEvent):
    """Handed over from `before.assignee` to `row.assignee`; `text` is the note that travels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned(ConversationEvent):
    """Back to the inbox; `reason` says why when nobody did it."""

    reason: str = ""


class Snoozed(ConversationEvent):
    """Its owner put it aside until `row.snoozed_until`."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Woken(ConversationEvent):
    """The snooze has ended: `reason` "owner" (they said so) or "due"."""

    reason: str = ""


class Done(ConversationEvent):
    """Marked as done."""

    __slots__ = ()


class Undone(ConversationEvent):
    """The last ownership change was taken back."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryChanged(ConversationEvent):
    """Message `n` is now queued, sent, delivered or failed."""

    state: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberJoined(LogEvent):
    """Somebody may see the inbox or is in the room; `joined`: they get its badges."""

    user: str
    role: str = ""
    joined: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRemoved(LogEvent):
    """Somebody may not any more."""

    user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxChanged(LogEvent):
    """The inbox itself: its name, numbers or existence."""

    change: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged(LogEvent):
    """The retention rule erased the messages of `conv` (or of the room) up to number `n`.

    `whole`: the conversation itself is no more. Whoever has copies shall erase theirs.
    """

    conv: str
    n: int
    whole: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownEvent(LogEvent):
    """Of a type newer than this client."""

    type: str
    body: Any = None


_ConversationOf = Callable[[Row], "Conversation"]
_TEXT: dict[str, type[TextEvent]] = {
    "received": MessageReceived,
    "replied": Replied,
    "composed": Composed,
    "noted": Noted,
    "answered": Answered,
    "transferred": Transferred,
}
_EXTRAS: dict[str, tuple[str, ...]] = {
    "received": ("reason",),
    "returned": ("reason",),
    "woken": ("reason",),
    "delivery_changed": ("state", "reason"),
}
_PLAIN: dict[str, type[ConversationEvent]] = {
    "assigned": Assigned,
    "done": Done,
    "undone": Undone,
    "returned": Returned,
    "snoozed": Snoozed,
    "woken": Woken,
    "delivery_changed": DeliveryChanged,
}


def event_of(applied: Applied, conversation_of: _ConversationOf) -> LogEvent:
    """The typed event of a frame; a type this client does not know is UnknownEvent."""
    meta = applied.meta
    kind = str(meta.get("type", ""))
    log = log_fields(applied)
    row = row_of(meta.get("row"))
    if row is not None and (kind in _TEXT or kind in _PLAIN):
        common = log | _of_conversation(meta, row, conversation_of)
        if kind in _TEXT:
            return _TEXT[kind](**common, **_words(kind, applied.body), **_extras(kind, meta))
        return _PLAIN[kind](**common, **_extras(kind, meta))
    return event_of_log(applied)


def log_fields(applied: Applied) -> dict[str, Any]:
    """What every event of a log has."""
    return {
        "inbox": applied.inbox,
        "seq": applied.seq,
        "tip": applied.tip,
        "actor": str(applied.meta.get("actor") or ""),
        "meta": applied.meta,
    }


def _of_conversation(
    meta: Mapping[str, Any], row: Row, conversation_of: _ConversationOf
) -> dict[str, Any]:
    before = meta.get("before")
    return {
        "conversation": conversation_of(row),
        "row": row,
        "before": Before(before["status"], before["assignee"]) if before else None,
        "cid": str(meta.get("cid") or ""),
        "n": int(meta.get("n") or 0),
    }


def _words(kind: str, body: Any) -> dict[str, Any]:
    if not isinstance(body, Mapping):
        return {}
    words: dict[str, Any] = {"text": str(body.get("text") or body.get("note") or "")}
    if kind == "noted":
        words["mentions"] = tuple(body.get("mentions") or ())
    elif kind not in {"transferred", "answered"}:
        words["media"] = media_of(body)
    return words


def _extras(kind: str, meta: Mapping[str, Any]) -> dict[str, Any]:
    names = _EXTRAS.get(kind, ())
    return {name: str(meta.get(name) or "") for name in names}


def event_of_log(applied: Applied) -> LogEvent:
    """An event of nobody's command, of memberships, the log itself, or an unknown one."""
    meta, log = applied.meta, log_fields(applied)
    kind = str(meta.get("type", ""))
    if kind == "member_joined":
        joined = bool(meta.get("joined", True))
        return MemberJoined(
            **log, user=str(meta["user"]), role=str(meta.get("role") or ""), joined=joined
        )
    if kind == "member_removed":
        return MemberRemoved(**log, user=str(meta["user"]))
    if kind == "purged":
        whole = bool(meta.get("whole"))
        return Purged(**log, conv=str(meta["conv"]), n=int(meta["n"]), whole=whole)
    if kind.startswith("inbox_"):
        return InboxChanged(**log, change=kind.removeprefix("inbox_"))
    return UnknownEvent(**log, type=kind, body=applied.body)
