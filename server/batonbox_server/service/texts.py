"""What people type, checked and put into the shapes the store keeps; pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]
import phonenumbers

from batonbox_server.errors import Refused

__all__ = [
    "check_id",
    "check_name",
    "check_text",
    "e164",
    "message_body",
    "note_body",
    "post_body",
    "preview",
]

_PREVIEW_CHARS: Final = 120
_NAME_CHARS: Final = 120
# Blanks of all widths, like the one between the names of a Japanese person.
_BLANKS: Final = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
# What joins letters or parts them, in Persian or Indic names, and pictures made of several. Beside
# ASCII it would do nothing but tell apart names that look the same; behind a virama it does more.
_IDLE_JOINERS: Final = re.compile(
    "(?<![^\x00-\x7f])[\u200c\u200d]+"
    "|(?<![\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d4d\u0dca])[\u200c\u200d]+(?![^\x00-\x7f])"
    "|(?<=[\u200c\u200d])[\u200c\u200d]+"
)
# Joiners, and what says which country's flag a black one is.
_UNSEEN: Final = re.compile(
    "[\u200c\u200d]|(?<=\U0001f3f4)[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,6}\U000e007f"
)
_ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def e164(number: str, *, field: str) -> str:
    """The number in E.164; raises Refused("bad_request").

    Possible numbers are accepted, valid or not: fictional ones (555-01xx) are not "valid".
    """
    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        parsed = None
    if parsed is None or not phonenumbers.is_possible_number(parsed):
        raise Refused("bad_request", f"{field}: give a phone number in E.164, like +14165550100.")
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))


def check_name(name: str, *, field: str) -> str:
    """A name for people, without blanks around it or joiners that join nothing.

    Raises Refused("bad_request"), also of one with control characters.
    """
    name = _IDLE_JOINERS.sub("", _BLANKS.sub(" ", name)).strip()
    seen = _UNSEEN.sub("", name)
    if not seen or len(name) > _NAME_CHARS or not all(map(_is_shown, seen)):
        told = f"1 to {_NAME_CHARS} characters on one line, without control characters"
        raise Refused("bad_request", f"{field}: {told}.")
    return name


def check_text(text: str, *, max_chars: int, media: Sequence[str] = ()) -> str:
    """The text if it may be sent; raises Refused("bad_request")."""
    if len(text) > max_chars:
        raise Refused(
            "bad_request", f"text: {len(text)} characters are too many; at most {max_chars}."
        )
    if not text.strip() and not media:
        raise Refused("bad_request", "text: write something.")
    if "\x00" in text:
        raise Refused("bad_request", "text: NUL characters cannot be sent.")
    return text


def check_id(name: str, *, field: str) -> str:
    """An id that an admin chose; raises Refused("bad_request")."""
    if not _ID.fullmatch(name):
        raise Refused(
            "bad_request", f"{field}: lower-case letters, digits, - and _; at most 64 of them."
        )
    return name


def preview(text: str, media: Sequence[Any] = ()) -> str:
    """One line for lists."""
    line = " ".join(text.split())
    if not line and media:
        return "[media]"
    return line if len(line) <= _PREVIEW_CHARS else line[: _PREVIEW_CHARS - 1] + "…"


def message_body(text: str, media: Sequence[Mapping[str, Any]] = ()) -> bytes:
    """The opaque body of a message to or from a customer."""
    return _pack({"text": text, "media": list(media)})


def note_body(text: str, mentions: Sequence[str]) -> bytes:
    """The opaque body of an internal note."""
    return _pack({"text": text, "mentions": list(mentions)})


def post_body(text: str, mentions: Sequence[str], media: Sequence[Mapping[str, Any]] = ()) -> bytes:
    """The opaque body of a post in a room."""
    return _pack({"text": text, "mentions": list(mentions), "media": list(media)})


def _pack(body: dict[str, Any]) -> bytes:
    return bytes(msgpack.packb(body))


def _is_shown(character: str) -> bool:
    if character.isprintable():
        return True
    # Pictures and letters that are newer than this Python; no control characters come there.
    code = ord(character)
    fresh = unicodedata.category(character) == "Cn" and 0x10000 <= code < 0x40000
    return fresh and code & 0xFFFE != 0xFFFE
