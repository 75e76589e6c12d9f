"""The generic carrier: signed JSON over HTTP, in and out."""

from __future__ import annotations

import json
import time
from typing import Any, Final

import httpx2

from batonbox_server.carriers.http import ask, retry_after_s, unanswered
from batonbox_server.carriers.port import Accepted, Outbound, SendFailed, fetchable
from batonbox_server.carriers.signature import sign
from batonbox_server.tls import trusting

__all__ = ["Webhook"]

_PERMANENT: Final = range(400, 500)
_RETRYABLE: Final = frozenset({408, 409, 425, 429})


class Webhook:
    """POSTs each message to one address, signed; any 2xx accepts it.

    A 2xx answer `{"id": ...}` names the message for later receipts; without one its own id does.
    Close it with `aclose`.
    """

    name: Final = "webhook"
    rate_per_s: Final = 0.0
    answers_keywords: Final = False

    def __init__(self, *, url: str, secret: bytes, timeout_s: float = 10.0) -> None:
        self._url = url
        self._secret = secret
        self._http = httpx2.AsyncClient(
            timeout=timeout_s, follow_redirects=False, verify=trusting()
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def send(self, message: Outbound) -> Accepted:
        """See the port."""
        if not self._url:
            raise SendFailed("BATONBOX_WEBHOOK_URL is not set", permanent=False)
        body = json.dumps(_as_json(message), ensure_ascii=False).encode()
        headers = sign(self._secret, message_id=message.id, timestamp_s=int(time.time()), body=body)
        headers["content-type"] = "application/json"
        try:
            answer = await ask(self._http, "POST", self._url, content=body, headers=headers)
        except httpx2.HTTPError as error:
            raise unanswered(error) from error
        return _outcome(answer, message)

    def media_headers(self, url: str) -> dict[str, str]:  # noqa: ARG002
        """See the port."""
        return {}


def _as_json(message: Outbound) -> dict[str, Any]:
    return {
        "id": message.id,
        "from": message.our,
        "to": message.customer,
        "text": message.text,
        "media": [media.url for media in fetchable(message.media)],
    }


def _outcome(answer: httpx2.Response, message: Outbound) -> Accepted:
    status = answer.status_code
    if answer.is_success:
        return Accepted(_carrier_id(answer) or message.id)
    permanent = status in _PERMANENT and status not in _RETRYABLE
    pause_s = retry_after_s(answer.headers) or None
    raise SendFailed(f"HTTP {status}", permanent=permanent, retry_after_s=pause_s)


def _carrier_id(answer: httpx2.Response) -> str:
    try:
        found = answer.json()
    except ValueError:
        return ""
    name = found.get("id") if isinstance(found, dict) else None
    return name if isinstance(name, str) and len(name) <= 200 else ""
