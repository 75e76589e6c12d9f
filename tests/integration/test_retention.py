"""What is too old is erased everywhere and for ever; nothing that is held ever is."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgpack  # type: ignore[import-untyped]
import pytest

from batonbox_server.domain.media import File
from batonbox_server.service.moving import Moved, Mover
from batonbox_server.service.purging import Purger
from batonbox_server.store.connect import EngineClient
from batonbox_server.store.media import RedisMedia
from batonbox_server.store.port import Keyword
from batonbox_server.store.retention_port import Rules
from tests.integration.archived_box import ArchivedBox
from tests.integration.rooms_harness import Rooms
from tests.integration.store_harness import BODY, CUSTOMER, OUR, refused

DAY_MS = 86_400_000
OTHER = "+15550201"


class Kept(ArchivedBox):
    """An inbox whose messages are erased after ten days, and the worker that does it."""

    def __init__(self, client: EngineClient, space: str, folder: Path) -> None:
        super().__init__(client, space, folder)
        self.media = RedisMedia(client, keys=self.keys)
        self.purger = Purger(self.store, self.archive, self.media, self._rules)
        self.mover = Mover(self.store, self.archive, still=_always, moved=Moved())

    async def ages(self, conv: str, days: int, *, last: int = 0, log: str = "") -> None:
        """Its messages (up to number `last`) are so many days older than they were."""
        key = f"{self.keys.inbox(log or 'box')}:m:{conv}"
        for at, raw in enumerate(await self.client.execute("LRANGE", key, 0, -1)):
            told = msgpack.unpackb(raw)
            if not last or told[0] <= last:
                told[2] -= days * DAY_MS
                await self.client.execute("LSET", key, at, msgpack.packb(told))

    async def sweep(self, *logs: str) -> None:
        """One turn of the worker."""
        await self.purger.sweep(logs or ("box",), self.mover, leased=_always)

    async def purged_events(self, log: str = "box") -> list[tuple[str, int]]:
        """(conversation, n) of what the log says was erased."""
        entries = await self.store.range(log=self.keys.inbox(log), first=1, last=9999)
        metas = [msgpack.unpackb(entry.frame)[3] for entry in entries]
        return [(meta["conv"], meta["n"]) for meta in metas if meta["type"] == "purged"]

    async def hold(self, conv: str, *, on: bool = True) -> None:
        """Said by the admin."""
        await self.store.hold(conv=conv, actor="adm", cid="c", on=on, reason="a claim")

    @staticmethod
    async def _rules() -> Rules:
        return Rules(external_days=10, internal_days=10)


async def _always(_: str) -> bool:
    return True


@pytest.fixture
async def box(client: EngineClient, prefix: str, tmp_path: Path) -> AsyncIterator[Kept]:
    """An inbox with an archive."""
    box = Kept(client, prefix, tmp_path)
    await box.open()
    yield box
    await box.archive.aclose()


class TestErasing:
    """Messages that the rule says are too old."""

    async def test_they_are_gone_for_everybody_and_the_others_keep_their_numbers(
        self, box: Kept
    ) -> None:
        conv, young = await box.talk(6), await box.talk(3, OTHER)
        await box.ages(conv, 11, last=4)
        await box.sweep()
        page = await box.store.history(conv=conv, actor="ann", n=50)
        assert ([m[0] for m in page.messages], page.next) == ([5, 6], 0)
        assert await box.store.history(conv=conv, actor="ann", before=5) != page
        assert await box.numbers(conv, before=5) == []
        assert await box.numbers(young) == [1, 2, 3]
        assert await box.archive.lines(conv=conv, first=1, last=9) == []
        assert await box.purged_events() == [(conv, 4)]
        await box.sweep()
        assert await box.purged_events() == [(conv, 4)]

    async def test_those_in_the_archive_go_too(self, box: Kept) -> None:
        conv = await box.talk(6)
        await box.ages(conv, 11, last=2)
        await box.lines_away(conv, keep=1)
        await box.sweep()
        assert await box.numbers(conv) == [3, 4, 5, 6]
        assert [line.n for line in await box.archive.lines(conv=conv, first=1, last=9)] == [3, 4, 5]

    async def test_the_row_shows_nothing_of_what_is_gone(self, box: Kept) -> None:
        conv = await box.talk(2)
        assert (await box.row(conv))["preview"] == "hello"
        await box.ages(conv, 11)
        await box.sweep()
        row = await box.row(conv)
        assert (row["preview"], row["status"], row["n"]) == ("", "unassigned", 2)

    async def test_the_archives_row_of_one_that_came_back_shows_nothing_of_it_either(
        self, box: Kept
    ) -> None:
        conv = await box.finished()
        await box.ages(conv, 11)
        await box.away(conv)
        await box.receive()
        stale = await box.archive.row(conv=conv)
        assert stale is not None and stale.row["preview"] == "hello"
        await box.sweep()
        after = await box.archive.row(conv=conv)
        assert after is not None and after.row["preview"] == ""
        assert (after.raw["preview"], after.raw["purged"]) == (b"", str(stale.row["n"]).encode())
        assert after.raw["own_tok"] == stale.raw["own_tok"]

    async def test_a_finished_conversation_without_messages_is_gone_wholly(self, box: Kept) -> None:
        here, away = await box.finished(), await box.finished(OTHER, times=3)
        word = Keyword("stop", 7, b"")
        await box.store.receive(
            inbox="box", our=OUR, customer=CUSTOMER, provider_id="stop", body=BODY, preview="",
            keyword=word,
        )  # fmt: skip
        for conv in (here, away):
            await box.ages(conv, 11)
        await box.away(away)
        await box.sweep()
        for conv in (here, away):
            assert (await refused(box.store.history(conv=conv, actor="ann"))).slug == "not_found"
            assert await box.archive.row(conv=conv) is None
        assert await box.paged("all") == []
        assert (await box.store.snapshot(inbox="box")).counts["done"] == 0
        again = await box.receive()
        assert again != here
        # The customer's wish to get no messages is not a message.
        assert (await box.row(again))["opted_out"] == 7

    async def test_one_that_is_away_loses_its_oldest_alone(self, box: Kept) -> None:
        conv = await box.finished(times=4)
        await box.ages(conv, 11, last=3)
        await box.away(conv)
        await box.sweep()
        assert await box.numbers(conv) == [4, 5, 6]
        await box.away(conv)
        assert await box.numbers(conv) == [4, 5, 6]
        assert await box.receive() == conv
        assert await box.numbers(conv) == [4, 5, 6, 7]

    async def test_a_node_whose_clock_is_ahead_erases_nothing_for_it(
        self, box: Kept, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        conv, ahead_s = await box.talk(3), time.time() + 400 * 86_400
        monkeypatch.setattr("time.time", lambda: ahead_s)
        await box.sweep()
        assert await box.numbers(conv) == [1, 2, 3]

    async def test_what_is_on_its_way_to_the_customer_is_not_erased(self, box: Kept) -> None:
        await box.talk(1)
        conv = (await box.reply()).conv
        await box.ages(conv, 11)
        await box.sweep()
        assert len(await box.numbers(conv)) == 1
        assert len(await box.lease()) == 1

    async def test_whatever_dies_in_between_is_finished_by_the_next(self, box: Kept) -> None:
        conv, whole = await box.talk(6), await box.finished(OTHER)
        await box.ages(conv, 11, last=4)
        await box.ages(whole, 11)
        for each, upto in ((conv, 4), (whole, 3)):
            await box.mover.older(each, before_ms=await box.now_ms() - 10 * DAY_MS)
            await box.store.purge(conv=each, upto=upto)
        # Here the worker died: the engine has erased, the archive has not.
        assert len(await box.archive.lines(conv=conv, first=1, last=9)) == 4
        assert await box.numbers(conv) == [5, 6]
        await box.sweep()
        for each in (conv, whole):
            assert await box.archive.lines(conv=each, first=1, last=9) == []
        assert await box.purged_events() == [(conv, 4), (whole, 3)]

    async def test_files_go_with_their_messages_and_nobody_elses(self, box: Kept) -> None:
        files = [File(f"{i:032x}", "image/png", 3, "a.png") for i in range(2)]
        for file in files:
            await box.media.expect(file.id, carrier="loopback", url="u", name="", keep_ms=60_000)
            await box.media.settle(file)
        await box.media.bind([files[0].id], inbox="box")
        await box.media.bind([files[1].id], inbox="another")
        body = msgpack.packb({"text": "", "media": [{"id": file.id} for file in files]})
        got = await box.store.receive(
            inbox="box", our=OUR, customer=CUSTOMER, provider_id="p", body=body, preview=""
        )
        await box.ages(got.conv, 11)
        await box.sweep()
        assert set(await box.media.get([file.id for file in files])) == {files[1].id}
        gone = await box.client.execute("SMEMBERS", f"{box.keys.org}:media_gone")
        assert gone == [files[0].id.encode()]


class TestHolds:
    """What is held is not erased, whichever came first."""

    async def test_held_before(self, box: Kept) -> None:
        conv = await box.finished(times=5)
        await box.ages(conv, 11)
        await box.hold(conv)
        await box.sweep()
        assert len(await box.numbers(conv)) == 7
        assert [hold.conv for hold in await box.store.holds(log="box")] == [conv]
        await box.hold(conv, on=False)
        await box.sweep()
        assert (await refused(box.store.history(conv=conv, actor="ann"))).slug == "not_found"

    async def test_held_after_a_part_was_erased(self, box: Kept) -> None:
        conv = await box.talk(6)
        await box.ages(conv, 11, last=2)
        await box.sweep()
        await box.hold(conv)
        await box.ages(conv, 11)
        await box.sweep()
        assert await box.numbers(conv) == [3, 4, 5, 6]

    @pytest.mark.parametrize("step", ["moved", "found", "purged"])
    async def test_held_while_the_worker_is_at_it(
        self, box: Kept, step: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        conv = await box.finished(times=5)
        await box.ages(conv, 11)
        holder = box.archive if step == "found" else box.store
        name = {"moved": "expired_here", "found": "expired", "purged": "purge"}[step]
        call: Callable[..., Awaitable[Any]] = getattr(holder, name)

        async def and_hold(**args: Any) -> Any:
            if step == "purged":
                monkeypatch.undo()
                told = await call(**args)
                refusal = await refused(box.hold(conv))
                assert refusal.slug == "not_found"  # it was too late
                return told
            told = await call(**args)
            await box.hold(conv)
            return told

        monkeypatch.setattr(holder, name, and_hold)
        await box.sweep()
        if step == "purged":
            assert await box.archive.lines(conv=conv, first=1, last=9) == []
        else:
            assert len(await box.numbers(conv)) == 7

    async def test_holding_what_is_away_brings_it_back_and_keeps_it(self, box: Kept) -> None:
        conv = await box.finished()
        await box.ages(conv, 11)
        await box.away(conv)
        await box.hold(conv)
        assert await box.is_here(conv)
        assert await box.store.row_out(conv=conv) is None
        assert (await box.store.done_before(log="box", before_ms=9**15)).convs == []
        await box.sweep()
        assert len(await box.numbers(conv)) == 3

    async def test_an_inbox_with_something_held_is_not_deleted(self, box: Kept) -> None:
        conv = await box.talk(1)
        await box.hold(conv)
        assert (await refused(box.store.delete_inbox(inbox="box"))).slug == "conflict"
        assert await box.numbers(conv) == [1]
        await box.hold(conv, on=False)
        while not await box.store.delete_inbox(inbox="box"):
            pass


class TestRooms:
    """The rule of internal messages."""

    async def test_posts_and_their_versions_go_unless_held(
        self, box: Kept, client: EngineClient, prefix: str
    ) -> None:
        rooms = Rooms(client, prefix)
        await rooms.open()
        room = await rooms.channel("ops", "ann", "bob")
        posts = [await rooms.post(room, "ann", f"post {i}") for i in range(4)]
        await rooms.store.edit(
            room=room, actor="ann", cid="e", n=posts[0].n, body=BODY, preview="hello"
        )
        await box.ages(room, 11, last=posts[1].n, log=room)
        await box.hold(room)
        await box.sweep(room)
        assert len(await rooms.store.versions(room=room, n=posts[0].n)) == 1
        await box.hold(room, on=False)
        await box.sweep(room)
        assert await rooms.store.versions(room=room, n=posts[0].n) == []
        thread = await box.store.history(conv=room, actor="ann", n=50)
        assert [m[0] for m in thread.messages] == [posts[2].n, posts[3].n]
        assert thread.row["posts"] == 4
        assert await box.purged_events(room) == [(room, posts[1].n)]
        refusal = await refused(
            rooms.store.edit(room=room, actor="ann", cid="f", n=posts[0].n, body=BODY, preview="")
        )
        assert refusal.slug in {"bad_request", "not_found"}

    async def test_files_stay_with_their_post_until_it_is_erased(
        self, box: Kept, client: EngineClient, prefix: str
    ) -> None:
        rooms = Rooms(client, prefix)
        await rooms.open()
        room = await rooms.channel("ops", "ann", "bob")
        file = File("f" * 32, "image/png", 3, "a.png")
        await box.media.begin(file, owner="ann", keep_ms=60_000, most=99)
        await box.media.settle(file)
        await box.media.take([file.id], owner="ann", cid="c", inbox=room, most=99)
        body = msgpack.packb({"text": "", "mentions": [], "media": [{"id": file.id}]})
        post = await rooms.store.post(room=room, actor="ann", cid="c", body=body, preview="")
        assert await box.media.sweep(n=10) == []
        assert file.id in await box.media.get([file.id])
        await box.ages(room, 11, last=post.n, log=room)
        await box.sweep(room)
        assert await box.media.get([file.id]) == {}
        assert await box.media.sweep(n=10) == [file.id]
