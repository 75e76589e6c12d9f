"""Which connections of HTTP are kept for a next request.

A connection that is closed between two requests may be closed while the next one is on its way:
nobody answers that one, and whether it took effect is not known. So idle ones stay for longer than
clients and balancers use them, and where there are too many, an answer says that it is the last.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Keeping"]

_LAST = (b"connection", b"close")


class Keeping:
    """Wraps an application; `most()` of the open `connections` are kept after an answer."""

    def __init__(
        self, app: ASGIApp, connections: Collection[Any], *, most: Callable[[], int]
    ) -> None:
        self._app = app
        self._connections = connections
        self._most = most

    def end(self) -> None:
        """Keep none from now on."""
        self._most = lambda: 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start" and len(self._connections) > self._most():
                message = {**message, "headers": [*message.get("headers", ()), _LAST]}
            await send(message)

        await self._app(scope, receive, sent)
