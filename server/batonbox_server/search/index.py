"""The search index of one node: SQLite FTS5, in a file that may be thrown away."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from batonbox_server.errors import Refused
from batonbox_server.service.search_port import Change, Hit, Move, Place

from .changes import Changes
from .excerpt import matches, shown
from .finding import Finding
from .query import parse
from .sqlite import IndexFile

__all__ = ["SqliteIndex"]

_PLACE = (
    "INSERT INTO place (log, epoch, seq, tip, step, walked, done, total)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (log) DO UPDATE SET epoch = excluded.epoch,"
    " seq = excluded.seq, tip = excluded.tip, step = excluded.step, walked = excluded.walked,"
    " done = excluded.done, total = excluded.total"
)
_MOVED = (
    "UPDATE place SET epoch = ?, seq = ?, tip = ?, step = ?, walked = ?, done = ?, total = ?"
    " WHERE log = ?"
)
_FORGET = 2000


class SqliteIndex:
    """Implements `service.search_port.SearchIndex`."""

    shared = False

    def __init__(self, path: Path, *, on_anew: Callable[[], None] = lambda: None) -> None:
        self._file = IndexFile(path, on_anew=on_anew)

    async def open(self) -> None:
        """Make the file or open it. Raises Refused("unavailable")."""
        await self._file.open()

    async def aclose(self) -> None:
        """See the port."""
        await self._file.aclose()

    async def find(
        self, q: str, *, logs: Sequence[str], kinds: frozenset[str], after: str, n: int
    ) -> tuple[list[Hit], str]:
        """See the port."""
        clauses = parse(q)

        def work(connection: sqlite3.Connection) -> tuple[list[Hit], str]:
            found = Finding(connection, clauses, logs)
            return found.hits(kinds, after=after, n=n)

        return await self._file.read(work)

    def matches(self, q: str, texts: Sequence[str]) -> list[tuple[tuple[int, int], ...] | None]:
        """See the port."""
        clauses = parse(q)
        return [matches(text, clauses) for text in texts]

    def shown(self, q: str, text: str) -> tuple[str, tuple[tuple[int, int], ...]] | None:
        """See the port."""
        return shown(text, parse(q))

    async def places(self) -> Mapping[str, Place]:
        """See the port."""

        def work(connection: sqlite3.Connection) -> dict[str, Place]:
            rows = connection.execute(
                "SELECT log, epoch, seq, tip, step, walked, done, total FROM place"
            )
            return {log: Place(*rest) for log, *rest in rows}

        return await self._file.write(work)

    async def apply(self, log: str, changes: Sequence[Change], *, place: Place) -> None:
        """See the port."""
        await self.apply_all([Move(log, changes, place)])

    async def apply_all(self, moves: Sequence[Move]) -> None:
        """See the port: all of them are one transaction."""

        def work(connection: sqlite3.Connection) -> None:
            for move in moves:
                if not _moved(connection, move.log, move.place):
                    # The file was made anew meanwhile: what came before is not in it.
                    raise Refused("unavailable", "The search index is being made anew; retry.")
                if move.changes:
                    Changes(connection, move.log).do(move.changes)

        await self._file.write(work)

    async def restart(self, log: str, *, place: Place) -> None:
        """See the port."""
        if not await self._file.write(lambda connection: _began(connection, log, place)):
            await self._forget(log)
            await self._file.write(lambda connection: _stand(connection, log, place))

    async def drop(self, log: str) -> None:
        """See the port."""
        await self._forget(log)
        await self._file.write(
            lambda connection: connection.execute("DELETE FROM place WHERE log = ?", (log,))
        )

    async def clear(self) -> None:
        """See the port: another file is faster than taking out every row."""
        await self._file.replace()

    async def _forget(self, log: str) -> None:
        """In steps, so that searches and other logs do not wait; a crash in between is harmless."""
        void = Place("", 0, "", step="rows")
        await self._file.write(lambda connection: _stand(connection, log, void))
        while await self._file.write(lambda c: Changes(c, log).forget(_FORGET)):
            pass


def _began(connection: sqlite3.Connection, log: str, place: Place) -> bool:
    """Stand there, if nothing is known of the log."""
    if connection.execute("SELECT 1 FROM place WHERE log = ?", (log,)).fetchone():
        return False
    _stand(connection, log, place)
    return True


def _stand(connection: sqlite3.Connection, log: str, place: Place) -> None:
    connection.execute(_PLACE, (log, *_values(place)))


def _moved(connection: sqlite3.Connection, log: str, place: Place) -> bool:
    """Stand there, if something is known of the log."""
    return bool(connection.execute(_MOVED, (*_values(place), log)).rowcount)


def _values(place: Place) -> tuple[str | int, ...]:
    """In the order of the columns."""
    return (place.epoch, place.seq, place.tip, place.step, place.walked, place.done, place.total)
