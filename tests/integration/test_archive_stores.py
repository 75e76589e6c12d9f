"""Both archives keep the same contract: a file of SQLite's, and Debian's real PostgreSQL."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgpack  # type: ignore[import-untyped]
import pytest

from batonbox_server.archive.choice import chosen
from batonbox_server.archive.postgres import PostgresArchive
from batonbox_server.archive.sqlite import SqliteArchive
from batonbox_server.store.archive_port import Archive, ArchivedRow, Line
from tests.integration.store_harness import refused

CONV, OTHER, ROOM = "sales.aa", "sales.bb", "~c77"
DAY_MS = 86_400_000


def line(n: int, *, text: str = "hello", read_ms: int = 1) -> Line:
    """A day after the one before."""
    packed = msgpack.packb([n, 10 * n, n * DAY_MS, "received", "", "", "", {"text": text}])
    return Line(n, 10 * n, n * DAY_MS, packed, read_ms)


def row(conv: str, last_ms: int, *, read_ms: int = 1, **more: Any) -> ArchivedRow:
    """A conversation that is done."""
    public = {"id": conv, "last_ms": last_ms, "n": 3, **more}
    return ArchivedRow(conv, last_ms, public, {"id": conv.encode(), "prev": b"\x93\xff"}, read_ms)


def to(last: int, first: int = 1) -> list[Line]:
    """Lines `first`..`last`."""
    return [line(n) for n in range(first, last + 1)]


async def numbers(archive: Archive, conv: str) -> list[int]:
    """Of the lines that are there."""
    return [found.n for found in await archive.lines(conv=conv, first=1, last=1000)]


async def walked(archive: Archive, **where: str) -> list[tuple[str, list[int]]]:
    """What a walk gives."""
    return [(conv, [x.n for x in lines]) async for conv, lines in archive.walk(**where)]


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty archive is."""
    if request.param == "sqlite":
        return f"sqlite://{tmp_path}/archive.sqlite"
    return str(await request.getfixturevalue("postgres").schema())


@pytest.fixture
async def archive(url: str, tmp_path: Path) -> AsyncIterator[Archive]:
    """An empty one, as a node has it."""
    archive = chosen(url, folder=tmp_path, embedded=False)
    assert archive is not None
    try:
        yield archive
    finally:
        await archive.aclose()


