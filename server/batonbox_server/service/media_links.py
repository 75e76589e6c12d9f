"""Signed, short-lived addresses of files: whoever has one gets one file for a while, nothing else.

An address says an id, which is drawn or derived at random, and when it ends.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable
from typing import Final

from batonbox_server.errors import Refused

__all__ = ["CARRIER_S", "PERSON_S", "MediaLinks"]

PERSON_S: Final = 300
CARRIER_S: Final = 86_400  # carriers queue, and fetch when they come to it
_MINUTE_S: Final = 60


class MediaLinks:
    """Makes and checks them under a key derived from the organisation's secret."""

    def __init__(
        self, secret: bytes, *, public_url: str = "", now: Callable[[], float] = time.time
    ) -> None:
        self._links = hmac.new(secret, b"media links", hashlib.sha256).digest()
        self._ids = hmac.new(secret, b"media ids", hashlib.sha256).digest()
        self._base = public_url.rstrip("/")
        self._now = now

    def path(self, media: str, *, for_s: int) -> str:
        """Path and query, good for up to `for_s` seconds and a minute less at the least.

        Within a minute it is the same, so that a browser's cache is of use.
        """
        exp = (int(self._now()) // _MINUTE_S) * _MINUTE_S + for_s
        return f"/v1/media/{media}?exp={exp}&sig={self._signature(media, exp)}"

    def url(self, media: str, *, for_s: int) -> str:
        """The same under the server's public address, if it has one."""
        return self._base + self.path(media, for_s=for_s)

    def check(self, media: str, *, exp: int, sig: str) -> None:
        """Raises Refused: `unauthorized` (not signed by us), `token_expired`."""
        if not hmac.compare_digest(self._signature(media, exp).encode(), sig.encode()):
            raise Refused("unauthorized", "This link is not one of ours; open the file again.")
        if self._now() >= exp:
            raise Refused("token_expired", "This link has ended; open the file again.")

    def id_of(self, carrier: str, provider_id: str, index: int) -> str:
        """The id of a customer's file: the same however often its message comes."""
        told = "\n".join((carrier, provider_id, str(index))).encode()
        return hmac.new(self._ids, told, hashlib.sha256).hexdigest()[:32]

    def _signature(self, media: str, exp: int) -> str:
        told = f"{media}.{exp}".encode()
        digest = hmac.new(self._links, told, hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")
