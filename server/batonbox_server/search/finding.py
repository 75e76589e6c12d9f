"""Asking the index: one query, over the logs that its asker may see."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from batonbox_server.errors import Refused
from batonbox_server.service.search_port import Hit, card_line

from .changes import at_ms_of
from .excerpt import excerpt
from .match import CARDS, EVERY_INBOX, NO_INBOX, match_of, place_token
from .query import Clause

__all__ = ["Finding"]

_END: Final = (1 << 63) - 1
_TALKS: Final = 1000  # conversations by number that are sorted by time, at most
_CARDS: Final = 200  # contacts whose conversations are looked up
_SAID: Final = """
SELECT message.id, talk.conv, message.n, message.text
FROM (SELECT rowid AS id FROM said WHERE said MATCH ? AND rowid < ? ORDER BY rowid DESC LIMIT ?)
  AS found
CROSS JOIN message ON message.id = found.id JOIN talk ON talk.id = message.talk
ORDER BY message.id DESC
"""
_NAMED: Final = (
    "SELECT rowid FROM named WHERE named MATCH ? AND rowid < ? ORDER BY rowid DESC LIMIT ?"
)
_NUMBERED: Final = """
SELECT talk.last_ms, talk.id, talk.conv, talk.customer
FROM (SELECT rowid FROM named WHERE named MATCH ? ORDER BY rowid DESC LIMIT ?) AS found
CROSS JOIN talk ON talk.id = found.rowid >> 1
"""


class Finding:
    """`hits` of some clauses; it reads one state of the index."""

    def __init__(
        self, connection: sqlite3.Connection, clauses: Sequence[Clause], logs: Sequence[str]
    ) -> None:
        self._db = connection
        self._clauses = clauses
        known = dict(connection.execute("SELECT log, id FROM place WHERE log != ''").fetchall())
        self._places = {known[log] for log in logs if log in known}
        self._tokens = [place_token(place) for place in sorted(self._places)]
        inboxes = {log for log in known if log[0] not in NO_INBOX}
        if len(inboxes) > 1 and inboxes <= set(logs):  # an admin: one token instead of them all
            rooms = sorted(known[log] for log in logs if log in known and log not in inboxes)
            self._tokens = [EVERY_INBOX, *map(place_token, rooms)]

    def hits(self, kinds: frozenset[str], *, after: str, n: int) -> tuple[list[Hit], str]:
        """See the port."""
        alone = len(kinds) == 1
        if after and not alone:
            raise Refused("bad_request", "after: it takes one kind.")
        found: list[Hit] = []
        cursor = ""
        for kind, find in (
            ("conversation", self._conversations),
            ("contact", self._contacts),
            ("message", self._messages),
        ):
            if kind in kinds:
                hits, cursor = find(after, n)
                found += hits
        return found, cursor if alone else ""

    def _messages(self, after: str, n: int) -> tuple[list[Hit], str]:
        if not self._tokens:
            return [], ""
        match = match_of(self._clauses, self._tokens)
        rows = self._db.execute(_SAID, (match, _number(after), n + 1)).fetchall()
        hits = []
        for rowid, conv, number, text in rows[:n]:
            shown, marks = excerpt(text, self._clauses)
            hits.append(Hit("message", conv, number, at_ms_of(rowid), excerpt=shown, marks=marks))
        return hits, str(rows[n - 1][0]) if len(rows) > n else ""

    def _contacts(self, after: str, n: int) -> tuple[list[Hit], str]:
        rows = self._named([CARDS], _number(after), n + 1)
        hits = []
        for rowid in rows[:n]:
            contact, name, numbers, note = self._db.execute(
                "SELECT contact, name, numbers, note FROM card WHERE id = ?", (rowid >> 1,)
            ).fetchone()
            shown, marks = excerpt(card_line(name, numbers.split(), note), self._clauses)
            hits.append(Hit("contact", id=contact, excerpt=shown, marks=marks))
        return hits, str(rows[n - 1]) if len(rows) > n else ""

    def _conversations(self, after: str, n: int) -> tuple[list[Hit], str]:
        if not self._tokens:
            return [], ""
        below = _pair(after)
        rows = [row for row in {*self._by_number(), *self._by_name()} if row[:2] < below]
        rows.sort(reverse=True)
        hits = []
        for last_ms, _, conv, customer in rows[:n]:
            shown, marks = excerpt(customer, self._clauses)
            hits.append(Hit("conversation", conv, at_ms=last_ms, excerpt=shown, marks=marks))
        more = len(rows) > n
        return hits, f"{rows[n - 1][0]}.{rows[n - 1][1]}" if more else ""

    def _by_number(self) -> list[tuple[int, int, str, str]]:
        if not all(clause.digits for clause in self._clauses):
            return []
        match = match_of(self._clauses, self._tokens)
        return self._db.execute(_NUMBERED, (match, _TALKS)).fetchall()

    def _by_name(self) -> list[tuple[int, int, str, str]]:
        found = []
        for rowid in self._named([CARDS], _END, _CARDS):
            (numbers,) = self._db.execute(
                "SELECT numbers FROM card WHERE id = ?", (rowid >> 1,)
            ).fetchone()
            for number in numbers.split():
                rows = self._db.execute(
                    "SELECT last_ms, id, conv, customer, place FROM talk WHERE customer = ?"
                    " ORDER BY last_ms DESC LIMIT ?",
                    (number, _TALKS),
                )
                found += [tuple(row[:4]) for row in rows if row[4] in self._places]
        return found

    def _named(self, places: Sequence[str], below: int, n: int) -> list[int]:
        match = match_of(self._clauses, places)
        return [rowid for (rowid,) in self._db.execute(_NAMED, (match, below, n))]


def _number(after: str) -> int:
    if not after:
        return _END
    if not after.isdecimal() or len(after) > 18:
        raise Refused("bad_request", "after: not a cursor of this search; leave it out.")
    return int(after)


def _pair(after: str) -> tuple[int, int]:
    last_ms, _, row = after.partition(".")
    return (_number(last_ms), _number(row)) if after else (_END, _END)
