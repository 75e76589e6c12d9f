"""The sockets on which a server listens: one, or one for each of its workers."""

from __future__ import annotations

import resource
import socket
import sys
from typing import Final

from batonbox_server.config import ConfigError, Settings

__all__ = ["BACKLOG", "listen", "url_of"]

BACKLOG: Final = 4096
# Elsewhere SO_REUSEPORT lets several listen, and gives every connection to one of them.
_SPREADS: Final = sys.platform == "linux"


def listen(settings: Settings, *, count: int = 1) -> list[socket.socket]:
    """`count` sockets among which the kernel spreads connections, or one where it cannot.

    Each connection is an open file: this process and its children may have as many as the system
    lets them. Raises ConfigError.
    """
    _raise_file_limit()
    try:
        alone = _bound(settings, settings.port)
        if count == 1 or not _SPREADS:
            return [alone]
        # It proved that the port is free: with SO_REUSEPORT two servers would share it unnoticed.
        port = int(alone.getsockname()[1])
        alone.close()
        return [_bound(settings, port, shared=True) for _ in range(count)]
    except OSError as error:
        raise ConfigError(
            f"Cannot listen on {settings.host}:{settings.port} ({error.strerror}); "
            "stop what uses it or choose another port (BATONBOX_PORT)."
        ) from error


def url_of(settings: Settings, listener: socket.socket) -> str:
    """Where this machine's programs reach it."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{listener.getsockname()[1]}"


def _raise_file_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (ValueError, OSError):
        pass  # some systems name a limit that they do not grant


def _bound(settings: Settings, port: int, *, shared: bool = False) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    address = (settings.host, port)
    return socket.create_server(address, family=family, backlog=BACKLOG, reuse_port=shared)
