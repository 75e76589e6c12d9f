"""What one connection of HTTP may take: a place, bytes for the head of a request, and time.

uvicorn waits for ever: for the rest of a head, which may have any length, for the rest of a body,
and for who does not read an answer.  Here each of these has to get on from one look to the next,
or the connection is cut.  Between two requests uvicorn's own keep-alive counts.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, ClassVar, Final, TypeAlias, cast

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from .admission import LoadShedder

__all__ = ["bounded"]

# Far above what browsers and proxies send; h11 has the same bound of its own.
_HEAD_MAX_BYTES: Final = 65_536
# As much of a body has to come from one look to the next.
_BODY_STEP_BYTES: Final = 4096
# Who is refused has so long to read why. A close with bytes of theirs unread would reset the
# connection, and the answer would be lost with it.
_LINGER_S: Final = 2.0
# At most so many at a time; beyond them a connection is closed at once.
_LINGERING: Final = 1000

_Awaited: TypeAlias = tuple[str, *tuple[int, ...]] | tuple[()]


def bounded(shedder: LoadShedder, *, timeout_s: float) -> type[asyncio.Protocol]:
    """uvicorn's HTTP protocol within bounds, for its setting `http`.

    What does not get on for `timeout_s` is cut before twice that time.
    """
    bounds = {"shedder": shedder, "timeout_s": timeout_s, "refused": set()}
    return type("BoundedHTTP", (_Bounded, AutoHTTPProtocol), bounds)


class _Bounded(asyncio.Protocol):
    """Goes before either of uvicorn's two protocols, and looks at what both have."""

    shedder: ClassVar[LoadShedder]
    timeout_s: ClassVar[float]
    refused: ClassVar[set[Any]]  # those whose last bytes are still read
    transport: asyncio.Transport
    connections: set[Any]
    cycle: Any  # the request that came last; None before the first
    flow: Any

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        super().connection_made(transport)
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are none of asyncio's
        self._heading = True  # a head is awaited, or has come in part
        self._head_bytes = self._body_bytes = self._requests = self._resumed = 0
        self._seen: _Awaited = ()
        self._timer: asyncio.TimerHandle | None = None
        self._look_later()
        if after_s := self.shedder.refuses_http(len(self.connections) - len(self.refused)):
            retry = f"retry-after: {after_s}\r\n"
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "Too many connections.", retry)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if self in self.refused:
            return
        before = self.cycle
        if not self._heading and before.response_complete and not before.more_body:
            self._heading, self._head_bytes = True, 0
            self._requests += 1
        if self._heading:
            self._head_bytes += len(data)
        else:
            self._body_bytes += len(data)
        super().data_received(data)
        if self._transport.get_protocol() is not self:
            self._forget()  # it is a websocket now, and that one's to bound
            # This and its parser hold each other, and the collector comes rarely.
            vars(self).clear()
        elif self.cycle is not before:
            self._heading = False
        elif self._heading and self._head_bytes > _HEAD_MAX_BYTES:
            self.shedder.cut("head")
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The head is too large.")

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        self._resumed += 1
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._forget()
        self.refused.discard(self)
        super().connection_lost(exc)

    # Time

    def _look_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self.timeout_s, self._look)

    def _forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        seen, self._seen = self._seen, self._awaited()
        self._look_later()
        if not self._seen or self._seen != seen:
            return
        self.shedder.cut(self._seen[0])
        if self._seen[0] == "head" and self._head_bytes:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "The request did not come in time.")
        else:
            self._transport.abort()

    def _awaited(self) -> _Awaited:
        """What the client has to do next, and how far it is with it; empty: nothing."""
        if self._transport.is_closing():
            return ("close",)
        if self._heading:
            return ("head", self._requests)
        if self.flow.write_paused:
            left = self._transport.get_write_buffer_size()
            return ("answer", self._requests, self._resumed, left)
        if self.cycle.more_body and not self.flow.read_paused:
            return ("body", self._requests, self._body_bytes // _BODY_STEP_BYTES)
        return ()

    def _refuse(self, status: HTTPStatus, text: str, more: str = "") -> None:
        if self._transport.is_closing():
            return
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\n"
            "content-type: text/plain; charset=utf-8\r\n"
            f"content-length: {len(text)}\r\nconnection: close\r\n{more}\r\n"
        )
        self._transport.write((head + text).encode())
        if len(self.refused) >= _LINGERING or not self._transport.can_write_eof():
            self._transport.close()
            return
        self._transport.write_eof()
        self.refused.add(self)
        self._forget()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(_LINGER_S, self._transport.abort)
