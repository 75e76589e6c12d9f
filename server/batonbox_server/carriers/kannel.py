"""Kannel, the SMS gateway: out by its sendsms, in by its smsbox's services and receipts.

Kannel knows no id of ours by which it could tell a message that it has already: what it answered
nothing to may be sent twice. Its receipts carry our id, so that one that comes in time prevents it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, Literal
from urllib.parse import quote, urlencode, urlsplit

import httpx2
import structlog

from batonbox_server.tls import trusting

from .http import ask, retry_after_s, unanswered
from .kannel_setup import setup_text
from .port import (
    Accepted,
    Callback,
    Heard,
    Incoming,
    Outbound,
    Receipt,
    SecretUnreadable,
    SendFailed,
    Unreadable,
    Unsigned,
)

__all__ = ["KannelAccount", "KannelKind", "callback_token"]

_log = structlog.get_logger(__name__)
State = Literal["sent", "delivered", "failed"]
# So long a receipt may still settle an attempt that got no answer, before it is made again.
_SETTLES_WITHIN_S: Final = 30.0
_LONGEST_REASON: Final = 200
# %d of a receipt: delivered, failed, waiting at the message centre, taken by it, refused by it.
_STATES: Final[dict[str, State]] = {
    "1": "delivered",
    "2": "failed",
    "4": "sent",
    "8": "sent",
    "16": "failed",
}
_STATS: Final = {
    "EXPIRED": "not delivered in time",
    "DELETED": "deleted by the carrier",
    "UNDELIV": "undeliverable",
    "UNKNOWN": "the carrier does not know what became of it",
    "REJECTD": "rejected by the carrier",
}
_GSM: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    "ÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà^{}\\[~]|€"
)


@lru_cache(maxsize=64)
def callback_token(password: str, account: str) -> str:
    """What Kannel's calls have to carry: from its password, which nobody gets back from it.

    URLs are seen by proxies and in logs, and passwords may be short: so it is made slowly, once.
    """
    salt = f"batonbox kannel {account}".encode()
    return hashlib.scrypt(password.encode(), salt=salt, n=1 << 14, r=8, p=1, dklen=24).hex()


class KannelKind:
    """See `port.Kind`; close it with `aclose`."""

    def __init__(self, *, timeout_s: float = 10.0) -> None:
        self._http = httpx2.AsyncClient(
            timeout=timeout_s,
            follow_redirects=False,
            trust_env=False,
            verify=trusting(trust_env=False),
        )

    def checked(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """`url` of sendsms, `username`, and `smsc_id` where one of several is to be used."""
        for name in sorted(set(config) - {"url", "username", "smsc_id"}):
            raise ValueError(f"{name}: not known; give url, username and smsc_id.")
        smsc_id = str(config.get("smsc_id") or "")
        found = {
            "url": _checked_url(str(config.get("url") or "")),
            "username": _checked_word(str(config.get("username") or ""), "username"),
        }
        return found | ({"smsc_id": _checked_word(smsc_id, "smsc_id")} if smsc_id else {})

    def make(
        self,
        account: str,
        config: Mapping[str, Any],
        *,
        secret: Callable[[], str],
        rate_per_s: float,
    ) -> KannelAccount:
        """See the port; the secret is the password of Kannel's group `sendsms-user`."""
        return KannelAccount(account, config, self._http, secret=secret, rate_per_s=rate_per_s)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()


