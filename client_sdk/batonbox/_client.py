"""The client: one connection, its requests, its streams."""

from __future__ import annotations

import asyncio
import heapq
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

import msgspec

from batonbox._backoff import Backoff
from batonbox._connection import Token
from batonbox._conversation import Conversation
from batonbox._errors import ConnectionLost, Unauthorized, WritesLost
from batonbox._events import Event
from batonbox._models import Badge, Dur, Inbox, Position, Presence, Present, Row, State, User, Write
from batonbox._room_verbs import RoomVerbs
from batonbox._streams import EventStream, Latest
from batonbox._transport import Codec
from batonbox._watching import Viewing
from batonbox._wire import Op

__all__ = ["Client"]


class Client(RoomVerbs):
    """A connection to a batonbox server that survives what happens to it.

    `url` is the server's base address (default $BATONBOX_URL, then http://127.0.0.1:8080); `token`
    a token or a callable that fetches one (default $BATONBOX_TOKEN).  Use as
    `async with Client() as client`: entering waits up to `timeout_s` for the first connection and
    raises ConnectionLost or Unauthorized; after that the client reconnects for ever.

    `dur`: how durable a command is when it succeeds, unless its call says otherwise: "memory" (of
    the engine), "replica" (a replica has it, too: no failover loses it) or "fsync" (and the disk
    has it).  None leaves it to the server.  A command that took effect and was not confirmed in
    time raises NotConfirmed.
    """

    def __init__(
        self,
        url: str | None = None,
        token: Token | None = None,
        *,
        timeout_s: float = 10.0,
        backoff: Backoff | None = None,
        codec: Codec = "msgpack",
        dur: Dur | None = None,
    ) -> None:
        super().__init__(url, token, timeout_s=timeout_s, backoff=backoff, codec=codec, dur=dur)
        self._in.known.client = self

    async def __aenter__(self) -> Self:
        if not self._has_token:
            raise Unauthorized(101, "unauthorized", "No token: pass token= or set BATONBOX_TOKEN.")
        self._in.start()
        self._connection.start()
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._in.ready()
        except TimeoutError:
            why = self._connection.last_error or f"no answer from {self.url}"
            await self.aclose()
            raise ConnectionLost(f"{why} (waited {self._timeout_s:g} s)") from None
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connection (1000); pending requests and streams end.

        Cancelled in the middle it cuts the connection off: nothing stays open.
        """
        self._in.stopped(ConnectionLost("the client was closed"), quietly=True)
        try:
            await self._connection.stop()
        finally:
            await self._in.aclose()

    @property
    def user(self) -> User:
        """Who I am."""
        return self._in.user

    @property
    def state(self) -> State:
        """Of the connection."""
        return self._connection.state

    @property
    def degraded(self) -> bool:
        """The server's engine is unreachable: commands fail with Unavailable until it is back."""
        return self._in.degraded

    def position(self, inbox: str) -> Position | None:
        """Up to where a followed inbox has been applied; keep it for `events(since=)`."""
        return self._in.session.position(inbox)

    async def inboxes(self) -> list[Inbox]:
        """Inboxes I may see."""
        return list((await self._in.organisation()).values())

    async def conversation(self, conv: str) -> Conversation:
        """Read one conversation; raises NotFound, Forbidden."""
        return Conversation(self, await self._row_of(conv))

    async def conversations(
        self, *, inbox: str | None = None, view: str = "open", page_rows: int = 100
    ) -> AsyncGenerator[Conversation, None]:
        """Conversations of a view, newest change first, of one inbox or of all of them merged."""
        inboxes = [inbox] if inbox is not None else [i.id for i in await self.inboxes()]
        heads: list[tuple[int, str, str, Row, AsyncIterator[Row]]] = []
        for name in inboxes:
            rows = self._rows_of(name, view=view, n=page_rows)
            await _push(heads, rows)
        while heads:
            *_, row, rows = heapq.heappop(heads)
            yield Conversation(self, row)
            await _push(heads, rows)

    async def compose(
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
        args: dict[str, Any] = {"inbox": inbox, "to": to, "text": text}
        if from_:
            args["from"] = from_
        if media:
            args["media"] = await self.uploaded(media, key=key)
        result = await self.call("compose", args, key=key, dur=dur)
        return await self.conversation(str(result["conv"]))

    @asynccontextmanager
    async def events(
        self,
        *types: type[Event],
        inbox: str | Collection[str] | None = None,
        rooms: bool = False,
        since: Position | None = None,
        queue_max: int = 4096,
    ) -> AsyncIterator[EventStream]:
        """A stream of events of one inbox (or room), of several, or of every inbox I may see.

        `rooms`: and of every room of mine, others from when I am told of them.  Nothing that
        happens after entering is missed without a Resync.  `since` (with one `inbox`) goes on from
        a kept position; other streams of that inbox are told nothing twice.
        """
        if since is not None and not isinstance(inbox, str):
            raise ValueError("since= wants inbox=, and one of them: a position is of one log")
        stream = EventStream(types, inbox=inbox, rooms=rooms, queue_max=queue_max)
        if inbox is None:
            inboxes = [i.id for i in await self.inboxes()]
        else:
            inboxes = [inbox] if isinstance(inbox, str) else list(inbox)
        mine = await self._my_rooms() if rooms and inbox is None else []
        if since is not None:
            self._in.go_back(inboxes)
        self._in.streams.add(stream)
        try:
            await self._follow(inboxes, since=since)
            if since is None:
                self._in.begins_now(stream, inboxes)
            await self._follow([total.room for total in mine], if_mine=True)
            yield stream
        finally:
            self._in.streams.discard(stream)
            stream.end()
            self._in.unfollow_unwanted()

    async def badges(self) -> AsyncGenerator[Badge, None]:
        """Badges as they change, absolute; those known now come first, the latest wins."""
        stream = Latest(self._in.badges.items())
        self._in.badge_streams.add(stream)
        try:
            async for badge in stream:
                yield badge
        finally:
            self._in.badge_streams.discard(stream)

    @property
    def presence(self) -> Mapping[str, Presence]:
        """Of everybody who is not offline, by user; live."""
        return self._in.people.presence

    async def presences(self) -> AsyncGenerator[Present, None]:
        """Who comes, goes, is away or back; those known now come first, the latest wins."""
        people = self._in.people
        stream = Latest(people.known())
        people.streams.add(stream)
        try:
            async for present in stream:
                yield present
        finally:
            people.streams.discard(stream)

    async def set_away(
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
        await self.call("set_away", {"away": away, "release": release}, key=key, dur=dur)

    def viewing(self, conv: str) -> Viewing:
        """Look at a conversation while the context lasts; see `Conversation.viewing`."""
        return Viewing(self._in.people, conv)

    def watchers(self, conv: str) -> Mapping[str, str]:
        """Who else looks at the conversation that I look at."""
        return self._in.people.watchers(conv)

    def server_time_s(self) -> float:
        """The server's clock as far as it is known, in epoch seconds."""
        return time.time() + self._in.ahead_s

    async def confirm_writes(self) -> int:
        """Ask whether my acknowledged commands are still in the log; raises WritesLost.

        Returns how many were checked: the last 256 of each inbox.
        """
        lost: list[Write] = []
        checked = 0
        for inbox in self._in.writes.inboxes():
            writes = self._in.writes.of(inbox)
            checked += len(writes)
            lost += await self._in.lost_writes(inbox, timeout_s=self._timeout_s)
        if lost:
            raise WritesLost(tuple(lost))
        return checked

    async def _rows_of(self, inbox: str, *, view: str, n: int) -> AsyncIterator[Row]:
        after: str | None = None
        while True:
            page = await self._answer(self._in.request(Op.PAGE, inbox, view, after, n))
            for value in page["rows"]:
                self._in.rows.put(value)
                yield msgspec.convert(value, Row)
            after = page.get("next") or None
            if after is None:
                return


async def _push(heads: list[Any], rows: AsyncIterator[Row]) -> None:
    """The next row of one inbox, into the merge of all; (inbox, id) keeps equal times apart."""
    async for row in rows:
        heapq.heappush(heads, (-row.last_ms, row.inbox, row.id, row, rows))
        return
