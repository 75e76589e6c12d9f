"""The archive in PostgreSQL, shared by all nodes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from batonbox_server.domain.model import inbox_of
from batonbox_server.store.archive_port import ArchivedRow, ArchiveStatus, Line

from .packed import pack_row, unpack_row, without
from .postgres_pool import PostgresPool

__all__ = ["PostgresArchive"]

_LINES: Final = 1000
_CONVS: Final = 200
# The row of the conversation is locked first, so that whoever erases comes before or after. What
# was read before what is kept changes nothing.
_CONV: Final = (
    "INSERT INTO batonbox_convs(conv, log, lines, first_ms) VALUES ($1, $2, 0, 0)"
    " ON CONFLICT (conv) DO UPDATE SET conv=excluded.conv RETURNING k"
)
_PUT: Final = (
    "WITH put AS (INSERT INTO batonbox_lines"
    " SELECT $1, * FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bytea[],"
    " $6::bigint[])"
    " ON CONFLICT (k, n) DO UPDATE SET seq=excluded.seq, at_ms=excluded.at_ms,"
    " packed=excluded.packed, read_ms=excluded.read_ms"
    " WHERE excluded.read_ms>=batonbox_lines.read_ms RETURNING (xmax=0) AS fresh)"
    " SELECT count(*) FILTER (WHERE fresh) FROM put"
)
_RECOUNT: Final = (
    "UPDATE batonbox_convs SET lines=lines+$2, first_ms=coalesce("
    "(SELECT at_ms FROM batonbox_lines WHERE k=$1 ORDER BY n LIMIT 1), 0) WHERE k=$1"
)
_LINES_OF: Final = (
    "SELECT n, seq, at_ms, packed, read_ms FROM batonbox_lines"
    " WHERE k=(SELECT k FROM batonbox_convs WHERE conv=$1)"
)
_ROW: Final = "SELECT conv, last_ms, packed, read_ms FROM batonbox_rows WHERE conv=$1"
_PUT_ROW: Final = (
    "INSERT INTO batonbox_rows VALUES ($1, $2, $3, $4, $5) ON CONFLICT (conv) DO UPDATE SET"
    " last_ms=excluded.last_ms, packed=excluded.packed, read_ms=excluded.read_ms"
    " WHERE excluded.read_ms>=batonbox_rows.read_ms"
)
_LATER: Final = (
    "SELECT coalesce(max(read_ms), 0) FROM batonbox_lines"
    " WHERE k=$1 AND n BETWEEN $2 AND $3 AND read_ms>$4"
)
_LATER_ROW: Final = "SELECT read_ms FROM batonbox_rows WHERE conv=$1 AND read_ms>$2"
_EXPIRED: Final = (
    "SELECT conv, coalesce("
    "(SELECT n-1 FROM batonbox_lines l WHERE l.k=c.k AND l.at_ms>=$1 ORDER BY n LIMIT 1),"
    " (SELECT max(n) FROM batonbox_lines l WHERE l.k=c.k))"
    " FROM batonbox_convs c WHERE conv>$2 AND first_ms<$1 AND starts_with(conv, '~')=$3"
    " ORDER BY conv LIMIT $4"
)
_LOGS: Final = "SELECT log FROM batonbox_convs UNION SELECT log FROM batonbox_rows ORDER BY 1"
_STATUS: Final = (
    "SELECT (SELECT value FROM batonbox_archive WHERE name='id'),"
    " (SELECT coalesce(sum(lines), 0)::bigint FROM batonbox_convs),"
    " (SELECT count(*) FROM batonbox_rows),"
    " pg_total_relation_size('batonbox_convs') + pg_total_relation_size('batonbox_lines')"
    " + pg_total_relation_size('batonbox_rows')"
)
_BELONGS: Final = "INSERT INTO batonbox_archive VALUES ('owner', $1) ON CONFLICT (name) DO NOTHING"
_OWNER: Final = "SELECT value FROM batonbox_archive WHERE name='owner'"


class PostgresArchive:
    """Implements `store.archive_port.Archive`; connects at the first use."""

    kind = "postgresql"

    def __init__(self, url: str) -> None:
        self._pool = PostgresPool(url)

    async def put_lines(self, *, conv: str, lines: Sequence[Line]) -> int:
        """See the port."""
        if not lines:
            return 0
        columns = (
            [line.n for line in lines],
            [line.seq for line in lines],
            [line.at_ms for line in lines],
            [line.packed for line in lines],
            [line.read_ms for line in lines],
        )
        async with self._pool.connection() as db, db.transaction():
            k = await db.fetchval(_CONV, conv, inbox_of(conv))
            fresh = await db.fetchval(_PUT, k, *columns)
            await db.execute(_RECOUNT, k, fresh)
            span = (min(line.n for line in lines), max(line.n for line in lines))
            read_ms = max(line.read_ms for line in lines)
            return int(await db.fetchval(_LATER, k, *span, read_ms))

    async def lines(self, *, conv: str, first: int, last: int) -> list[Line]:
        """See the port."""
        asked = f"{_LINES_OF} AND n BETWEEN $2 AND $3 ORDER BY n"
        return [Line(*line) for line in await self._fetch(asked, conv, first, last)]

    async def put_row(self, row: ArchivedRow) -> int:
        """See the port."""
        given = (row.conv, inbox_of(row.conv), row.last_ms, pack_row(row), row.read_ms)
        async with self._pool.connection() as db:
            await db.execute(_PUT_ROW, *given)
            return int(await db.fetchval(_LATER_ROW, row.conv, row.read_ms) or 0)

    async def row(self, *, conv: str) -> ArchivedRow | None:
        """See the port."""
        found = await self._fetch(_ROW, conv)
        return unpack_row(*found[0]) if found else None

    async def drop_row(self, *, conv: str) -> None:
        """See the port."""
        await self._fetch("DELETE FROM batonbox_rows WHERE conv=$1", conv)

    async def rows(
        self, *, inbox: str, after_ms: int | None, n: int, ascending: bool = False
    ) -> list[ArchivedRow]:
        """See the port."""
        sign, order = (">", "ASC") if ascending else ("<", "DESC")
        bound = "" if after_ms is None else f" AND last_ms {sign} {int(after_ms)}"
        asked = (
            f"SELECT conv, last_ms, packed, read_ms FROM batonbox_rows WHERE log=$1{bound}"  # noqa: S608
            f" ORDER BY last_ms {order} LIMIT $2"
        )
        return [unpack_row(*row) for row in await self._fetch(asked, inbox, n)]

    async def purge(self, *, conv: str, upto: int, whole: bool = False) -> None:
        """See the port."""
        async with self._pool.connection() as db, db.transaction():
            await _purge(db, conv, None if whole else upto)

    async def purge_log(self, *, log: str) -> None:
        """See the port."""
        asked = "SELECT conv FROM batonbox_convs WHERE log=$1 LIMIT $2"
        while found := await self._fetch(asked, log, _CONVS):
            async with self._pool.connection() as db, db.transaction():
                for (conv,) in found:
                    await _purge(db, conv, None)
        await self._fetch("DELETE FROM batonbox_rows WHERE log=$1", log)

    async def expired(
        self, *, before_ms: int, rooms: bool, after: str = "", n: int = 200
    ) -> list[tuple[str, int]]:
        """See the port."""
        found = await self._fetch(_EXPIRED, before_ms, after, rooms, n)
        return [(conv, upto) for conv, upto in found if upto]

    async def walk(
        self, *, log: str = "", after: str = ""
    ) -> AsyncIterator[tuple[str, list[Line]]]:
        """See the port."""
        convs = (
            "SELECT conv FROM batonbox_convs WHERE ($1='' OR log=$1) AND conv>$2"
            " ORDER BY conv LIMIT $3"
        )
        some = f"{_LINES_OF} AND n>=$2 ORDER BY n LIMIT $3"
        while found := await self._fetch(convs, log, after, _CONVS):
            for (after,) in found:
                first = 0
                while lines := await self._fetch(some, after, first, _LINES):
                    yield after, [Line(*line) for line in lines]
                    first = lines[-1][0] + 1

    async def logs(self) -> list[str]:
        """See the port."""
        return [log for (log,) in await self._fetch(_LOGS)]

    async def status(self) -> ArchiveStatus:
        """See the port."""
        return ArchiveStatus(self.kind, *(await self._fetch(_STATUS))[0])

    async def belongs(self, *, owner: str) -> str:
        """See the port."""
        await self._fetch(_BELONGS, owner)
        return str((await self._fetch(_OWNER))[0][0])

    async def expect(self, *, archive: str) -> None:
        """See the port."""
        await self._pool.expect(archive)

    async def aclose(self) -> None:
        """See the port."""
        await self._pool.aclose()

    async def _fetch(self, asked: str, *given: Any) -> list[Any]:
        async with self._pool.connection() as db:
            return list(await db.fetch(asked, *given))


async def _purge(db: Any, conv: str, upto: int | None) -> None:
    """Its lines up to this number; None: all of them and its row."""
    if upto is None:
        await db.execute("DELETE FROM batonbox_rows WHERE conv=$1", conv)
    elif (found := await db.fetchrow(f"{_ROW} FOR UPDATE", conv)) and (
        less := without(unpack_row(*found), upto)
    ):
        await db.execute("UPDATE batonbox_rows SET packed=$2 WHERE conv=$1", conv, pack_row(less))
    k = await db.fetchval("SELECT k FROM batonbox_convs WHERE conv=$1 FOR UPDATE", conv)
    if k is None:
        return
    bound = "" if upto is None else f" AND n<={int(upto)}"
    gone = await db.execute(f"DELETE FROM batonbox_lines WHERE k=$1{bound}", k)  # noqa: S608
    await db.execute(_RECOUNT, k, -int(gone.split()[-1]))
    await db.execute("DELETE FROM batonbox_convs WHERE k=$1 AND lines=0", k)
