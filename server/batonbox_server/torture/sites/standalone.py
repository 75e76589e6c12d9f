"""One engine on its own, as the embedded one is configured, but over TCP; or the user's."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from batonbox_server.engine.configuration import COMMON
from batonbox_server.engine.locate import locate

from .base import EngineProc, random_password

__all__ = ["OwnersSite", "StandaloneSite"]

# What of it decides about losses.
_SETTINGS: Final[Mapping[str, str]] = {"appendonly": "yes", "appendfsync": "always"}


class StandaloneSite:
    """See `base.Site`; there is no other engine that could take over."""

    topology: Final = "standalone"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        password = random_password()
        self.engine = EngineProc(
            "engine",
            folder / "engine",
            locate(),
            f"{COMMON}requirepass {password}\n",
            password=password,
        )

    @property
    def url(self) -> str:
        """See the protocol."""
        return self.engine.url

    @property
    def engines(self) -> Sequence[EngineProc]:
        """See the protocol."""
        return (self.engine,)

    @property
    def settings(self) -> Mapping[str, str]:
        """See the protocol."""
        return _SETTINGS

    async def start(self) -> None:
        """See the protocol."""
        await self.engine.start()

    async def stop(self) -> None:
        """See the protocol."""
        await self.engine.release()
        shutil.rmtree(self._folder / "engine", ignore_errors=True)

    async def failover(self) -> None:
        """See the protocol."""
        raise NotImplementedError("A standalone engine has nobody to take over.")


class OwnersSite:
    """The user's own engine, which is neither started nor stopped nor killed."""

    settings: Mapping[str, str] = {}
    engines: Sequence[EngineProc] = ()

    def __init__(self, url: str) -> None:
        self._url = url
        scheme = url.partition("://")[0]
        self.topology = scheme.partition("+")[2] or "standalone"

    @property
    def url(self) -> str:
        """See the protocol."""
        return self._url

    async def start(self) -> None:
        """Nothing to start."""

    async def stop(self) -> None:
        """Nothing to stop."""

    async def failover(self) -> None:
        """See the protocol."""
        raise NotImplementedError("Ask whoever runs the engine for a failover.")
