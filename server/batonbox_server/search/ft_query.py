"""Clauses and changes in the language of FT.SEARCH; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from batonbox_server.service.search_port import Card, Message, Talk, card_line

from .match import phones_of, words_column
from .query import Clause

__all__ = ["CARD", "CARDS", "MESSAGE", "SCHEMA", "TALK", "ft_query", "hashed", "tag"]

MESSAGE, TALK, CARD = "m", "t", "c"
CARDS: Final = "c"  # the place of contacts; a log's has an even number of letters
SCHEMA: Final = (
    *("words", "TEXT", "NOSTEM", "phones", "TEXT", "NOSTEM", "place", "TAG", "kind", "TAG"),
    *("conv", "TAG", "customer", "TAG", "n", "NUMERIC", "at", "NUMERIC", "SORTABLE"),
)
Fields = dict[str, str | int]


def tag(name: str) -> str:
    """A name of ours as a tag, which knows no signs."""
    return name.encode().hex()


def ft_query(clauses: Sequence[Clause], *, kind: str, places: Iterable[str]) -> str:
    """Every clause, of one kind, in one of these places."""
    where = f"@kind:{{{kind}}} @place:{{{'|'.join(places)}}}"
    return " ".join([where, *map(_clause, clauses)])


def hashed(change: Message | Talk | Card, *, place: str) -> tuple[str, Fields]:
    """The end of the key, and the fields of the hash there."""
    match change:
        case Message(conv=conv, n=n, at_ms=at_ms, text=text):
            words, phones = words_column(text), phones_of((), text=text)
            about: Fields = {"kind": MESSAGE, "place": place, "conv": tag(conv), "in": conv}
            return f"m:{conv}:{n}", {
                **about, "n": n, "at": at_ms, "text": text, "words": words, "phones": phones
            }  # fmt: skip
        case Talk(conv=conv, customer=customer, last_ms=last_ms):
            digits = customer.lstrip("+")
            return f"t:{conv}", {
                "kind": TALK, "place": place, "conv": tag(conv), "in": conv, "at": last_ms,
                **({"customer": digits, "text": customer, "phones": phones_of([digits])}
                   if digits else {}),
            }  # fmt: skip
        case Card(id=contact, name=name, numbers=numbers, note=note):
            phones = phones_of([number.lstrip("+") for number in numbers], text=note)
            line = card_line(name, numbers, note)
            return f"c:{contact}", {
                "kind": CARD, "place": CARDS, "conv": tag(contact), "in": contact, "at": 0,
                "text": line, "words": words_column(f"{name}\n{note}"), "phones": phones,
                "numbers": " ".join(numbers),
            }  # fmt: skip


def _clause(clause: Clause) -> str:
    said = _words(clause)
    if not clause.digits:
        return said
    numbers = [f"{digits}*" for digits in clause.digits] + [f"e{tail}" for tail in clause.tails]
    return f"({said} | @phones:({' | '.join(numbers)}))"


def _words(clause: Clause) -> str:
    *firsts, last = clause.words
    words = " ".join([*firsts, f"{last}*" if clause.open and len(last) > 1 else last])
    follow = " => { $slop: 0; $inorder: true; }" if firsts else ""
    return f"((@words:({words})){follow})"
