"""Files behind URLs that carriers name, as far as the server may be made to go there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final
from urllib.parse import urljoin

import httpcore2

from batonbox_server.tls import trusting

from .fetch_port import Fetched, FetchFailed
from .guard import Forbidden, GuardedBackend
from .target import check_url, host_header, target_of

__all__ = ["HttpFetcher"]

_SETTING: Final = "BATONBOX_MEDIA_PRIVATE"
_HOPS: Final = 5
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_LONGEST: Final = 200


class HttpFetcher:
    """Implements `carriers.fetch_port.Fetcher`; close it with `aclose`.

    Unless `private`: https to public addresses only, at every hop of a redirect. Proxies of the
    environment are not used.
    """

    def __init__(self, *, private: bool, agent: str, connections: int = 16) -> None:
        self._private = private
        self._agent = agent
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=trusting(),
            max_connections=connections,
            max_keepalive_connections=4,
            keepalive_expiry=30.0,
            network_backend=httpcore2.AnyIOBackend() if private else GuardedBackend(),
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._pool.aclose()

    async def fetch(
        self,
        url: str,
        *,
        headers_of: Callable[[str], Mapping[str, str]],
        max_bytes: int,
        timeout_s: float,
    ) -> Fetched:
        """See the port."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._follow(url, headers_of, max_bytes)
        except (TimeoutError, httpcore2.TimeoutException):
            raise FetchFailed("it did not arrive in time", permanent=False) from None
        except Forbidden as error:
            raise FetchFailed(f"refused: {error}"[:_LONGEST], permanent=True) from error
        except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            told = f"unreachable: {str(error) or 'the connection broke'}"
            raise FetchFailed(told[:_LONGEST], permanent=False) from error
        except ValueError as error:
            raise FetchFailed(f"refused: {error}"[:_LONGEST], permanent=True) from error

    async def _follow(
        self, url: str, headers_of: Callable[[str], Mapping[str, str]], max_bytes: int
    ) -> Fetched:
        for _ in range(1 + _HOPS):
            found = await self._get(url, headers_of(url), max_bytes)
            if isinstance(found, Fetched):
                return found
            url = urljoin(url, found)
        raise FetchFailed(f"redirected more than {_HOPS} times", permanent=True)

    async def _get(self, url: str, headers: Mapping[str, str], max_bytes: int) -> Fetched | str:
        """The file, or where it is said to be."""
        check_url(url, private=self._private, setting=_SETTING)
        target = target_of(url)
        sent = {"accept": "*/*", "accept-encoding": "identity", "user-agent": self._agent,
                **host_header(target), **headers}  # fmt: skip
        async with self._pool.stream("GET", target, headers=list(sent.items())) as answer:
            given = {
                name.decode("latin-1").lower(): value.decode("latin-1")
                for name, value in answer.headers
            }
            if answer.status in _REDIRECTS and given.get("location"):
                return given["location"]
            _check(answer.status, given, max_bytes)
            data = await _read(answer.aiter_stream(), max_bytes)
        return Fetched(data, given.get("content-type", ""))


def _check(status: int, headers: Mapping[str, str], max_bytes: int) -> None:
    if status != 200:
        raise FetchFailed(f"the carrier answered with HTTP {status}", permanent=status == 410)
    if headers.get("content-encoding", "identity") != "identity":
        raise FetchFailed("it was sent compressed, which was not asked for", permanent=True)
    length = headers.get("content-length", "")
    if length.isdecimal() and (len(length) > 15 or int(length) > max_bytes):
        raise _too_big(max_bytes)


async def _read(stream: AsyncIterator[bytes], max_bytes: int) -> bytes:
    read = bytearray()
    async for chunk in stream:
        read += chunk
        if len(read) > max_bytes:
            raise _too_big(max_bytes)  # leaving closes this connection
    return bytes(read)


def _too_big(max_bytes: int) -> FetchFailed:
    return FetchFailed(f"larger than {max_bytes} bytes", permanent=True)
