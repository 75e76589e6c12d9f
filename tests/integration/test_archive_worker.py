"""The archiver: dying anywhere, two at once, a full engine, an archive that fails or is another."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgpack  # type: ignore[import-untyped]
import pytest
from structlog.testing import capture_logs

from batonbox_server.archive.guarded import GuardedArchive
from batonbox_server.archive.sqlite import SqliteArchive
from batonbox_server.engine import EmbeddedEngine
from batonbox_server.errors import Refused
from batonbox_server.service.moving import Load, Moved, Mover
from batonbox_server.store.archiving_port import LinesOut
from batonbox_server.store.connect import EngineClient
from batonbox_server.store.waiting import RedisWaiting
from batonbox_server.store.waiting_port import Waiting
from tests.integration.archive_site import CUSTOMERS, Died, Fate, Site, swept
from tests.integration.store_harness import OUR, refused
from tests.support import eventually


@pytest.fixture
async def site(client: EngineClient, prefix: str, tmp_path: Path) -> AsyncIterator[Site]:
    """An inbox with an archive and nothing in either."""
    site = Site(client, prefix, tmp_path)
    await site.open()
    yield site
    await site.archive.aclose()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_it_may_die_at_every_step(
    client: EngineClient, prefix: str, tmp_path: Path, after: bool
) -> None:
    """For each step of a sweep: it dies there, another goes on, and everything reads as before."""
    steps = 1
    archive = SqliteArchive(tmp_path / "archive.sqlite")
    while True:
        site = Site(client, f"{prefix}{steps}:", tmp_path, archive)
        await site.open()
        await box_of_two(site)
        before = await site.proof()
        fate = Fate(steps, after=after)
        try:
            await site.archiver(fate).sweep()
        except Died:
            assert await site.proof() == before, f"died at step {steps}"
        await swept(site.archiver())
        assert await site.proof() == before, f"went on after step {steps}"
        if fate.steps < steps:
            break
        steps += 1
    assert steps > 15
    status = await archive.status()
    assert (status.rows, status.lines) == (steps, (11 + 5) * steps)
    await archive.aclose()


async def box_of_two(site: Site) -> None:
    """A conversation of thirteen messages, and a short one that is done."""
    await site.talk(13, CUSTOMERS[0])
    await site.finished(CUSTOMERS[1], times=3)


async def test_two_at_once_with_one_lease_or_none_move_each_once(site: Site) -> None:
    await site.write(times=30)
    before = await site.proof()
    pair = [site.archiver(lease_s=0.001), site.archiver(lease_s=0.001)]
    await asyncio.gather(*(archiver.sweep() for archiver in pair))
    await asyncio.gather(*(swept(archiver) for archiver in pair))
    assert await site.proof() == before
    status = await site.archive.status()
    assert status.lines == sum(archiver.moved.lines for archiver in pair)
    assert status.rows == sum(archiver.moved.rows for archiver in pair) == 2


async def test_what_two_have_read_is_counted_by_the_one_whose_it_was_to_let_go(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have read every conversation before either of them writes."""
    await site.write(times=30)
    everybody, reads = asyncio.Barrier(2 * len(CUSTOMERS)), itertools.count()
    read = site.store.lines_out

    async def together(**given: Any) -> LinesOut:
        out = await read(**given)
        if next(reads) < everybody.parties:
            await everybody.wait()
        return out

    async def still(_: str) -> bool:
        return True

    monkeypatch.setattr(site.store, "lines_out", together)
    load = Load(keep=2, before_ms=0, rows=10, rest=0.0)
    pair = [Mover(site.store, site.archive, still=still, moved=Moved()) for _ in range(2)]
    await asyncio.gather(*(mover.lines("box", load) for mover in pair))
    assert sum(mover.moved.lines for mover in pair) == (await site.archive.status()).lines == 90


async def test_messages_that_come_while_it_moves_stay(site: Site) -> None:
    """Customers whose conversations are leaving write all the time; done ones come back."""
    await site.write(times=20)
    archiver, count = site.archiver(), 0
    for _ in range(15):
        sweeping = asyncio.get_running_loop().create_task(archiver.sweep())
        while not sweeping.done():
            await site.receive(CUSTOMERS[count % 3])
            count += 1
        await sweeping
    total = 0
    for conv in await site.paged("open") + await site.paged("done"):
        numbers = [message[0] for message in await site.messages(conv)]
        assert numbers == list(range(1, len(numbers) + 1))
        total += sum(message[3] == "received" for message in await site.messages(conv))
    assert total == 3 * 20 + 2 + count
    assert archiver.moved.lines > 30


