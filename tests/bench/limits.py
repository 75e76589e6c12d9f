"""Settings of a server under measurement; of the standard library, for the peers' adapter too."""

from __future__ import annotations

from typing import Final

__all__ = ["environment"]

# Raised, never skipped: the server checks these numbers like everybody's.
_LIMITS: Final = {
    "COMMANDS_PER_S": "10000000",
    "COMMANDS_BURST": "10000000",
    "COMMANDS_IN_FLIGHT": "4096",
    "CONNECTIONS_PER_USER": "20000",
    "HANDSHAKES_PER_S": "1000000",
    "REQUESTS_PER_S": "0",
    "REQUESTS_ADDRESS_PER_S": "0",
    "PING_S": "600",
    "DRAIN_S": "0",
    "LOG_LEVEL": "error",
}


def environment(**settings: str) -> dict[str, str]:
    """`BATONBOX_...` variables: the limits raised, and `settings` beside or instead."""
    return {f"BATONBOX_{name}": value for name, value in {**_LIMITS, **settings}.items()}
