"""The index's file: its tables, its two connections, each in a thread of its own."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
import time
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Final, TypeVar

import structlog

from batonbox_server.errors import Refused

__all__ = ["IndexFile"]

_log = structlog.get_logger(__name__)
T = TypeVar("T")
# Rises with the tables and with the folding of texts, in the code here or in Python's own data:
# what was indexed one way cannot be taken out another way.
SCHEMA: Final = 200_000 + int(unicodedata.unidata_version.replace(".", ""))
_SERVERS: Final = 80  # as many workers as there may be, and their successors
_LEFT_S: Final = 7 * 86_400.0  # after which a file that nobody has is nobody's
_READ_S: Final = 3.0  # a search that takes longer ends, so that others get their turn
_WAITING_MOST: Final = 64
_WAIT_S: Final = 10.0
_STEPS: Final = 10_000  # of SQLite's machine between two looks at the clock
# Rows of `said` and `named` have no text of their own: what they hold is made from the rows of
# `message`, `talk` and `card` again when it has to go.
_TABLES: Final = """
CREATE TABLE place (
  id INTEGER PRIMARY KEY, log TEXT NOT NULL UNIQUE, epoch TEXT NOT NULL, seq INTEGER NOT NULL,
  tip TEXT NOT NULL, step TEXT NOT NULL, walked TEXT NOT NULL, done INTEGER NOT NULL,
  total INTEGER NOT NULL);
CREATE TABLE talk (
  id INTEGER PRIMARY KEY, place INTEGER NOT NULL, conv TEXT NOT NULL UNIQUE,
  customer TEXT NOT NULL, last_ms INTEGER NOT NULL);
CREATE INDEX talk_customer ON talk (customer, last_ms) WHERE customer != '';
CREATE INDEX talk_place ON talk (place);
CREATE TABLE message (id INTEGER PRIMARY KEY, talk INTEGER NOT NULL, n INTEGER NOT NULL,
  text TEXT NOT NULL);
CREATE UNIQUE INDEX message_n ON message (talk, n);
CREATE TABLE card (
  id INTEGER PRIMARY KEY, contact TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
  numbers TEXT NOT NULL, note TEXT NOT NULL);
CREATE VIRTUAL TABLE said USING fts5(
  words, phones, place, content='', columnsize=0, tokenize='ascii', prefix='2 3');
CREATE VIRTUAL TABLE named USING fts5(
  words, phones, place, content='', columnsize=0, tokenize='ascii', prefix='2 3');
