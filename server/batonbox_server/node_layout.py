"""`batonbox-server migrate`, and what a node does of it by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import structlog

from batonbox_server import control
from batonbox_server.config import Settings
from batonbox_server.errors import FolderInUse, Refused
from batonbox_server.node_organisation import Organisation
from batonbox_server.store.layout import Layout

__all__ = ["layout_told", "migrate", "migrated"]

_log = structlog.get_logger(__name__)
_STARTING_S: Final = 10.0
_POLL_S: Final = 0.5
_PAUSE_S: Final = 10.0


async def migrated(layout: Layout) -> None:
    """Until it is done: another node may be at it, and the engine may be away for a while."""
    _log.info("migration_begins")
    while await layout.is_behind():
        try:
            done = await layout.migrate()
            _log.info("migration_done", logs=done)
            return
        except Refused as refused:
            _log.info("migration_waits", why=refused.message)
        await asyncio.sleep(_PAUSE_S)


async def layout_told(organisation: Organisation) -> dict[str, Any]:
    """`layout`, `known` and `behind` of `LayoutStatus`."""
    return asdict(await organisation.layout.status())


async def migrate(
    settings: Settings, *, only_tell: bool, say: Callable[[str], None]
) -> dict[str, Any]:
    """Bring the data to the present layout, or wait until the running server has: the status.

    Raises Refused, EngineUnavailable, EngineUnsuitable.
    """
    until_s = time.monotonic() + _STARTING_S
    while True:
        told = await control.ask(Path(settings.data_dir), {"op": "layout"})
        if told is not None and (only_tell or told["layout"] == told["known"]):
            return told
        if told is not None:
            say(f"the server migrates: {told['behind']} logs to go")
            await asyncio.sleep(_POLL_S)
            continue
        organisation = Organisation(settings)
        try:
            await organisation.open()
            if not only_tell and await organisation.layout.is_behind():
                await organisation.layout.migrate(rest=bool(settings.redis_url))
            return await layout_told(organisation)
        except FolderInUse:
            # A server is just starting, or it is going down.
            if time.monotonic() > until_s:
                raise
            await asyncio.sleep(0.1)
        finally:
            await organisation.close()
