# Generated from the asynchronous client by `make gen`; edits are lost.
"""Conversation, Room and Client, blocking."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from batonbox._conversation import Conversation as AsyncConversation
from batonbox._events import ConversationEvent, Event
from batonbox._models import (
    Badge,
    Dur,
    Inbox,
    Message,
    Position,
    Presence,
    Present,
    Row,
    State,
    User,
)
from batonbox._room import Room as AsyncRoom
from batonbox._room_events import RoomEvent
from batonbox._room_models import Channel, Contact, Found, RoomRow, RoomTotals, RoomVersion
from batonbox.sync._base import ClientBase, Handle, Viewing
from batonbox.sync._portal import Portal
from batonbox.sync._streams import EventStream, Stream, entered
from batonbox.sync._twins import plain, twin

__all__ = ["Client", "Conversation", "Room"]


def _shown(portal: Portal) -> Callable[[Event], Event]:
    def blocking(value: Any) -> Any:
        if isinstance(value, AsyncConversation):
            return Conversation(portal, value)
        return Room(portal, value) if isinstance(value, AsyncRoom) else value

    return lambda event: twin(event, blocking)


class Conversation(Handle[AsyncConversation]):
    """One conversation as seen by one client.

    Verbs carry the ownership token by themselves; `key` and `dur` are those of `Client.call`.
    `done()` says which message of the customer was the last you were shown: by the event or page
    this handle came from, `now`, `history()` or `refresh()`; a newer one refuses it with
    NewActivity.
    """

    __slots__ = ()

    @property
    def id(self) -> str:
        """Its id."""
        return self._its.id

    @property
    def inbox(self) -> str:
        """The inbox's id."""
        return self._call(lambda: self._its.inbox)

    @property
    def now(self) -> Row:
        """The newest known state, frozen; live while events of its inbox are followed."""
        return self._call(lambda: self._its.now)

    def refresh(self) -> Row:
        """Read the state from the server."""
        return self._run(self._its.refresh())

    def claim(self, *, key: str | None = None, dur: Dur | None = None) -> None:
        """Assign to Me; raises AlreadyAssigned(by) when somebody else was first."""
        self._run(self._its.claim(key=key, dur=dur))

    def try_claim(self, *, key: str | None = None, dur: Dur | None = None) -> bool:
        """Assign to Me; False when somebody else was first."""
        return self._run(self._its.try_claim(key=key, dur=dur))

    def assign(self, user: str, *, key: str | None = None, dur: Dur | None = None) -> None:
        """Hand an unassigned conversation to a colleague; raises AdminOnly where that is so."""
        self._run(self._its.assign(user, key=key, dur=dur))

    def transfer(
        self,
        to: str,
        *,
        note: str = "",
        key: str | None = None,
        dur: Dur | None = None,
    ) -> None:
        """Hand over; by an admin also of somebody else's, to themselves too (the take-over)."""
        self._run(self._its.transfer(to, note=note, key=key, dur=dur))

    def release(self, *, key: str | None = None, dur: Dur | None = None) -> None:
        """Return to Inbox."""
        self._run(self._its.release(key=key, dur=dur))

    def done(self, *, key: str | None = None, dur: Dur | None = None) -> None:
        """Mark as Done; raises NewActivity when the customer wrote what you were not shown."""
        self._run(self._its.done(key=key, dur=dur))

    def undo(self, *, key: str | None = None, dur: Dur | None = None) -> None:
        """Take back my last ownership change, within ten seconds."""
        self._run(self._its.undo(key=key, dur=dur))

    def snooze(
        self,
        until: datetime | None = None,
        *,
        seconds: float | None = None,
        key: str | None = None,
        dur: Dur | None = None,
    ) -> None:
        """Put my conversation aside until a time, or for so many seconds; an inbound wakes it.

        Raises NotOwner. With a `key` say `until`, so that a repeated call repeats the same time.
        """
        self._run(self._its.snooze(until, seconds=seconds, key=key, dur=dur))

    def wake(self, *, key: str | None = None, dur: Dur | None = None) -> None:
        """End the snooze of my conversation now."""
        self._run(self._its.wake(key=key, dur=dur))

    def viewing(self) -> Viewing:
        """Be seen looking at it: `with conv.viewing() as view: view.typing()`.

        A client is seen at one conversation: the last one entered that has not been left.
        """
        return self._call(lambda: Viewing(self._portal, self._its.viewing()))

    @property
    def watchers(self) -> Mapping[str, str]:
        """Who else looks at it while I do: user to "viewing" or "typing"."""
        return self._call(lambda: dict(self._its.watchers))

    def reply(
        self,
        text: str,
        media: Sequence[str | os.PathLike[str]] = (),
        *,
        key: str | None = None,
        dur: Dur | None = None,
    ) -> int:
        """Send to the customer; returns the message's number. Raises NotOwner, StaleToken.

        `media`: ids that `Client.upload` gave, or paths (`pathlib.Path`) of files to upload now;
        with a `key` ids alone, so that a repeated call repeats the very message.
        """
        return self._run(self._its.reply(text, media, key=key, dur=dur))

    def note(
        self,
        text: str,
        mentions: Sequence[str] = (),
        *,
        key: str | None = None,
        dur: Dur | None = None,
    ) -> int:
        """Internal note; returns its number."""
        return self._run(self._its.note(text, mentions, key=key, dur=dur))

    def retry(self, n: int, *, key: str | None = None, dur: Dur | None = None) -> None:
        """Send the failed message `n` again."""
        self._run(self._its.retry(n, key=key, dur=dur))

    def unread(self, *, key: str | None = None, dur: Dur | None = None) -> None:
        """Mark unread for me."""
        self._run(self._its.unread(key=key, dur=dur))

    def seen(self) -> bool:
        """Mark as seen what you were shown; False when there is no connection (never resent)."""
        return self._call(self._its.seen)

    def history(self, *, before: int = 0, n: int = 50) -> list[Message]:
        """Messages below number `before` (0: the newest), oldest first."""
        return self._run(self._its.history(before=before, n=n))

    def media(self, message: Message | ConversationEvent | int, index: int = 0) -> bytes:
        """A file of a message (or of the message with this number), counted from 0.

        Waits up to the client's timeout while the server fetches it from the carrier, then raises
        Unavailable; MediaRefused when it cannot be had.
        """
        return self._run(self._its.media(message, index))