class TestBoth:
    """The contract of `store.archive_port`."""

    async def test_lines_come_back_as_they_were_and_in_order(self, archive: Archive) -> None:
        await archive.put_lines(conv=CONV, lines=to(5, first=3))
        await archive.put_lines(conv=CONV, lines=to(2))
        await archive.put_lines(conv=OTHER, lines=to(9))
        assert await archive.lines(conv=CONV, first=2, last=4) == to(4, first=2)
        assert await archive.lines(conv="sales.cc", first=1, last=9) == []

    async def test_a_write_may_come_twice(self, archive: Archive) -> None:
        for _ in range(2):
            await archive.put_lines(conv=CONV, lines=to(3))
            await archive.put_row(row(CONV, 7))
        assert await archive.lines(conv=CONV, first=1, last=9) == to(3)
        status = await archive.status()
        assert (status.lines, status.rows) == (3, 1)

    async def test_the_later_reading_stays_whichever_comes_last(self, archive: Archive) -> None:
        new, old = line(1, text="new", read_ms=5), line(1, text="old", read_ms=4)
        assert await archive.put_lines(conv=CONV, lines=[new]) == 0
        assert await archive.put_lines(conv=CONV, lines=[old, line(2, read_ms=4)]) == 5
        assert await archive.put_row(row(CONV, 7, read_ms=5, preview="new")) == 0
        assert await archive.put_row(row(CONV, 6, read_ms=4, preview="old")) == 5
        assert await archive.lines(conv=CONV, first=1, last=2) == [new, line(2, read_ms=4)]
        found = await archive.row(conv=CONV)
        assert found is not None and found.row["preview"] == "new" and found.last_ms == 7
        newer = line(1, text="newer", read_ms=6)
        assert await archive.put_lines(conv=CONV, lines=[newer]) == 0
        assert (await archive.lines(conv=CONV, first=1, last=1))[0].read_ms == 6

    async def test_rows_come_back_and_can_be_dropped(self, archive: Archive) -> None:
        await archive.put_row(row(CONV, 7))
        assert await archive.row(conv=CONV) == row(CONV, 7)
        await archive.put_lines(conv=CONV, lines=to(2))
        await archive.drop_row(conv=CONV)
        assert await archive.row(conv=CONV) is None
        assert await numbers(archive, CONV) == [1, 2]

    async def test_rows_are_paged_both_ways(self, archive: Archive) -> None:
        for at in (30, 10, 20, 40):
            await archive.put_row(row(f"sales.{at}", at))
        await archive.put_row(row("support.1", 25))

        async def page(after_ms: int | None, **more: Any) -> list[int]:
            found = await archive.rows(inbox="sales", after_ms=after_ms, n=2, **more)
            return [one.last_ms for one in found]

        assert [await page(None), await page(30), await page(10)] == [[40, 30], [20, 10], []]
        up = [await page(None, ascending=True), await page(20, ascending=True)]
        assert up == [[10, 20], [30, 40]]

    async def test_a_row_shows_nothing_of_what_was_purged_after_it_was_read(
        self, archive: Archive
    ) -> None:
        old = replace(row(CONV, 7, preview="secret"), raw={"preview": b"secret", "n": b"3"})
        told = replace(row(OTHER, 7, preview="new"), raw={"preview": b"new", "purged": b"2"})
        for each in (old, told):
            await archive.put_row(each)
            await archive.purge(conv=each.conv, upto=2)
        found = await archive.row(conv=CONV)
        assert found is not None and found.row["preview"] == ""
        assert found.raw == {"preview": b"", "n": b"3", "purged": b"2"}
        assert await archive.row(conv=OTHER) == told

    async def test_lines_of_a_lost_history_do_not_make_newer_ones_old(
        self, archive: Archive
    ) -> None:
        lost = [replace(line(n), n=n + 4) for n in (3, 4)]
        await archive.put_lines(conv=CONV, lines=[*to(2), line(5), line(6), *lost])
        found = await archive.expired(before_ms=5 * DAY_MS, rooms=False)
        assert found == [(CONV, 4)], "numbers 5 and 6 are not older"

    async def test_purging_takes_the_oldest_or_everything(self, archive: Archive) -> None:
        await archive.put_lines(conv=CONV, lines=to(5))
        await archive.put_lines(conv=OTHER, lines=to(5))
        for conv in (CONV, OTHER):
            await archive.put_row(row(conv, 7))
        await archive.purge(conv=CONV, upto=2)
        await archive.purge(conv=OTHER, upto=0, whole=True)
        await archive.purge(conv="sales.none", upto=9, whole=True)
        assert await numbers(archive, CONV) == [3, 4, 5]
        assert await numbers(archive, OTHER) == []
        assert await archive.row(conv=OTHER) is None
        status = await archive.status()
        assert (status.lines, status.rows) == (3, 1)
        await archive.purge(conv=CONV, upto=5)
        assert await walked(archive) == []
        assert await archive.row(conv=CONV) is not None

    async def test_a_deleted_log_leaves_nothing(self, archive: Archive) -> None:
        for conv in (CONV, OTHER, "support.1", ROOM):
            await archive.put_lines(conv=conv, lines=to(2))
            await archive.put_row(row(conv, 7))
        await archive.put_row(row("sales.rowonly", 8))
        assert await archive.logs() == ["sales", "support", ROOM]
        await archive.purge_log(log="sales")
        await archive.purge_log(log=ROOM)
        assert await archive.logs() == ["support"]
        assert (await archive.status()).lines == 2

    async def test_what_is_too_old_is_found_by_conversation(self, archive: Archive) -> None:
        for conv in ("sales.b", "sales.a", "support.1", ROOM):
            await archive.put_lines(conv=conv, lines=to(9))
        await archive.put_lines(conv="sales.young", lines=to(9, first=5))

        async def expired(*, rooms: bool = False, after: str = "", n: int = 9) -> Any:
            return await archive.expired(before_ms=4 * DAY_MS, rooms=rooms, after=after, n=n)

        assert await expired() == [("sales.a", 3), ("sales.b", 3), ("support.1", 3)]
        assert await expired(n=1) == [("sales.a", 3)]
        assert await expired(after="sales.a") == [("sales.b", 3), ("support.1", 3)]
        assert await expired(rooms=True) == [(ROOM, 3)]
        await archive.purge(conv="sales.a", upto=3)
        assert await expired() == [("sales.b", 3), ("support.1", 3)]

    async def test_a_walk_meets_every_line_and_goes_on_where_it_ended(
        self, archive: Archive
    ) -> None:
        for conv in (OTHER, CONV, "support.1"):
            await archive.put_lines(conv=conv, lines=to(3))
        await archive.put_lines(conv="sales.long", lines=to(1500))
        found = await walked(archive, log="sales")
        assert [conv for conv, _ in found] == [CONV, OTHER, "sales.long", "sales.long"]
        assert [n for conv, some in found for n in some if conv == "sales.long"] == list(
            range(1, 1501)
        )
        assert await walked(archive, after="sales.long") == [("support.1", [1, 2, 3])]
        assert len(await walked(archive)) == 5

    async def test_many_writers_at_once_lose_nothing(self, archive: Archive) -> None:
        async def write(conv: int) -> None:
            for n in (1, 2):
                await archive.put_lines(conv=f"sales.{conv}", lines=[line(n)])

        await asyncio.gather(*(write(conv % 50) for conv in range(100)))
        status = await archive.status()
        assert status.lines == 100 and status.size_bytes > 0
        assert sum(len(lines) for _, lines in await walked(archive)) == 100

    async def test_what_was_acknowledged_and_its_id_outlive_the_node(
        self, archive: Archive, url: str, tmp_path: Path
    ) -> None:
        await archive.put_lines(conv=CONV, lines=to(2))
        assert await archive.belongs(owner="first") == "first"
        other = chosen(url, folder=tmp_path, embedded=False)
        assert other is not None
        try:
            assert await numbers(other, CONV) == [1, 2]
            assert (await other.status()).id == (await archive.status()).id != ""
            assert await other.belongs(owner="second") == "first"
        finally:
            await other.aclose()


