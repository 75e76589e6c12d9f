"""A room's handle: its verbs, and its newest known state."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from batonbox._models import Dur, Message
from batonbox._room_models import RoomRow, RoomVersion

if TYPE_CHECKING:
    from batonbox._client import Client
    from batonbox._events import Event
    from batonbox._room_events import RoomEvent
    from batonbox._streams import EventStream
    from batonbox._watching import Viewing

__all__ = ["Room"]


class Room:
    """A direct room or a channel as seen by one client; `key` and `dur` as in `Client.call`."""

    __slots__ = ("_client", "_shown", "id")

    def __init__(self, client: Client, row: RoomRow) -> None:
        self._client = client
        self._shown = row
        self.id: str = row.id

    def __repr__(self) -> str:
        row = self.now
        return f"<Room {self.id} {row.kind} {row.name or ' '.join(row.people)}>"

    @property
    def now(self) -> RoomRow:
        """The newest known state, frozen; live as long as I am in the room."""
        self._shown = self._client.room_row(self.id) or self._shown
        return self._shown

    @property
    def unread(self) -> int:
        """How many posts of others I have not seen."""
        return self._client.room_counts(self.id)[0]

    @property
    def mentions(self) -> int:
        """How many of them name me."""
        return self._client.room_counts(self.id)[1]

    async def post(
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
        args: dict[str, Any] = {"text": text, "mentions": list(mentions)}
        if media:
            args["media"] = await self._client.uploaded(media, key=key)
        return int((await self._run("post", args, key, dur)).get("n", 0))

    async def edit(
        self,
        n: int,
        text: str,
        mentions: Sequence[str] = (),
        *,
        key: str | None = None,
        dur: Dur | None = None,
    ) -> None:
        """Change the text of my post `n`; its files stay. Raises Forbidden of another's."""
        await self._run("edit", {"n": n, "text": text, "mentions": list(mentions)}, key, dur)

    async def delete(self, n: int, *, key: str | None = None, dur: Dur | None = None) -> None:
        """Empty my post `n`; an admin anybody's in a channel."""
        await self._run("delete", {"n": n}, key, dur)

    async def join(self, *, key: str | None = None, dur: Dur | None = None) -> None:
        """Join a public channel."""
        await self._run("join", {}, key, dur)

    async def leave(self, *, key: str | None = None, dur: Dur | None = None) -> None:
        """Leave a channel."""
        await self._run("leave", {}, key, dur)

    async def invite(self, user: str, *, key: str | None = None, dur: Dur | None = None) -> None:
        """Put somebody into a channel, as an admin."""
        await self._run("invite", {"user": user}, key, dur)

    async def remove(self, user: str, *, key: str | None = None, dur: Dur | None = None) -> None:
        """Take somebody out of a channel, as an admin."""
        await self._run("remove", {"user": user}, key, dur)

    async def rename(self, name: str, *, key: str | None = None, dur: Dur | None = None) -> None:
        """Give a channel another name, as an admin. Raises Conflict when it is taken."""
        await self._run("rename", {"name": name}, key, dur)

    async def archive(
        self, on: bool = True, *, key: str | None = None, dur: Dur | None = None
    ) -> None:
        """Close a channel to new posts, or open it again, as an admin."""
        await self._run("archive", {"on": on}, key, dur)

    async def mark_unread(self, *, key: str | None = None, dur: Dur | None = None) -> None:
        """Mark the last post of others as unread for me."""
        await self._run("unread", {}, key, dur)

    def seen(self) -> bool:
        """I have seen every post that I know of; False without a connection (never resent)."""
        return self._client.send_seen(self.id, str(self.now.posts))

    async def history(self, *, before: int = 0, n: int = 50) -> list[Message]:
        """Lines below number `before` (0: the newest), oldest first."""
        thread = await self._client.read_thread(self.id, before=before, n=n)
        return [msgspec.convert(message, Message) for message in thread["messages"]]

    async def members(self) -> list[str]:
        """Who is in it."""
        return list((await self._client.get(f"/v1/rooms/{quote(self.id, safe='')}"))["members"])

    async def versions(self, n: int) -> list[RoomVersion]:
        """What stood in post `n` of a channel before, for its admins."""
        path = f"/v1/rooms/{quote(self.id, safe='')}/messages/{n}/versions"
        found = (await self._client.get(path))["items"]
        return [msgspec.convert(version, RoomVersion) for version in found]

    async def media(self, message: Message | RoomEvent | int, index: int = 0) -> bytes:
        """A file of a post (or of the post with this number), counted from 0."""
        n = message if isinstance(message, int) else message.n
        return await self._client.file(self.id, n, index)

    def events(
        self, *types: type[Event], queue_max: int = 4096
    ) -> AbstractAsyncContextManager[EventStream]:
        """A stream of its events: `async with room.events(Posted) as events: ...`."""
        return self._client.events(*types, inbox=self.id, queue_max=queue_max)

    def viewing(self) -> Viewing:
        """Be seen looking at it, as in `Conversation.viewing`."""
        return self._client.viewing(self.id)

    @property
    def watchers(self) -> Mapping[str, str]:
        """Who else looks at it while I do: user to "viewing" or "typing"."""
        return self._client.watchers(self.id)

    async def _run(
        self, command: str, args: dict[str, Any], key: str | None, dur: Dur | None
    ) -> dict[str, Any]:
        return await self._client.call(command, {"conv": self.id, **args}, key=key, dur=dur)
