"""Twilio: SMS and MMS by its REST API, called back with what customers write and what became."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

import httpx2

from batonbox_server.tls import trusting

from .port import (
    Accepted,
    Callback,
    Heard,
    Incoming,
    MediaLink,
    Outbound,
    Receipt,
    SecretUnreadable,
    SendFailed,
    Unreadable,
    Unsigned,
    fetchable,
)
from .twilio_api import TwilioApi
from .twilio_codes import reason_of
from .twilio_signature import fits

__all__ = ["VENDOR_URL", "Twilio", "TwilioKind"]

VENDOR_URL: Final = "https://api.twilio.com"
_ACCOUNT: Final = re.compile(r"AC[0-9a-fA-F]{32}\Z")
_SERVICE: Final = re.compile(r"MG[0-9a-fA-F]{32}\Z")
_HEARD: Final = Heard('<?xml version="1.0" encoding="UTF-8"?><Response></Response>', "text/xml")
# Twilio gives up after one attempt unless its URL says otherwise; all of them end within 15 s.
_OVERRIDES: Final = "#rc=5&rp=5xx,ct,rt"
_MEDIA_MOST: Final = 10
_STATES: Final = {
    **dict.fromkeys(("accepted", "scheduled", "queued", "sending", "sent"), "sent"),
    **dict.fromkeys(("delivered", "read"), "delivered"),
    **dict.fromkeys(("undelivered", "failed", "canceled"), "failed"),
}


class TwilioKind:
    """Implements `carriers.port.Kind`; every account sends to the API at `url`."""

    def __init__(self, *, url: str = VENDOR_URL, timeout_s: float = 10.0) -> None:
        self._url = (url or VENDOR_URL).rstrip("/")
        self._http = httpx2.AsyncClient(
            timeout=timeout_s, follow_redirects=False, verify=trusting()
        )

    async def aclose(self) -> None:
        """See the port."""
        await self._http.aclose()

    def checked(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """`account_sid`, and `messaging_service_sid` if messages go through a service."""
        for name in config:
            if name not in {"account_sid", "messaging_service_sid"}:
                raise ValueError(f"{name}: there is no such field.")
        account = config.get("account_sid")
        service = config.get("messaging_service_sid") or ""
        if not isinstance(account, str) or not _ACCOUNT.match(account):
            raise ValueError("account_sid: AC and 32 hexadecimal digits.")
        if not isinstance(service, str) or (service and not _SERVICE.match(service)):
            raise ValueError("messaging_service_sid: MG and 32 hexadecimal digits, or nothing.")
        return {"account_sid": account, "messaging_service_sid": service}

    def make(
        self,
        account: str,
        config: Mapping[str, Any],
        *,
        secret: Callable[[], str],
        rate_per_s: float,
    ) -> Twilio:
        """See the port; the secret is the auth token."""
        api = TwilioApi(self._http, self._url, config["account_sid"], secret)
        service = str(config.get("messaging_service_sid") or "")
        return Twilio(account, api, secret=secret, service=service, rate_per_s=rate_per_s)


class Twilio:
    """Implements `carriers.port.Account`."""

    answers_keywords: Final = True  # Twilio's own opt-out, which is on unless it is asked to end

    def __init__(
        self,
        name: str,
        api: TwilioApi,
        *,
        secret: Callable[[], str],
        service: str,
        rate_per_s: float,
    ) -> None:
        self.name = name
        self.rate_per_s = rate_per_s
        self._api = api
        self._secret = secret
        self._service = service

    @property
    def problem(self) -> str:
        """See the port."""
        return "" if self._secret() else "Give the account's auth token as its secret."

    async def send(self, message: Outbound) -> Accepted:
        """See the port."""
        try:
            if message.unsettled:
                found = await self._api.find(message)
                if found is not None:
                    return found
            return await self._api.send(self._fields(message))
        except SecretUnreadable as error:
            raise SendFailed(str(error), permanent=False) from error

    def _fields(self, message: Outbound) -> dict[str, Any]:
        fields: dict[str, Any] = {"To": message.customer, "From": message.our}
        if message.text:
            fields["Body"] = message.text
        if message.media:
            fields["MediaUrl"] = [media.url for media in fetchable(message.media)]
        if message.status_url:
            fields["StatusCallback"] = message.status_url
        if self._service:
            fields["MessagingServiceSid"] = self._service
        return fields

    async def check(self) -> str:
        """See the port."""
        return await self._api.check()

    def verify(self, request: Callback) -> None:
        """See the port."""
        given = request.headers.get("x-twilio-signature", "")
        secret = self._secret()
        if not given:
            raise Unsigned("The header X-Twilio-Signature is missing.")
        if not request.url or not secret:
            raise Unsigned("This account cannot be called back; see what an admin is told of it.")
        for url in (request.url, request.url + _OVERRIDES):
            if fits(secret, given, url=url, form=request.form, body=request.body):
                return
        raise Unsigned("X-Twilio-Signature does not fit the public URL, the form and the token.")

    def parse_inbound(self, request: Callback) -> tuple[Incoming | None, Heard]:
        """See the port."""
        fields = request.fields
        sid = fields.get("MessageSid") or fields.get("SmsSid") or ""
        if not sid or len(sid) > 64 or "From" not in fields or "To" not in fields:
            raise Unreadable("MessageSid, From and To are needed.")
        text = fields.get("Body", "")
        return Incoming(sid, fields["To"], fields["From"], text, _media(fields)), _HEARD

    def parse_receipt(self, request: Callback) -> tuple[Receipt | None, Heard]:
        """See the port."""
        fields = request.fields
        sid = fields.get("MessageSid") or fields.get("SmsSid") or ""
        if not sid or len(sid) > 64:
            raise Unreadable("MessageSid is needed.")
        state = _STATES.get(fields.get("MessageStatus") or fields.get("SmsStatus") or "")
        if state is None:
            return None, _HEARD
        reason = reason_of(fields.get("ErrorCode", "")) if state == "failed" else ""
        return Receipt(sid, state, reason, fields.get("m", "")), _HEARD  # type: ignore[arg-type]

    def media_headers(self, url: str) -> dict[str, str]:
        """See the port: the credentials, at the API's own host alone."""
        return self._api.authorization() if self._api.is_ours(url) else {}

    def inbound_url(self, base: str) -> str:
        """See the port."""
        return base + _OVERRIDES

    def setup(self, inbound_url: str) -> str:
        """See the port."""
        return (
            "In Twilio's console, at each phone number (or at the messaging service they are in), "
            f"under Messaging, let incoming messages call this webhook by POST:\n{inbound_url}"
        )

    def status_url(self, base: str, message: str) -> str:
        """See the port."""
        named = f"{base}?m={quote(message, safe=':')}" if message else base
        return named + _OVERRIDES


def _media(fields: Mapping[str, str]) -> tuple[MediaLink, ...]:
    given = fields.get("NumMedia", "0")
    count = min(int(given), _MEDIA_MOST) if given.isdecimal() and len(given) < 4 else 0
    links = [
        MediaLink(fields.get(f"MediaUrl{i}", ""), fields.get(f"MediaContentType{i}", ""))
        for i in range(count)
    ]
    return tuple(link for link in links if link.url.startswith(("https://", "http://")))
