"""The client: one connection, its requests, its streams."""

from __future__ import annotations

import asyncio
import heapq
import os
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

import msgspec

from batonbox import _files
from batonbox._backoff import Backoff
from batonbox._connection import Connection, Token
from batonbox._conversation import Conversation
from batonbox._errors import (
    BatonboxError,
    ConnectionLost,
    NotFound,
    OutcomeUnknown,
    RequestTimeout,
    Unauthorized,
    WritesLost,
)
from batonbox._events import Event
from batonbox._http import Http
from batonbox._inflow import Inflow
from batonbox._models import Badge, Inbox, Position, Presence, Present, Row, State, User, Write
from batonbox._requests import Request
from batonbox._streams import EventStream, Latest
from batonbox._transport import Codec, base_url, websocket_url
from batonbox._watching import Viewing
from batonbox._wire import FENCED, Op

__all__ = ["Client"]

UNSETTLED_MAX = 1024
_FENCES = frozenset({"own_tok", "seen", "cid"})


class Client:
    """A connection to a batonbox server that survives what happens to it.

    `url` is the server's base address (default $BATONBOX_URL, then http://127.0.0.1:8080); `token`
    a token or a callable that fetches one (default $BATONBOX_TOKEN).  Use as
    `async with Client() as client`: entering waits up to `timeout_s` for the first connection and
    raises ConnectionLost or Unauthorized; after that the client reconnects for ever.
    """

    def __init__(
        self,
        url: str | None = None,
        token: Token | None = None,
        *,
        timeout_s: float = 10.0,
        backoff: Backoff | None = None,
        codec: Codec = "msgpack",
    ) -> None:
        token = token if token is not None else os.environ.get("BATONBOX_TOKEN", "")
        self.url = base_url(url)
        websocket_url(self.url)
        self._has_token = bool(token)
        self._timeout_s = timeout_s
        self._in = Inflow(clock=time.time)
        self._connection = Connection(
            self.url,
            token=token,
            codec=codec,
            timeout_s=timeout_s,
            backoff=backoff or Backoff(),
            on_frame=self._in.frame,
            on_open=self._in.opened,
            on_stop=self._in.stopped,
        )
        self._in.connection, self._in.client = self._connection, self
        self._unsettled: dict[str, tuple[str, dict[str, Any]]] = {}

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

    def row(self, conv: str) -> Row | None:
        """The newest known state of a conversation, without asking."""
        return self._in.rows.get(conv)

    async def inboxes(self) -> list[Inbox]:
        """Inboxes I may see."""
        return list((await self._in.organisation()).values())

    async def conversation(self, conv: str) -> Conversation:
        """Read one conversation; raises NotFound, Forbidden."""
        row = (await self.read_thread(conv, n=1)).get("row")
        known = self._in.rows.put(row) if row else self.row(conv)
        if known is None:
            raise NotFound(123, "not_found", f"no conversation {conv}")
        return Conversation(self, known)

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
    ) -> Conversation:
        """Write to a customer first: claim (or make) the conversation and send, in one step.

        `media` as in `Conversation.reply`.
        """
        args: dict[str, Any] = {"inbox": inbox, "to": to, "text": text}
        if from_:
            args["from"] = from_
        if media:
            args["media"] = await self.uploaded(media, key=key)
        result = await self.call("compose", args, key=key)
        return await self.conversation(str(result["conv"]))

    async def upload(
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
        return await _files.upload(await self._http(), data, name=name, type_=type)

    async def uploaded(
        self, media: Sequence[str | os.PathLike[str]], *, key: str | None = None
    ) -> list[str]:
        """The ids of files, after uploading those that are paths."""
        if key is not None and not all(isinstance(each, str) for each in media):
            raise ValueError("with key= give ids: upload the files first, and once")
        return [each if isinstance(each, str) else await self.upload(each) for each in media]

    async def file(self, conv: str, n: int, index: int) -> bytes:
        """A file of a message by its number; see `Conversation.media`."""
        return await _files.fetch(await self._http(), conv, n, index, timeout_s=self._timeout_s)

    async def _http(self) -> Http:
        return Http(self.url, await self._connection.token(), timeout_s=self._timeout_s)

    @asynccontextmanager
    async def events(
        self,
        *types: type[Event],
        inbox: str | None = None,
        since: Position | None = None,
        queue_max: int = 4096,
    ) -> AsyncIterator[EventStream]:
        """A stream of events of one inbox, or of every inbox I may see.

        Nothing that happens after entering is missed without a Resync.  `since` (with `inbox`)
        goes on from a kept position; it has to be the first stream of its inbox on this client.
        """
        if since is not None and (inbox is None or self.position(inbox) is not None):
            raise ValueError("since= wants inbox=, and the inbox's first stream on this client")
        stream = EventStream(types, inbox=inbox, queue_max=queue_max)
        inboxes = [inbox] if inbox is not None else [i.id for i in await self.inboxes()]
        self._in.streams.add(stream)
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._in.follow(inboxes, since=since)
            yield stream
        except TimeoutError as error:
            raise RequestTimeout("no answer to the subscription in time") from error
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
        self, away: bool = True, *, release: bool = True, key: str | None = None
    ) -> None:
        """Say that I am away (or back); returns once every inbox I joined obeys.

        `release`: a customer's next message then takes its conversation back to the inbox.
        """
        await self.call("set_away", {"away": away, "release": release}, key=key)

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

    async def call(
        self,
        command: str,
        args: dict[str, Any],
        *,
        key: str | None = None,
        timeout_s: float | None = None,
    ) -> dict[str, Any]:
        """Run a command of the wire; returns OK's map.

        `key` is the command's id (default: a fresh one): with the same key a repeated call has no
        second effect.  The command is sent again after a reconnect until `timeout_s`.
        Raises: ApiError as refused; RequestTimeout; OutcomeUnknown; ConnectionLost when stopped.
        """
        cid = key or uuid.uuid4().hex
        args = await self._fenced(command, args, cid)
        self._remember(cid, command, args)
        conv = str(args.get("conv", ""))
        request = self._in.request(
            Op.CMD,
            command,
            {**args, "cid": cid},
            command=command,
            cid=cid,
            conv=conv,
            inbox=str(args.get("inbox") or conv.partition(".")[0]),
        )
        try:
            result = await self._answer(request, timeout_s)
        except OutcomeUnknown:
            self._in.rows.forget(conv)
            raise
        except BatonboxError as error:
            if not isinstance(error, RequestTimeout) and not getattr(error, "retryable", False):
                self._unsettled.pop(cid, None)
            raise
        self._unsettled.pop(cid, None)
        self._in.acknowledged(request, args, result)
        return result

    async def read_thread(self, conv: str, *, before: int = 0, n: int = 50) -> dict[str, Any]:
        """HISTORY: {row, messages, next, seq}."""
        result = await self._answer(self._in.request(Op.HISTORY, conv, before, n))
        self._in.rows.put(result.get("row"))
        return result

    def send_seen(self, conv: str, att: str) -> bool:
        """SEEN; False without a connection: it is never sent later."""
        return self._connection.send([int(Op.SEEN), conv.partition(".")[0], conv, att])

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

    async def _answer(self, request: Request, timeout_s: float | None = None) -> dict[str, Any]:
        timeout_s = self._timeout_s if timeout_s is None else timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                result: dict[str, Any] = await request.answer
        except TimeoutError:
            raise RequestTimeout(
                f"no answer to {request.command or 'a read'} in {timeout_s:g} s",
                cid=request.cid,
                sent=request.sent,
            ) from None
        finally:
            self._in.requests.drop(request)
        return result

    async def _fenced(self, command: str, args: dict[str, Any], cid: str) -> dict[str, Any]:
        """With the ownership token; a repeated key repeats the very arguments it was sent with."""
        kept = self._unsettled.get(cid)
        if kept is not None and kept[0] == command and _bare(kept[1]) == _bare(args):
            return kept[1]
        if command not in FENCED or "own_tok" in args:
            return args
        conv = str(args["conv"])
        row = self.row(conv) or (await self.conversation(conv)).now
        return {**args, "own_tok": row.own_tok}

    def _remember(self, cid: str, command: str, args: dict[str, Any]) -> None:
        self._unsettled[cid] = (command, args)
        if len(self._unsettled) > UNSETTLED_MAX:
            del self._unsettled[next(iter(self._unsettled))]


def _bare(args: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in args.items() if name not in _FENCES}


async def _push(heads: list[Any], rows: AsyncIterator[Row]) -> None:
    """The next row of one inbox, into the merge of all; (inbox, id) keeps equal times apart."""
    async for row in rows:
        heapq.heappush(heads, (-row.last_ms, row.inbox, row.id, row, rows))
        return
