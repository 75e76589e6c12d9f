"""A conversation's handle: its verbs, and its newest known state."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from batonbox._errors import AdminOnly, AlreadyAssigned, Forbidden
from batonbox._models import Dur, Message, Row

if TYPE_CHECKING:
    from batonbox._client import Client
    from batonbox._events import ConversationEvent
    from batonbox._watching import Viewing

__all__ = ["Conversation"]


class Conversation:
    """One conversation as seen by one client.

    Verbs carry the ownership token by themselves; `key` and `dur` are those of `Client.call`.
    `done()` says which message of the customer was the last you were shown: by the event or page
    this handle came from, `now`, `history()` or `refresh()`; a newer one refuses it with
    NewActivity.
    """

    __slots__ = ("_client", "_shown", "id")

    def __init__(self, client: Client, row: Row) -> None:
        self._client = client
        self._shown = row
        self.id: str = row.id

    def __repr__(self) -> str:
        row = self._newest()
        return f"<Conversation {self.id} {row.status} {row.assignee}>".replace(" >", ">")

    @property
    def inbox(self) -> str:
        """The inbox's id."""
        return self._shown.inbox

    @property
    def now(self) -> Row:
        """The newest known state, frozen; live while events of its inbox are followed."""
        self._shown = self._newest()
        return self._shown

    async def refresh(self) -> Row:
        """Read the state from the server."""
        await self._client.read_thread(self.id, n=1)
        return self.now

    async def claim(self, *, key: str | None = None, dur: Dur | None = None) -> None:
        """Assign to Me; raises AlreadyAssigned(by) when somebody else was first."""
        await self._run("assign", {}, key, dur)

    async def try_claim(self, *, key: str | None = None, dur: Dur | None = None) -> bool:
        """Assign to Me; False when somebody else was first."""
        try:
            await self.claim(key=key, dur=dur)
        except AlreadyAssigned:
            return False
        return True

    async def assign(self, user: str, *, key: str | None = None, dur: Dur | None = None) -> None:
        """Hand an unassigned conversation to a colleague; raises AdminOnly where that is so."""
        try:
            await self._run("assign", {"to": user}, key, dur)
        except Forbidden as error:
            if user == self._client.user.id or isinstance(error, AdminOnly):
                raise
            raise AdminOnly(error.code, error.slug, error.message, cid=error.cid) from error

    async def transfer(
        self, to: str, *, note: str = "", key: str | None = None, dur: Dur | None = None
    ) -> None:
        """Hand over; by an admin also of somebody else's, to themselves too (the take-over)."""
        await self._run("transfer", {"to": to, **({"note": note} if note else {})}, key, dur)

    async def release(self, *, key: str | None = None, dur: Dur | None = None) -> None:
        """Return to Inbox."""
        await self._run("return", {}, key, dur)

    async def done(self, *, key: str | None = None, dur: Dur | None = None) -> None:
        """Mark as Done; raises NewActivity when the customer wrote what you were not shown."""
        await self._run("done", {"seen": self._shown.in_seq}, key, dur)

    async def undo(self, *, key: str | None = None, dur: Dur | None = None) -> None:
        """Take back my last ownership change, within ten seconds."""
        await self._run("undo", {}, key, dur)

    async def snooze(
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
        if (until is None) == (seconds is None):
            raise ValueError("snooze takes until= or seconds=")
        if until is not None and until.tzinfo is None:
            raise ValueError("until= takes a time with a timezone, as datetime.now(UTC) has one")
        at_s = until.timestamp() if until else self._client.server_time_s() + (seconds or 0.0)
        await self._run("snooze", {"until_ms": round(1000 * at_s)}, key, dur)

    async def wake(self, *, key: str | None = None, dur: Dur | None = None) -> None:
        """End the snooze of my conversation now."""
        await self._run("wake", {}, key, dur)

    def viewing(self) -> Viewing:
        """Be seen looking at it: `async with conv.viewing() as view: view.typing()`.

        A client is seen at one conversation: the last one entered that has not been left.
        """
        return self._client.viewing(self.id)

    @property
    def watchers(self) -> Mapping[str, str]:
        """Who else looks at it while I do: user to "viewing" or "typing"."""
        return self._client.watchers(self.id)

    async def reply(
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
        args: dict[str, Any] = {"text": text, "seen": self._shown.att}
        if media:
            args["media"] = await self._client.uploaded(media, key=key)
        return int((await self._run("reply", args, key, dur)).get("n", 0))

    async def note(
        self,
        text: str,
        mentions: Sequence[str] = (),
        *,
        key: str | None = None,
        dur: Dur | None = None,
    ) -> int:
        """Internal note; returns its number."""
        args: dict[str, Any] = {"text": text, "mentions": list(mentions)}
        return int((await self._run("note", args, key, dur)).get("n", 0))

    async def retry(self, n: int, *, key: str | None = None, dur: Dur | None = None) -> None:
        """Send the failed message `n` again."""
        await self._run("retry", {"n": n}, key, dur)

    async def unread(self, *, key: str | None = None, dur: Dur | None = None) -> None:
        """Mark unread for me."""
        await self._run("unread", {}, key, dur)

    def seen(self) -> bool:
        """Mark as seen what you were shown; False when there is no connection (never resent)."""
        return self._client.send_seen(self.id, self._shown.att)

    async def history(self, *, before: int = 0, n: int = 50) -> list[Message]:
        """Messages below number `before` (0: the newest), oldest first."""
        thread = await self._client.read_thread(self.id, before=before, n=n)
        self._shown = self._newest()
        return [msgspec.convert(message, Message) for message in thread["messages"]]

    async def media(self, message: Message | ConversationEvent | int, index: int = 0) -> bytes:
        """A file of a message (or of the message with this number), counted from 0.

        Waits up to the client's timeout while the server fetches it from the carrier, then raises
        Unavailable; MediaRefused when it cannot be had.
        """
        n = message if isinstance(message, int) else message.n
        return await self._client.file(self.id, n, index)

    def _newest(self) -> Row:
        return self._client.row(self.id) or self._shown

    async def _run(
        self, command: str, args: dict[str, Any], key: str | None, dur: Dur | None
    ) -> dict[str, Any]:
        result = await self._client.call(command, {"conv": self.id, **args}, key=key, dur=dur)
        if command in {"assign", "transfer", "return", "done", "undo", "snooze", "wake"}:
            self._shown = self._newest()
        return result
