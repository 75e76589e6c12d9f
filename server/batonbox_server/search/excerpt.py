"""The part of a text that shows why it was found; pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

from .folding import numbers_at, numbers_in, spans_of
from .query import Clause

__all__ = ["excerpt", "matches", "shown"]

_CHARS: Final = 160
_BEFORE: Final = 40
Span = tuple[int, int]


def excerpt(text: str, clauses: Sequence[Clause]) -> tuple[str, tuple[Span, ...]]:
    """One line around what was found first, and the (start, end) of every find in it."""
    line = unicodedata.normalize("NFC", " ".join(text.split()))
    words = spans_of(line)
    marks = _merged(span for clause in clauses for span in _found(line, words, clause))
    begin = _cut(line, marks[0][0] if marks else 0)
    end = min(len(line), begin + _CHARS)
    before, after = "…" if begin else "", "…" if end < len(line) else ""
    shift = len(before) - begin
    shown = tuple((a + shift, min(b, end) + shift) for a, b in marks if a >= begin and a < end)
    return f"{before}{line[begin:end]}{after}", shown


def matches(text: str, clauses: Sequence[Clause]) -> tuple[Span, ...] | None:
    """Where every clause is found in a text of one line; None: one is not."""
    line = unicodedata.normalize("NFC", text)
    words = spans_of(line)
    found = [_found(line, words, clause) for clause in clauses]
    if not all(found):
        return None
    return tuple(_merged(span for spans in found for span in spans))


def shown(text: str, clauses: Sequence[Clause]) -> tuple[str, tuple[Span, ...]] | None:
    """`excerpt` of a text in which every clause is found; None: one is not."""
    if matches(" ".join(text.split()), clauses) is None:
        return None
    return excerpt(text, clauses)


def _cut(line: str, first: int) -> int:
    """Where to begin, so that the first find is in it: at a word, if one is near."""
    if first <= _BEFORE or len(line) <= _CHARS:
        return 0
    begin = min(first - _BEFORE, len(line) - _CHARS)
    blank = line.find(" ", begin, min(begin + 20, first))
    return begin if blank < 0 else blank + 1


def _found(line: str, spans: Sequence[tuple[str, int, int]], clause: Clause) -> list[Span]:
    first, size = clause.words[0] if clause.words else "", len(clause.words)
    found = [
        (spans[at][1], spans[at + size - 1][2])
        for at in range(len(spans) - size + 1 if size else 0)
        if spans[at][0].startswith(first)
        and _follows([word for word, _, _ in spans[at : at + size]], clause)
    ]
    if clause.digits:
        found += [(a, b) for a, b, written in numbers_at(line) if _in_number(written, clause)]
    return found


def _follows(words: list[str], clause: Clause) -> bool:
    *firsts, last = clause.words
    if words[:-1] != firsts:
        return False
    return words[-1].startswith(last) if clause.open else words[-1] == last


def _in_number(written: str, clause: Clause) -> bool:
    rows = numbers_in(written)  # as the index has them
    found = any(part in row for row in rows for part in clause.digits)
    return found or not set(rows).isdisjoint(clause.tails)


def _merged(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged
