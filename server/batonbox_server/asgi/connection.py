"""One websocket connection: its session, its place in the hub, and its writer."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

import structlog

from batonbox_server import wire
from batonbox_server.errors import Refused
from batonbox_server.hub.viewer import Viewer
from batonbox_server.origin import SYSTEM, Origin
from batonbox_server.session.ports import Principal
from batonbox_server.session.session import Session
from batonbox_server.session.steps import Answer, Shut, Step, refusal
from batonbox_server.tasks import spawn
from batonbox_server.wire import Close

from .eager import Suspended, start
from .origins import Credentials
from .requests import Requests

if TYPE_CHECKING:
    from .socket import SocketPump

__all__ = ["Connection", "now_ms"]

_log = structlog.get_logger(__name__)
_CLOSE_TIMEOUT_S: Final = 2.0
_REASON_MAX_BYTES: Final = 123


def now_ms() -> int:
    """Epoch ms."""
    return time.time_ns() // 1_000_000


class Connection:
    """Reads in the ASGI task; a writing task lives only while a write has to wait."""

    def __init__(
        self,
        pump: SocketPump,
        *,
        subprotocol: str,
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
        credentials: Credentials,
    ) -> None:
        self.id = uuid.uuid4().hex
        self.session = Session(subprotocol=subprotocol, limits=pump.limits, now_ms=now_ms())
        self.viewer = Viewer("", subprotocol, wake=self._wake, overflow=self._overflow)
        self.origin: Origin = SYSTEM  # until somebody has signed in
        self.closing: Shut | None = None
        self.ended = asyncio.Event()
        self._pump = pump
        self._receive = receive
        self._send = send
        self._credentials = credentials
        self._text = subprotocol == wire.JSON_SUBPROTOCOL
        self._writer: asyncio.Task[Any] | None = None
        self._due = False
        self._room = asyncio.Event()
        self._requests = Requests(self, pump)
        self._gone = False
        self._reader: asyncio.Task[Any] | None = None
        self._abandoned = False

    @property
    def principal(self) -> Principal | None:
        return self.session.principal

    # Reading

    async def run(self) -> None:
        """Until the connection has ended."""
        self._reader = asyncio.current_task()
        try:
            while self.closing is None:
                message = await self._receive()
                if message["type"] != "websocket.receive":
                    self._gone = True
                    break
                data = message.get("bytes")
                await self._perform_all(data if data is not None else message["text"])
                await self._until_read()
        except asyncio.CancelledError:
            if not self._abandoned:
                raise
        except Exception:
            _log.exception("connection_failed", conn=self.id)
            self.shut(Shut(Close.DRAIN, "internal error"))
        finally:
            self._pump.forget(self)
            await self._finish()
            self.ended.set()

    async def _perform_all(self, data: bytes | str) -> None:
        for step in self.session.receive(data, now_ms()):
            if self.closing is not None:
                return
            await self._perform(step)

    async def _perform(self, step: Step) -> None:
        if isinstance(step, Answer):
            self.viewer.send(step.frame)
        elif isinstance(step, Shut):
            self.shut(step)
        elif isinstance(step, wire.Hello):
            await self._hello(step)
        elif isinstance(step, wire.Unsub):
            for inbox in step.inboxes:
                self._pump.hub.unsubscribe(self.viewer, inbox)
        elif not isinstance(step, wire.Pong):
            self._requests.begin(step)

    async def _until_read(self) -> None:
        # A client gets no answers faster than it reads them; a writer that is stuck closes.
        while self.viewer.congested and self.closing is None and not self._gone:
            self._room.clear()
            await self._room.wait()

    async def _hello(self, hello: wire.Hello) -> None:
        try:
            principal = await self.authenticate(hello.tok)
        except Refused as refused:
            self.shut(_rejected(refused))
            return
        if self.closing is None:
            refused_by = self._pump.admit(self, principal)
            if refused_by is not None:
                self.shut(refused_by)
                return
            self._welcome(principal, hello.tok)

    def authenticate(self, token: str) -> Awaitable[Principal]:
        """Who the token stands for; an empty one: the upgrade request's, or its session."""
        return self._credentials.principal(self._pump.identity, token)

    def _welcome(self, principal: Principal, token: str) -> None:
        self.viewer.user = principal.user
        self.accept(principal, token)
        limits = self.session.limits
        frame = [
            wire.Op.WELCOME,
            self.id,
            principal.user,
            limits.ping_s,
            limits.shown(),
            self._pump.build,
            principal.exp_ms,
            now_ms(),
        ]
        self.viewer.send(frame)
        self._pump.welcomed(self)

    def accept(self, principal: Principal, token: str) -> None:
        """Sign in, or replace the token in place; `token` as for `authenticate`."""
        self.origin = self._credentials.origin(principal, token)
        limits = self._pump.limits.raised(principal.limits)
        rate = self._pump.admission.limiter(principal)
        self.session.signed_in(principal, limits=limits, rate=rate)
        if self in self._pump.connections:
            self._pump.wheel.add(self)

    # Time

    @property
    def due_ms(self) -> int:
        return self.session.due_ms

    def tick(self, at_ms: int) -> None:
        """Called by the wheel."""
        for step in self.session.tick(at_ms):
            if isinstance(step, Answer):
                self.viewer.send(step.frame)
            elif isinstance(step, Shut):
                self.shut(step)

    # Answering

    async def answer(self, request: int, work: Awaitable[dict[str, Any]]) -> None:
        """OK with the result, or ERR; never a trace."""
        try:
            frame: wire.Frame = [wire.Op.OK, request, await work]
        except Refused as refused:
            frame = refusal(request, refused)
        except Exception:
            _log.exception("request_failed", conn=self.id)
            frame = refusal(request, Refused("internal"))
        if not self._gone:
            self.viewer.send(frame)

    # Writing and ending

    def shut(self, shut: Shut) -> None:
        """Close once what is queued has been written; the first reason counts."""
        if self.closing is None:
            self.closing = shut
            self._pump.hub.detach(self.viewer)
            self._room.set()
            self._wake(always=True)

    def _wake(self, *, always: bool = False) -> None:
        if self._writer is None and not self._due and (always or self.closing is None):
            # In the next turn of the loop: what comes until then is written together.
            self._due = True
            asyncio.get_running_loop().call_soon(self._write)

    def _overflow(self) -> None:
        self.shut(Shut(Close.SLOW, "not reading what is addressed to you"))

    def _write(self) -> None:
        """Write what there is; a task, a timeout and a wait only for who reads too slowly."""
        if not self._due:
            return
        self._due = False
        try:
            while not self._gone and (data := self.viewer.take(self._pump.write_batch_bytes)):
                suspended = start(self._send_data(data))
                if suspended is not None:
                    rest = self._write_slowly(suspended)
                    self._writer = spawn(self._pump.tasks, rest, name="socket-writer")
                    return
        except Exception:  # the peer is gone: how a server says so is its own affair
            self._gone = True
        self._room.set()
        if self.closing is not None and not self._gone:
            ending = self._close(self.closing)
            self._writer = spawn(self._pump.tasks, ending, name="socket-close")

    async def _write_slowly(self, suspended: Suspended) -> None:
        try:
            async with asyncio.timeout(self._pump.write_timeout_s):
                await suspended.finish()
        except TimeoutError:
            self.closing = self.closing or Shut(Close.SLOW, "reading too slowly")
            await self._close(self.closing)
        except Exception:  # as above
            self._gone = True
        finally:
            self._writer = None
            self._room.set()
        if not self._gone:
            self._due = True
            self._write()

    async def _send_data(self, data: bytes) -> None:
        if self._text:
            await self._send({"type": "websocket.send", "text": data.decode()})
        else:
            await self._send({"type": "websocket.send", "bytes": data})

    async def _close(self, shut: Shut) -> None:
        self._gone = True
        reason = shut.reason.encode()[:_REASON_MAX_BYTES].decode(errors="ignore")
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await self._send(
                    {"type": "websocket.close", "code": int(shut.code), "reason": reason}
                )
        except Exception:  # gone already, or so stuck that the server has to drop it
            _log.debug("close_unsent", conn=self.id, code=int(shut.code))
            reader = self._reader
            if reader is not None and reader is not asyncio.current_task():
                self._abandoned = True
                reader.cancel()

    async def _finish(self) -> None:
        self._pump.hub.detach(self.viewer)
        self._room.set()
        self._write()
        writer = self._writer
        if writer is not None:
            await asyncio.wait([writer], timeout=_CLOSE_TIMEOUT_S)
        if self.closing is not None and not self._gone:
            await self._close(self.closing)
        self._gone = True


def _rejected(refused: Refused) -> Shut:
    if refused.slug == "token_expired":
        return Shut(Close.EXPIRED, refused.message)
    if refused.slug in {"unavailable", "internal"}:
        return Shut(Close.DRAIN, refused.message)
    if refused.slug == "forbidden":
        return Shut(Close.FORBIDDEN, refused.message)
    return Shut(Close.UNAUTHORIZED, refused.message)
