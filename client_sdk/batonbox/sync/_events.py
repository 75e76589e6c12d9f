# Generated from the asynchronous client by `make gen`; edits are lost.
"""Events whose handles block; their bases are those of `batonbox`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batonbox import _events, _room_events

if TYPE_CHECKING:
    from batonbox.sync._mirror import Conversation, Room

__all__ = [
    "Answered",
    "Assigned",
    "Composed",
    "ConversationEvent",
    "Deleted",
    "DeliveryChanged",
    "Done",
    "Edited",
    "Mentioned",
    "MessageReceived",
    "Noted",
    "Notified",
    "Posted",
    "Replied",
    "Returned",
    "RoomChanged",
    "RoomCreated",
    "RoomEvent",
    "RoomNotified",
    "Snoozed",
    "TextEvent",
    "Transferred",
    "Undone",
    "Woken",
]


class Notified(_events.Notified):
    """For me alone: `handed_to_you`, `taken_from_you`, `woken`, `mention`; not part of the log."""

    __slots__ = ()
    conversation: Conversation  # type: ignore[assignment]


class Mentioned(_events.Mentioned, Notified):
    """A note of a conversation names me; `by` wrote it."""

    __slots__ = ()


class ConversationEvent(_events.ConversationEvent):
    """About one conversation; `row` is its state right after, `actor` "" for nobody's act."""

    __slots__ = ()
    conversation: Conversation  # type: ignore[assignment]


class TextEvent(_events.TextEvent, ConversationEvent):
    """Carries words."""

    __slots__ = ()
    conversation: Conversation  # type: ignore[assignment]


class MessageReceived(_events.MessageReceived, TextEvent):
    """The customer wrote.

    `reason`: "opt_out" or "opt_in" where it is a keyword, which is answered automatically and
    waits for nobody; "" else.
    """

    __slots__ = ()
    conversation: Conversation  # type: ignore[assignment]


class Replied(_events.Replied, TextEvent):
    """The owner answered."""

    __slots__ = ()
    conversation: Conversation  # type: ignore[assignment]


class Composed(_events.Composed, TextEvent):
    """Somebody wrote to a customer first, and owns the conversation."""

    __slots__ = ()
    conversation: Conversation  # type: ignore[assignment]


class Answered(_events.Answered, TextEvent):
    """An automatic answer to a keyword is on its way to the customer."""

    __slots__ = ()
    conversation: Conversation  # type: ignore[assignment]


class Noted(_events.Noted, TextEvent):
    """An internal note."""

    __slots__ = ()
    conversation: Conversation  # type: ignore[assignment]


class Assigned(_events.Assigned, ConversationEvent):
    """Somebody owns it now: `row.assignee`."""

    __slots__ = ()


class Transferred(_events.Transferred, TextEvent):
    """Handed over from `before.assignee` to `row.assignee`; `text` is the note that travels."""

    __slots__ = ()
    conversation: Conversation  # type: ignore[assignment]


class Returned(_events.Returned, ConversationEvent):
    """Back to the inbox; `reason` says why when nobody did it."""

    __slots__ = ()
    conversation: Conversation  # type: ignore[assignment]


class Snoozed(_events.Snoozed, ConversationEvent):
    """Its owner put it aside until `row.snoozed_until`."""

    __slots__ = ()


class Woken(_events.Woken, ConversationEvent):
    """The snooze has ended: `reason` "owner" (they said so) or "due"."""

    __slots__ = ()
    conversation: Conversation  # type: ignore[assignment]


class Done(_events.Done, ConversationEvent):
    """Marked as done."""

    __slots__ = ()


class Undone(_events.Undone, ConversationEvent):
    """The last ownership change was taken back."""

    __slots__ = ()


class DeliveryChanged(_events.DeliveryChanged, ConversationEvent):
    """Message `n` is now queued, sent, delivered or failed."""

    __slots__ = ()
    conversation: Conversation  # type: ignore[assignment]


class RoomNotified(_room_events.RoomNotified):
    """For me alone: `mention`, `direct` (a post in a direct room), `added` (to a channel)."""

    __slots__ = ()
    room: Room  # type: ignore[assignment]


class RoomEvent(_room_events.RoomEvent):
    """About a room; `row` is its state right after, `n` the line that it is about.

    `at_ms`: when, epoch ms.
    """

    __slots__ = ()
    room: Room  # type: ignore[assignment]


class Posted(_room_events.Posted, RoomEvent):
    """Somebody wrote; `mentions` are those whom it names."""

    __slots__ = ()
    room: Room  # type: ignore[assignment]


class Edited(_room_events.Edited, RoomEvent):
    """Post `n` says something else now."""

    __slots__ = ()
    room: Room  # type: ignore[assignment]


class Deleted(_room_events.Deleted, RoomEvent):
    """Post `n` is empty now."""

    __slots__ = ()


class RoomCreated(_room_events.RoomCreated, RoomEvent):
    """The beginning of a room's log."""

    __slots__ = ()


class RoomChanged(_room_events.RoomChanged, RoomEvent):
    """Its name, or whether it is archived: see `row`."""

    __slots__ = ()
