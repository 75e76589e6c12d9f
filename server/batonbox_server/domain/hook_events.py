"""What webhooks tell: the names of their events, and which of them an entry of a log is; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .model import Delivery, Kind, Status

__all__ = ["EVENTS", "TEST", "UNTOLD", "names_of"]

# Sent by an admin to try a webhook out; it is in no log.
TEST: Final = "webhook.test"

EVENTS: Final[dict[str, str]] = {
    "message.received": "A customer wrote.",
    "message.queued": "Somebody wrote to the customer, a keyword was answered, or a failed message "
    "is sent again.",
    "message.sent": "The carrier took a message to the customer.",
    "message.delivered": "A message reached the customer's phone.",
    "message.failed": "A message could not be sent; `reason` says why.",
    "note.added": "A team member left an internal note.",
    "conversation.created": "A conversation began, by a customer's message or by a team member's.",
    "conversation.reopened": "A conversation that was done is open again.",
    "conversation.assigned": "Somebody took a conversation, or was given an unassigned one.",
    "conversation.transferred": "A conversation was handed over to another team member.",
    "conversation.taken_over": "An admin took a conversation from its owner.",
    "conversation.returned": "A conversation went back to the inbox and is nobody's.",
    "conversation.snoozed": "The owner put a conversation aside until its `snoozed_until`.",
    "conversation.woken": "A conversation is not put aside any more; `reason` says why.",
    "conversation.done": "A conversation was marked as done.",
    "conversation.undone": "Somebody took back their own last change of a conversation.",
    "member.added": "A team member joined an inbox, or stands in it as an admin.",
    "member.removed": "A team member left an inbox.",
}

# Entries of logs that no webhook is told about: the administration's own, seen over its API, what
# the retention rule erases, and all that is said in rooms, which are the team's alone.
UNTOLD: Final = frozenset(
    {
        Kind.INBOX_CREATED,
        Kind.INBOX_CHANGED,
        Kind.INBOX_DELETED,
        Kind.PURGED,
        Kind.ROOM_CREATED,
        Kind.ROOM_CHANGED,
        Kind.POSTED,
        Kind.EDITED,
        Kind.DELETED,
    }
)

_ALWAYS: Final[dict[str, str]] = {
    Kind.RECEIVED: "message.received",
    Kind.REPLIED: "message.queued",
    Kind.COMPOSED: "message.queued",
    Kind.ANSWERED: "message.queued",
    Kind.NOTED: "note.added",
    Kind.ASSIGNED: "conversation.assigned",
    Kind.RETURNED: "conversation.returned",
    Kind.DONE: "conversation.done",
    Kind.UNDONE: "conversation.undone",
    Kind.SNOOZED: "conversation.snoozed",
    Kind.WOKEN: "conversation.woken",
    Kind.MEMBER_JOINED: "member.added",
    Kind.MEMBER_REMOVED: "member.removed",
}
_BY_STATE: Final[dict[str, str]] = {
    Delivery.QUEUED: "message.queued",
    Delivery.SENT: "message.sent",
    Delivery.DELIVERED: "message.delivered",
    Delivery.FAILED: "message.failed",
}


def names_of(meta: Mapping[str, Any]) -> tuple[str, ...]:
    """The events that an entry with this meta is, in the order in which they are told.

    What becomes of the conversation comes before the message that did it.
    """
    kind = meta["type"]
    if kind == Kind.DELIVERY_CHANGED:
        name = _BY_STATE.get(meta.get("state", ""), "")
        return (name,) if name else ()
    if kind == Kind.TRANSFERRED:
        own = meta["actor"] == meta["row"]["assignee"]
        return ("conversation.taken_over" if own else "conversation.transferred",)
    always = _ALWAYS.get(kind, "")
    return (*_of_conversation(meta, kind), always) if always else ()


def _of_conversation(meta: Mapping[str, Any], kind: str) -> tuple[str, ...]:
    row, before = meta.get("row"), meta.get("before")
    if row is None:
        return ()
    names = []
    if before is None:
        names.append("conversation.created")
    elif before["status"] == Status.DONE != row["status"] and kind != Kind.UNDONE:
        names.append("conversation.reopened")
    given = row["assignee"] and (before is None or before["assignee"] != row["assignee"])
    if given and kind in {Kind.COMPOSED, Kind.RECEIVED}:
        names.append("conversation.assigned")
    return tuple(names)
