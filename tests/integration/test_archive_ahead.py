"""An archive with what its engine does not know: a failover, a restore, a clock set back."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from batonbox_server.archive.adopting import adopt
from batonbox_server.archive.guarded import GuardedArchive
from batonbox_server.archive.sqlite import SqliteArchive
from batonbox_server.errors import Refused
from batonbox_server.store.archive_port import ArchivedRow
from batonbox_server.store.connect import EngineClient
from tests.integration.archive_site import CUSTOMERS, Site, swept
from tests.integration.store_harness import OUR, refused


@pytest.fixture
async def site(client: EngineClient, prefix: str, tmp_path: Path) -> AsyncIterator[Site]:
    """An inbox with an archive and nothing in either."""
    site = Site(client, prefix, tmp_path)
    await site.open()
    yield site
    await site.archive.aclose()


async def test_an_engine_whose_clock_went_back_loses_nothing_to_what_it_said_before(
    site: Site,
) -> None:
    """A failover rewrote what was archived and had not left; the new engine's clock is behind."""
    await site.write(times=5)
    before, ahead_ms = await site.proof(), await site.now_ms() + 86_400_000
    for conv in before["done"] + before["open"]:
        out = await site.store.lines_out(conv=conv, keep=0)
        lost = [
            replace(line, packed=line.packed.replace(b"xxxxx", b"other"), read_ms=ahead_ms)
            for line in out.lines
        ]
        await site.guarded.put_lines(conv=conv, lines=lost)
        row = (await site.store.history(conv=conv, actor="adm", n=1)).row
        raw = {"id": conv.encode(), "our": OUR.encode(), "customer": row["customer"].encode()}
        older = ArchivedRow(conv, row["last_ms"], {**row, "n": 1}, raw, ahead_ms)
        await site.guarded.put_row(older)
    archiver = site.archiver()
    await archiver.sweep()
    assert (archiver.moved.rows, archiver.moved.lines) == (2, 16)
    assert await site.proof() == before
    for conv in before["done"]:
        assert await site.store.bring_back(conv=conv)
    assert await site.proof() == before


async def test_an_engine_that_lost_the_archives_name_takes_no_conversation_for_lost(
    site: Site,
) -> None:
    """A failover of the part of a cluster with the organisation's keys, right after the start."""
    await site.write(times=3)
    await site.archiver().sweep()
    before = await site.proof()
    await site.client.execute("DEL", f"{site.keys.org}:archive")
    site.guarded = GuardedArchive(site.archive, site.store, owner="us")
    site.store.read_through(site.guarded)
    assert (await refused(site.receive(CUSTOMERS[0]))).slug == "unavailable"
    await site.guarded.claim()
    assert await site.proof() == before
    conv = await site.receive(CUSTOMERS[0])
    assert (await site.messages(conv))[:-1] == before[conv][1]


@pytest.mark.parametrize("step", ["put_lines", "put_row"])
async def test_what_is_archived_while_its_inbox_is_deleted_goes_with_it(
    site: Site, step: str
) -> None:
    """The worker has read it, and writes it when the archive of the inbox is erased already."""
    conv = await site.finished(times=3)
    await site.guarded.claim()
    archiver, put = site.archiver(), getattr(site.guarded, step)

    async def late(*given: Any, **named: Any) -> int:
        while not await site.store.delete_inbox(inbox="box"):
            pass
        return int(await put(*given, **named))

    setattr(site.guarded, step, late)
    with contextlib.suppress(Refused):
        await archiver.sweep()
    assert await site.archive.lines(conv=conv, first=1, last=99) == []
    assert await site.archive.row(conv=conv) is None


class Restored:
    """Everything of a key space, put back as it was: an engine of an older backup."""

    def __init__(self, site: Site) -> None:
        self._client = site.client
        self._pattern = site.keys.inbox("*").replace("{ib:*}", "*")
        self._kept: dict[bytes, bytes] = {}

    async def keep(self) -> None:
        """This is the backup."""
        for name in await self._names():
            self._kept[name] = await self._client.execute("DUMP", name)

    async def restore(self) -> None:
        """What was written since is gone; scripts' caches and expiries aside."""
        for name in await self._names():
            await self._client.execute("DEL", name)
        for name, dumped in self._kept.items():
            await self._client.execute("RESTORE", name, 0, dumped)

    async def _names(self) -> list[bytes]:
        found: list[bytes] = await self._client.execute("KEYS", self._pattern)
        return [name for name in found if not name.endswith(b":arl")]


@pytest.mark.parametrize("moved_before", [False, True])
async def test_an_older_engine_shows_its_own_history_over_an_archive_that_is_ahead(
    site: Site, moved_before: bool
) -> None:
    """Lines newer than the engine knows are in the archive, until it writes its own over them."""
    await site.write(times=9)
    if moved_before:
        await swept(site.archiver())
    backup, before = Restored(site), await site.proof()
    await backup.keep()
    # What will be lost: done ones come back and go again, the open one grows, all of it moves.
    for customer in CUSTOMERS:
        for _ in range(20):
            await site.receive(customer)
    await site.finish(await site.receive(CUSTOMERS[2]))
    await swept(site.archiver())
    assert not await site.is_here((await site.paged("done"))[0])
    await backup.restore()
    after = await site.proof()
    for conv in before["open"] + before["done"]:
        known = len(before[conv][1])
        assert after[conv][1][:known] == before[conv][1]
        if await site.is_here(conv):
            assert after[conv] == before[conv]
    # It goes on: what it writes takes the numbers of what was lost, in the archive too.
    for customer in CUSTOMERS:
        await site.receive(customer)
        conv = await site.receive(customer)
        was = after[conv][1]
        assert (await site.messages(conv))[: len(was)] == was
    said = await site.proof()
    for conv in said["open"]:
        assert [line[0] for line in said[conv][1]] == list(range(1, len(said[conv][1]) + 1))
        await site.finish(conv)
    said = await site.proof()
    await swept(site.archiver())
    assert await site.proof() == said


async def test_an_archive_of_which_a_part_was_not_copied_is_not_adopted(
    site: Site, tmp_path: Path
) -> None:
    """A server that runs on moves something meanwhile."""
    await site.write(times=3)
    await site.archiver().sweep()
    known = await site.store.known_archive()
    other = SqliteArchive(tmp_path / "other.sqlite")

    class Busy(SqliteArchive):
        async def logs(self) -> list[str]:
            return []

    busy = Busy(tmp_path / "archive.sqlite")
    try:
        error = await refused(adopt(other, site.store, owner="us", copy_of=busy))
        assert error.slug == "conflict" and "0 of 2" in error.message
        assert await site.store.known_archive() == known
    finally:
        await busy.aclose()
        await other.aclose()
