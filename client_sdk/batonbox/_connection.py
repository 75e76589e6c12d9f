"""Staying connected: open, resume, move on GOAWAY, re-authorize or stop by the close code."""

from __future__ import annotations

import asyncio
import inspect
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Any

from batonbox._backoff import Backoff, Next, after_close, least_failures
from batonbox._errors import ConnectionLost, Forbidden, ProtocolError, Unauthorized
from batonbox._link import Link
from batonbox._models import State
from batonbox._tasks import cancel_all, spawn
from batonbox._transport import Codec, Transport, open_websocket
from batonbox._wire import Close, Frame, Op

__all__ = ["Connection", "Token"]

Token = str | Callable[[], str | Awaitable[str]]
Opener = Callable[..., Awaitable[Transport]]
SDK = "batonbox-python/0.1.0"
# A connection that lived this long was a good one: the next failure starts the ladder anew.
GOOD_S = 5.0

_log = logging.getLogger("batonbox")


class Connection:
    """Keeps one link open until `stop`, for ever trying again.

    `on_frame(frame, current)` gets every frame; `current` is False for what still arrives on a
    connection that has been replaced.  `on_open()` is called right after WELCOME, before any later
    frame, and has to send whatever resumes.  `on_stop(error)` is called once when there is no point
    in trying again.
    """

    def __init__(
        self,
        url: str,
        *,
        token: Token,
        codec: Codec,
        timeout_s: float,
        backoff: Backoff,
        on_frame: Callable[[Frame, bool], None],
        on_open: Callable[[], None],
        on_stop: Callable[[Exception], None],
        opener: Opener = open_websocket,
    ) -> None:
        self._url, self._token, self._codec = url, token, codec
        self._timeout_s, self._backoff, self._opener = timeout_s, backoff, opener
        self._on_frame, self._on_open, self._on_stop = on_frame, on_open, on_stop
        self._tasks: set[asyncio.Task[Any]] = set()
        self._links: set[Link] = set()  # every one that has not been closed
        self._link: Link | None = None
        self._moving = asyncio.Event()
        self._move_after_s = 0.0
        self._failures = 0
        self._spread_s = 0.0  # of the first attempt after a connection, as WELCOME asked
        self._refused_tokens = 0
        self.state = State.CONNECTING
        self.last_error: Exception | None = None

    def start(self) -> None:
        """Begin to connect."""
        spawn(self._tasks, self._run(), name="batonbox-connection")

    async def stop(self) -> None:
        """Close with 1000 and end every task; nothing stays open, not even when cancelled."""
        self.state, self._link = State.STOPPED, None
        try:
            await cancel_all(self._tasks)
            await asyncio.gather(*(self._close(link) for link in self._links))
        finally:
            for link in self._links:
                link.cut()

    def send(self, frame: Frame) -> bool:
        """Queue a frame on the current connection; False when there is none."""
        if self._link is None or self._link.ended.done():
            return False
        self._link.send(frame)
        return True

    def drop(self) -> None:
        """Abandon the current connection as a broken network would; it is resumed."""
        if self._link is not None:
            self._link.abandon("dropped here")

    async def token(self) -> str:
        """The token, or a new one from the provider."""
        if isinstance(self._token, str):
            return self._token
        value = self._token()
        return await value if inspect.isawaitable(value) else value

    async def refresh(self, request: int, *, within_s: float) -> None:
        """Replace the token in place; a fixed token has nothing to offer.

        Tokens made together end together: half of the time that is left is for spreading.
        """
        if not isinstance(self._token, str):
            await asyncio.sleep(random.random() * within_s / 2)  # noqa: S311
            self.send([int(Op.REFRESH), request, await self.token()])

    async def _run(self) -> None:
        opened: Link | None = None
        try:
            while True:
                old, opened = opened, await self._open_or_wait()
                if old is not None:
                    spawn(self._tasks, self._close(old), name="batonbox-close")
                if not await self._until_moved_or_ended(opened):
                    await self._close(opened)
                    opened = None
        except (Unauthorized, Forbidden, ProtocolError) as error:
            self._stopped(error)
        except Exception as error:
            self._stopped(error)  # nobody may wait for a client that has crashed
            raise
        finally:
            if opened is not None and opened is not self._link:
                await self._close(opened)

    async def _close(self, link: Link) -> None:
        await link.close(1000)
        self._links.discard(link)

    async def _open_or_wait(self) -> Link:
        waited = False
        while True:
            try:
                link = await self._open()
                if waited:
                    _log.info("connected to %s", self._url)
                return link
            except ConnectionLost as error:
                waited = True
                self.last_error = error
                if self._link is not None and self._link.ended.done():
                    self._link, self.state = None, State.RECONNECTING
                delay_s = self._backoff.delay_s(self._failures, after_s=error.retry_after_s)
                self._failures += 1
                _log.info("%s; trying again in %.1f s", error, delay_s)
                await asyncio.sleep(delay_s)

    async def _open(self) -> Link:
        """A connection that said WELCOME, already adopted."""
        token = await self._current_token()
        transport = await self._opener(self._url, codec=self._codec, timeout_s=self._timeout_s)
        link = Link(transport, codec=self._codec, on_frame=self._frame)
        self._links.add(link)
        try:
            link.start()
            link.send([int(Op.HELLO), token, SDK])
            await self._welcome(link)
        except BaseException:
            await self._close(link)
            raise
        return link

    async def _welcome(self, link: Link) -> None:
        either: set[asyncio.Future[Any]] = {link.welcomed, link.ended}
        await asyncio.wait(either, timeout=self._timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if link.welcomed.done():
            return
        if not link.ended.done():
            raise ConnectionLost(f"{self._url} did not answer HELLO")
        code, reason = link.ended.result()
        self._judge(code, reason)
        raise ConnectionLost(f"{self._url} closed the connection ({code} {reason})")

    async def _current_token(self) -> str:
        """A provider that fails is a reason to wait, not to stop."""
        try:
            return await self.token()
        except Exception as error:
            raise ConnectionLost(f"the token provider failed: {error!r}") from error

    async def _until_moved_or_ended(self, link: Link) -> bool:
        """True: the server wants us elsewhere, the link still lives. False: it is gone."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        self._moving.clear()
        moving = spawn(self._tasks, self._move_due(), name="batonbox-goaway")
        try:
            await asyncio.wait({link.ended, moving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            moving.cancel()
        if not link.ended.done():
            return True
        self._failures = 0 if loop.time() - began_s > GOOD_S else self._failures + 1
        code, reason = link.ended.result()
        self._link, self.state = None, State.RECONNECTING
        self.last_error = ConnectionLost(f"the connection closed ({code} {reason})".rstrip())
        self._judge(code, reason)
        spread_s, self._spread_s = self._spread_s, 0.0
        await asyncio.sleep(self._backoff.delay_s(max(0, self._failures - 1), spread_s=spread_s))
        return False

    async def _move_due(self) -> None:
        await self._moving.wait()
        await asyncio.sleep(self._move_after_s)

    def _judge(self, code: int, reason: str) -> None:
        """Raise what makes another attempt pointless."""
        self._failures = max(self._failures, least_failures(code))
        match after_close(code):
            case Next.STOP:
                raise _final(code, reason)
            case Next.REAUTHORIZE:
                self._refused_tokens += 1
                if isinstance(self._token, str) and self._refused_tokens > 1:
                    raise Unauthorized(101, "unauthorized", reason or "The token has ended.")
            case Next.RESUME:
                pass

    def _frame(self, link: Link, frame: Frame) -> None:
        if frame[0] == Op.WELCOME and not link.welcomed.done():
            self._adopt(link, frame)
        elif link is self._link and frame[0] == Op.GOAWAY:
            self._move_after_s = float(frame[1]) / 1000
            self._moving.set()
            return
        self._on_frame(frame, link is self._link)

    def _adopt(self, link: Link, welcome: Frame) -> None:
        self._link, self.state = link, State.CONNECTED
        self._refused_tokens = 0
        self._spread_s = float((welcome[4] or {}).get("reconnect_ms", 0)) / 1000
        # The server speaks every `ping_s` at least; twice that and a margin means it is gone.
        link.expect_within(2.0 * float(welcome[3]) + 5.0)
        link.welcomed.set_result(None)
        self._on_open()

    def _stopped(self, error: Exception) -> None:
        self.state, self.last_error = State.STOPPED, error
        self._on_stop(error)


def _final(code: int, reason: str) -> Exception:
    if code == Close.UNAUTHORIZED:
        return Unauthorized(101, "unauthorized", reason or "Send a valid token.")
    if code == Close.FORBIDDEN:
        return Forbidden(103, "forbidden", reason or "Ask an admin for access.")
    return ProtocolError(f"the server ended the connection for good ({code} {reason})".rstrip())
