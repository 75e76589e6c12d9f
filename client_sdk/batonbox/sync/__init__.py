"""The blocking client: `batonbox.sync.Client` has the names of `batonbox.Client`, without `await`.

    from batonbox import sync

    with sync.Client() as client, client.events(sync.MessageReceived) as events:
        for event in events:
            if event.conversation.try_claim():
                event.conversation.reply("Hello!")

Threads may share a client. Values and errors are those of `batonbox`; events with a handle are of
this module, so that their handles block, and instances of `batonbox`'s, too.
"""

from __future__ import annotations

from batonbox.sync._base import Viewing
from batonbox.sync._events import (
    Answered,
    Assigned,
    Composed,
    ConversationEvent,
    Deleted,
    DeliveryChanged,
    Done,
    Edited,
    Mentioned,
    MessageReceived,
    Noted,
    Notified,
    Posted,
    Replied,
    Returned,
    RoomChanged,
    RoomCreated,
    RoomEvent,
    RoomNotified,
    Snoozed,
    Transferred,
    Undone,
    Woken,
)
from batonbox.sync._mirror import Client, Conversation, Room
from batonbox.sync._streams import EventStream, Stream

__all__ = [
    "Answered",
    "Assigned",
    "Client",
    "Composed",
    "Conversation",
    "ConversationEvent",
    "Deleted",
    "DeliveryChanged",
    "Done",
    "Edited",
    "EventStream",
    "Mentioned",
    "MessageReceived",
    "Noted",
    "Notified",
    "Posted",
    "Replied",
    "Returned",
    "Room",
    "RoomChanged",
    "RoomCreated",
    "RoomEvent",
    "RoomNotified",
    "Snoozed",
    "Stream",
    "Transferred",
    "Undone",
    "Viewing",
    "Woken",
]
