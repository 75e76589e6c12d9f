"""URLs that somebody else named, checked and made ready for a connection of ours."""

from __future__ import annotations

from typing import Final
from urllib.parse import SplitResult, urlsplit

import httpcore2

from .guard import literal, why_not

__all__ = ["check_url", "host_header", "target_of"]

_LOCAL: Final = (".localhost", ".local", ".internal")


def check_url(url: str, *, private: bool, setting: str) -> None:
    """Raises ValueError that says why we do not connect there.

    Unless `private`, which `setting` allows: https to what may be a public address only.
    """
    parts = _split(url)
    schemes = ("https", "http") if private else ("https",)
    if parts.scheme not in schemes:
        raise ValueError(f"give a URL with {' or '.join(schemes)}://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("leave the user name and password out of the URL")
    host = parts.hostname or ""
    if not host:
        raise ValueError("the URL names no host")
    if not private:
        host = _ascii(host).rstrip(".")  # as the resolver is asked
        address = literal(host)
        reason = why_not(address) if address else _why_not_name(host)
        if reason:
            raise ValueError(f"{reason}; {setting} allows such")
    target_of(url)


def target_of(url: str) -> httpcore2.URL:
    """The URL as the pool takes it; raises ValueError."""
    parts = _split(url)
    host = _ascii(parts.hostname or "")
    try:
        port = parts.port
    except ValueError as error:
        raise ValueError("the port of the URL cannot be read") from error
    path = parts.path.encode("utf-8") or b"/"
    target = path + (b"?" + parts.query.encode("utf-8") if parts.query else b"")
    return httpcore2.URL(
        scheme=parts.scheme.encode("ascii"),
        host=host.encode("ascii"),
        port=port,
        target=_quoted(target),
    )


def host_header(target: httpcore2.URL) -> dict[str, str]:
    """The header where the pool would spell it wrong: it leaves an IPv6 address's brackets out."""
    if b":" not in target.host:
        return {}
    return {"host": f"[{target.host.decode()}]:{target.port or 443}"}


def _split(url: str) -> SplitResult:
    if not url.isprintable() or " " in url or "\\" in url:
        raise ValueError("a URL has no blanks, control characters or backslashes")
    return urlsplit(url)


def _quoted(target: bytes) -> bytes:
    return b"".join(bytes([b]) if 0x21 <= b < 0x7F else b"%%%02X" % b for b in target)


def _ascii(host: str) -> str:
    """The host in the letters of the net, in which digits of other scripts are digits."""
    if literal(host):
        return host
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise ValueError("the host of the URL cannot be read") from error


def _why_not_name(host: str) -> str:
    own = host.lower()
    local = own == "localhost" or own.endswith(_LOCAL)
    return f"{host} is not a public name" if local else ""