class KannelAccount:
    """See `port.Account`."""

    answers_keywords: Final = False

    def __init__(
        self,
        name: str,
        config: Mapping[str, Any],
        http: httpx2.AsyncClient,
        *,
        secret: Callable[[], str],
        rate_per_s: float = 0.0,
    ) -> None:
        self.name = name
        self.rate_per_s = rate_per_s
        self._url = str(config["url"])
        self._username = str(config["username"])
        self._smsc_id = str(config.get("smsc_id", ""))
        self._http = http
        self._secret = secret

    @property
    def problem(self) -> str:
        """See the port."""
        return "" if self._secret() else "Give the account the password of Kannel's sendsms-user."

    # Out

    async def send(self, message: Outbound) -> Accepted:
        """See the port."""
        if message.media:
            raise SendFailed("Kannel carries text, no files", permanent=True)
        headers = self._headers(message.customer)
        headers |= {"x-kannel-from": message.our, "x-kannel-coding": _coding(message.text)}
        if self._smsc_id:
            headers["x-kannel-smsc"] = self._smsc_id
        if message.status_url:
            headers |= {"x-kannel-dlr-mask": "31", "x-kannel-dlr-url": _asking(message.status_url)}
        try:
            answer = await self._post(message.text, headers)
        except httpx2.HTTPError as error:
            raise unanswered(error, pause_s=_SETTLES_WITHIN_S) from error
        if answer.status_code != 202:
            raise _refusal(answer)
        return Accepted(message.id)  # Kannel tells no id of its own

    async def check(self) -> str:
        """See the port: a message to nobody, which is refused after the password was checked."""
        try:
            answer = await self._post("", self._headers(""))
        except httpx2.HTTPError as error:
            return unanswered(error).reason
        except SendFailed as failed:
            return failed.reason
        asked_for_a_number = answer.status_code == 400 and "receiver" in answer.text
        return "" if asked_for_a_number else _refusal(answer).reason

    def _headers(self, to: str) -> dict[str, str]:
        try:
            password = self._secret()
        except SecretUnreadable as error:
            raise SendFailed(str(error), permanent=False) from error
        return {
            "content-type": "text/plain; charset=UTF-8",
            "x-kannel-username": self._username,
            "x-kannel-password": password,
            "x-kannel-to": to,
        }

    async def _post(self, text: str, headers: Mapping[str, str]) -> httpx2.Response:
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        return await ask(self._http, "POST", self._url, content=text.encode(), headers=raw)

    # In

    def verify(self, request: Callback) -> None:
        """See the port: by the token in the query."""
        given = request.fields.get("token", "")
        if not given:
            raise Unsigned("The query has no token; use the address that the account's setup says.")
        if not hmac.compare_digest(given.encode(), self._token().encode()):
            raise Unsigned("The token is not this account's; use the one that its setup says.")

    def parse_inbound(self, request: Callback) -> tuple[Incoming | None, Heard]:
        """See the port: the query as the setup says it, the text in the body."""
        said = request.fields
        if not said.get("id"):
            raise Unreadable("id: say Kannel's own, %I, as in the account's setup.")
        sender, our = said.get("from", ""), _number(said.get("to", ""))
        if not our:
            raise Unreadable("to: say a number of ours, %P, as in the account's setup.")
        return Incoming(said["id"], our, _number(sender) or sender, _text(request)), Heard()

    def parse_receipt(self, request: Callback) -> tuple[Receipt | None, Heard]:
        """See the port."""
        said = request.fields
        own, state = said.get("id", ""), _STATES.get(said.get("state", ""))
        at = said.get("at", "")
        sending = f"{own}:{at}" if at.isdecimal() and len(at) < 20 else ""
        if not own or state is None:
            raise Unreadable("id, state: say our id and %d, as the dlr-url that we gave does.")
        reason = _reason(said.get("answer", "")) if state == "failed" else ""
        return Receipt(sending, state, reason, own_id=own), Heard()

    def media_headers(self, url: str) -> dict[str, str]:  # noqa: ARG002
        """See the port: it brings no files."""
        return {}

    def inbound_url(self, base: str) -> str:
        """See the port; with what Kannel fills in. "" while there is no secret to make it from."""
        try:
            return f"{base}?token={self._token()}&from=%p&to=%P&id=%I&time=%T&coding=%c&udh=%u"
        except SecretUnreadable:
            return ""

    def status_url(self, base: str, message: str) -> str:
        """See the port; "" while there is no secret to make it from."""
        named = {"id": message} if message else {}
        try:
            return f"{base}?{urlencode({'token': self._token(), **named})}"
        except SecretUnreadable:
            return ""

    def setup(self, inbound_url: str) -> str:
        """What belongs into kannel.conf, except for the password."""
        return setup_text(url=self._url, username=self._username, inbound_url=inbound_url)

    def _token(self) -> str:
        secret = self._secret()
        if not secret:
            raise SecretUnreadable(self.problem)
        return callback_token(secret, self.name)


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        known = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        httpx2.URL(url)
    except (ValueError, httpx2.InvalidURL):
        known = False
    if not known or not url.isprintable() or " " in url or "@" in parts.netloc or parts.query:
        raise ValueError("url: sendsms of Kannel, like http://127.0.0.1:13013/cgi-bin/sendsms.")
    return url


