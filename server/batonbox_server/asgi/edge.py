"""The outermost layer of HTTP: strict headers, counting, and no stack trace to anybody."""

from __future__ import annotations

import time
from typing import Final

import structlog
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from batonbox_server.errors import Refused

from .metrics import observe_request
from .problem import problem
from .request_id import request_id_of

__all__ = ["Edge"]

_log = structlog.get_logger(__name__)
_HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
_DEFAULT_POLICY: Final = "default-src 'none'; frame-ancestors 'none'"
_HSTS: Final = "max-age=31536000"
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Edge:
    """Wraps the application; websockets pass through untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started_s, status = time.perf_counter(), 0
        request_id = request_id_of(scope)

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("content-security-policy", _DEFAULT_POLICY)
                headers["x-request-id"] = request_id
                if scope["scheme"] == "https":
                    headers.setdefault("strict-transport-security", _HSTS)
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception:
            _log.exception("request_failed", request_id=request_id)
            if not status:
                answer = problem(Refused("internal"), request_id=request_id)
                await answer(scope, receive, send_with_headers)
        finally:
            observe_request(
                method=scope["method"] if scope["method"] in _METHODS else "other",
                route=scope.get("batonbox.route", "unknown"),
                status=status,
                seconds=time.perf_counter() - started_s,
            )