"""
_PRAGMAS: Final = (
    "PRAGMA journal_mode=WAL",
    # A crash of the machine may take the last writes away, never tear them; the logs have them.
    "PRAGMA synchronous=NORMAL",
    "PRAGMA cache_size=-32768",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA busy_timeout=5000",
    # What is deleted or erased is not left in free pages.
    "PRAGMA secure_delete=ON",
)


class IndexFile:
    """`write(work)` and `read(work)` run `work(connection)` one after the other in their threads.

    A write is one transaction. A file that is damaged, or of another version, is made anew at
    `open`, and as soon as it shows: then `on_anew` is called. Where another process has the file
    open (workers, or two servers in one folder) it is one beside it, which begins as a copy.
    """

    def __init__(self, path: Path, *, on_anew: Callable[[], None] = lambda: None) -> None:
        self._wanted = path
        self.path = path
        self._lock = -1
        self._on_anew = on_anew
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="search-write")
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="search-read")
        self._writing: sqlite3.Connection | None = None
        self._reading: sqlite3.Connection | None = None
        self._waiting = 0
        self._made = 0  # counts the files; 0: there is none
        self._seen = 0  # which of them is being read

    async def open(self) -> None:
        """Make the file or open it. Raises Refused("unavailable")."""
        await self.write(lambda _: None)

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Raises Refused("unavailable") when the disk is full and the like; nothing is written."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._writer, self._guarded, self._transact, work)

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Raises Refused("unavailable"), also when too many wait, or this waits for too long."""
        if self._waiting >= _WAITING_MOST:
            raise Refused("unavailable", "Too many searches at once; retry.")
        self._waiting += 1
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_WAIT_S):
                return await loop.run_in_executor(self._reader, self._guarded, self._look, work)
        except TimeoutError as error:
            raise Refused("unavailable", "Too many searches at once; retry.") from error
        finally:
            self._waiting -= 1

    async def replace(self) -> None:
        """Go on with an empty file. Raises Refused("unavailable")."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._writer, self._anew)
        await self.open()

    async def aclose(self) -> None:
        """Wait for what is under way, then close."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._reader, self._close_reading)
        await loop.run_in_executor(self._writer, self._close_writing)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
        self._reader.shutdown()
        self._writer.shutdown()

    def _guarded(
        self,
        run: Callable[[Callable[[sqlite3.Connection], T]], T],
        work: Callable[[sqlite3.Connection], T],
    ) -> T:
        try:
            return run(work)
        except (sqlite3.Error, OSError) as error:
            _log.warning("search_index_failed", file=str(self.path), error=str(error))
            raise Refused(
                "unavailable", f"The search index cannot be used ({error}); retry."
            ) from error

    def _transact(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            if self._writing is None:
                self._writing = self._opened()
                self._made += 1
            with self._writing:
                self._writing.execute("BEGIN IMMEDIATE")
                return work(self._writing)
        except sqlite3.DatabaseError as error:
            if _damaged(error):
                self._anew(str(error))
            raise

    def _look(self, work: Callable[[sqlite3.Connection], T]) -> T:
        made = self._made
        if made != self._seen:
            self._close_reading()
        if self._reading is None:
            if self._writing is None:
                raise Refused("unavailable", "The search index is being made anew; retry.")
            self._reading, self._seen = _connect(self.path), made
        try:
            end_s = time.monotonic() + _READ_S
            self._reading.set_progress_handler(lambda: time.monotonic() > end_s, _STEPS)
            self._reading.execute("BEGIN")  # one state for all that is read
            try:
                return work(self._reading)
            finally:
                self._reading.rollback()
        except sqlite3.DatabaseError as error:
            if _damaged(error):
                self._writer.submit(self._anew, str(error), made=made)
            raise

    def _claim(self) -> None:
        """Choose a file that no other process has, for as long as this one lives."""
        for path in self._files():
            lock = _locked(path)
            if lock >= 0:
                self.path, self._lock = path, lock
                return
        raise Refused("unavailable", f"Too many servers search in {self._wanted.parent}.")

    def _files(self) -> list[Path]:
        stem = self._wanted.stem
        more = [self._wanted.with_stem(f"{stem}-{n}") for n in range(2, _SERVERS + 1)]
        return [self._wanted, *more]

    def _remove_left(self) -> None:
        """Files of servers that were here once: what has been erased since stands in them still."""
        for path in self._files():
            # It may only be restarting, or be somebody else's for good.
            with suppress(OSError):
                if path == self.path or time.time() - path.stat().st_mtime < _LEFT_S:
                    continue
                lock = _locked(path)
                if lock >= 0:
                    _log.info("search_index_removed", file=str(path))
                    _remove(path)
                    os.close(lock)

    def _copy_another(self) -> None:
        """A new file goes on from the latest beside it: to read everything takes much longer."""
        others = [path for path in self._files() if path != self.path and path.exists()]
        if self.path.exists() or not others:
            return
        other = max(others, key=_written_s)
        try:
            with closing(sqlite3.connect(other)) as source, closing(_connect(self.path)) as copy:
                source.backup(copy)
            _log.info("search_index_copied", file=str(self.path), other=str(other))
        except sqlite3.Error as error:
            _log.warning("search_index_not_copied", other=str(other), error=str(error))
            _remove(self.path)

    def _opened(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            if self._lock < 0:
                self._claim()
                self._remove_left()
                self._copy_another()
            connection = _connect(self.path)
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version == SCHEMA:
                connection.execute("SELECT count(*) FROM place").fetchone()
                return connection
            connection.close()
            if version:
                _log.info("search_index_replaced", file=str(self.path), version=version)
        except sqlite3.DatabaseError as error:
            if not _damaged(error):
                raise
            _log.warning("search_index_replaced", file=str(self.path), error=str(error))
        _remove(self.path)
        connection = _connect(self.path)
        connection.executescript(f"BEGIN; {_TABLES} PRAGMA user_version={SCHEMA}; COMMIT;")
        return connection

    def _anew(self, error: str = "", *, made: int = 0) -> None:
        if made not in {0, self._made}:
            return  # told of one that was replaced already
        self._close_writing()
        if error:
            _log.warning("search_index_replaced", file=str(self.path), error=error)
        else:
            _log.info("search_index_replaced", file=str(self.path), reason="asked for")
        _remove(self.path)
        self._on_anew()

    def _close_reading(self) -> None:
        if self._reading is not None:
            self._reading.close()
            self._reading = None

    def _close_writing(self) -> None:
        if self._writing is not None:
            self._writing.close()
            self._writing = None


def _locked(path: Path) -> int:
    """The descriptor by which this process has the file, -1: another one has it."""
    lock = os.open(f"{path}-lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return -1
    return lock


def _written_s(path: Path) -> float:
    """When, as Unix time; what was written last is beside it."""
    written_s = 0.0
    for each in (path, Path(f"{path}-wal")):
        with suppress(OSError):
            written_s = max(written_s, each.stat().st_mtime)
    return written_s


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def _connect(path: Path) -> sqlite3.Connection:
    # What people wrote stands in it: it is this user's alone, and so are the files beside it.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for pragma in _PRAGMAS:
        connection.execute(pragma)
    return connection


def _damaged(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in {
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
    } or "no such table" in str(error)
