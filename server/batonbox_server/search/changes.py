"""Writing into the index: what changed in one log, in one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

from batonbox_server.service.search_port import Card, Change, Gone, Message, Purged, Talk

from .match import CARDS, EVERY_INBOX, NO_INBOX, phones_of, place_token, words_column

__all__ = ["Changes", "at_ms_of", "rowids_of"]

# A message's row is numbered by its time, so that the newest come first without sorting; this many
# bits tell those of one millisecond apart.
_BITS: Final = 6
_SAID: Final = "INSERT INTO said (rowid, words, phones, place) VALUES (?, ?, ?, ?)"
_UNSAID: Final = (
    "INSERT INTO said (said, rowid, words, phones, place) VALUES ('delete', ?, ?, ?, ?)"
)
# The pair (talk, n) is free by then: what stood there was taken out before.
_KEEP: Final = "INSERT OR IGNORE INTO message VALUES (?, ?, ?, ?)"
_NAMED: Final = _SAID.replace("said", "named")
_UNNAMED: Final = _UNSAID.replace("said", "named")
_Row = tuple[int, int, int, str]


def at_ms_of(rowid: int) -> int:
    """When a message was written."""
    return rowid >> _BITS


def rowids_of(*, card: int = -1, talk: int = -1) -> int:
    """The row in `named` of a contact or a conversation."""
    return 2 * card if card >= 0 else 2 * talk + 1


class Changes:
    """`do(changes)` inside a transaction; the row of the log's place has to be there."""

    def __init__(self, connection: sqlite3.Connection, log: str) -> None:
        self._db = connection
        found = connection.execute("SELECT id FROM place WHERE log = ?", (log,)).fetchone()
        self._place: int = found[0]
        token = place_token(self._place)
        self._tokens = token if log[0] in NO_INBOX else f"{token} {EVERY_INBOX}"
        self._talks: dict[str, int] = {}
        self._fresh: set[int] = set()  # talks without any row of a message
        self._gone: dict[tuple[int, int], _Row] = {}
        self._new: dict[tuple[int, int], tuple[int, str]] = {}

    def do(self, changes: Sequence[Change]) -> None:
        """In their order; FTS5 wants its rows ascending, so they are written last, at once."""
        for change in changes:
            match change:
                case Message():
                    self._message(change)
                case Talk():
                    self._talk(change)
                case Card():
                    self._card(change)
                case Purged():
                    self._purged(change)
                case Gone():
                    self._drop(change.id)
        self._flush()

    def forget(self, most: int) -> bool:
        """Take out some of the log's rows; whether there may be more."""
        rows = self._db.execute(
            "SELECT message.id, talk, n, text FROM talk JOIN message ON message.talk = talk.id"
            " WHERE talk.place = ? LIMIT ?",
            (self._place, most),
        ).fetchall()
        for row in rows:
            self._take(row)
        if rows:
            self._flush()
            return True
        talks = self._db.execute(
            "SELECT conv FROM talk WHERE place = ? LIMIT ?", (self._place, most)
        ).fetchall()
        for (conv,) in talks:
            self._drop(conv)
        return bool(talks)

    def _message(self, change: Message) -> None:
        talk = self._talk_of(change.conv)
        key = (talk, change.n)
        known = self._known(key)
        if change.old and known:
            return
        if known and key not in self._gone:
            row = self._row(key)
            if row is not None:
                self._gone[key] = row
        at_ms = self._time_of(key) or change.at_ms if change.edit else change.at_ms
        self._new.pop(key, None)
        if change.text:
            self._new[key] = (at_ms, change.text)

    def _time_of(self, key: tuple[int, int]) -> int:
        if key in self._new:
            return self._new[key][0]
        return at_ms_of(self._gone[key][0]) if key in self._gone else 0

    def _known(self, key: tuple[int, int]) -> bool:
        return key in self._new or (key not in self._gone and self._row(key) is not None)

    def _row(self, key: tuple[int, int]) -> _Row | None:
        if key[0] in self._fresh:
            return None
        found: _Row | None = self._db.execute(
            "SELECT id, talk, n, text FROM message WHERE talk = ? AND n = ?", key
        ).fetchone()
        return found

    def _talk_of(self, conv: str) -> int:
        if conv not in self._talks:
            found = self._db.execute("SELECT id FROM talk WHERE conv = ?", (conv,)).fetchone()
            self._talks[conv] = found[0] if found else self._new_talk(conv, "", 0)
        return self._talks[conv]

    def _new_talk(self, conv: str, customer: str, last_ms: int) -> int:
        made = self._db.execute(
            "INSERT INTO talk (place, conv, customer, last_ms) VALUES (?, ?, ?, ?)",
            (self._place, conv, customer, last_ms),
        ).lastrowid
        assert made is not None
        self._fresh.add(made)
        if customer:
            self._name(_NAMED, made, customer)
        return made

    def _name(self, statement: str, talk: int, customer: str) -> None:
        phones = phones_of([customer.lstrip("+")])
        self._db.execute(statement, (rowids_of(talk=talk), "", phones, self._tokens))

    def _talk(self, change: Talk) -> None:
        found = self._db.execute(
            "SELECT id, customer FROM talk WHERE conv = ?", (change.conv,)
        ).fetchone()
        if found is None:
            self._talks[change.conv] = self._new_talk(change.conv, change.customer, change.last_ms)
            return
        talk, customer = found
        self._talks[change.conv] = talk
        self._db.execute(
            "UPDATE talk SET last_ms = max(last_ms, ?) WHERE id = ?", (change.last_ms, talk)
        )
        if change.customer and not customer:  # its messages were known first
            self._db.execute("UPDATE talk SET customer = ? WHERE id = ?", (change.customer, talk))
            self._name(_NAMED, talk, change.customer)

    def _purged(self, change: Purged) -> None:
        talk = self._talk_of(change.conv)
        for key in [k for k in self._new if k[0] == talk and k[1] <= change.upto]:
            del self._new[key]
        self._take_all("talk = ? AND n <= ?", (talk, change.upto))

    def _drop(self, name: str) -> None:
        self._drop_card(name)
        found = self._db.execute("SELECT id, customer FROM talk WHERE conv = ?", (name,)).fetchone()
        if found is None:
            return
        talk, customer = found
        for key in [k for k in self._new if k[0] == talk]:
            del self._new[key]
        self._take_all("talk = ?", (talk,))
        self._talks.pop(name, None)
        if customer:
            self._name(_UNNAMED, talk, customer)
        self._db.execute("DELETE FROM talk WHERE id = ?", (talk,))

    def _take_all(self, where: str, values: Iterable[int]) -> None:
        rows = self._db.execute(
            f"SELECT id, talk, n, text FROM message WHERE {where}",  # noqa: S608 - ours
            tuple(values),
        )
        for row in rows.fetchall():
            self._take(row)
        self._flush_gone()

    def _take(self, row: _Row) -> None:
        self._gone[row[1], row[2]] = row

    def _card(self, change: Card) -> None:
        self._drop_card(change.id)
        numbers = " ".join(change.numbers)
        card = self._db.execute(
            "INSERT INTO card (contact, name, numbers, note) VALUES (?, ?, ?, ?)",
            (change.id, change.name, numbers, change.note),
        ).lastrowid
        assert card is not None
        self._db.execute(_NAMED, _card_row(card, change.name, numbers, change.note))

    def _drop_card(self, contact: str) -> None:
        found = self._db.execute(
            "SELECT id, name, numbers, note FROM card WHERE contact = ?", (contact,)
        ).fetchone()
        if found is not None:
            self._db.execute(_UNNAMED, _card_row(*found))
            self._db.execute("DELETE FROM card WHERE id = ?", (found[0],))

    def _flush(self) -> None:
        self._flush_gone()
        rows = sorted(
            (at_ms << _BITS, talk, n, text) for (talk, n), (at_ms, text) in self._new.items()
        )
        last, said = 0, []
        for rowid, talk, n, text in rows:
            last = max(rowid, last + 1)
            while not self._db.execute(_KEEP, (last, talk, n, text)).rowcount:
                last += 1  # somebody else's, of the same millisecond
            said.append(self._said(last, text))
        self._db.executemany(_SAID, said)
        self._new, self._fresh = {}, set()

    def _flush_gone(self) -> None:
        for rowid, _, _, text in sorted(self._gone.values()):
            self._db.execute(_UNSAID, self._said(rowid, text))
            self._db.execute("DELETE FROM message WHERE id = ?", (rowid,))
        self._gone = {}

    def _said(self, rowid: int, text: str) -> tuple[int, str, str, str]:
        return rowid, words_column(text), phones_of((), text=text), self._tokens


def _card_row(card: int, name: str, numbers: str, note: str) -> tuple[int, str, str, str]:
    words = words_column(f"{name}\n{note}")
    digits = [number.lstrip("+") for number in numbers.split()]
    return rowids_of(card=card), words, phones_of(digits, text=note), CARDS
