"""Reads that go through engine and archive show what the engine alone would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from batonbox_server.archive.sqlite import SqliteArchive
from batonbox_server.domain.model import Delivery
from batonbox_server.store.connect import EngineClient
from batonbox_server.store.redis import RedisStore
from tests.integration.archived_box import ArchivedBox
from tests.integration.rooms_harness import Rooms
from tests.integration.store_harness import BODY, CUSTOMER, refused

OTHERS = [f"+1555030{i}" for i in range(8)]


@pytest.fixture
async def box(client: EngineClient, prefix: str, tmp_path: Path) -> AsyncIterator[ArchivedBox]:
    """An inbox with an archive."""
    box = ArchivedBox(client, prefix, tmp_path)
    await box.open()
    yield box
    await box.archive.aclose()


class TestHistory:
    """Pages of messages."""

    async def test_pages_go_on_over_the_border_in_the_same_shape(self, box: ArchivedBox) -> None:
        conv = await box.talk(12)
        whole = await box.store.history(conv=conv, actor="ann", n=100)
        await box.lines_away(conv, keep=5)
        assert (await box.store.history(conv=conv, actor="ann", n=100)) == whole
        for n in (1, 2, 3, 5, 7, 12):
            got: list[list[Any]] = []
            before = 0
            while True:
                page = await box.store.history(conv=conv, actor="ann", before=before, n=n)
                assert len(page.messages) == min(n, 12 - len(got))
                got = page.messages + got
                before = page.next
                assert before == (0 if len(got) == 12 else got[0][0])
                if not before:
                    break
            assert got == whole.messages

    async def test_why_a_message_failed_goes_with_it(self, box: ArchivedBox) -> None:
        applied = await box.reply()
        await box.store.sent(
            conv=applied.conv, n=applied.n, state=Delivery.FAILED, reason="no such phone"
        )
        await box.lines_away(applied.conv)
        assert await box.state(applied.conv, applied.n) == ("failed", "no such phone")
        left = await box.client.execute("EXISTS", f"{box.log}:why", f"{box.log}:try")
        assert left == 0

    async def test_a_conversation_that_is_away_is_read_without_coming_back(
        self, box: ArchivedBox
    ) -> None:
        conv = await box.finished(times=4)
        whole = await box.store.history(conv=conv, actor="bob", n=100)
        await box.away(conv)
        assert await box.store.history(conv=conv, actor="bob", n=100) == whole
        assert await box.numbers(conv, before=3, n=1) == [2]
        assert not await box.is_here(conv)

    async def test_a_stranger_reads_nothing_of_it(self, box: ArchivedBox) -> None:
        conv = await box.finished()
        await box.away(conv)
        refusal = await refused(box.store.history(conv=conv, actor="eve"))
        assert refusal.slug == "forbidden"

    async def test_a_conversation_that_never_was_is_not_found(self, box: ArchivedBox) -> None:
        refusal = await refused(box.store.history(conv="box.0", actor="ann"))
        assert refusal.slug == "not_found"

    async def test_another_archive_is_said_and_shows_no_gap(
        self, box: ArchivedBox, tmp_path: Path
    ) -> None:
        conv = await box.talk(12)
        await box.lines_away(conv, keep=5)
        empty = SqliteArchive(tmp_path / "another.sqlite")
        for archive in (None, empty):
            other = RedisStore(box.client, keys=box.keys)
            if archive is not None:
                other.read_through(archive)
            # What is here is shown, and that there is more.
            page = await other.history(conv=conv, actor="ann", n=50)
            assert ([m[0] for m in page.messages], page.next) == ([8, 9, 10, 11, 12], 8)
            refusal = await refused(other.history(conv=conv, actor="ann", before=8))
            assert refusal.slug == "unavailable"
        assert "archive status" in str(refusal)
        await empty.aclose()

    async def test_a_rooms_posts_are_read_over_the_border(
        self, box: ArchivedBox, client: EngineClient, prefix: str
    ) -> None:
        rooms = Rooms(client, prefix)
        await rooms.open()
        room = await rooms.channel("ops", "ann", "bob")
        posts = [await rooms.post(room, "ann", f"post {i}") for i in range(40)]
        whole = await box.store.history(conv=room, actor="bob", n=100)
        assert await box.store.crowded(log=room, keep=20) == [room]
        await box.lines_away(room, keep=20)
        assert await box.store.crowded(log=room, keep=20) == []
        assert await box.store.history(conv=room, actor="bob", n=100) == whole
        page = await box.store.history(conv=room, actor="bob", before=25, n=10)
        assert page.messages == whole.messages[14:24]
        refusal = await refused(
            rooms.store.edit(
                room=room, actor="ann", cid="e", n=posts[0].n, body=BODY, preview="new"
            )
        )
        assert refusal.slug == "bad_request"
        await rooms.store.post(room=room, actor="bob", cid="p", body=BODY, preview="one more")
        numbers = [m[0] for m in (await box.store.history(conv=room, actor="ann", n=100)).messages]
        assert numbers == list(range(1, len(whole.messages) + 2))


class TestPages:
    """Lists of conversations."""

    async def test_every_list_is_as_if_nothing_had_left(self, box: ArchivedBox) -> None:
        convs = [await box.finished(customer) for customer in OTHERS]
        waiting = [await box.receive(f"+1555040{i}") for i in range(2)]
        newest = [*reversed(waiting), *reversed(convs)]
        for conv in (convs[0], convs[3], convs[4]):
            await box.away(conv)
        for n in (1, 2, 3, 20):
            assert await box.paged("done", n=n) == convs[::-1]
            assert await box.paged("all", n=n) == newest
            assert await box.paged("walk", n=n) == newest[::-1]
            assert await box.paged("open", n=n) == waiting[::-1]
        shot = await box.store.snapshot(inbox="box")
        assert shot.counts == {"unassigned": 2, "open": 2, "done": len(convs)}

    async def test_rows_that_came_back_are_told_by_the_engine_alone(self, box: ArchivedBox) -> None:
        convs = [await box.finished(customer) for customer in OTHERS[:4]]
        for conv in convs:
            await box.away(conv)
        await box.receive(OTHERS[1])
        assert await box.paged("done") == [convs[3], convs[2], convs[0]]
        assert await box.paged("all", n=1) == [convs[1], convs[3], convs[2], convs[0]]
        assert await box.paged("walk") == [convs[0], convs[2], convs[3], convs[1]]

    async def test_nothing_is_missed_while_things_move(self, box: ArchivedBox) -> None:
        convs = [await box.finished(customer) for customer in OTHERS]

        async def move() -> None:
            for conv in convs:
                await box.away(conv)
            for conv in convs[::2]:
                await box.store.hold(conv=conv, actor="adm", cid=conv, on=True, reason="r")
                await box.store.hold(conv=conv, actor="adm", cid=conv, on=False)
                await box.away(conv)

        seen = 0
        async with asyncio.TaskGroup() as tasks:
            moving = tasks.create_task(move())
            while not moving.done():
                assert await box.paged("done", n=3) == convs[::-1]
                assert sorted(set(await box.paged("walk", n=3))) == sorted(convs)
                seen += 1
        assert seen > 2

    async def test_many_rows_that_came_back_hide_none_behind_them(self, box: ArchivedBox) -> None:
        convs = [await box.finished(customer) for customer in OTHERS]
        for conv in convs:
            await box.away(conv)
        for customer in OTHERS[1:]:
            await box.receive(customer)
        assert await box.paged("done", n=1) == convs[:1]

    async def test_without_its_archive_the_list_says_so(self, box: ArchivedBox) -> None:
        await box.away(await box.finished())
        blind = RedisStore(box.client, keys=box.keys)
        refusal = await refused(blind.page(inbox="box", actor="ann", view="done"))
        assert refusal.slug == "unavailable"
        assert (
            await refused(blind.page(inbox="box", actor="ann", view="walk"))
        ).slug == "unavailable"
        assert (await blind.page(inbox="box", actor="ann", view="open")).rows == []
        conv = await box.finished(OTHERS[0])
        page = await blind.page(inbox="box", actor="ann", view="done")
        assert [row["id"] for row in page.rows] == [conv]
        more = blind.page(inbox="box", actor="ann", view="done", after=page.next)
        assert (await refused(more)).slug == "unavailable"


class TestOlder:
    """Inboxes from before lines were counted."""

    async def test_their_conversations_are_counted_by_and_by(self, box: ArchivedBox) -> None:
        full = await box.talk(30)
        few = await box.talk(3, OTHERS[0])
        finished = await box.finished(OTHERS[1], times=40)
        await box.client.execute("DEL", f"{box.log}:ar")
        await box.client.execute("HDEL", f"{box.log}:meta", "kept")
        assert await box.store.crowded(log="box", keep=10) == [finished, full]
        assert few not in await box.store.crowded(log="box", keep=1)
        assert CUSTOMER in (await box.row(full))["customer"]
