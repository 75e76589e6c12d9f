"""What every verb of the client stands on: its connection, commands, reads and files."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import Sequence
from typing import Any

from batonbox import _files
from batonbox._backoff import Backoff
from batonbox._connection import Connection, Token
from batonbox._derived import derived_id
from batonbox._errors import BatonboxError, NotFound, OutcomeUnknown, RequestTimeout
from batonbox._http import Http
from batonbox._inflow import Inflow
from batonbox._models import Dur, Position, Row
from batonbox._requests import Request
from batonbox._transport import Codec, base_url, websocket_url
from batonbox._wire import FENCED, Op

__all__ = ["Calls"]

UNSETTLED_MAX = 1024
_FENCES = frozenset({"own_tok", "seen", "cid"})


class Calls:
    """See `Client`."""

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
        token = token if token is not None else os.environ.get("BATONBOX_TOKEN", "")
        self.url: str = base_url(url)
        websocket_url(self.url)
        self._has_token = bool(token)
        self._timeout_s = timeout_s
        self._dur = dur
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
        self._in.connection = self._connection
        self._unsettled: dict[str, tuple[str, dict[str, Any]]] = {}

    def row(self, conv: str) -> Row | None:
        """The newest known state of a conversation, without asking."""
        return self._in.rows.get(conv)

    async def call(
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
        derived = None if key else derived_id(command, args)
        cid = key or derived or uuid.uuid4().hex
        args = await self._fenced(command, args, cid)
        self._remember(cid, command, args)
        conv = str(args.get("conv", ""))
        dur = dur or self._dur
        request = self._in.request(
            Op.CMD,
            command,
            {**args, "cid": cid, **({"dur": dur} if dur else {})},
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
            if derived and conv and getattr(error, "slug", "") == "idempotency_mismatch":
                # An earlier run of the handler did this in other words, and those stand.
                return {"conv": conv, "noop": True}
            raise
        self._unsettled.pop(cid, None)
        self._in.acknowledged(request, args, result)
        return result

    async def read_thread(self, conv: str, *, before: int = 0, n: int = 50) -> dict[str, Any]:
        """HISTORY: {row, messages, next, seq}."""
        result = await self._answer(self._in.request(Op.HISTORY, conv, before, n))
        self._in.known.put(result.get("row"))
        return result

    def send_seen(self, conv: str, att: str) -> bool:
        """SEEN; False without a connection: it is never sent later."""
        return self._connection.send([int(Op.SEEN), conv.partition(".")[0], conv, att])

    async def get(self, path: str) -> Any:
        """A read of the HTTP API, decoded; raises as commands do."""
        return await (await self._http()).send("GET", path)

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

    async def _follow(
        self, logs: list[str], *, since: Position | None = None, if_mine: bool = False
    ) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._in.follow(logs, since=since, if_mine=if_mine)
        except TimeoutError as error:
            raise RequestTimeout("no answer to the subscription in time") from error

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
        row = self.row(conv) or await self._row_of(conv)
        return {**args, "own_tok": row.own_tok}

    async def _row_of(self, conv: str) -> Row:
        found = (await self.read_thread(conv, n=1)).get("row")
        known = self._in.rows.put(found) if found else self.row(conv)
        if known is None:
            raise NotFound(123, "not_found", f"no conversation {conv}")
        return known

    def _remember(self, cid: str, command: str, args: dict[str, Any]) -> None:
        self._unsettled[cid] = (command, args)
        if len(self._unsettled) > UNSETTLED_MAX:
            del self._unsettled[next(iter(self._unsettled))]


def _bare(args: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in args.items() if name not in _FENCES}