async def test_a_full_archive_lets_nothing_go_and_is_told(site: Site) -> None:
    await site.write(times=20, size=2000)
    before = await site.proof()
    await site.guarded.claim()
    await site.archive._writer.run(lambda db: db.execute("PRAGMA max_page_count=10"))
    archiver = site.archiver()
    archiver.start()
    try:
        await eventually(lambda: archiver.trouble, what="the trouble")
        assert "full" in archiver.state
        assert archiver.counts["archive_stuck"] == 1
        assert await site.proof() == before
        # There is room again: it is opened anew after an error, and without the bound.
        await eventually(lambda: not archiver.trouble and archiver.moved.rows == 2)
    finally:
        await archiver.aclose()
    assert await site.proof() == before


async def test_what_waits_to_leave_is_counted(site: Site) -> None:
    await site.write(times=20)
    held = (await site.paged("done"))[0]
    await site.store.hold(conv=held, actor="adm", cid="hold", on=True, reason="a complaint")
    counted = RedisWaiting(site.client, keys=site.keys)
    later_ms = await site.now_ms() + 86_400_000

    async def waiting(keep: int = 2, before_ms: int = later_ms) -> Waiting:
        return await counted.waiting(log="box", keep=keep, before_ms=before_ms)

    was = await waiting()
    assert (was.crowded, was.due, was.holds, was.away) == (3, 1, 1, 0)
    assert 0 < was.oldest_ms < later_ms
    assert await waiting(keep=50, before_ms=1) == Waiting(holds=1)
    archiver = site.archiver()
    await archiver.sweep()
    now = await waiting()
    assert (now.crowded, now.due, now.holds, now.away) == (0, 0, 1, 1)
    counts = archiver.counts
    assert (counts["archive_waiting"], counts["archive_held"]) == (0, 1)
    assert await counted.waiting(log="none", keep=2, before_ms=later_ms) == Waiting()


class TestAnother:
    """An archive that is not the one this engine's messages are in."""

    async def test_it_moves_nothing_and_reads_are_refused_until_the_right_one_is_back(
        self, site: Site, tmp_path: Path
    ) -> None:
        await site.write(times=9)
        await site.archiver().sweep()
        before = await site.proof()
        right, id_ = site.guarded, (await site.archive.status()).id
        other = SqliteArchive(tmp_path / "other.sqlite")
        await other.status()
        site.guarded = GuardedArchive(other, site.store, owner="us")
        site.store.read_through(site.guarded)
        try:
            await site.receive(CUSTOMERS[2])
            error = await refused(swept(site.archiver()))
            assert error.slug == "unavailable" and id_ in error.message
            conv = before["done"][0]
            assert (await refused(site.messages(conv))).slug == "unavailable"
            assert (await refused(site.paged("done"))).slug == "unavailable"
            assert len(await site.paged("open")) == 1, "what is in the engine is read all the same"
        finally:
            await other.aclose()
        site.store.read_through(right)
        assert (await site.messages(conv)) == before[conv][1]

    async def test_none_at_all_refuses_what_it_had(self, site: Site) -> None:
        await site.write(times=9)
        none = GuardedArchive(None, site.store, owner="us")
        assert (await none.status()).kind == "none"
        await site.archiver().sweep()
        site.store.read_through(none)
        error = await refused(site.paged("done"))
        assert error.slug == "unavailable" and "BATONBOX_ARCHIVE_URL" in error.message

    async def test_one_of_another_organisation_is_not_taken(
        self, site: Site, client: EngineClient, prefix: str
    ) -> None:
        await site.write(times=9)
        await site.archiver().sweep()
        second = Site(client, f"{prefix}second:", site.folder)
        await second.open()
        await second.write(times=9)
        second.guarded = GuardedArchive(second.archive, second.store, owner="them")
        second.store.read_through(second.guarded)
        before = await second.proof()
        error = await refused(second.archiver().sweep())
        assert "another engine" in error.message
        assert await second.proof() == before
        await second.archive.aclose()

    async def test_a_file_that_vanishes_is_not_made_anew(self, site: Site) -> None:
        await site.write(times=9)
        await site.archiver().sweep()
        before = await site.proof()
        vanish(site.folder)
        await site.receive(CUSTOMERS[2])
        with pytest.raises(Refused, match="put it back"):
            await swept(site.archiver())
        assert not list_of(site.folder)
        vanish(site.folder, back=True)
        conv = before["done"][0]
        assert (await site.messages(conv))[: len(before[conv][1])] == before[conv][1]


