"""The archive as one file beside the embedded engine: SQLite, for one server."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from batonbox_server.domain.model import inbox_of
from batonbox_server.store.archive_port import ArchivedRow, ArchiveStatus, Line
from batonbox_server.tasks import cancel_all, spawn

from .packed import pack_row, unpack_row, without
from .sqlite_thread import FileThread

__all__ = ["SqliteArchive"]

T = TypeVar("T")
_Work = Callable[[sqlite3.Connection], Any]
# Of one transaction: they share its wait for the disk.
_TOGETHER: Final = 128
# Lines and conversations that a walk reads at once, so that it holds nobody up.
_LINES: Final = 1000
_CONVS: Final = 200
# A write that comes late, read before what is kept, changes nothing.
_PUT: Final = (
    "INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (k, n) DO UPDATE SET seq=excluded.seq,"
    " at_ms=excluded.at_ms, packed=excluded.packed, read_ms=excluded.read_ms"
    " WHERE excluded.read_ms>=lines.read_ms"
)
_LATER: Final = (
    "SELECT coalesce(max(read_ms), 0) FROM lines WHERE k=? AND n BETWEEN ? AND ? AND read_ms>?"
)
_LINES_OF: Final = (
    "SELECT n, seq, at_ms, packed, read_ms FROM lines WHERE k=(SELECT k FROM convs WHERE conv=?)"
)
_PUT_ROW: Final = (
    "INSERT INTO rows VALUES (?, ?, ?, ?, ?) ON CONFLICT (conv) DO UPDATE SET"
    " last_ms=excluded.last_ms, packed=excluded.packed, read_ms=excluded.read_ms"
    " WHERE excluded.read_ms>=rows.read_ms"
)


class SqliteArchive:
    """Implements `store.archive_port.Archive`; `path` is made at the first use.

    Writes wait for the disk, several together; reads have a thread of their own, and long ones
    another.
    """

    kind = "sqlite"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer = FileThread(path, name="archive-write")
        self._reader = FileThread(path, name="archive-read")
        self._walker = FileThread(path, name="archive-walk")
        self._works: list[tuple[_Work, asyncio.Future[Any]]] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._room = asyncio.Semaphore(2 * _TOGETHER)

    async def put_lines(self, *, conv: str, lines: Sequence[Line]) -> int:
        """See the port."""
        if not lines:
            return 0
        return await self._write(partial(_put_lines, conv=conv, lines=list(lines)))

    async def lines(self, *, conv: str, first: int, last: int) -> list[Line]:
        """See the port."""
        return await self._reader.run(partial(_lines, conv=conv, first=first, last=last))

    async def put_row(self, row: ArchivedRow) -> int:
        """See the port."""
        given = (row.conv, inbox_of(row.conv), row.last_ms, pack_row(row), row.read_ms)
        return await self._write(partial(_put_row, given=given))

    async def row(self, *, conv: str) -> ArchivedRow | None:
        """See the port."""
        return await self._reader.run(partial(_row, conv=conv))

    async def drop_row(self, *, conv: str) -> None:
        """See the port."""
        await self._write(lambda db: db.execute("DELETE FROM rows WHERE conv=?", (conv,)))

    async def rows(
        self, *, inbox: str, after_ms: int | None, n: int, ascending: bool = False
    ) -> list[ArchivedRow]:
        """See the port."""
        sign, order = (">", "ASC") if ascending else ("<", "DESC")
        bound = "" if after_ms is None else f" AND last_ms {sign} {int(after_ms)}"
        asked = (
            f"SELECT conv, last_ms, packed, read_ms FROM rows WHERE log=?{bound}"  # noqa: S608 - a number
            f" ORDER BY last_ms {order} LIMIT ?"
        )
        found = await self._reader.run(lambda db: db.execute(asked, (inbox, n)).fetchall())
        return [unpack_row(*row) for row in found]

    async def purge(self, *, conv: str, upto: int, whole: bool = False) -> None:
        """See the port."""
        await self._write(partial(_purge, conv=conv, upto=upto, whole=whole))

    async def purge_log(self, *, log: str) -> None:
        """See the port."""
        while await self._write(partial(_purge_log, log=log)):
            pass

    async def expired(
        self, *, before_ms: int, rooms: bool, after: str = "", n: int = 200
    ) -> list[tuple[str, int]]:
        """See the port."""
        find = partial(_expired, before_ms=before_ms, rooms=rooms, after=after, n=n)
        return await self._walker.run(find)

    async def walk(
        self, *, log: str = "", after: str = ""
    ) -> AsyncIterator[tuple[str, list[Line]]]:
        """See the port; a long conversation comes in several pieces."""
        while convs := await self._walker.run(partial(_convs, log=log, after=after)):
            for after in convs:
                first = 0
                while lines := await self._walker.run(
                    partial(_some_lines, conv=after, first=first)
                ):
                    yield after, lines
                    first = lines[-1].n + 1

    async def logs(self) -> list[str]:
        """See the port."""
        return await self._walker.run(_logs)

    async def status(self) -> ArchiveStatus:
        """See the port."""
        found = await self._walker.run(_status)
        files = (self._path, self._path.with_name(f"{self._path.name}-wal"))
        size = sum(file.stat().st_size for file in files if file.exists())
        return ArchiveStatus(self.kind, *found, size_bytes=size)

    async def belongs(self, *, owner: str) -> str:
        """See the port."""
        return str(await self._write(partial(_belongs, owner=owner)))

    async def expect(self, *, archive: str) -> None:
        """See the port."""
        for thread in (self._writer, self._reader, self._walker):
            await thread.expect(archive)

    async def aclose(self) -> None:
        """See the port; what was not acknowledged may be lost."""
        await cancel_all(self._tasks)
        for thread in (self._writer, self._reader, self._walker):
            await thread.aclose()

    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        async with self._room:
            done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
            self._works.append((work, done))
            if not self._tasks:
                spawn(self._tasks, self._drain(), name="archive-write")
            return await done

    async def _drain(self) -> None:
        while self._works:
            batch, self._works = self._works[:_TOGETHER], self._works[_TOGETHER:]
            try:
                ended = await self._writer.commit([work for work, _ in batch])
            except Exception as error:
                ended = [error] * len(batch)
            except asyncio.CancelledError:
                _cancel(batch + self._works)
                raise
            for (_, done), result in zip(batch, ended, strict=True):
                if done.done():
                    continue  # its caller was cancelled
                if isinstance(result, Exception):
                    done.set_exception(result)
                else:
                    done.set_result(result)
        # In the same tick as the look at the list, so that what comes now starts another.
        self._tasks.clear()


def _cancel(works: list[tuple[_Work, asyncio.Future[Any]]]) -> None:
    for _, done in works:
        done.cancel()


def _row(db: sqlite3.Connection, *, conv: str) -> ArchivedRow | None:
    asked = "SELECT last_ms, packed, read_ms FROM rows WHERE conv=?"
    found = db.execute(asked, (conv,)).fetchone()
    return None if found is None else unpack_row(conv, *found)


def _number(db: sqlite3.Connection, conv: str) -> int | None:
    found = db.execute("SELECT k FROM convs WHERE conv=?", (conv,)).fetchone()
    return None if found is None else int(found[0])


def _put_lines(db: sqlite3.Connection, *, conv: str, lines: list[Line]) -> int:
    k = _number(db, conv)
    if k is None:
        given = (conv, inbox_of(conv))
        k = db.execute(
            "INSERT INTO convs(conv, log, lines, first_ms) VALUES (?, ?, 0, 0)", given
        ).lastrowid
    assert k is not None
    numbers = [line.n for line in lines]
    span = (k, min(numbers), max(numbers))
    before = db.execute("SELECT count(*) FROM lines WHERE k=? AND n BETWEEN ? AND ?", span)
    (had,) = before.fetchone()
    db.executemany(
        _PUT,
        [(k, line.n, line.seq, line.at_ms, line.packed, line.read_ms) for line in lines],
    )
    has = db.execute("SELECT count(*) FROM lines WHERE k=? AND n BETWEEN ? AND ?", span)
    _recount(db, k, more=has.fetchone()[0] - had)
    read_ms = max(line.read_ms for line in lines)
    (later,) = db.execute(_LATER, (*span, read_ms)).fetchone()
    return int(later)


def _put_row(db: sqlite3.Connection, *, given: tuple[Any, ...]) -> int:
    db.execute(_PUT_ROW, given)
    conv, read_ms = given[0], given[-1]
    (kept,) = db.execute("SELECT read_ms FROM rows WHERE conv=?", (conv,)).fetchone()
    return int(kept) if kept > read_ms else 0


def _recount(db: sqlite3.Connection, k: int, *, more: int) -> None:
    """Keeps how many lines a conversation has, and since when."""
    db.execute(
        "UPDATE convs SET lines=lines+?, first_ms=coalesce("
        "(SELECT at_ms FROM lines WHERE k=? ORDER BY n LIMIT 1), 0) WHERE k=?",
        (more, k, k),
    )


def _lines(db: sqlite3.Connection, *, conv: str, first: int, last: int) -> list[Line]:
    asked = f"{_LINES_OF} AND n BETWEEN ? AND ? ORDER BY n"
    found = db.execute(asked, (conv, first, last))
    return [Line(*line) for line in found]


def _purge(db: sqlite3.Connection, *, conv: str, upto: int, whole: bool) -> None:
    if whole:
        db.execute("DELETE FROM rows WHERE conv=?", (conv,))
    elif (row := _row(db, conv=conv)) and (less := without(row, upto)):
        db.execute("UPDATE rows SET packed=? WHERE conv=?", (pack_row(less), conv))
    k = _number(db, conv)
    if k is None:
        return
    bound = "" if whole else f" AND n<={int(upto)}"
    gone = db.execute(f"DELETE FROM lines WHERE k=?{bound}", (k,)).rowcount  # noqa: S608
    _recount(db, k, more=-gone)
    db.execute("DELETE FROM convs WHERE k=? AND lines=0", (k,))


def _purge_log(db: sqlite3.Connection, *, log: str) -> bool:
    found = db.execute("SELECT conv FROM convs WHERE log=? LIMIT ?", (log, _CONVS)).fetchall()
    for (conv,) in found:
        _purge(db, conv=conv, upto=0, whole=True)
    if not found:
        db.execute("DELETE FROM rows WHERE log=?", (log,))
    return bool(found)


def _expired(
    db: sqlite3.Connection, *, before_ms: int, rooms: bool, after: str, n: int
) -> list[tuple[str, int]]:
    found = db.execute(
        "SELECT conv, coalesce("
        "(SELECT n-1 FROM lines WHERE lines.k=convs.k AND at_ms>=? ORDER BY n LIMIT 1),"
        " (SELECT max(n) FROM lines WHERE lines.k=convs.k)) FROM convs"
        " WHERE conv>? AND first_ms<? AND (substr(conv, 1, 1)='~')=? ORDER BY conv LIMIT ?",
        (before_ms, after, before_ms, int(rooms), n),
    )
    return [(conv, int(upto)) for conv, upto in found if upto]


def _convs(db: sqlite3.Connection, *, log: str, after: str) -> list[str]:
    one = "log=? AND " if log else ""
    asked = f"SELECT conv FROM convs WHERE {one}conv>? ORDER BY conv LIMIT ?"  # noqa: S608
    given = (log, after, _CONVS) if log else (after, _CONVS)
    return [conv for (conv,) in db.execute(asked, given)]


def _some_lines(db: sqlite3.Connection, *, conv: str, first: int) -> list[Line]:
    found = db.execute(f"{_LINES_OF} AND n>=? ORDER BY n LIMIT ?", (conv, first, _LINES))
    return [Line(*line) for line in found]


def _logs(db: sqlite3.Connection) -> list[str]:
    found = db.execute("SELECT DISTINCT log FROM convs UNION SELECT DISTINCT log FROM rows")
    return sorted(log for (log,) in found)


def _status(db: sqlite3.Connection) -> tuple[str, int, int]:
    name = db.execute("SELECT value FROM about WHERE name='id'").fetchone()[0]
    lines = db.execute("SELECT coalesce(sum(lines), 0) FROM convs").fetchone()[0]
    return name, lines, db.execute("SELECT count(*) FROM rows").fetchone()[0]


def _belongs(db: sqlite3.Connection, *, owner: str) -> str:
    db.execute("INSERT OR IGNORE INTO about VALUES ('owner', ?)", (owner,))
    return str(db.execute("SELECT value FROM about WHERE name='owner'").fetchone()[0])
