"""What somebody typed into the search box, as clauses that all have to match; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from batonbox_server.errors import Refused

from .folding import DIGITS_LEAST, DIGITS_MOST, digits_of, numbers_at, words_of

__all__ = ["Clause", "parse", "tokens_of_number"]

_QUOTES: Final = re.compile('["\u201c-\u201f\u00ab\u00bb\u300c-\u300f]')
_DIGITS_ONLY: Final = re.compile(r"\+?[\d().\-/\u2010-\u2015]+")
# A number half typed, in groups: what begins it does not look like anything else.
_BEGUN: Final = re.compile(
    r"(?<!\S)(?:\+\(?\d|\(\d|0\d|\d{3}(?!\d))[\d().\-/\u2010-\u2015]*"
    r"(?:\s+[\d().\-/\u2010-\u2015]+)+(?!\S)"
)
_LINK: Final = re.compile(r"\b(?:tel|sms|callto):(?=[+(]?\d)", re.IGNORECASE)  # a copied one
_SHORTEST: Final = 4  # digits that are looked for inside numbers
_CLAUSES_MOST: Final = 16
_WORDS_MOST: Final = 32


@dataclass(frozen=True, slots=True)
class Clause:
    """Words that follow each other, the last of which may go on (`open`); or digits of a number.

    `digits`: this stands somewhere in a number; `tails`: a number, as a text has it, is one of
    these. Either the words or the number has to be there.
    """

    words: tuple[str, ...]
    open: bool
    digits: tuple[str, ...] = ()
    tails: tuple[str, ...] = ()


def parse(q: str) -> list[Clause]:
    """Raises Refused("bad_request") of a query without a letter or digit."""
    clauses: list[Clause] = []
    parts = _QUOTES.split(_LINK.sub("", q))
    for at, part in enumerate(parts):
        if at % 2 == 0:
            clauses += _typed(part)
        elif words := words_of(part):
            closed = at + 1 < len(parts)
            clauses.append(Clause(tuple(words[:_WORDS_MOST]), not closed and _goes_on(words[-1])))
    if not clauses:
        raise Refused("bad_request", "q: type a letter or a digit to look for.")
    return list(dict.fromkeys(clauses))[:_CLAUSES_MOST]


def tokens_of_number(digits: str) -> list[str]:
    """What a number is found by: each of its endings, and itself as a whole."""
    endings = [digits[at:] for at in range(len(digits) - _SHORTEST + 1)]
    return [*endings, f"e{digits}"]


def _typed(text: str) -> list[Clause]:
    clauses, at = [], 0
    for start, end, written in numbers_at(text):
        if len(digits_of(written)) <= DIGITS_MOST + 4:
            clauses += _chunks(text[at:start])
            clauses.append(_number(written))
            at = end
    return clauses + _chunks(text[at:])


def _chunks(text: str) -> list[Clause]:
    clauses, at = [], 0
    for begun in _BEGUN.finditer(text):
        if len(digits_of(begun[0])) >= _SHORTEST:
            clauses += _apart(text[at : begun.start()])
            clauses.append(_number(begun[0]))
            at = begun.end()
    return clauses + _apart(text[at:])


def _apart(text: str) -> list[Clause]:
    clauses = []
    for chunk in text.split():
        if _DIGITS_ONLY.fullmatch(chunk) and len(digits_of(chunk)) >= _SHORTEST:
            clauses.append(_number(chunk))
        elif words := words_of(chunk):
            clauses.append(Clause(tuple(words[:_WORDS_MOST]), _goes_on(words[-1])))
    return clauses


def _number(written: str) -> Clause:
    words = words_of(written)
    typed = digits_of(written.replace("(0)", ""))
    bare = typed.lstrip("0")
    digits = {typed, bare} if len(bare) >= DIGITS_LEAST else {typed}
    tails = tuple(bare[at:] for at in range(1, len(bare) - DIGITS_LEAST + 1))
    return Clause(tuple(words), True, tuple(sorted(digits, key=len, reverse=True)), tails)


def _goes_on(word: str) -> bool:
    # One letter begins too much to be looked for as a beginning; a Chinese character is a word.
    return len(word) > 1
