"""Which archive a node has, by its settings."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from batonbox_server.store.archive_port import Archive

from .sqlite import SqliteArchive

__all__ = ["chosen"]

_FILE: Final = "archive.sqlite"


def chosen(url: str, *, folder: Path, embedded: bool) -> Archive | None:
    """The archive at `url`; without one a file in `folder` beside an embedded engine, else none.

    Nothing is opened yet. Raises ValueError where the URL says nothing of use.
    """
    if not url:
        return SqliteArchive(folder / _FILE) if embedded else None
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        if parts.netloc or not parts.path.startswith("/") or parts.path == "/":
            raise ValueError("name a file like sqlite:///var/lib/batonbox/archive.sqlite")
        return SqliteArchive(Path(unquote(parts.path)))
    if parts.scheme not in {"postgresql", "postgres"}:
        raise ValueError("it begins with postgresql:// (or sqlite:///, for one node alone)")
    if find_spec("asyncpg") is None:
        raise ValueError("it takes `pip install batonbox-server[postgres]`")
    from .postgres import PostgresArchive

    return PostgresArchive(url)