class Room(Handle[AsyncRoom]):
    """A direct room or a channel as seen by one client; `key` and `dur` as in `Client.call`."""

    __slots__ = ()

    @property
    def id(self) -> str:
        """Its id."""
        return self._its.id

    @property
    def now(self) -> RoomRow:
        """The newest known state, frozen; live as long as I am in the room."""
        return self._call(lambda: self._its.now)

    @property
    def unread(self) -> int:
        """How many posts of others I have not seen."""
        return self._call(lambda: self._its.unread)

    @property
    def mentions(self) -> int:
        """How many of them name me."""
        return self._call(lambda: self._its.mentions)

    def post(
        self,
        text: str,
        mentions: Sequence[str] = (),
        media: Sequence[str | os.PathLike[str]] = (),
        *,
        key: str | None = None,
        dur: Dur | None = None,
    ) -> int:
        """Write in it; returns the post's number. `mentions` are members; `media` as in replies.

        Raises Forbidden when I am not in it, Invalid when it is archived.
        """
        return self._run(self._its.post(text, mentions, media, key=key, dur=dur))

    def edit(
        self,
        n: int,
        text: str,
        mentions: Sequence[str] = (),
        *,
        key: str | None = None,
        dur: Dur | None = None,
    ) -> None:
        """Change the text of my post `n`; its files stay. Raises Forbidden of another's."""
        self._run(self._its.edit(n, text, mentions, key=key, dur=dur))

    def delete(self, n: int, *, key: str | None = None, dur: Dur | None = None) -> None:
        """Empty my post `n`; an admin anybody's in a channel."""
        self._run(self._its.delete(n, key=key, dur=dur))

    def join(self, *, key: str | None = None, dur: Dur | None = None) -> None:
        """Join a public channel."""
        self._run(self._its.join(key=key, dur=dur))

    def leave(self, *, key: str | None = None, dur: Dur | None = None) -> None:
        """Leave a channel."""
        self._run(self._its.leave(key=key, dur=dur))

    def invite(self, user: str, *, key: str | None = None, dur: Dur | None = None) -> None:
        """Put somebody into a channel, as an admin."""
        self._run(self._its.invite(user, key=key, dur=dur))

    def remove(self, user: str, *, key: str | None = None, dur: Dur | None = None) -> None:
        """Take somebody out of a channel, as an admin."""
        self._run(self._its.remove(user, key=key, dur=dur))

    def rename(self, name: str, *, key: str | None = None, dur: Dur | None = None) -> None:
        """Give a channel another name, as an admin. Raises Conflict when it is taken."""
        self._run(self._its.rename(name, key=key, dur=dur))

    def archive(self, on: bool = True, *, key: str | None = None, dur: Dur | None = None) -> None:
        """Close a channel to new posts, or open it again, as an admin."""
        self._run(self._its.archive(on, key=key, dur=dur))

    def mark_unread(self, *, key: str | None = None, dur: Dur | None = None) -> None:
        """Mark the last post of others as unread for me."""
        self._run(self._its.mark_unread(key=key, dur=dur))

    def seen(self) -> bool:
        """I have seen every post that I know of; False without a connection (never resent)."""
        return self._call(self._its.seen)

    def history(self, *, before: int = 0, n: int = 50) -> list[Message]:
        """Lines below number `before` (0: the newest), oldest first."""
        return self._run(self._its.history(before=before, n=n))

    def members(self) -> list[str]:
        """Who is in it."""
        return self._run(self._its.members())

    def versions(self, n: int) -> list[RoomVersion]:
        """What stood in post `n` of a channel before, for its admins."""
        return self._run(self._its.versions(n))

    def media(self, message: Message | RoomEvent | int, index: int = 0) -> bytes:
        """A file of a post (or of the post with this number), counted from 0."""
        return self._run(self._its.media(message, index))

    def events(
        self,
        *types: type[Event],
        queue_max: int = 4096,
    ) -> AbstractContextManager[EventStream]:
        """A stream of its events: `with room.events(Posted) as events: ...`."""
        work = self._its.events(*plain(types), queue_max=queue_max)
        return entered(self._portal, work, _shown(self._portal))

    def viewing(self) -> Viewing:
        """Be seen looking at it, as in `Conversation.viewing`."""
        return self._call(lambda: Viewing(self._portal, self._its.viewing()))

    @property
    def watchers(self) -> Mapping[str, str]:
        """Who else looks at it while I do: user to "viewing" or "typing"."""
        return self._call(lambda: dict(self._its.watchers))


