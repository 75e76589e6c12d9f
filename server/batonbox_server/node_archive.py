"""The archive of a node, put together: which one it is, and who moves things there."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

from batonbox_server.archive.choice import chosen
from batonbox_server.archive.guarded import GuardedArchive, Known
from batonbox_server.config import ConfigError, Settings
from batonbox_server.service.archiver import Archiver, Bounds, Retention
from batonbox_server.store.waiting import RedisWaiting

if TYPE_CHECKING:
    from batonbox_server.node_organisation import Organisation

__all__ = ["archive_of", "archiver_of", "logs_of"]


def archive_of(settings: Settings, known: Known, *, secret: bytes) -> GuardedArchive:
    """The archive that the settings name; nothing is opened yet. Raises ConfigError."""
    folder, embedded = Path(settings.data_dir), not settings.redis_url
    try:
        archive = chosen(settings.archive_url, folder=folder, embedded=embedded)
    except ValueError as error:
        raise ConfigError(f"BATONBOX_ARCHIVE_URL: {error}") from error
    # The archive remembers whose it is without being told the secret.
    owner = hashlib.sha256(b"archive" + secret).hexdigest()[:16]
    return GuardedArchive(archive, known, owner=owner)


def archiver_of(node: Organisation, retention: Retention | None = None) -> Archiver:
    """Who moves things there; not started yet."""
    settings = node.settings
    return Archiver(
        node.store,
        RedisWaiting(node.client, keys=node.keys),
        node.archive,
        lambda: logs_of(node),
        bounds=Bounds(
            keep=max(1, settings.archive_keep_messages),
            done_days=settings.archive_done_days,
            sweep_s=settings.archive_sweep_s,
            memory_max=settings.engine_memory_max,
        ),
        holder=secrets.token_hex(8),
        retention=retention,
    )


async def logs_of(node: Organisation) -> AsyncIterator[str]:
    """Every inbox and every room there may be."""
    for inbox in list(node.directory.inboxes):
        yield inbox
    after = ""
    while rooms := await node.room_store.all_rooms(after=after):
        for after in rooms:
            yield after
