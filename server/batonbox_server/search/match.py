"""Clauses as a query of FTS5, and texts as what its columns hold; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from .folding import numbers_in, words_of
from .query import Clause, tokens_of_number

__all__ = [
    "CARDS",
    "EVERY_INBOX",
    "NO_INBOX",
    "match_of",
    "phones_of",
    "place_token",
    "words_column",
]

# A place is one character that no text has (of the planes for private use): prefix indexes hold
# words of two characters and more, so that it costs nothing there.
_FIRST: Final = 0xF0010
_PLANE: Final = 0xFFFD - 0x20
CARDS: Final = chr(0xF0000)
NO_INBOX: Final = "~@"  # what the names of rooms and of the contacts' log begin with
EVERY_INBOX: Final = chr(0xF0001)


def place_token(place: int) -> str:
    """What marks the rows of a log."""
    high, low = divmod(place, _PLANE)
    return chr(_FIRST + low) if not high else chr(0x100000 + high) + chr(_FIRST + low)


def words_column(text: str) -> str:
    """What `words` holds of a text."""
    return " ".join(words_of(text))


def phones_of(numbers: Iterable[str], *, text: str = "") -> str:
    """What `phones` holds of these digits, and of the numbers in a text."""
    digits = [*numbers, *(numbers_in(text) if text else ())]
    return " ".join(dict.fromkeys(token for one in digits for token in tokens_of_number(one)))


def match_of(clauses: Sequence[Clause], places: Iterable[str]) -> str:
    """Every clause, in one of these places."""
    where = " OR ".join(f'"{place}"' for place in places)
    return " AND ".join([f"{{place}} : ({where})", *map(_clause, clauses)])


def _clause(clause: Clause) -> str:
    said = f'{{words}} : "{" ".join(clause.words)}"{" *" if clause.open else ""}'
    if not clause.digits:
        return said
    numbers = [f'"{digits}" *' for digits in clause.digits]
    numbers += [f'"e{tail}"' for tail in clause.tails]
    return f"({said} OR {{phones}} : ({' OR '.join(numbers)}))"