async def test_a_full_disk_refuses_and_takes_again_when_there_is_room(tmp_path: Path) -> None:
    archive = SqliteArchive(tmp_path / "archive.sqlite")
    try:
        await archive.put_lines(conv=CONV, lines=to(2))
        await archive._writer.run(lambda db: db.execute("PRAGMA max_page_count=12"))
        much = [line(n, text="x" * 9000) for n in range(3, 40)]
        # Both are of one transaction at first: there is room for the second of them alone.
        big, _ = await asyncio.gather(
            refused(archive.put_lines(conv=CONV, lines=much)),
            archive.put_lines(conv=OTHER, lines=to(1)),
        )
        assert big.slug == "unavailable" and "full" in big.message
        assert await numbers(archive, OTHER) == [1]
        assert await numbers(archive, CONV) == [1, 2]
        await archive.put_lines(conv=CONV, lines=much)  # the file was opened anew, without bounds
        assert len(await numbers(archive, CONV)) == 39
    finally:
        await archive.aclose()


def move_away(folder: Path) -> None:
    """The archive's files, while it runs."""
    for file in list(folder.glob("archive.sqlite*")):
        file.rename(folder / f"moved-{file.name}")


async def test_a_file_that_was_taken_away_is_another_archive(tmp_path: Path) -> None:
    path = tmp_path / "archive.sqlite"
    archive = SqliteArchive(path)
    try:
        await archive.put_lines(conv=CONV, lines=to(2))
        was = (await archive.status()).id
        move_away(tmp_path)
        await archive.put_lines(conv=OTHER, lines=to(1))
        assert (await archive.status()).id != was
        assert await numbers(archive, CONV) == []
    finally:
        await archive.aclose()


