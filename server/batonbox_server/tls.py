"""Which certificates this process trusts when it calls somebody."""

from __future__ import annotations

import os
import ssl
from functools import cache

import httpx2

__all__ = ["trusting"]


def trusting(*, trust_env: bool = True) -> ssl.SSLContext:
    """The one context of all clients of this process.

    `trust_env`: `SSL_CERT_FILE` and `SSL_CERT_DIR` say which certificates it trusts.
    Reading some 150 certificates takes 20 ms of a core, which each client would spend anew.
    """
    named = [os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR")]
    return _read(trust_env, *(named if trust_env else ()))


@cache
def _read(trust_env: bool, *_named: str | None) -> ssl.SSLContext:
    return httpx2.create_ssl_context(trust_env=trust_env)
