"""What is done to things that are away brings them back; what proves too late changes nothing."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgpack  # type: ignore[import-untyped]
import pytest

from batonbox_server.archive.sqlite import SqliteArchive
from batonbox_server.domain.model import Delivery
from batonbox_server.store.archiving_port import SENT_FINAL_MS
from batonbox_server.store.connect import EngineClient
from batonbox_server.store.port import Applied
from batonbox_server.store.redis import RedisStore
from tests.integration.archived_box import ArchivedBox
from tests.integration.store_harness import BODY, CUSTOMER, OUR, refused


@pytest.fixture
async def box(client: EngineClient, prefix: str, tmp_path: Path) -> AsyncIterator[ArchivedBox]:
    """An inbox with an archive."""
    box = ArchivedBox(client, prefix, tmp_path)
    await box.open()
    yield box
    await box.archive.aclose()


def cid() -> str:
    """A fresh command id."""
    return uuid.uuid4().hex


class TestBack:
    """Commands and messages about a conversation that is away."""

    async def test_a_customers_message_reopens_it_with_all_it_was(self, box: ArchivedBox) -> None:
        conv = await box.finished(times=3)
        before = await box.store.history(conv=conv, actor="ann", n=100)
        await box.away(conv)
        assert await box.receive() == conv
        after = await box.store.history(conv=conv, actor="ann", n=100)
        assert after.messages[:-1] == before.messages
        assert after.messages[-1][0] == before.row["n"] + 1
        assert after.row["status"] == "unassigned"
        assert after.row["last_assignee"] == "ann"

    async def test_every_command_finds_it(self, box: ArchivedBox) -> None:
        store = box.store
        conv = await box.finished()
        calls: list[Callable[[], Awaitable[Applied]]] = [
            lambda: store.note(conv=conv, actor="bob", cid=cid(), body=BODY),
            lambda: store.unread(conv=conv, actor="bob", cid=cid()),
            lambda: store.done(conv=conv, actor="ann", cid=cid(), own_tok="", seen=None),
            lambda: store.assign(conv=conv, actor="bob", cid=cid()),
        ]
        for call in calls:
            await box.away(conv)
            assert (await call()).conv == conv
        assert (await box.row(conv))["assignee"] == "bob"

    async def test_composing_to_the_customer_finds_it(self, box: ArchivedBox) -> None:
        conv = await box.finished()
        await box.away(conv)
        assert (await box.reply()).conv == conv
        assert await box.numbers(conv) == list(range(1, (await box.row(conv))["n"] + 1))

    async def test_a_retry_of_what_was_done_before_is_answered_as_then(
        self, box: ArchivedBox
    ) -> None:
        conv = await box.finished()
        first = await box.store.note(conv=conv, actor="bob", cid="once", body=BODY)
        await box.away(conv)
        again = await box.store.note(conv=conv, actor="bob", cid="once", body=BODY)
        assert again == first
        assert not await box.is_here(conv)

    async def test_being_read_clears_no_badge_and_needs_it_not(self, box: ArchivedBox) -> None:
        conv = await box.finished()
        await box.away(conv)
        assert not await box.store.seen(conv=conv, actor="ann", att="1.00000000")
        assert not await box.is_here(conv)

    async def test_the_customers_messages_wait_for_a_missing_archive(
        self, box: ArchivedBox
    ) -> None:
        await box.away(await box.finished())
        blind = RedisStore(box.client, keys=box.keys)
        call = blind.receive(
            inbox="box", our=OUR, customer=CUSTOMER, provider_id="p", body=BODY, preview=""
        )
        assert (await refused(call)).slug == "unavailable"
        assert (await box.store.snapshot(inbox="box")).counts["open"] == 0

    async def test_a_customer_whose_conversation_is_lost_begins_another(
        self, box: ArchivedBox, tmp_path: Path
    ) -> None:
        conv = await box.finished()
        await box.away(conv)
        empty = SqliteArchive(tmp_path / "another.sqlite")
        box.store.read_through(empty)
        await box.store.adopt_archive(archive="another")
        again = await box.receive()
        assert again != conv
        assert await box.receive() == again
        assert (await box.store.snapshot(inbox="box")).counts == {
            "unassigned": 1,
            "open": 1,
            "done": 0,
        }
        await empty.aclose()

    async def test_two_who_want_it_at_once_both_get_it(self, box: ArchivedBox) -> None:
        conv = await box.finished()
        await box.away(conv)
        calls = [box.store.note(conv=conv, actor="bob", cid=cid(), body=BODY) for _ in range(8)]
        notes = await asyncio.gather(*calls)
        assert len({note.n for note in notes}) == 8
        assert (await box.store.snapshot(inbox="box")).counts["done"] == 1


class TestProofs:
    """The engine lets go only of what was archived as it is."""

    async def test_a_state_that_changes_meanwhile_is_read_anew(self, box: ArchivedBox) -> None:
        applied = await box.reply()
        await box.store.sent(conv=applied.conv, n=applied.n, state=Delivery.FAILED, reason="x")
        out = await box.store.lines_out(conv=applied.conv, keep=0)
        await box.store.retry(conv=applied.conv, actor="ann", cid=cid(), n=applied.n)
        assert await box.store.trim(conv=applied.conv, out=out) is None
        assert await box.state(applied.conv, applied.n) == ("queued", "")

    async def test_what_is_on_its_way_stays(self, box: ArchivedBox) -> None:
        await box.talk(2)
        applied = await box.reply()
        out = await box.store.lines_out(conv=applied.conv, keep=0)
        assert [line.n for line in out.lines] == list(range(1, applied.n))
        assert not out.all_out
        await box.store.sent(conv=applied.conv, n=applied.n, state=Delivery.SENT, carrier_id="r")
        assert len((await box.store.lines_out(conv=applied.conv, keep=0)).lines) == applied.n - 1

    async def test_what_a_carrier_took_days_ago_is_over(self, box: ArchivedBox) -> None:
        conv = await box.sent()
        raw = await box.client.execute("LINDEX", f"{box.log}:m:{conv}", -1)
        told = msgpack.unpackb(raw)
        told[2] -= SENT_FINAL_MS + 1000
        await box.client.execute("LSET", f"{box.log}:m:{conv}", -1, msgpack.packb(told))
        await box.lines_away(conv)
        assert (await box.store.lines_out(conv=conv, keep=0)).all_out

    async def test_lines_of_another_history_are_not_taken_for_these(self, box: ArchivedBox) -> None:
        conv = await box.talk(3)
        out = await box.store.lines_out(conv=conv, keep=0)
        # As after a failover: the same numbers, another message.
        raw = await box.client.execute("LINDEX", f"{box.log}:m:{conv}", 1)
        told = msgpack.unpackb(raw)
        told[1] += 7
        await box.client.execute("LSET", f"{box.log}:m:{conv}", 1, msgpack.packb(told))
        assert await box.store.trim(conv=conv, out=out) is None
        assert (
            await box.store.trim(conv=conv, out=await box.store.lines_out(conv=conv, keep=0)) == 3
        )

    async def test_a_row_that_changes_meanwhile_stays(self, box: ArchivedBox) -> None:
        conv = await box.finished()
        await box.lines_away(conv)
        row = await box.store.row_out(conv=conv)
        assert row is not None
        await box.store.purge(conv=conv, upto=1)
        assert not await box.store.evict(row=row)
        await box.receive()
        assert not await box.store.evict(row=row)
        assert await box.store.row_out(conv=conv) is None

    async def test_letting_go_twice_is_once(self, box: ArchivedBox) -> None:
        conv = await box.talk(5)
        out = await box.lines_away(conv, keep=2)
        assert await box.store.trim(conv=conv, out=out) == 0
        assert await box.numbers(conv) == [1, 2, 3, 4, 5]
        await box.finish(conv)
        await box.lines_away(conv)
        row = await box.store.row_out(conv=conv)
        assert row is not None
        await box.archive.put_row(row)
        assert await box.store.evict(row=row)
        assert not await box.store.thaw(row=replace(row, raw={**row.raw, "customer": b"+1"}))
        assert await box.store.thaw(row=row)
        assert await box.store.thaw(row=row)
        assert (await box.store.snapshot(inbox="box")).counts["done"] == 1

    async def test_whoever_read_the_archive_before_puts_nothing_older_back(
        self, box: ArchivedBox
    ) -> None:
        conv = await box.finished()
        await box.away(conv)
        before = await box.archive.row(conv=conv)
        assert before is not None
        await box.finish(await box.receive())
        await box.away(conv)
        numbers = await box.numbers(conv)
        assert not await box.store.thaw(row=before)
        assert not await box.is_here(conv)
        assert await box.numbers(conv) == numbers
        newest, asked = await box.archive.row(conv=conv), []

        async def late(*, conv: str) -> Any:
            asked.append(conv)
            return before if len(asked) == 1 else newest

        box.archive.row = late  # type: ignore[method-assign]
        await box.receive()
        assert await box.numbers(conv) == [*numbers, len(numbers) + 1]

    async def test_one_worker_moves_at_a_time(self, box: ArchivedBox) -> None:
        lease = box.store.lease_archiving
        assert await lease(log="box", holder="one", lease_ms=60_000)
        assert not await lease(log="box", holder="two", lease_ms=60_000)
        assert await lease(log="box", holder="one", lease_ms=60_000)


class TestReceipts:
    """Carriers speak late."""

    async def test_a_late_receipt_changes_the_archives_line(self, box: ArchivedBox) -> None:
        conv = await box.sent(state=Delivery.FAILED)
        n = (await box.row(conv))["n"]
        await box.lines_away(conv)
        settled = await box.store.receipt(
            inbox="box", carrier_id=f"ref-{n}", state=Delivery.DELIVERED, reason=""
        )
        assert settled is not None
        assert await box.state(conv, n) == ("delivered", "")
        await box.store.sent(
            conv=conv, n=n, state=Delivery.FAILED, carrier_id="z", reason="no", receipt=True
        )
        assert await box.state(conv, n) == ("delivered", "")

    async def test_what_has_left_is_not_sent_again(self, box: ArchivedBox) -> None:
        conv = await box.sent(state=Delivery.FAILED)
        n = (await box.row(conv))["n"]
        await box.lines_away(conv)
        refusal = await refused(box.store.retry(conv=conv, actor="ann", cid=cid(), n=n))
        assert refusal.slug == "bad_request"
        assert "anew" in str(refusal)
        refusal = await refused(box.store.retry(conv=conv, actor="ann", cid=cid(), n=n + 9))
        assert refusal.slug == "not_found"

    async def test_a_receipt_for_nothing_is_not_found(self, box: ArchivedBox) -> None:
        conv = await box.talk(1)
        refusal = await refused(box.store.sent(conv=conv, n=44, state=Delivery.SENT))
        assert refusal.slug == "not_found"


class TestDeleted:
    """An inbox that goes."""

    async def test_its_archive_goes_with_it(self, box: ArchivedBox) -> None:
        conv = await box.finished()
        await box.away(conv)
        while not await box.store.delete_inbox(inbox="box"):
            pass
        assert await box.archive.row(conv=conv) is None
        assert await box.archive.lines(conv=conv, first=1, last=99) == []
        left = await box.client.execute("KEYS", f"{box.log}:*")
        kinds = {key.decode().removeprefix(box.log).split(":")[1] for key in left}
        assert kinds <= {"i", "p", "pm", "arl", "left"}  # these end by themselves
