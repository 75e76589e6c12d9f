"""Which files messages may carry, told by their first bytes and not by what they are called; pure.

A browser is never trusted with a guess: what is not one of `KINDS` is refused, and what is served
later has exactly the type that was found here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, urlsplit

__all__ = [
    "KINDS",
    "LARGE_BYTES",
    "TAKEN_WORDS",
    "File",
    "file_name",
    "media_type",
    "name_of_url",
    "type_of",
]

LARGE_BYTES: Final = 500_000  # beyond it some carriers make a link of the file, or shrink it
_NAME_CHARS: Final = 120

# Type -> endings of names; the first is given to a name that has none of them.
KINDS: Final[dict[str, tuple[str, ...]]] = {
    "image/jpeg": (".jpg", ".jpeg"),
    "image/png": (".png",),
    "image/gif": (".gif",),
    "image/webp": (".webp",),
    "video/mp4": (".mp4", ".m4v"),
    "video/3gpp": (".3gp", ".3gpp"),
    "audio/mpeg": (".mp3",),
    "audio/mp4": (".m4a", ".mp4"),
    "audio/3gpp": (".3gp", ".3gpp"),
    "audio/ogg": (".ogg", ".oga", ".opus"),
    "audio/amr": (".amr",),
    "audio/wav": (".wav",),
    "application/pdf": (".pdf",),
    "text/vcard": (".vcf", ".vcard"),
    "text/plain": (".txt", ".text", ".log", ".md", ".csv"),
}
TAKEN_WORDS: Final = (
    "JPEG, PNG, GIF, WebP, MP4, 3GPP, MP3, M4A, OGG, AMR, WAV, PDF, vCard and plain text"
)
_ALIASES: Final = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "video/3gp": "video/3gpp",
    "audio/mp3": "audio/mpeg",
    "audio/m4a": "audio/mp4",
    "audio/x-m4a": "audio/mp4",
    "application/ogg": "audio/ogg",
    "audio/opus": "audio/ogg",
    "audio/amr-wb": "audio/amr",
    "audio/wave": "audio/wav",
    "audio/x-wav": "audio/wav",
    "audio/vnd.wave": "audio/wav",
    "text/x-vcard": "text/vcard",
    "text/directory": "text/vcard",
    "text/csv": "text/plain",
    "text/markdown": "text/plain",
}
_UNDECLARED: Final = frozenset({"", "application/octet-stream", "binary/octet-stream"})
_STARTS: Final = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"ID3", "audio/mpeg"),
    (b"OggS", "audio/ogg"),
    (b"#!AMR\n", "audio/amr"),
    (b"#!AMR-WB\n", "audio/amr"),
)
_MP4_BRANDS: Final = frozenset(
    {b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"MSNV", b"dash",
     b"M4V ", b"M4VP", b"mmp4", b"f4v "}
)  # fmt: skip
_MARKUP: Final = re.compile(rb"\s*<(?:!doctype|!--|\?xml|html|head|body|svg|script)", re.IGNORECASE)
_CONTROLS: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class File:
    """A file as messages name it; `size` in bytes."""

    id: str
    type: str
    size: int
    name: str

    def as_map(self) -> dict[str, Any]:
        """As it stands in a message's body."""
        return {"id": self.id, "type": self.type, "size": self.size, "name": self.name}


def media_type(declared: str) -> str:
    """A content-type header as one of ours: without parameters, under the usual name."""
    plain = declared.partition(";")[0].strip().lower()
    return _ALIASES.get(plain, plain)


def type_of(data: bytes, declared: str) -> str:
    """The type under which these bytes are kept; "" when they are not what was declared, or not
    taken. Undeclared bytes are what they begin as.
    """
    possible, wanted = _possible(data), media_type(declared)
    if wanted in possible:
        return wanted
    return possible[0] if possible and wanted in _UNDECLARED else ""


def file_name(given: str, type_: str) -> str:
    """A name for people to save the file under: never a path, and with an ending of its type.

    Characters that do not print are left out: they can make a name look like another.
    """
    last = re.split(r"[/\\]", given)[-1]
    clean = "".join(c for c in last if c.isprintable()).strip().lstrip(".")
    endings = KINDS.get(type_, ())
    stem = clean or "file"
    if not endings or stem.lower().endswith(endings):
        return stem[-_NAME_CHARS:].lstrip(".") or "file"
    return stem[: _NAME_CHARS - len(endings[0])] + endings[0]


def name_of_url(url: str) -> str:
    """The last part of a URL's path, to call a file by; "" for none."""
    try:
        return unquote(urlsplit(url).path).rstrip("/").rpartition("/")[2]
    except ValueError:
        return ""


def _possible(data: bytes) -> tuple[str, ...]:
    """Types these bytes may have, the most likely first."""
    for start, kind in _STARTS:
        if data.startswith(start):
            return (kind,)
    if data[:4] == b"RIFF":
        found = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(data[8:12])
        return (found,) if found else ()
    if data[4:8] == b"ftyp":
        return _boxed(data[8:12])
    if len(data) > 3 and data[0] == 0xFF and data[1] & 0xE6 in (0xE2, 0xE4, 0xE6):
        return ("audio/mpeg",)
    return _textual(data)


def _boxed(brand: bytes) -> tuple[str, ...]:
    if brand[:3] in {b"3gp", b"3g2", b"3gr", b"3gs"}:
        return ("video/3gpp", "audio/3gpp", "video/mp4")
    if brand[:3] in {b"M4A", b"M4B"}:
        return ("audio/mp4",)
    return ("video/mp4", "audio/mp4", "video/3gpp") if brand in _MP4_BRANDS else ()


def _textual(data: bytes) -> tuple[str, ...]:
    """Text has no control characters, and is nothing that a browser would run."""
    plain = data.removeprefix(b"\xef\xbb\xbf")
    if not plain.strip() or _CONTROLS.search(plain) or _MARKUP.match(plain):
        return ()
    try:
        plain.decode("utf-8")
    except UnicodeDecodeError:
        return ()
    is_card = plain.lstrip()[:11].upper() == b"BEGIN:VCARD"
    return ("text/vcard", "text/plain") if is_card else ("text/plain",)
