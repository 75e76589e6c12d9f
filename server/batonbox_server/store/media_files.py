"""Files of messages in a folder: one server's own, or one that all servers share."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from batonbox_server.store.media_port import Missing

__all__ = ["LocalFiles"]

_PIECE: Final = 64 * 1024
_STALE_S: Final = 3600.0
_ID: Final = re.compile(r"[a-z0-9]{16,64}")


class LocalFiles:
    """Implements `store.media_port.MediaFiles`: `<folder>/ab/cd/abcd…`, written aside and renamed.

    Blocking calls run in threads.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def write(self, media: str, data: bytes) -> None:
        """See the port."""
        await asyncio.to_thread(_write, self._path(media), data)

    async def read(self, media: str, *, begin: int, end: int) -> AsyncIterator[bytes]:
        """See the port."""
        path = self._path(media)
        if not await asyncio.to_thread(path.is_file):
            raise Missing(media)

        async def pieces() -> AsyncIterator[bytes]:
            at = begin  # opened for each piece: a reader who stays away holds no handle
            while at < end and (piece := await asyncio.to_thread(_part, path, at, end)):
                at += len(piece)
                yield piece

        return pieces()

    async def erase(self, media: str) -> None:
        """See the port."""
        await asyncio.to_thread(_erase, self._path(media))

    def _path(self, name: str) -> Path:
        if not _ID.fullmatch(name):
            raise ValueError(f"not an id of a file: {name!r}")
        return self._folder / name[:2] / name[2:4] / name


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    for left in _asides(path):  # by a server that was killed
        if time.time() - left.stat().st_mtime > _STALE_S:
            left.unlink(missing_ok=True)
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with open(aside, "xb", opener=_private) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
        _sync_folder(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)
        raise


def _part(path: Path, at: int, end: int) -> bytes:
    with path.open("rb") as file:
        file.seek(at)
        return file.read(min(_PIECE, end - at))


def _erase(path: Path) -> None:
    for each in (path, *_asides(path)):
        each.unlink(missing_ok=True)


def _asides(path: Path) -> list[Path]:
    return list(path.parent.glob(f".{path.name}.*"))


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync_folder(folder: Path) -> None:
    """The new name is durable too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
