"""One connection to the archive's file, in one thread of its own."""

from __future__ import annotations

import asyncio
import os
import secrets
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from batonbox_server.errors import Refused

__all__ = ["FileThread"]

T = TypeVar("T")
_SCHEMA: Final = 1
_BUSY_S: Final = 5.0
_TIMEOUT_S: Final = 30.0
# Waiting for the thread, at most; whoever comes then is told to come again.
_MOST_WAITING: Final = 1024
_TABLES: Final = (
    "CREATE TABLE about(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    # Lines carry a small number in place of a conversation's name, which is a third of a message.
    (
        "CREATE TABLE convs(k INTEGER PRIMARY KEY, conv TEXT NOT NULL UNIQUE, log TEXT NOT NULL,"
        " lines INTEGER NOT NULL, first_ms INTEGER NOT NULL)"
    ),
    "CREATE INDEX convs_of_log ON convs(log, conv)",
    (
        "CREATE TABLE lines(k INTEGER NOT NULL, n INTEGER NOT NULL, seq INTEGER NOT NULL,"
        " at_ms INTEGER NOT NULL, packed BLOB NOT NULL, read_ms INTEGER NOT NULL,"
        " PRIMARY KEY(k, n)) WITHOUT ROWID"
    ),
    (
        "CREATE TABLE rows(conv TEXT PRIMARY KEY, log TEXT NOT NULL, last_ms INTEGER NOT NULL,"
        " packed BLOB NOT NULL, read_ms INTEGER NOT NULL) WITHOUT ROWID"
    ),
    "CREATE INDEX rows_of_log ON rows(log, last_ms)",
)


class FileThread:
    """`run` calls in turn; `commit` calls together, durably, several in one transaction.

    Both raise Refused("unavailable") with the reason when the file cannot be used. It is opened at
    the first call, made where it is missing, and opened anew after an error.
    """

    def __init__(self, path: Path, *, name: str) -> None:
        self._path = path
        self.expected = ""  # the only archive that may be at this path; "": any
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._connection: sqlite3.Connection | None = None
        self._file = (0, 0)
        self._waiting = 0

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What `work` returns, which reads only."""
        return await self._in_thread(lambda: work(self._opened()))

    async def commit(self, works: Sequence[Callable[[sqlite3.Connection], Any]]) -> list[Any]:
        """What each of them returned, or the exception it ended in; kept on disk by then."""
        return await self._in_thread(lambda: self._commit(works))

    async def expect(self, name: str) -> None:
        """From now on only the archive of this id will do."""
        self.expected = name
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)

    async def aclose(self) -> None:
        """Close the file."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if self._waiting >= _MOST_WAITING:
            raise Refused("unavailable", "The archive is busy; retry with the same id.")
        self._waiting += 1
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                return await asyncio.get_running_loop().run_in_executor(
                    self._thread, lambda: self._guarded(work)
                )
        except TimeoutError as error:
            raise Refused("unavailable", "The archive's disk does not answer.") from error
        finally:
            self._waiting -= 1

    def _guarded(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except (sqlite3.Error, OSError) as error:
            self._close()
            raise Refused("unavailable", f"The archive {self._path}: {error}.") from error

    def _commit(self, works: Sequence[Callable[[sqlite3.Connection], Any]]) -> list[Any]:
        try:
            return self._in_one(works)
        except Exception as error:
            if len(works) == 1:
                return [self._told(error)]
            # One that cannot be done must not take the others with it.
            return [self._commit([work])[0] for work in works]

    def _in_one(self, works: Sequence[Callable[[sqlite3.Connection], Any]]) -> list[Any]:
        connection = self._opened()
        connection.execute("BEGIN IMMEDIATE")
        try:
            done = [work(connection) for work in works]
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return done

    def _told(self, error: Exception) -> Exception:
        if not isinstance(error, sqlite3.Error | OSError):
            return error
        self._close()
        told = Refused("unavailable", f"The archive {self._path}: {error}.")
        told.__cause__ = error
        return told

    def _opened(self) -> sqlite3.Connection:
        if self._connection is not None and self._is_still_there():
            return self._connection
        self._close()
        made = not self._path.exists()
        if made and self.expected:
            raise OSError(f"the file of archive {self.expected} is gone; put it back")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            self._path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
        )
        try:
            _prepare(connection)
            _compare(connection, self.expected)
        except BaseException:
            connection.close()
            raise
        if made:
            self._path.chmod(0o600)
            _sync_folder(self._path.parent)
        self._connection, self._file = connection, _identity(self._path)
        return connection

    def _is_still_there(self) -> bool:
        # A file that was moved away would take writes, and be gone with this process.
        try:
            return _identity(self._path) == self._file
        except OSError:
            return False

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    # NORMAL would keep what is committed through a kill, not through a power cut.
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA cache_size=-16000")
    connection.execute("PRAGMA journal_size_limit=67108864")
    # What retention erases is not left in free pages.
    connection.execute("PRAGMA secure_delete=ON")
    if _schema_of(connection) == 0:
        connection.execute("BEGIN IMMEDIATE")
        if _schema_of(connection) == 0:
            for table in _TABLES:
                connection.execute(table)
            given = ("id", secrets.token_hex(8))
            connection.execute("INSERT INTO about VALUES (?, ?)", given)
            connection.execute(f"PRAGMA user_version={_SCHEMA}")
        connection.execute("COMMIT")
    if _schema_of(connection) != _SCHEMA:
        raise sqlite3.DatabaseError("it was written by a newer version; update this server")


def _compare(connection: sqlite3.Connection, expected: str) -> None:
    found = connection.execute("SELECT value FROM about WHERE name='id'").fetchone()[0]
    if expected not in {"", found}:
        raise sqlite3.DatabaseError(
            f"it is archive {found}, and messages are in {expected}; put that one back"
        )


def _schema_of(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
