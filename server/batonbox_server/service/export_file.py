"""An export on its way into a file, which has another name until its last line proves it whole."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec

from batonbox_server.errors import Refused

__all__ = ["Saving"]

_PROGRESS, _END, _ERROR = b'{"kind":"progress"', b'{"kind":"end"', b'{"kind":"error"'
_SAY_S: Final = 1.0


class Saving:
    """Writes FILE.part, readable for its owner alone, and renames it when it is whole."""

    def __init__(self, file: Path, say: Callable[[str], None]) -> None:
        if file.exists():
            raise Refused("conflict", f"{file} is there already; name another file.")
        self._file = file
        self._part = file.with_name(f"{file.name}.part")
        self._say = say
        self._said_s = 0.0
        self._digest = hashlib.sha256()
        self._rest = b""
        self._end: dict[str, Any] | None = None

    async def take(self, pieces: AsyncIterator[bytes]) -> None:
        """Raises Refused("unavailable") when they end before the end."""
        with self._opened() as part:
            async for piece in pieces:
                self._look(piece)
                self._write(part, piece)
            self._write(part, b"", last=True)
        self._finish()

    def _write(self, part: BinaryIO, piece: bytes, *, last: bool = False) -> None:
        """Raises Refused("bad_request") of a disk that is full and the like."""
        rest = memoryview(piece)
        try:
            while rest:
                rest = rest[part.write(rest) :]
            if last:
                os.fsync(part.fileno())
        except OSError as error:
            raise self._failed(error) from error

    def _opened(self) -> BinaryIO:
        try:
            # What stands there may be readable for others, or be a link to somewhere else.
            self._part.unlink(missing_ok=True)
            made = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise self._failed(error) from error
        return os.fdopen(made, "wb", buffering=0)

    def _failed(self, error: OSError) -> Refused:
        return Refused("bad_request", f"{self._part}: {error.strerror}.")

    def _look(self, piece: bytes) -> None:
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            if line.startswith(_PROGRESS) and time.monotonic() - self._said_s >= _SAY_S:
                self._said_s = time.monotonic()
                told = msgspec.json.decode(line)
                self._say(f"{told['done']} of {told['total']} conversations and rooms")
            elif line.startswith(_END):
                self._end = msgspec.json.decode(line)
            elif line.startswith(_ERROR):
                told = msgspec.json.decode(line)
                raise Refused(told["code"], f"{told['detail']} {self._left()}")
            if self._end is None:
                self._digest.update(line + b"\n")

    def _finish(self) -> None:
        if self._end is None or self._end["sha256"] != self._digest.hexdigest():
            raise Refused("unavailable", f"The export broke off. {self._left()}")
        self._part.replace(self._file)
        counts = self._end["counts"]
        names = ("conversation", "room", "message", "contact", "user")
        told = ", ".join(f"{counts.get(name, 0)} {name}s" for name in names)
        self._say(f"{self._file}: {told}.")

    def _left(self) -> str:
        return f"What there is of it is in {self._part}; start again."
