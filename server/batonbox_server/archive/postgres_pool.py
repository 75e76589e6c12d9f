"""Connections to the archive's PostgreSQL: few, opened when they are needed, tables made once."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg  # type: ignore[import-untyped]

from batonbox_server.errors import Refused

__all__ = ["PostgresPool"]

_SCHEMA: Final = "1"
_MOST: Final = 8
_CONNECT_S: Final = 5.0
_COMMAND_S: Final = 30.0
# So long one waits for a connection while all are in use.
_ACQUIRE_S: Final = 10.0
_LOCK: Final = 0x6261746F6E626F78
# Names are compared byte by byte, as in every other store: pages go on where they ended.
_TABLES: Final = """
CREATE TABLE batonbox_archive(name text PRIMARY KEY, value text NOT NULL);
CREATE TABLE batonbox_convs(
    k bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, conv text COLLATE "C" NOT NULL UNIQUE,
    log text COLLATE "C" NOT NULL, lines bigint NOT NULL, first_ms bigint NOT NULL);
CREATE INDEX ON batonbox_convs(log, conv);
CREATE TABLE batonbox_lines(
    k bigint NOT NULL, n bigint NOT NULL, seq bigint NOT NULL, at_ms bigint NOT NULL,
    packed bytea NOT NULL, read_ms bigint NOT NULL, PRIMARY KEY(k, n));
CREATE TABLE batonbox_rows(
    conv text COLLATE "C" PRIMARY KEY, log text COLLATE "C" NOT NULL, last_ms bigint NOT NULL,
    packed bytea NOT NULL, read_ms bigint NOT NULL);
CREATE INDEX ON batonbox_rows(log, last_ms);
"""


class PostgresPool:
    """At most `_MOST` connections of this node; a broken one is replaced at the next use.

    Everything raises Refused("unavailable") while the database cannot be used.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self.expected = ""  # the only archive that may be there; "": any
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """One connection, for one statement or one transaction."""
        try:
            pool = await self._opened()
            async with pool.acquire(timeout=_ACQUIRE_S) as connection:
                yield connection
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            if self._pool is not None:
                # They may lead to what is a read-only standby since a moment ago.
                await self._pool.expire_connections()
            raise Refused("unavailable", f"The archive's PostgreSQL: {_told(error)}.") from error

    async def aclose(self) -> None:
        """Close all of them; what does not answer is cut off."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(_CONNECT_S):
                await pool.close()
        except TimeoutError:
            pool.terminate()

    async def expect(self, name: str) -> None:
        """From now on only the archive of this id will do."""
        self.expected = name
        await self.aclose()

    async def _begin(self, connection: Any) -> None:
        # A commit that is not on disk yet must not let the engine go of a message.
        if await connection.fetchval("SHOW synchronous_commit") == "off":
            await connection.execute("SET synchronous_commit = on")
        await _make_tables(connection)
        found = await connection.fetchval("SELECT value FROM batonbox_archive WHERE name='id'")
        if self.expected not in {"", found}:
            raise asyncpg.InterfaceError(
                f"it is archive {found}, and messages are in {self.expected}; name that one"
            )

    async def _opened(self) -> Any:
        if self._pool is not None:
            return self._pool
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self._url,
                    min_size=0,
                    max_size=_MOST,
                    timeout=_CONNECT_S,
                    command_timeout=_COMMAND_S,
                    max_inactive_connection_lifetime=60,
                    server_settings={"application_name": "batonbox"},
                    init=self._begin,
                    reset=_as_it_is,
                )
        return self._pool


async def _as_it_is(_: Any) -> None:
    """Nothing between two uses: asyncpg would undo what `_begin` has set."""


async def _make_tables(connection: Any) -> None:
    """Once, whichever node comes first; a role that may only use them is enough afterwards."""
    there = "SELECT to_regclass('batonbox_archive') IS NOT NULL"
    if not await connection.fetchval(there):
        # Before the transaction: within one, what another made meanwhile may stay unseen.
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        async with connection.transaction():
            if not await connection.fetchval(there):
                await connection.execute(_TABLES)
                about = [("id", secrets.token_hex(8)), ("schema", _SCHEMA)]
                await connection.executemany("INSERT INTO batonbox_archive VALUES ($1, $2)", about)
        await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)
    found = await connection.fetchval("SELECT value FROM batonbox_archive WHERE name='schema'")
    if found != _SCHEMA:
        raise asyncpg.InterfaceError("it was written by a newer version; update this server")


def _told(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
