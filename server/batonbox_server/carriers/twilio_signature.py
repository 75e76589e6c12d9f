"""How Twilio signs what it sends: HMAC-SHA1 over the URL it was told and the sorted form."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from .port import fields_of

__all__ = ["fits", "signature"]

_PORTS: Final = {"https": 443, "http": 80}


def signature(secret: str, url: str, form: Iterable[tuple[str, str]] = ()) -> str:
    """The value of X-Twilio-Signature: each name once, in order, with each of its values once."""
    signed = url + "".join(name + value for name, value in sorted(set(form)))
    digest = hmac.new(secret.encode(), signed.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def fits(
    secret: str, given: str, *, url: str, form: Iterable[tuple[str, str]], body: bytes
) -> bool:
    """Whether `given` proves the request, in constant time.

    Twilio is not consistent about the port and may count the overrides behind #, so that all of
    these spellings of the URL hold. A body that is no form is proved by `bodySHA256` in the query.
    """
    fields = list(form)
    if not fields and body and not _body_fits(url, body):
        return False
    found = False
    for spelt in _spellings(url):
        expected = signature(secret, spelt, fields)
        found |= hmac.compare_digest(expected.encode(), given.encode())
    return found


def _body_fits(url: str, body: bytes) -> bool:
    given = dict(reversed(fields_of(urlsplit(url).query))).get("bodySHA256", "")
    return hmac.compare_digest(hashlib.sha256(body).hexdigest().encode(), given.encode())


def _spellings(url: str) -> list[str]:
    """The URL without and with its port, as Twilio's own validator reads them."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    bare = f"[{host}]" if ":" in host else parts.netloc.rpartition("@")[2].partition(":")[0]
    named = f"{bare}:{port or _PORTS.get(parts.scheme, 443)}"
    return [parts._replace(netloc=netloc).geturl() for netloc in (bare, named)]
