"""What people type, checked and put into the shapes the store keeps; pure."""

from __future__ import annotations

import re
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
    """A name for people, without blanks around it; raises Refused("bad_request")."""
    name = name.strip()
    if not 0 < len(name) <= _NAME_CHARS or not name.isprintable():
        raise Refused("bad_request", f"{field}: 1 to {_NAME_CHARS} characters on one line.")
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
