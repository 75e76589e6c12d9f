"""What the search answers."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from .answers import Conversation
from .answers_contacts import ContactItem
from .answers_rooms import Room

__all__ = ["SearchFound"]


class FoundText(Struct):
    """Why it was found: `marks` are pairs [start, end) in characters (code points) of `excerpt`."""

    excerpt: str
    marks: list[list[int]]


class FoundMessage(FoundText):
    """A message, number `n` of `conv`: of a `conversation` with a customer, or of a `room`."""

    conv: str
    n: int
    at_ms: int
    at: str | None
    conversation: Conversation | None
    room: Room | None


class FoundConversation(FoundText):
    """A conversation, by its customer's number or the name of the contact who has it."""

    conversation: Conversation


class FoundContact(FoundText):
    """A contact, by name, number or note."""

    contact: ContactItem


class FoundChannel(FoundText):
    """A channel, by its name: a public one, or one the caller is in (`member`)."""

    id: str
    name: str
    kind: Literal["public", "private"]
    archived_at: str | None
    member: bool


class FoundPerson(FoundText):
    """A colleague, by name."""

    id: str
    name: str


class IndexProgress(Struct):
    """How far this node's index is: `behind` log entries; `done` of `total` conversations are read.

    Until it is `complete` there may be more than was found.
    """

    complete: bool
    behind: int
    done: int
    total: int


class SearchFound(Struct):
    """The newest of each kind; `next` continues a search of one kind, null at the end."""

    messages: list[FoundMessage]
    conversations: list[FoundConversation]
    contacts: list[FoundContact]
    channels: list[FoundChannel]
    people: list[FoundPerson]
    next: str | None
    index: IndexProgress
