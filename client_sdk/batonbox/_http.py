"""The few HTTP calls: the command line's, and files; by urllib in a thread, no dependency."""

from __future__ import annotations

import asyncio
import json
import random
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from typing import Any

from batonbox._errors import ApiError, ConnectionLost, api_error
from batonbox._wire import ERRORS

__all__ = ["Http"]

_NUMBER = {slug: number for number, (slug, _, _) in ERRORS.items()}


class Http:
    """JSON requests to the server's base address with a bearer token."""

    def __init__(self, url: str, token: str, *, timeout_s: float = 10.0) -> None:
        self._url = url
        self._token = token
        self._timeout_s = timeout_s

    async def send(self, method: str, path: str, body: Any = None) -> Any:
        """One request; raises ApiError as refused, ConnectionLost when there was no answer."""
        return await asyncio.to_thread(self.ask, method, path, body)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The same, blocking."""
        data = None if body is None else json.dumps(body).encode()
        return _decoded(self._send(method, path, data))

    async def send_raw(self, method: str, path: str, data: bytes, kind: str) -> Any:
        """The same with a body that is no JSON but of this content type."""
        return _decoded(await asyncio.to_thread(self._send, method, path, data, kind))

    async def text(self, path: str) -> str:
        """What a GET answers, as it stands."""
        return (await asyncio.to_thread(self._send, "GET", path, None)).decode()

    async def download(self, path: str, *, deadline_s: float) -> bytes:
        """A file; asked for again while the server says that it will be there soon."""
        return await self._insist(lambda: self._send("GET", path, None), deadline_s)

    async def insist(
        self, method: str, path: str, body: Any = None, *, deadline_s: float = 60.0
    ) -> Any:
        """Repeat through restarts of the server; only for requests that may be repeated."""
        data = None if body is None else json.dumps(body).encode()
        return _decoded(await self._insist(lambda: self._send(method, path, data), deadline_s))

    async def _insist(self, ask: Callable[[], bytes], deadline_s: float) -> bytes:
        loop = asyncio.get_running_loop()
        give_up_s = loop.time() + deadline_s
        while True:
            try:
                return await asyncio.to_thread(ask)
            except (ConnectionLost, ApiError) as error:
                if isinstance(error, ApiError) and not error.retryable:
                    raise
                if loop.time() > give_up_s:
                    raise
                asked_ms = error.retry_ms if isinstance(error, ApiError) else 0
            wait_s = (asked_ms or 200) / 1000
            await asyncio.sleep(wait_s * (0.5 + random.random()))  # noqa: S311 - jitter

    def _send(
        self, method: str, path: str, data: bytes | None, kind: str = "application/json"
    ) -> bytes:
        request = urllib.request.Request(  # noqa: S310 - the user's own --url
            self._url + path, data=data, method=method
        )
        request.add_header("Authorization", f"Bearer {self._token}")
        request.add_header("Accept", "application/json")
        if data is not None:
            request.add_header("Content-Type", kind)
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s) as response:  # noqa: S310
                return bytes(response.read())
        except urllib.error.HTTPError as error:
            raise _refused(error) from None
        except (TimeoutError, OSError, HTTPException) as error:
            reason = getattr(error, "reason", None) or str(error) or type(error).__name__
            raise ConnectionLost(f"cannot reach {self._url}: {reason}") from None


def _decoded(raw: bytes) -> Any:
    return json.loads(raw) if raw else None


def _refused(error: urllib.error.HTTPError) -> Exception:
    """RFC 9457 problem details as the exception a websocket command would raise."""
    with error:
        raw, status = error.read(), error.code
        retry_after = error.headers.get("Retry-After", "")
    try:
        problem = json.loads(raw)
        slug = str(problem["code"])
    except (ValueError, KeyError, TypeError):
        if status in {502, 503, 504}:
            return ConnectionLost(f"the server is not available (HTTP {status})")
        return api_error(107 if status < 500 else 100, "", f"HTTP {status}")
    message = str(problem.get("detail") or problem.get("title") or slug)
    retry_ms = int(float(retry_after) * 1000) if retry_after.replace(".", "").isdigit() else None
    return api_error(_NUMBER.get(slug, 0), slug, message, retry_ms=retry_ms)
