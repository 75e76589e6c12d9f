"""The archive's file as of one moment, copied while it is written to."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from batonbox_server.errors import Refused

__all__ = ["Snapshot"]

_BUSY_S: Final = 10.0


class Snapshot:
    """Sees the archive as it was when this was made; `copy` it, then `close`. Raises Refused."""

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            self._source = sqlite3.connect(file, timeout=_BUSY_S, isolation_level=None)
            self._source.execute("PRAGMA query_only=ON")
            # The first read pins what is seen; whoever writes goes on in the write-ahead log.
            self._source.execute("BEGIN")
            self._source.execute("SELECT count(*) FROM about").fetchone()
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def copy(self, into: Path) -> None:
        """A file of its own, with nothing beside it."""
        try:
            with closing(sqlite3.connect(into)) as target:
                self._source.backup(target)
                target.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """Let the archive go on without remembering this moment."""
        self._source.close()

    def _failed(self, error: sqlite3.Error) -> Refused:
        return Refused("unavailable", f"The archive {self._file}: {error}.")
