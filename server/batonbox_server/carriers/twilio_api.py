"""The part of Twilio's REST API that is needed: send a message, find one, prove credentials."""

from __future__ import annotations

import base64
import email.utils
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2

from .http import ask, retry_after_s, unanswered
from .port import Accepted, Outbound, SecretUnreadable, SendFailed
from .twilio_codes import reason_of

__all__ = ["TwilioApi"]

# Refused for now, not for good: credentials can be put right, queues get shorter.
_FOR_NOW: Final = frozenset({401, 403, 404, 408, 409, 425, 429})
_PAUSE_S: Final = 5.0  # before a message that got no answer is looked for among those it has
_CLOCKS_S: Final = 120.0  # how far Twilio's clock may be from ours
_LOOKED_AT: Final = 200
_READ_MOST: Final = 8 << 20  # so many of the longest messages
_FAILED: Final = frozenset({"failed", "undelivered", "canceled"})


class TwilioApi:
    """One account's; `secret` is asked for the auth token at every request."""

    def __init__(
        self, http: httpx2.AsyncClient, url: str, account_sid: str, secret: Callable[[], str]
    ) -> None:
        self._http = http
        self._origin = urlsplit(url)[:2]
        self._account = f"{url}/2010-04-01/Accounts/{account_sid}"
        self._sid = account_sid
        self._secret = secret

    def authorization(self) -> dict[str, str]:
        """The credentials as a header; raises SecretUnreadable."""
        given = base64.b64encode(f"{self._sid}:{self._secret()}".encode()).decode()
        return {"authorization": f"Basic {given}"}

    def is_ours(self, url: str) -> bool:
        """Whether the URL is at the API's own origin."""
        return urlsplit(url)[:2] == self._origin

    async def send(self, fields: dict[str, Any]) -> Accepted:
        """Make a message. Raises SendFailed, SecretUnreadable."""
        answer = await self._ask("POST", f"{self._account}/Messages.json", data=fields)
        said = _json(answer)
        if answer.is_success and said.get("sid"):
            return _accepted(said)
        if answer.is_success:  # somebody else's page: whether the message was made is not told
            raise SendFailed("the answer is not Twilio's", permanent=False, unsettled=True)
        raise _refused(answer, said)

    async def find(self, message: Outbound) -> Accepted | None:
        """The message if Twilio has it already: the same text, to and from, made since.

        One that is known as another message of ours is not it, and one that Twilio gave up does not
        count: it was not delivered. There is no filter by date: that of
        Twilio goes by when it was sent, which is not said of one that still waits there.
        """
        query = {"To": message.customer, "From": message.our, "PageSize": str(_LOOKED_AT)}
        answer = await self._ask("GET", f"{self._account}/Messages.json", params=query)
        said = _json(answer)
        if not answer.is_success or not isinstance(said.get("messages"), list):
            failed = _refused(answer, said)
            raise SendFailed(
                failed.reason,
                permanent=False,
                retry_after_s=failed.retry_after_s,
                unsettled=True,
            )
        since_s = message.queued_ms / 1000 - _CLOCKS_S
        for made in reversed(said["messages"]):  # the oldest first
            if _is(made, message, since_s) and not await message.taken(str(made["sid"])):
                return _accepted(made)
        return None

    async def check(self) -> str:
        """Whether the credentials hold: "" or why they do not."""
        try:
            answer = await self._ask("GET", f"{self._account}.json")
        except SecretUnreadable as error:
            return str(error)
        except SendFailed as error:
            return f"Twilio could not be asked: {error.reason}."
        if answer.status_code == 401:
            return "Twilio does not know this account SID with this auth token."
        if not answer.is_success:
            return f"Twilio answered {answer.status_code}."
        status = _json(answer).get("status")
        return "" if status == "active" else f"The account at Twilio is {status}."

    async def _ask(self, method: str, url: str, **more: Any) -> httpx2.Response:
        try:
            headers = self.authorization()
            return await ask(self._http, method, url, most=_READ_MOST, headers=headers, **more)
        except httpx2.HTTPError as error:
            raise unanswered(error, pause_s=_PAUSE_S) from error


def _accepted(said: Mapping[str, Any]) -> Accepted:
    """What Twilio has, unless it has given it up."""
    if said.get("status") in _FAILED:
        reason = reason_of(said.get("error_code")) or "the carrier gave it up"
        raise SendFailed(reason, permanent=True)
    return Accepted(str(said["sid"]), delivered=said.get("status") in {"delivered", "read"})


def _is(made: Any, message: Outbound, since_s: float) -> bool:
    if not isinstance(made, dict) or not made.get("sid"):
        return False
    if not str(made.get("direction", "")).startswith("outbound") or made.get("status") in _FAILED:
        return False
    same_text = str(made.get("body") or "").strip() == message.text.strip()
    # Twilio counts the files once it has fetched them.
    same_media = str(made.get("num_media") or "0") in {"0", str(len(message.media))}
    return same_text and same_media and _made_s(made) >= since_s


def _made_s(made: Mapping[str, Any]) -> float:
    try:
        return email.utils.parsedate_to_datetime(str(made.get("date_created"))).timestamp()
    except (ValueError, TypeError):
        return 0.0


def _refused(answer: httpx2.Response, said: Mapping[str, Any]) -> SendFailed:
    status = answer.status_code
    reason = reason_of(said.get("code"))
    if status == 401:
        reason = "the carrier does not take the credentials"
    permanent = 400 <= status < 500 and status not in _FOR_NOW
    return SendFailed(
        reason or f"HTTP {status}",
        permanent=permanent,
        retry_after_s=retry_after_s(answer.headers) or None,
        unsettled=status >= 500 or status == 408,
    )


def _json(answer: httpx2.Response) -> Mapping[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
