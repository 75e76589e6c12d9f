"""Standard Webhooks signatures: HMAC-SHA256 over `<id>.<timestamp>.<body>`, base64, prefixed v1."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

__all__ = ["BadSignature", "secret_bytes", "sign", "verify"]

TOLERANCE_S: Final = 300


class BadSignature(Exception):
    """Not signed with the shared secret, or too old; the message says which."""


def secret_bytes(secret: str) -> bytes:
    """The key behind a configured secret; raises ValueError when it is not base64."""
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error as error:
        raise ValueError("the webhook secret must be base64, optionally after whsec_") from error


def sign(secret: bytes, *, message_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """The three headers of a signed message."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": _signature(secret, message_id, str(timestamp_s), body),
    }


def verify(secret: bytes, *, headers: Mapping[str, str], body: bytes, now_s: float) -> str:
    """The message's id, once one of its signatures proves right.

    Raises:
        BadSignature: a header is missing, the time is off by more than 5 minutes, or no v1
            signature fits.
    """
    message_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    if not message_id or not timestamp.isdecimal() or len(timestamp) > 12:
        raise BadSignature("Send webhook-id, webhook-timestamp and webhook-signature.")
    if abs(now_s - int(timestamp)) > TOLERANCE_S:
        raise BadSignature("webhook-timestamp is more than 5 minutes off; check the clock.")
    expected = _signature(secret, message_id, timestamp, body).encode()
    for given in headers.get("webhook-signature", "").split():
        if hmac.compare_digest(expected, given.encode()):
            return message_id
    raise BadSignature("webhook-signature does not fit the body and the shared secret.")


def _signature(secret: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(secret, signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()