class Client(ClientBase):
    """A connection to a batonbox server that survives what happens to it.

    `url` is the server's base address (default $BATONBOX_URL, then http://127.0.0.1:8080); `token`
    a token or a callable that fetches one (default $BATONBOX_TOKEN).  Use as
    `with Client() as client`: entering waits up to `timeout_s` for the first connection and
    raises ConnectionLost or Unauthorized; after that the client reconnects for ever.

    `dur`: how durable a command is when it succeeds, unless its call says otherwise: "memory" (of
    the engine), "replica" (a replica has it, too: no failover loses it) or "fsync" (and the disk
    has it).  None leaves it to the server.  A command that took effect and was not confirmed in
    time raises NotConfirmed.
    """

    __slots__ = ()

    def row(self, conv: str) -> Row | None:
        """The newest known state of a conversation, without asking."""
        return self._call(lambda: self._its.row(conv))

    def call(
        self,
        command: str,
        args: dict[str, Any],
        *,
        key: str | None = None,
        timeout_s: float | None = None,
        dur: Dur | None = None,
    ) -> dict[str, Any]:
        """Run a command of the wire; returns OK's map.

        `key` is the command's id (default: a fresh one, in a bot's handler one that derives from
        the event): with the same key a repeated call has no second effect.  The command is sent
        again after a reconnect until `timeout_s`.
        `dur`: how durable its success is, see `Client`; a repeated call may ask for another.
        Raises: ApiError as refused; RequestTimeout; OutcomeUnknown; ConnectionLost when stopped.
        """
        return self._run(self._its.call(command, args, key=key, timeout_s=timeout_s, dur=dur))

    def read_thread(self, conv: str, *, before: int = 0, n: int = 50) -> dict[str, Any]:
        """HISTORY: {row, messages, next, seq}."""
        return self._run(self._its.read_thread(conv, before=before, n=n))

    def send_seen(self, conv: str, att: str) -> bool:
        """SEEN; False without a connection: it is never sent later."""
        return self._call(lambda: self._its.send_seen(conv, att))

    def get(self, path: str) -> Any:
        """A read of the HTTP API, decoded; raises as commands do."""
        return self._run(self._its.get(path))

    def upload(
        self,
        data: bytes | os.PathLike[str],
        *,
        name: str | None = None,
        type: str | None = None,  # noqa: A002
    ) -> str:
        """Send a file up, for `media` of a reply or compose within a day; returns its id.

        `data`: bytes, or the path of a file. `name` is what the customer sees; `type` its MIME
        type, by default what the name says. Raises MediaRefused.
        """
        return self._run(self._its.upload(data, name=name, type=type))

    def uploaded(
        self,
        media: Sequence[str | os.PathLike[str]],
        *,
        key: str | None = None,
    ) -> list[str]:
        """The ids of files, after uploading those that are paths."""
        return self._run(self._its.uploaded(media, key=key))

    def file(self, conv: str, n: int, index: int) -> bytes:
        """A file of a message by its number; see `Conversation.media`."""
        return self._run(self._its.file(conv, n, index))

    def rooms(self) -> list[Room]:
        """My direct rooms and channels, the one with the newest post first."""
        return [Room(self._portal, each) for each in self._run(self._its.rooms())]

    def room(self, room: str) -> Room:
        """One of my rooms; raises Forbidden, NotFound."""
        return Room(self._portal, self._run(self._its.room(room)))

    def open_dm(self, user: str, *, key: str | None = None, dur: Dur | None = None) -> Room:
        """The direct room with a colleague, made when there is none."""
        return Room(self._portal, self._run(self._its.open_dm(user, key=key, dur=dur)))

    def create_channel(
        self,
        name: str,
        members: Sequence[str] = (),
        *,
        private: bool = False,
        key: str | None = None,
        dur: Dur | None = None,
    ) -> Room:
        """A new channel with me and `members` in it, as an admin; Conflict of a name that is taken.

        Of a `private` one nobody hears who was not put into it.
        """
        work = self._its.create_channel(name, members, private=private, key=key, dur=dur)
        return Room(self._portal, self._run(work))

    def join_channel(self, channel: str, *, key: str | None = None, dur: Dur | None = None) -> Room:
        """Join a public channel by its id, an admin any."""
        return Room(self._portal, self._run(self._its.join_channel(channel, key=key, dur=dur)))

    def channels(self) -> list[Channel]:
        """Public channels and those I am in, by name; an admin: every one."""
        return self._run(self._its.channels())

    def room_totals(self) -> Stream[RoomTotals]:
        """What is unread in my rooms as it changes, absolute; what is known now comes first."""
        return Stream(self._portal, self._its.room_totals(), lambda each: each)

    def room_row(self, room: str) -> RoomRow | None:
        """The newest known state of a room, without asking."""
        return self._call(lambda: self._its.room_row(room))

    def room_counts(self, room: str) -> tuple[int, int]:
        """Unread posts and mentions of a room of mine, as last told."""
        return self._call(lambda: self._its.room_counts(room))

    def contact(self, number: str) -> Contact | None:
        """Whose number this is (E.164); None: nobody's that is known."""
        return self._run(self._its.contact(number))

    def contacts(self, numbers: Sequence[str]) -> dict[str, Contact]:
        """Whose numbers these are (E.164); those that are nobody's are left out."""
        return self._run(self._its.contacts(numbers))

    def contact_by_id(self, contact: str) -> Contact:
        """A contact; raises NotFound."""
        return self._run(self._its.contact_by_id(contact))

    def search(self, q: str, *, kinds: Collection[str] = (), limit: int = 10) -> Found:
        """What I may see that has these words (as beginnings); up to `limit` of each kind.

        `kinds`: messages, conversations, contacts, channels, people; all unless given.
        """
        return self._run(self._its.search(q, kinds=kinds, limit=limit))

    @property
    def user(self) -> User:
        """Who I am."""
        return self._call(lambda: self._its.user)

    @property
    def state(self) -> State:
        """Of the connection."""
        return self._call(lambda: self._its.state)

    @property
    def degraded(self) -> bool:
        """The server's engine is unreachable: commands fail with Unavailable until it is back."""
        return self._call(lambda: self._its.degraded)

    def position(self, inbox: str) -> Position | None:
        """Up to where a followed inbox has been applied; keep it for `events(since=)`."""
        return self._call(lambda: self._its.position(inbox))

    def inboxes(self) -> list[Inbox]:
        """Inboxes I may see."""
        return self._run(self._its.inboxes())

    def conversation(self, conv: str) -> Conversation:
        """Read one conversation; raises NotFound, Forbidden."""
        return Conversation(self._portal, self._run(self._its.conversation(conv)))

    def conversations(
        self,
        *,
        inbox: str | None = None,
        view: str = "open",
        page_rows: int = 100,
    ) -> Stream[Conversation]:
        """Conversations of a view, newest change first, of one inbox or of all of them merged."""
        work = self._its.conversations(inbox=inbox, view=view, page_rows=page_rows)
        return Stream(self._portal, work, lambda each: Conversation(self._portal, each))

    def compose(
        self,
        inbox: str,
        to: str,
        text: str,
        *,
        from_: str | None = None,
        media: Sequence[str | os.PathLike[str]] = (),
        key: str | None = None,
        dur: Dur | None = None,
    ) -> Conversation:
        """Write to a customer first: claim (or make) the conversation and send, in one step.

        `media` as in `Conversation.reply`.
        """
        work = self._its.compose(inbox, to, text, from_=from_, media=media, key=key, dur=dur)
        return Conversation(self._portal, self._run(work))

    def events(
        self,
        *types: type[Event],
        inbox: str | Collection[str] | None = None,
        rooms: bool = False,
        since: Position | None = None,
        queue_max: int = 4096,
    ) -> AbstractContextManager[EventStream]:
        """A stream of events of one inbox (or room), of several, or of every inbox I may see.

        `rooms`: and of every room of mine, others from when I am told of them.  Nothing that
        happens after entering is missed without a Resync.  `since` (with one `inbox`) goes on from
        a kept position; other streams of that inbox are told nothing twice.
        """
        work = self._its.events(
            *plain(types), inbox=inbox, rooms=rooms, since=since, queue_max=queue_max
        )
        return entered(self._portal, work, _shown(self._portal))

    def badges(self) -> Stream[Badge]:
        """Badges as they change, absolute; those known now come first, the latest wins."""
        return Stream(self._portal, self._its.badges(), lambda each: each)

    @property
    def presence(self) -> Mapping[str, Presence]:
        """Of everybody who is not offline, by user; live."""
        return self._call(lambda: dict(self._its.presence))

    def presences(self) -> Stream[Present]:
        """Who comes, goes, is away or back; those known now come first, the latest wins."""
        return Stream(self._portal, self._its.presences(), lambda each: each)

    def set_away(
        self,
        away: bool = True,
        *,
        release: bool = True,
        key: str | None = None,
        dur: Dur | None = None,
    ) -> None:
        """Say that I am away (or back); returns once every inbox I joined obeys.

        `release`: a customer's next message then takes its conversation back to the inbox.
        """
        self._run(self._its.set_away(away, release=release, key=key, dur=dur))

    def viewing(self, conv: str) -> Viewing:
        """Look at a conversation while the context lasts; see `Conversation.viewing`."""
        return self._call(lambda: Viewing(self._portal, self._its.viewing(conv)))

    def watchers(self, conv: str) -> Mapping[str, str]:
        """Who else looks at the conversation that I look at."""
        return self._call(lambda: dict(self._its.watchers(conv)))

    def server_time_s(self) -> float:
        """The server's clock as far as it is known, in epoch seconds."""
        return self._call(self._its.server_time_s)

    def confirm_writes(self) -> int:
        """Ask whether my acknowledged commands are still in the log; raises WritesLost.

        Returns how many were checked: the last 256 of each inbox.
        """
        return self._run(self._its.confirm_writes())
