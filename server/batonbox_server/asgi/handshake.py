"""Before a websocket is accepted: which protocol, from where, and how many."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from batonbox_server import wire

from .admission import LoadShedder
from .origins import headers_of

__all__ = ["Denial", "Handshakes", "deny"]

_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_DRAINED_S: Final = 3  # over which those come back who meet a server that is shutting down


@dataclass(frozen=True, slots=True)
class Denial:
    """An HTTP answer instead of the upgrade."""

    status: int
    text: str
    retry_after_s: int = 0


class Handshakes:
    """Decides about upgrade requests; `draining` refuses them all."""

    def __init__(self, shedder: LoadShedder, *, origins: Iterable[str]) -> None:
        self._origins = frozenset(origin.strip().rstrip("/") for origin in origins) - {""}
        self._shedder = shedder
        self.draining = False

    def judge(self, scope: Mapping[str, Any], now_ms: int) -> str | Denial:
        """The subprotocol to speak, or why not."""
        headers = headers_of(scope)
        if self.draining:
            after_s = random.randint(1, _DRAINED_S)  # noqa: S311
            return Denial(503, "This server is shutting down; connect again.", after_s)
        if not self._allowed(headers.get("origin"), headers.get("host", "")):
            return Denial(403, "This origin is not allowed; an admin can add it to `origins`.")
        offered = scope.get("subprotocols") or []
        known = [name for name in offered if name in wire.SUBPROTOCOLS]
        if not known:
            return Denial(426, f"Offer a subprotocol: {' or '.join(wire.SUBPROTOCOLS)}.")
        if after_s := self._shedder.refuses_connection(now_ms):
            return Denial(503, "This server is busy; connect again.", after_s)
        return str(known[0])

    def _allowed(self, origin: str | None, host: str) -> bool:
        # Only browsers send an Origin, and they always do. For a token of the page's own any port
        # of this machine will do; the session cookie takes more (`Origins.exact`).
        if origin is None or origin.rstrip("/") in self._origins:
            return True
        parts = urlsplit(origin)
        if parts.scheme not in {"http", "https"}:
            return False
        return parts.hostname in _LOCAL or parts.netloc == host


async def deny(denial: Denial, scope: Mapping[str, Any], send: Any) -> None:
    """Refuse the upgrade over HTTP, or with a bare 403 where the server cannot."""
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close"})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    if denial.retry_after_s:
        headers.append((b"retry-after", str(denial.retry_after_s).encode()))
    if denial.status == 426:
        headers.append((b"sec-websocket-protocol", ", ".join(wire.SUBPROTOCOLS).encode()))
    start = {"type": "websocket.http.response.start", "status": denial.status, "headers": headers}
    await send(start)
    await send({"type": "websocket.http.response.body", "body": denial.text.encode()})
