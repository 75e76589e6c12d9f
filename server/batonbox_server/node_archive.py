"""The archive of a node, put together: which one it is, and who moves things there."""

from __future__ import annotations

import hashlib
from pathlib import Path

from batonbox_server.archive.choice import chosen
from batonbox_server.archive.guarded import GuardedArchive, Known
from batonbox_server.config import ConfigError, Settings

__all__ = ["archive_of"]


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
