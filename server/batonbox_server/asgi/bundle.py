"""A built browser client, read once: what it consists of, and how each file is answered."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, Final

from starlette.responses import Response

from .origins import headers_of

__all__ = ["INDEX", "File", "digest_of", "read"]

INDEX: Final = "index.html"
_ASSETS: Final = "assets"
_MAX_BYTES: Final = 32 << 20
_WORTH_PACKING_BYTES: Final = 1024
# Not taken from the machine's own list, which differs from machine to machine.
_MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/vnd.microsoft.icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mp3": "audio/mpeg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
_TEXTUAL: Final = frozenset(
    {".css", ".html", ".js", ".json", ".svg", ".txt", ".webmanifest"}  # the others are packed
)
_FRESH: Final = "no-cache"
_FOR_EVER: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class File:
    """One file: `packed` is its gzip where that is worth it; hashed names are kept for ever."""

    body: bytes
    packed: bytes
    digest: str
    media_type: str
    cache: str

    def answer(self, scope: Mapping[str, Any], headers: Mapping[str, str]) -> Response:
        """The file, or 304 to a client that has it; `headers` go with both."""
        asked = headers_of(scope)
        packs = bool(self.packed) and _accepts_gzip(asked.get("accept-encoding", ""))
        etag = f'"{self.digest}-gzip"' if packs else f'"{self.digest}"'
        given = {**headers, "cache-control": self.cache, "etag": etag}
        if self.packed:
            given["vary"] = "accept-encoding"
        if _has(asked.get("if-none-match", ""), self.digest):
            return Response(status_code=304, headers=given)
        if packs:
            given["content-encoding"] = "gzip"
        body = self.packed if packs else self.body
        given["content-length"] = str(len(body))
        shown = b"" if scope["method"] == "HEAD" else body
        return Response(shown, headers=given, media_type=self.media_type)


def read(folder: Path) -> dict[str, File]:
    """Every file by its path within the folder; hidden ones are left out. Nothing without a page.

    Raises ValueError for a folder that no build of ours can have made.
    """
    if not (folder / INDEX).is_file():
        return {}
    found: dict[str, File] = {}
    left = _MAX_BYTES
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if not path.is_file() or any(part.startswith(".") for part in name.parts):
            continue
        left -= path.stat().st_size
        if left < 0:
            raise ValueError(f"{folder} holds more than {_MAX_BYTES} bytes: delete it and build.")
        found[name.as_posix()] = _file(PurePosixPath(name.as_posix()), path.read_bytes())
    return found


def digest_of(files: Mapping[str, File]) -> str:
    """One hash of all."""
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name}\0{files[name].digest}\0".encode())
    return digest.hexdigest()


@lru_cache(maxsize=256)  # nodes of one process pack the page once
def _file(name: PurePosixPath, body: bytes) -> File:
    packed = b""
    if name.suffix in _TEXTUAL and len(body) >= _WORTH_PACKING_BYTES:
        packed = gzip.compress(body, 9, mtime=0)
    return File(
        body,
        packed,
        hashlib.sha256(body).hexdigest()[:32],
        _MEDIA_TYPES.get(name.suffix, "application/octet-stream"),
        _FOR_EVER if name.parts[0] == _ASSETS else _FRESH,
    )


def _accepts_gzip(header: str) -> bool:
    for part in header.lower().split(","):
        coding, _, parameters = part.partition(";")
        if coding.strip() == "gzip":
            return parameters.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def _has(header: str, digest: str) -> bool:
    """Whether If-None-Match names this content, in whichever coding."""
    held = {tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")}
    return bool(held & {digest, f"{digest}-gzip", "*"})
