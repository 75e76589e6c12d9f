"""Signed POSTs to the URLs that admins name."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Final

import httpcore2
import structlog

from batonbox_server.tls import trusting

from .guard import Forbidden, GuardedBackend
from .hook_port import Answer
from .http import retry_after_s
from .signature import secret_bytes, sign
from .target import check_url, host_header, target_of

__all__ = ["HttpPoster"]

_log = structlog.get_logger(__name__)
_READ_MOST: Final = 16_384
_LONGEST_ERROR: Final = 200


class HttpPoster:
    """Implements `carriers.hook_port.Poster`; close it with `aclose`.

    Unless `private`: https to public addresses only. Redirects are not followed, proxies of the
    environment are not used, and of an answer no more than a little is read.
    """

    def __init__(self, *, private: bool, agent: str, connections: int = 64) -> None:
        self._private = private
        self._agent = agent
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=trusting(),
            max_connections=connections,
            max_keepalive_connections=16,
            keepalive_expiry=30.0,
            network_backend=httpcore2.AnyIOBackend() if private else GuardedBackend(),
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._pool.aclose()

    def check(self, url: str) -> str:
        """See the port."""
        check_url(url, private=self._private, setting="BATONBOX_WEBHOOKS_PRIVATE")
        return url

    async def post(
        self, url: str, *, secrets: Sequence[str], message_id: str, body: bytes, timeout_s: float
    ) -> Answer:
        """See the port."""
        begun = time.monotonic()
        try:
            async with asyncio.timeout(timeout_s):
                status, headers = await self._send(url, _headers(secrets, message_id, body), body)
        except TimeoutError:
            return _unanswered(begun, f"no answer within {timeout_s:g} s")
        except httpcore2.TimeoutException:
            return _unanswered(begun, "no answer in time")
        except Forbidden as error:
            return _unanswered(begun, f"refused: {error}")
        except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            return _unanswered(begun, _said(error))
        except ValueError as error:  # the name cannot be spelt, or the setting forbids it by now
            return _unanswered(begun, f"refused: {error}")
        except Exception:  # a fault of ours must neither lose the event nor stop the others
            _log.exception("webhook_post_failed")
            return _unanswered(begun, "the attempt failed; see the server's log")
        meaning = "" if 200 <= status < 300 else _meaning(status)
        return Answer(status, _since(begun), meaning, retry_after_s(headers))

    async def _send(
        self, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, dict[str, str]]:
        self.check(url)
        target = target_of(url)
        sent = {**headers, "user-agent": self._agent, "content-type": "application/json",
                **host_header(target)}  # fmt: skip
        async with self._pool.stream("POST", target, headers=list(sent.items()), content=body) as a:
            read = 0
            async for chunk in a.aiter_stream():
                read += len(chunk)
                if read > _READ_MOST:
                    break  # leaving closes this connection
            found = {name.decode("latin-1").lower(): v.decode("latin-1") for name, v in a.headers}
            return a.status, found


def _headers(secrets: Sequence[str], message_id: str, body: bytes) -> dict[str, str]:
    now_s = int(time.time())
    signed = [
        sign(secret_bytes(secret), message_id=message_id, timestamp_s=now_s, body=body)
        for secret in secrets
    ]
    together = " ".join(headers["webhook-signature"] for headers in signed)
    return {**signed[0], "webhook-signature": together}


def _meaning(status: int) -> str:
    if status == 410:
        return "HTTP 410: the receiver wants no more; the webhook was switched off"
    if 300 <= status < 400:
        return f"HTTP {status}: redirects are not followed; give the final URL"
    return f"HTTP {status}"


def _said(error: Exception) -> str:
    words = str(error) or "the connection broke"
    return f"unreachable: {words}"[:_LONGEST_ERROR]


def _unanswered(begun: float, error: str) -> Answer:
    return Answer(0, _since(begun), error)


def _since(begun: float) -> int:
    return round((time.monotonic() - begun) * 1000)
