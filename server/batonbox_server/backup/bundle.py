"""A backup's one file: a tar whose last member tells of all others, with their hashes."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Final

import msgspec

from batonbox_server.errors import Refused

__all__ = ["FORMAT", "VERSION", "Writing", "extracted"]

FORMAT: Final = "batonbox-backup"
VERSION: Final = 1
_MANIFEST: Final = "manifest.json"
_PIECE: Final = 1 << 20
_MANIFEST_MOST: Final = 256 << 20
_NAME: Final = re.compile(
    r"appendonlydir/[\w.\-]+|archive\.sqlite|secrets\.key"
    r"|media/[a-z0-9]{2}/[a-z0-9]{2}/[a-z0-9]{16,64}"
)


class Writing:
    """Writes FILE.part, readable for its owner alone; `finish` names it FILE. Raises Refused."""

    def __init__(self, file: Path) -> None:
        if file.exists():
            raise Refused("conflict", f"{file} is there already; name another file.")
        self._file = file
        self._part = file.with_name(f"{file.name}.part")
        self._files: dict[str, dict[str, Any]] = {}
        try:
            self._part.unlink(missing_ok=True)
            made = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise _failed(self._part, error) from error
        self._raw = os.fdopen(made, "wb")
        self._tar = tarfile.open(fileobj=self._raw, mode="w")  # noqa: SIM115 - until `finish`

    def add(self, name: str, source: Path, *, size: int | None = None) -> None:
        """A file, or its first `size` bytes, under this name; a file that is gone is left out."""
        try:
            opened = source.open("rb")
        except FileNotFoundError:
            return
        except OSError as error:
            raise _failed(source, error) from error
        with opened:
            length = os.fstat(opened.fileno()).st_size if size is None else size
            reader = _Hashing(opened)
            try:
                self._tar.addfile(_member(name, length), reader)
            except OSError as error:
                raise _failed(self._part, error) from error
            self._files[name] = {"size": length, "sha256": reader.digest.hexdigest()}

    def finish(self, about: dict[str, Any]) -> dict[str, Any]:
        """The manifest, which is written last: `about` and every file."""
        told = {"format": FORMAT, "version": VERSION, **about, "files": self._files}
        packed = msgspec.json.format(msgspec.json.encode(told), indent=1)
        try:
            self._tar.addfile(_member(_MANIFEST, len(packed)), io.BytesIO(packed))
            self._tar.close()
            self._raw.flush()
            os.fsync(self._raw.fileno())
            self._raw.close()
            self._part.rename(self._file)
            _sync(self._file.parent)
        except OSError as error:
            raise _failed(self._part, error) from error
        return told

    def give_up(self) -> None:
        """Leave nothing behind; harmless after `finish`."""
        with contextlib.suppress(OSError, ValueError):
            self._raw.close()
        self._part.unlink(missing_ok=True)


def extracted(file: Path, folder: Path) -> dict[str, Any]:
    """Lay a backup's files into an empty folder; its manifest. Raises Refused: it is not whole."""
    found: dict[str, dict[str, Any]] = {}
    told: dict[str, Any] = {}
    try:
        with tarfile.open(file, mode="r:") as tar:
            for member in tar:
                content = tar.extractfile(member)
                if told or not member.isreg() or content is None:
                    raise Refused("bad_request", f"{file} is no backup of batonbox's.")
                if member.name == _MANIFEST:
                    told = msgspec.json.decode(content.read(_MANIFEST_MOST), type=dict[str, Any])
                elif _NAME.fullmatch(member.name):
                    found[member.name] = _extract(content, folder / PurePosixPath(member.name))
                else:
                    raise Refused(
                        "bad_request", f"{file} has {member.name!r}, which is no part of one."
                    )
    except (tarfile.TarError, msgspec.MsgspecError) as error:
        raise Refused("bad_request", f"{file} is damaged or no backup: {error}.") from error
    except OSError as error:
        raise _failed(file, error) from error
    _check(file, told, found)
    return told


def _check(file: Path, told: dict[str, Any], found: dict[str, dict[str, Any]]) -> None:
    if not told:
        raise Refused("bad_request", f"{file} is cut off: its end is missing. Take another backup.")
    if told.get("format") != FORMAT or told.get("version", 0) > VERSION:
        says = f"{told.get('format')} {told.get('version')}"
        raise Refused("bad_request", f"{file} is {says}; restore it with the server that made it.")
    for name in sorted(found.keys() | told["files"].keys()):
        if found.get(name) != told["files"].get(name):
            raise Refused(
                "bad_request", f"{file} is damaged: {name} is not what it was. Take another backup."
            )


def _extract(content: Any, path: Path) -> dict[str, Any]:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    digest, size = hashlib.sha256(), 0
    made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(made, "wb") as out:
        for piece in _pieces(content):
            digest.update(piece)
            size += len(piece)
            out.write(piece)
        out.flush()
        os.fsync(out.fileno())
    return {"size": size, "sha256": digest.hexdigest()}


def _pieces(content: Any) -> Iterator[bytes]:
    while piece := content.read(_PIECE):
        yield piece


class _Hashing:
    """A file as it is read, and the digest of what was read of it."""

    def __init__(self, opened: BinaryIO) -> None:
        self._opened = opened
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        piece = self._opened.read(size)
        self.digest.update(piece)
        return piece


def _member(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, 0o600, int(time.time())
    return info


def _failed(path: Path, error: OSError) -> Refused:
    return Refused("bad_request", f"{path}: {error.strerror or error}.")


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