def newer(path: Path) -> str:
    """As a later version would leave it; returns what is said about it."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version=99")
    connection.close()
    return "newer version"


def torn(path: Path) -> str:
    """Something else; returns what is said about it."""
    path.write_bytes(b"this is no database" * 100)
    return "not a database"


@pytest.mark.parametrize("made", [newer, torn])
async def test_a_file_that_is_no_archive_of_ours_is_refused(
    tmp_path: Path, made: Callable[[Path], str]
) -> None:
    says = made(tmp_path / "archive.sqlite")
    archive = SqliteArchive(tmp_path / "archive.sqlite")
    try:
        error = await refused(archive.lines(conv=CONV, first=1, last=2))
        assert error.slug == "unavailable" and says in error.message
    finally:
        await archive.aclose()


async def test_a_database_that_comes_back_is_used_again(postgres: Any, tmp_path: Path) -> None:
    url = await postgres.schema()
    archive = chosen(url, folder=tmp_path, embedded=False)
    assert archive is not None
    try:
        await archive.put_lines(conv=CONV, lines=to(2))
        await asyncio.to_thread(postgres.end)
        try:
            assert (await refused(archive.put_lines(conv=CONV, lines=to(3)))).slug == "unavailable"
        finally:
            await asyncio.to_thread(postgres.start)
        await archive.put_lines(conv=CONV, lines=to(3))
        assert await numbers(archive, CONV) == [1, 2, 3]
    finally:
        await archive.aclose()


async def test_every_commit_waits_for_the_disk_whatever_the_databases_default(
    postgres: Any,
) -> None:
    archive = PostgresArchive(f"{await postgres.schema()}&synchronous_commit=off")
    try:
        for n in range(1, 4):
            await archive.put_lines(conv=CONV, lines=[line(n)])
            assert (await archive._fetch("SHOW synchronous_commit"))[0][0] == "on"
    finally:
        await archive.aclose()


async def test_after_an_error_it_connects_anew(postgres: Any) -> None:
    """A failover leaves connections to what is a standby now."""
    archive = PostgresArchive(await postgres.schema())
    try:
        first = (await archive._fetch("SELECT pg_backend_pid()"))[0][0]
        assert (await archive._fetch("SELECT pg_backend_pid()"))[0][0] == first
        assert (await refused(archive._fetch("SELECT 1 / 0"))).slug == "unavailable"
        assert (await archive._fetch("SELECT pg_backend_pid()"))[0][0] != first
    finally:
        await archive.aclose()


async def test_two_nodes_make_the_tables_once(postgres: Any, tmp_path: Path) -> None:
    url = await postgres.schema()
    nodes = [chosen(url, folder=tmp_path, embedded=False) for _ in range(4)]
    try:
        found = await asyncio.gather(*(node.status() for node in nodes if node is not None))
        assert len({status.id for status in found}) == 1
    finally:
        await asyncio.gather(*(node.aclose() for node in nodes if node is not None))


@pytest.mark.parametrize(
    ("url", "says"),
    [("mysql://x/y", "postgresql://"), ("sqlite:archive", "sqlite:///"), ("x", "postgresql://")],
)
def test_a_url_that_names_no_archive_says_what_does(url: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=says):
        chosen(url, folder=tmp_path, embedded=False)


def test_without_a_url_only_the_embedded_engine_has_one(tmp_path: Path) -> None:
    assert chosen("", folder=tmp_path, embedded=False) is None
    assert isinstance(chosen("", folder=tmp_path, embedded=True), SqliteArchive)
