"""Text as words that compare: without case, diacritics, ligatures and widths; pure.

The same folding makes what is indexed, what is asked for, and the places that are marked, so they
cannot disagree. It is done here and not by FTS5's tokenizer, which knows Latin diacritics only.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

__all__ = [
    "DIGITS_LEAST",
    "DIGITS_MOST",
    "digits_of",
    "fold",
    "numbers_at",
    "numbers_in",
    "spans_of",
    "words_of",
]

# What Unicode does not decompose, and letters that people type for one another.
_LETTERS: Final = {
    "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "ħ": "h", "ŧ": "t",
    "ı": "i", "ŋ": "n", "ĸ": "k",  # noqa: RUF001
    "ـ": "", "ٱ": "ا", "ى": "ي", "ة": "ه", "ک": "ك", "ی": "ي",  # noqa: RUF001
    "ך": "כ", "ם": "מ", "ן": "נ", "ף": "פ", "ץ": "צ",  # noqa: RUF001
    "\u200c": "", "\u200d": "", "\u00ad": "", "\u2060": "", "\ufeff": "",
}  # fmt: skip
# Marks that one may leave out when typing; those of other scripts (Indic vowels) are letters.
_MARKS: Final = re.compile(
    "[\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a"
    "\u064b-\u065f\u0670\u06d6-\u06ed\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe00-\ufe0f"
    "\ufe20-\ufe2f]"
)
# Scripts that are written without blanks: every character is a word, every word a phrase.
_UNSPACED: Final = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\U00020000-\U0003ffff]"
)
# A phone number as people write it: seven digits or more, with blanks, dots, dashes, brackets.
# Also as a Japanese keyboard writes them, whose dash is the long sign of kana.
_NUMBER: Final = re.compile(
    r"[+(\uff0b\uff08]?\d"
    r"(?:[\s().\-/\u2010-\u2015\u2212\u30fb\u30fc\uff08\uff09\uff0d-\uff0f]{0,3}\d){6,}"
)
_DIGITS: Final = "0123456789"
_TRUNK: Final = re.compile(r"\(0\)")
DIGITS_LEAST: Final = 7
DIGITS_MOST: Final = 15  # of E.164
_GROUPS_MOST: Final = 12


class _Table(dict[int, str]):
    """What `str.translate` makes of each character; " " parts words."""

    def __missing__(self, code: int) -> str:
        self[code] = made = _folded(chr(code))
        return made


def fold(text: str) -> str:
    """Words, parted by blanks."""
    return unicodedata.normalize("NFC", text).translate(_TABLE)


def words_of(text: str) -> list[str]:
    """The words of a text in their order."""
    return fold(text).split()


def spans_of(text: str) -> list[tuple[str, int, int]]:
    """Words with their (start, end) in the NFC form of `text`, which the caller has to show."""
    found: list[tuple[str, int, int]] = []
    word, begun = "", 0
    for at, character in enumerate(text):
        made = _TABLE[ord(character)]
        for part in made:
            if part == " ":
                if word:
                    found.append((word, begun, max(at, begun + 1)))
                word = ""
            else:
                begun = begun if word else at
                word += part
    if word:
        found.append((word, begun, len(text)))
    return found


def digits_of(text: str) -> str:
    """Its decimal digits, of whatever script, as 0-9."""
    return "".join(str(unicodedata.decimal(c)) for c in text if c.isdecimal())


def numbers_in(text: str) -> list[str]:
    """Digits of what looks like phone numbers, without the zeros that stand for a prefix."""
    found: dict[str, None] = {}
    for _, _, written in numbers_at(text):
        for digits in _joined(written):
            found[digits] = None
    return list(found)


def numbers_at(text: str) -> list[tuple[int, int, str]]:
    """(start, end, as written) of everything that looks like a phone number."""
    if text.isascii() and sum(map(text.count, _DIGITS)) < DIGITS_LEAST:
        return []  # as most texts: counting is much cheaper than looking
    return [(match.start(), match.end(), match[0]) for match in _NUMBER.finditer(text)]


def _joined(written: str) -> list[str]:
    """Every row of its groups that may be a number: blanks stand in numbers and between them."""
    groups = [digits_of(group) for group in _TRUNK.sub("", written).split()][:_GROUPS_MOST]
    rows = ("".join(groups[i:j]) for i in range(len(groups)) for j in range(i + 1, len(groups) + 1))
    found = (row.lstrip("0") for row in rows)
    return [row for row in found if DIGITS_LEAST <= len(row) <= DIGITS_MOST]


def _folded(character: str) -> str:
    lower = unicodedata.normalize("NFKD", character).casefold()
    parts = unicodedata.normalize("NFKD", lower)
    parts = "".join(_letter(part) for part in _MARKS.sub("", parts))
    made = unicodedata.normalize("NFC", parts)
    if made == "" and (_MARKS.fullmatch(character) or character in _LETTERS):
        return ""
    return "".join(map(_written, made)) or " "


def _written(part: str) -> str:
    """As words, between blanks where it is one by itself, or parts them."""
    if not part.isalnum() and unicodedata.category(part)[0] != "M":
        return " "
    return f" {part} " if _UNSPACED.fullmatch(part) else part


def _letter(part: str) -> str:
    return str(unicodedata.decimal(part)) if part.isdecimal() else _LETTERS.get(part, part)


_TABLE: Final = _Table()
