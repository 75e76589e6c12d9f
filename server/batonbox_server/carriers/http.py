"""What sending over HTTP has in common: asking, whether it can have arrived, when to try again."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping
from typing import Any, Final

import httpx2

from .port import SendFailed

__all__ = ["ask", "retry_after_s", "unanswered"]

# Nothing was sent: there was no connection yet.
_NOT_SENT: Final = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


async def ask(
    http: httpx2.AsyncClient, method: str, url: str, *, most: int = 65_536, **given: Any
) -> httpx2.Response:
    """The answer, with no more than about `most` bytes of its body: whoever it is may send on.

    Raises httpx2.HTTPError.
    """
    body = bytearray()
    async with http.stream(method, url, **given) as answer:
        async for piece in answer.aiter_bytes():
            body += piece
            if len(body) > most:
                break  # leaving closes this connection
    headers = {"retry-after": answer.headers.get("retry-after", "")}
    return httpx2.Response(answer.status_code, headers=headers, content=bytes(body[:most]))


def retry_after_s(headers: Mapping[str, str]) -> float:
    """The pause that an answer asks for, 0 for none."""
    given = headers.get("retry-after", "").strip()
    if given.isdecimal() and len(given) < 10:
        return float(given)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(given).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return 0.0


def unanswered(error: httpx2.HTTPError, *, pause_s: float | None = None) -> SendFailed:
    """A request without an answer; after `pause_s` the carrier may know what it was about."""
    reason = f"unreachable: {type(error).__name__}"
    if isinstance(error, _NOT_SENT):
        return SendFailed(reason, permanent=False)
    return SendFailed(reason, permanent=False, unsettled=True, retry_after_s=pause_s)
