"""What sending over HTTP has in common: whether it can have arrived, and when to try again."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping
from typing import Final

import httpx2

from .port import SendFailed

__all__ = ["retry_after_s", "unanswered"]

# Nothing was sent: there was no connection yet.
_NOT_SENT: Final = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


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
