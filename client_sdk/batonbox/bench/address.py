"""Where the server is, as raw sockets need to know it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from batonbox._transport import websocket_url

__all__ = ["Address"]


@dataclass(frozen=True, slots=True)
class Address:
    """A websocket endpoint; `tls` is None for a plain one."""

    host: str
    port: int
    path: str
    tls: ssl.SSLContext | None = None

    @classmethod
    def of(cls, url: str) -> Address:
        """From a server's base address (http, https, ws, wss); raises ValueError for others."""
        parts = urlsplit(websocket_url(url))
        assert parts.hostname is not None, "websocket_url refuses an address without a host"
        tls = ssl.create_default_context() if parts.scheme == "wss" else None
        return cls(parts.hostname, parts.port or (443 if tls else 80), parts.path, tls)

    @property
    def netloc(self) -> str:
        """For the header Host."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"
