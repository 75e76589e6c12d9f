"""How a contact is stored, listed and found, and what a change of it takes; pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]
import phonenumbers

from batonbox_server.store.contacts_port import Contact

__all__ = ["contact_from", "contact_map", "find_prefix", "find_words", "index_name", "plan"]

_FOLDED_CHARS: Final = 120
_WORDS_MOST: Final = 6  # of a name, by whose beginnings it is found
_UNWRITTEN: Final = frozenset("\0\u200c\u200d")  # joiners are not typed by everybody
_SIGNS: Final = frozenset("+ ()-./\u00a0\u2011")


def contact_from(raw: bytes) -> Contact:
    """A stored record."""
    found: dict[str, Any] = msgpack.unpackb(raw)
    return Contact(
        found["id"],
        found["name"],
        tuple(found["numbers"]),
        found["note"],
        found["created_ms"],
        found["changed_ms"],
        found["rev"],
    )


def contact_map(contact: Contact) -> dict[str, Any]:
    """As events and endpoints have it."""
    return {
        "id": contact.id,
        "name": contact.name,
        "numbers": list(contact.numbers),
        "note": contact.note,
        "created_ms": contact.created_ms,
        "changed_ms": contact.changed_ms,
        "rev": contact.rev,
    }


def fold(text: str) -> str:
    """Without case and accents, one blank between words: what lists sort and find by."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(c for c in plain if not unicodedata.combining(c) and c not in _UNWRITTEN)
    return " ".join(bare.casefold().split())[:_FOLDED_CHARS]


def index_name(contact: Contact) -> str:
    """What a contact is listed by."""
    return fold(contact.name)


def find_words(contact: Contact) -> frozenset[str]:
    """By whose beginnings a contact is found: its name from each word on, its numbers' digits."""
    words = fold(contact.name).split(" ")
    names = {" ".join(words[at:]) for at in range(min(len(words), _WORDS_MOST))}
    digits = {number.lstrip("+") for number in contact.numbers}
    return frozenset(names | digits | {_national(number) for number in contact.numbers})


def find_prefix(text: str) -> str:
    """What somebody typed, as `find_words` begin: digits, if it is like a phone number."""
    folded = fold(text)
    digits = "".join(c for c in folded if c.isdecimal())
    if digits and all(c.isdecimal() or c in _SIGNS for c in folded):
        return digits.lstrip("0")
    return folded


def plan(was: bytes | None, wanted: Contact | None, *, known: str = "") -> dict[str, Any]:
    """An item for the script: from the stored bytes (None: none) to `wanted` (None: deleted).

    `known` is the id where there is nothing wanted.
    """
    old = None if was is None else contact_from(was)
    before: Collection[str] = () if old is None else old.numbers
    after: Collection[str] = () if wanted is None else wanted.numbers
    words_before = frozenset[str]() if old is None else find_words(old)
    words_after = frozenset[str]() if wanted is None else find_words(wanted)
    renamed = old is None or wanted is None or old.name != wanted.name
    touched = {*before, *after} if renamed else set(before) ^ set(after)
    item: dict[str, Any] = {
        "id": known if wanted is None else wanted.id,
        "was": was or b"",
        "numbers": list(after),
        "gone": sorted(set(before) - set(after)),
        "names": sorted(touched),
        "add": sorted(words_after - words_before),
        "drop": sorted(words_before - words_after),
        "name": "" if wanted is None else index_name(wanted),
        "old_name": "" if old is None else index_name(old),
    }
    if wanted is not None:
        created = 0 if old is None else old.created_ms
        item["record"] = {"name": wanted.name, "note": wanted.note, "created_ms": created}
    return item


def _national(number: str) -> str:
    """Its digits as people at home write them, without the 0 before."""
    try:
        return str(phonenumbers.national_significant_number(phonenumbers.parse(number, None)))
    except phonenumbers.NumberParseException:
        return number.lstrip("+")