def _checked_word(word: str, name: str) -> str:
    if not re.fullmatch(r"[\x21-\x7e]{1,64}", word):
        raise ValueError(f"{name}: 1 to 64 characters of ASCII, without blanks.")
    return word


def _coding(text: str) -> str:
    """0: it fits the alphabet of phones, 2: UCS-2."""
    return "0" if _GSM.issuperset(text) else "2"


def _asking(status_url: str) -> str:
    """The URL as a pattern of Kannel's: its own % doubled, what it is to fill in behind.

    `at` names this sending, so that a late receipt of one that has failed ends no other.
    """
    joint = "&" if "?" in status_url else "?"
    plain = quote(status_url, safe=":/?&=%").replace("%", "%%")
    return f"{plain}{joint}at={time.time_ns() // 1_000_000}&state=%d&answer=%A"


def _refusal(answer: httpx2.Response) -> SendFailed:
    """What Kannel's answer means; its own words only where they are known to be Kannel's."""
    status, said = answer.status_code, answer.text[:_LONGEST_REASON]
    if status == 403 and said.startswith("Not routable"):
        return SendFailed("Kannel has no route to this number", permanent=True)
    if status in {401, 403}:
        return SendFailed("Kannel refuses the account's user name or password", permanent=False)
    if status == 400 and said.startswith("Number(s) has/have been denied"):
        return SendFailed("Kannel's lists deny this number", permanent=True)
    if status == 400 and re.fullmatch(r"[A-Z][A-Za-z(), -]{0,80}, rejected", said):
        return SendFailed(f"Kannel: {said}", permanent=True)
    if status == 404:
        return SendFailed("HTTP 404: check the URL of Kannel's sendsms", permanent=False)
    if answer.is_success:
        told = f"HTTP {status} is not Kannel's answer: check the URL of its sendsms"
        return SendFailed(told, permanent=False)
    if status == 503:
        pause_s = retry_after_s(answer.headers) or None
        return SendFailed(
            "Kannel cannot take it now (HTTP 503)", permanent=False, retry_after_s=pause_s
        )
    return SendFailed(f"HTTP {status}", permanent=400 <= status < 500 and status != 429)


def _number(said: str) -> str:
    """International form, as far as message centres leave it out; "" for what is no number."""
    digits = said.strip()
    if digits.startswith("00"):
        digits = "+" + digits[2:]
    elif not digits.startswith("+"):
        digits = "+" + digits
    return digits if re.fullmatch(r"\+[1-9][0-9]{6,14}", digits) else ""


def _text(request: Callback) -> str:
    """The text, which may be in another alphabet, or be no text at all."""
    kind, _, more = request.headers.get("content-type", "").partition(";")
    if kind.strip().lower() == "application/octet-stream":
        return f"[binary message, {len(request.body)} bytes]"
    found = re.search(r'charset="?([A-Za-z0-9._-]+)', more)
    try:
        text = request.body.decode(found[1] if found else "utf-8", "replace")
    except (LookupError, ValueError):  # none that we know, or none of texts
        text = request.body.decode("utf-8", "replace")
    return re.sub("[\x00\ud800-\udfff]", "", text)


def _reason(answer: str) -> str:
    """Why it failed, of a refusal (NACK/code/words) or of a receipt in SMPP's words."""
    kind, _, rest = answer.partition("/")
    if kind == "NACK":
        code, _, words = rest.rpartition("/")
        return (f"{words} ({code})" if code else words)[:_LONGEST_REASON] or "refused"
    stat, err = re.search(r"stat:(\w+)", answer), re.search(r"err:(\w+)", answer)
    if not stat:
        return answer.strip()[:_LONGEST_REASON] or "not delivered"
    words = _STATS.get(stat[1].upper(), stat[1])
    return f"{words} (error {err[1]})" if err and err[1].strip("0") else words
