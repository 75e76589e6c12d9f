"""The opening handshake of a websocket by ASGI, after which the transport is the application's.

uvicorn's setting `ws` takes this class.  Its contract with HTTP: `connection_made`, then one
`data_received` with the whole request head, then it is the transport's protocol.  The application
answers over HTTP as ASGI's extension `websocket.http.response` says, or takes the transport with
`scope["extensions"]["batonbox.accept"](subprotocol)` and returns.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from email.utils import formatdate
from functools import partial
from http import HTTPStatus
from typing import Any, Final, cast
from urllib.parse import unquote
from weakref import WeakKeyDictionary

import structlog
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

from batonbox_server import wire

from .eager import finish, start
from .paced import Paced
from .transport import WebSocketTransport

__all__ = ["ACCEPT", "Upgrade"]

# The key of the scope's extensions.
ACCEPT: Final = "batonbox.accept"

_log = structlog.get_logger(__name__)
# A client may not send frames before it was accepted; those who do are given this much.
_EARLY_MAX_BYTES: Final = 16_384
# In a turn of the loop, of all connections together: some 0.2 ms each, and up to 1 ms. An event
# takes several turns on its way from the command to who reads it.
_HANDSHAKES_PER_TURN: Final = 2
_READS_PER_TURN: Final = 1
_SWITCHING: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: %b\r\nSec-WebSocket-Protocol: %b\r\n\r\n"
)


class _Pace:
    """What the connections of one server share: the turns of handshakes, and of long reads."""

    def __init__(self) -> None:
        self.handshakes = Paced(_HANDSHAKES_PER_TURN)
        self.reads = Paced(_READS_PER_TURN)


# By uvicorn's state of a server, of which there is one.
_paces: Final[WeakKeyDictionary[Any, _Pace]] = WeakKeyDictionary()


class Upgrade(asyncio.Protocol):
    """One upgrade request, which takes its turn with others; gone once it is answered."""

    def __init__(
        self,
        config: Any,
        server_state: Any,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._config = config
        self._connections: set[Any] = server_state.connections
        self._tasks: set[asyncio.Task[None]] = server_state.tasks
        self._app_state = app_state
        pace = _paces.get(server_state)
        if pace is None:
            pace = _paces[server_state] = _Pace()
        self._pace = pace
        self._accept_key = ""
        self._asked = self._answered = False
        self._early = b""
        self._status = HTTPStatus.FORBIDDEN
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = b""

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are none of asyncio's
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        """The request; after it what may not come yet."""
        if not self._asked:
            self._asked = True
            # Later: uvicorn is about to make this object the transport's protocol.
            self._pace.handshakes.add(partial(self._ask, data))
        elif not self._answered:
            self._early += data
            if len(self._early) > _EARLY_MAX_BYTES:
                self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """See asyncio.Protocol."""
        self._answered = True
        self._connections.discard(self)

    def shutdown(self) -> None:
        """uvicorn ends."""
        if not self._answered:
            self._reply(HTTPStatus.SERVICE_UNAVAILABLE, [], b"This server is shutting down.")

    # The request

    def _ask(self, head: bytes) -> None:
        if self._answered:
            return  # it was lost, or the server ends
        request = _parsed(head)
        protocol = ServerProtocol()
        try:
            self._accept_key, _, _ = protocol.process_request(request)
        except InvalidHandshake as error:
            self._reply(HTTPStatus.BAD_REQUEST, [], f"No websocket handshake: {error}.".encode())
            return
        # Whom we let in is let in at once, nearly always: a task is for what has to wait.
        suspended = start(self._run(self._scope(request)))
        if suspended is not None:
            task = asyncio.get_running_loop().create_task(finish(suspended))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _scope(self, request: Request) -> dict[str, Any]:
        path, _, query = request.path.partition("?")
        info = self._transport.get_extra_info
        secure = info("sslcontext") is not None
        root = self._config.root_path
        headers = request.headers
        return {
            "type": "websocket",
            "asgi": {"version": self._config.asgi_version, "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": "wss" if secure else "ws",
            "server": _address(info("sockname")),
            "client": _address(info("peername")),
            "root_path": root,
            "path": root + unquote(path),
            "raw_path": (root + path).encode(),
            "query_string": query.encode(),
            "headers": [
                (name.lower().encode(), value.encode("latin-1"))
                for name, value in headers.raw_items()
            ],
            "subprotocols": _listed(headers.get_all("Sec-WebSocket-Protocol")),
            "state": self._app_state.copy(),
            "extensions": {"websocket.http.response": {}, ACCEPT: self._accept},
        }

    async def _run(self, scope: Mapping[str, Any]) -> None:
        try:
            await self._config.loaded_app(scope, self._receive, self._send)
        except Exception:
            _log.exception("upgrade_failed")
        if not self._answered:
            self._reply(HTTPStatus.INTERNAL_SERVER_ERROR, [], b"Internal error.")

    # ASGI

    async def _receive(self) -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def _send(self, message: Mapping[str, Any]) -> None:
        match message["type"]:
            case "websocket.close":
                self._reply(HTTPStatus.FORBIDDEN, [], b"")
            case "websocket.http.response.start":
                self._status = HTTPStatus(message["status"])
                self._headers = list(message.get("headers", ()))
            case "websocket.http.response.body":
                self._body += message.get("body", b"")
                if not message.get("more_body", False):
                    self._reply(self._status, self._headers, self._body)
            case other:
                raise RuntimeError(f"{other}: take the transport with {ACCEPT!r} instead")

    def _accept(self, subprotocol: str) -> WebSocketTransport | None:
        """Switch protocols; None when the client is gone already."""
        if self._answered:
            return None
        self._answered = True
        self._connections.discard(self)
        opened = WebSocketTransport(
            self._transport,
            text=subprotocol == wire.JSON_SUBPROTOCOL,
            max_bytes=self._config.ws_max_size,
            turns=self._pace.reads,
        )
        self._transport.set_protocol(opened)
        self._transport.write(_SWITCHING % (self._accept_key.encode(), subprotocol.encode()))
        if self._early:
            opened.data_received(self._early)
        return opened

    def _reply(self, status: HTTPStatus, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        if self._answered:
            return
        self._answered = True
        given = Headers([(name.decode(), value.decode("latin-1")) for name, value in headers])
        given.setdefault("Content-Type", "text/plain; charset=utf-8")
        given["Date"] = formatdate(usegmt=True)
        given["Content-Length"] = str(len(body))
        given["Connection"] = "close"
        self._transport.write(Response(int(status), status.phrase, given, body).serialize())
        self._transport.close()


def _parsed(head: bytes) -> Request:
    # uvicorn has parsed these lines, and spelled them anew: one header each, none folded.
    request, *lines = head.decode("latin-1").split("\r\n")
    headers = Headers()
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            headers[name] = value.strip()
    return Request(request.split(" ")[1], headers)


def _listed(values: list[str]) -> list[str]:
    return [name.strip() for value in values for name in value.split(",")]


def _address(name: Any) -> tuple[str, int] | None:
    return (str(name[0]), int(name[1])) if isinstance(name, tuple) else None
