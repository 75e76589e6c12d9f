"""The public keys of an embedding application, fetched from where it publishes them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Final

import httpx2
import jwt
import structlog

from batonbox_server.errors import Refused
from batonbox_server.tls import trusting

__all__ = ["Jwks"]

_log = structlog.get_logger(__name__)
_FRESH_S: Final = 600.0
_PAUSE_S: Final = 10.0
_MAX_BYTES: Final = 256 * 1024
_MISSING: Final = (
    "The keys that sign this token cannot be fetched now; try again. If it lasts, an admin should "
    "look at BATONBOX_JWT_JWKS_URL."
)


class Jwks:
    """A key set behind a URL: kept for ten minutes, and fetched again for a key it does not hold.

    However many tokens ask, a fetch begins at most every ten seconds, one at a time. When a fetch
    fails the keys known before go on serving. Close it with `aclose`.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = 5.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._now = now
        self._http = httpx2.AsyncClient(
            timeout=timeout_s, follow_redirects=False, verify=trusting()
        )
        self._lock = asyncio.Lock()
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched = self._tried = -float("inf")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def key(self, kid: str) -> jwt.PyJWK:
        """The key of this id. Raises Refused: `unauthorized` (no such key), `unavailable`."""
        if not self._serves(kid):
            async with self._lock:
                if not self._serves(kid) and self._now() - self._tried >= _PAUSE_S:
                    await self._fetch()
        if kid in self._keys:
            return self._keys[kid]
        if self._fetched < self._tried:
            raise Refused("unavailable", _MISSING)
        raise Refused("unauthorized", "The key that signed this token is not published.")

    def _serves(self, kid: str) -> bool:
        return kid in self._keys and self._now() - self._fetched < _FRESH_S

    async def _fetch(self) -> None:
        self._tried = self._now()
        try:
            async with asyncio.timeout(self._timeout_s):
                self._keys = _keys_in(await self._body())
        except (httpx2.HTTPError, TimeoutError, ValueError, jwt.PyJWTError) as error:
            _log.warning("jwks_unreachable", url=self._url, error=type(error).__name__)
            return
        self._fetched = self._tried

    async def _body(self) -> bytes:
        body = bytearray()
        async with self._http.stream("GET", self._url) as answer:
            answer.raise_for_status()
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > _MAX_BYTES:
                    raise ValueError("more than a key set takes")
        return bytes(body)


def _keys_in(body: bytes) -> dict[str, jwt.PyJWK]:
    """The signing keys by id; keys of kinds we do not know are no reason to refuse the others."""
    found = json.loads(body)
    if not isinstance(found, dict) or not isinstance(found.get("keys"), list):
        raise ValueError("not a key set")  # noqa: TRY004 (what it says, not how it is used)
    keys: dict[str, jwt.PyJWK] = {}
    for item in found["keys"]:
        if not isinstance(item, dict) or item.get("use", "sig") != "sig":
            continue
        try:
            key = jwt.PyJWK(item)
        except (jwt.PyJWTError, ValueError, TypeError, KeyError):
            continue
        if key.key_id and item.get("kty") != "oct":
            keys[str(key.key_id)] = key
    return keys