def vanish(folder: Path, *, back: bool = False) -> None:
    """The archive's files, moved away or back."""
    for file in list(folder.glob("*archive.sqlite*")):
        name = file.name.removeprefix("moved-")
        file.rename(folder / (name if back else f"moved-{name}"))


def list_of(folder: Path) -> list[Path]:
    """The archive's files."""
    return list(folder.glob("archive.sqlite*"))


async def test_a_full_engine_lets_the_oldest_done_go_first_and_then_all_but_ten_messages(
    engine: EmbeddedEngine, prefix: str, tmp_path: Path
) -> None:
    client = EngineClient(engine.url)
    await client.connect()
    site = Site(client, prefix, tmp_path)
    try:
        await site.open()
        done = [await big(site, number, times=4, done=True) for number in range(200)]
        full = (await site.store.memory()).used
        # Not full: it does nothing. Then so full that about half of them have to go.
        calm = site.archiver(keep=50, done_days=30.0, memory_max=4 * full)
        await calm.sweep()
        assert (calm.moved.rows, calm.moved.lines) == (0, 0)
        lines = sum([await size_of(site, conv) for conv in done])
        bound = round((full - 0.4 * lines) / 0.75)
        tight = site.archiver(keep=50, done_days=30.0, memory_max=bound)
        await pass_time(site)
        await swept(tight)
        here = [conv for conv in done if await site.is_here(conv)]
        assert here == done[len(done) - len(here) :], "the oldest go first"
        assert 60 < len(here) < 160
        assert (await site.store.memory()).used < 0.8 * bound
        # Nothing done is left to go: the newest ten messages stay of what is open.
        opened = [await big(site, number, times=30, done=False) for number in range(300, 310)]
        tiny = site.archiver(keep=50, done_days=30.0, memory_max=1)
        for _ in range(3):
            await swept(tiny)
        for conv in opened:
            stay = await client.execute("LLEN", f"{site.log}:m:{conv}")
            assert 10 <= stay <= 20
            assert len(await site.numbers(conv)) == 30
        # What is left cannot leave: it is told once, and looked at no more often than usual.
        slow = site.archiver(keep=50, done_days=30.0, memory_max=1, sweep_s=60.0)
        with capture_logs() as logged:
            for _ in range(2):
                await swept(slow)
        assert slow._full and slow._rest_s() >= 30.0
        assert [x["event"] for x in logged].count("engine_stays_full") == 1
    finally:
        await client.aclose()
        await site.archive.aclose()


async def big(site: Site, number: int, *, times: int, done: bool) -> str:
    """A conversation of long messages, beside which the engine's own memory moves little."""
    conv, customer = "", f"+1555{number:07d}"
    for _ in range(times):
        received = await site.store.receive(
            inbox="box", our=OUR, customer=customer, provider_id=uuid.uuid4().hex,
            body=msgpack.packb({"text": "x" * 9000}), preview="x",
        )  # fmt: skip
        conv = received.conv
    if done:
        await site.finish(conv)
    return conv


async def size_of(site: Site, conv: str) -> int:
    """Bytes of its messages in the engine."""
    return int(await site.client.execute("MEMORY", "USAGE", f"{site.log}:m:{conv}"))


async def pass_time(site: Site) -> None:
    """What is done was so a day ago."""
    index, day_ago_ms = f"{site.log}:done", await site.now_ms() - 86_400_000
    for at, conv in enumerate(await site.client.execute("ZRANGE", index, "0", "-1")):
        await site.client.execute("ZADD", index, day_ago_ms + at, conv)
