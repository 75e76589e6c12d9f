"""What the success of a command promises, and what is said where it cannot be promised."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest

from batonbox import Client, Conversation, Invalid, NotConfirmed, Resync, WritesLost
from batonbox_server.engine import EmbeddedEngine
from batonbox_server.store.connect import EngineClient
from batonbox_server.store.lane import Need
from tests.pair import Pair, calls, paired, said, until
from tests.served import CUSTOMER, SALES, served
from tests.support import eventually

T = TypeVar("T")
FILED = "appendonly yes\nappendfsync {}\n"
ONE = Need(1)
ON_DISK = Need(disk=True)


def soon(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Begun, and awaited by the test."""
    return asyncio.get_running_loop().create_task(work)


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    """A primary with a replica of the test's own."""
    async with paired(tmp_path) as pair:
        yield pair


async def notes(conv: Conversation) -> list[str]:
    """The notes of the conversation, as they stand there."""
    return [line.text for line in await conv.history(n=200) if line.kind == "noted"]


class TestReplica:
    """A replica that stands still."""

    async def test_who_waits_for_it_holds_up_nobody(self, pair: Pair, prefix: str) -> None:
        async with (
            served(pair.url, prefix, dur_timeout_ms=60_000) as site,
            await site.sdk("agent1", timeout_s=60) as ann,
        ):
            conv = await ann.conversation(await site.texts("hello"))
            assert await conv.note("calm", dur="replica")
            pair.replica.freeze()
            try:
                sure = soon(conv.note("sure", dur="replica"))

                async def stands() -> bool:
                    return "sure" in await notes(conv)

                await until(stands, what="its effect")
                for n in range(20):
                    await conv.note(f"quick {n}")
                assert not sure.done()
            finally:
                pair.replica.thaw()
            await sure
            assert site.node.durability.counts == {
                "durable_confirmed": 3,  # and the customer's message
                "durable_unconfirmed": 0,
            }

    async def test_what_it_does_not_confirm_is_said_and_confirmed_by_a_retry(
        self, pair: Pair, prefix: str
    ) -> None:
        async with (
            served(pair.url, prefix, dur_timeout_ms=1000) as site,
            await site.sdk("agent1", dur="replica") as ann,
        ):
            conv = await ann.conversation(await site.texts("hello"))
            await conv.claim()
            pair.replica.freeze()
            try:
                with pytest.raises(NotConfirmed) as unsure:
                    await conv.note("once", key="once")
                # The answer is stored by now: to find it proves nothing.
                with pytest.raises(NotConfirmed):
                    await conv.note("once", key="once")
                await conv.note("quick", dur="memory")
                # Who is content with less says so, under the same id.
                n = await conv.note("once", key="once", dur="memory")
            finally:
                pair.replica.thaw()
            assert unsure.value.slug == "durability_timeout"
            assert unsure.value.retryable
            assert await conv.note("once", key="once") == n
            assert await notes(conv) == ["once", "quick"]

    async def test_commands_about_a_conversation_keep_their_order(
        self, pair: Pair, prefix: str
    ) -> None:
        async with (
            served(pair.url, prefix, dur_timeout_ms=60_000) as site,
            await site.sdk("agent1", timeout_s=60) as ann,
        ):
            conv = await ann.conversation(await site.texts("hello"))
            pair.replica.freeze()
            try:
                tasks = [
                    soon(conv.note(str(n), dur="memory" if n % 2 else "replica")) for n in range(12)
                ]
                await asyncio.gather(*tasks[1::2])
                assert not any(task.done() for task in tasks[0::2])
            finally:
                pair.replica.thaw()
            assert sorted(await asyncio.gather(*tasks)) == await asyncio.gather(*tasks)
            assert await notes(conv) == [str(n) for n in range(12)]

    async def test_many_share_one_wait(self, pair: Pair, prefix: str) -> None:
        async with (
            served(pair.url, prefix) as site,
            await site.sdk("agent1", dur="replica") as ann,
        ):
            conv = await ann.conversation(await site.texts("hello"))
            await conv.note("the library is there")
            before = await calls(pair.primary, "wait")
            await asyncio.gather(*(conv.note(str(n)) for n in range(16)))
            # Sixteen are written in one or two turns, and answered in as many.
            assert 1 <= await calls(pair.primary, "wait") - before <= 8

    async def test_a_customers_message_is_the_carriers_until_it_is_there(
        self, pair: Pair, prefix: str
    ) -> None:
        async with served(pair.url, prefix, dur_timeout_ms=1000) as site:
            body = {"from": CUSTOMER, "to": SALES, "text": "hello", "id": "m1"}
            pair.replica.freeze()
            try:
                for _ in range(2):  # and what is a duplicate by now is not there, either
                    answer = await site.call("admin", "POST", "/v1/loopback/inbound", body)
                    assert answer.status_code == 504
                    assert answer.json()["code"] == "durability_timeout"
            finally:
                pair.replica.thaw()
            answer = await site.call("admin", "POST", "/v1/loopback/inbound", body)
            assert answer.status_code == 200
            assert answer.json()["duplicate"] is True
            thread = await site.get("agent1", f"/v1/conversations/{answer.json()['conv']}")
            assert [line["kind"] for line in thread["messages"]] == ["received"]

    async def test_no_message_leaves_by_a_lease_that_could_be_lost(
        self, pair: Pair, prefix: str
    ) -> None:
        async with (
            served(pair.url, prefix, dur_timeout_ms=1000) as site,
            await site.sdk("agent1") as ann,
        ):
            conv = await ann.conversation(await site.texts("hello"))
            await conv.claim()
            pair.replica.freeze()
            try:
                await conv.reply("yes")
                await eventually(lambda: site.node.durability.counts["durable_unconfirmed"])
                assert await site.phone() == []
            finally:
                pair.replica.thaw()
            assert await site.phone_with(1) == ["yes"]
            await asyncio.gather(*site.node.outbox._sending)
            (line,) = [each for each in await conv.history() if each.kind == "replied"]
            assert line.state in {"sent", "delivered"}
            assert await site.phone() == ["yes"]


class TestFailover:
    """The replica takes over without the last writes."""

    async def test_what_was_lost_is_named_and_what_was_confirmed_is_there(
        self, pair: Pair, prefix: str
    ) -> None:
        async with (
            served(pair.url, prefix, dur_timeout_ms=1000) as site,
            await site.sdk("agent1") as ann,
            await site.sdk("agent2") as bob,
            ann.events(Resync, inbox="sales") as resyncs,
        ):
            conv = await ann.conversation(await site.texts("hello"))
            theirs = await bob.conversation(conv.id)
            await conv.note("kept", key="kept", dur="replica")
            await theirs.note("kept, too", key="kept-too", dur="replica")
            await pair.promote()
            for n in range(3):
                await conv.note(f"lost {n}", key=f"lost-{n}")
            await theirs.note("lost, too", key="lost-too")
            with pytest.raises(NotConfirmed):
                await conv.note("unsure", key="unsure", dur="replica")
            await pair.primary.kill()
            pair.lead_to(pair.replica)
            async with asyncio.timeout(30):
                resync = await anext(resyncs)
            assert isinstance(resync, Resync)
            assert resync.reason == "fork"
            assert [write.cid for write in resync.lost] == ["lost-0", "lost-1", "lost-2"]
            # Nobody told bob, who follows nothing: he asks.
            assert await _lost(bob) == ["lost-too"]
            assert await ann.confirm_writes() == 1
            assert await notes(conv) == ["kept", "kept, too"]
            await conv.note("lost 0", key="lost-0")
            assert await notes(conv) == ["kept", "kept, too", "lost 0"]

    async def test_what_was_answered_elsewhere_is_never_sure(self, tmp_path: Path) -> None:
        """The other engine can confirm whatever it is asked: it does not have the write."""
        async with paired(tmp_path, settings=FILED.format("always")) as pair:
            client = EngineClient(pair.url)
            await client.connect()
            since = client.since()
            await client.execute("SET", "a", 1)
            assert await client.lasts("a", ON_DISK, since=since, within_ms=10_000)
            await pair.promote()
            await client.execute("SET", "a", 2)
            pair.lead_to(pair.replica)
            await eventually(lambda: client.state and client.since() != since)
            assert not await client.lasts("a", ON_DISK, since=since, within_ms=10_000)
            since = client.since()
            assert await client.execute("GET", "a") == b"1"

            async def sure() -> bool:  # once the second connection is back, too
                return await client.lasts("a", ON_DISK, since=since, within_ms=10_000)

            await until(sure, what="what is there being sure")
            await client.aclose()

    async def test_the_second_connection_may_not_lead_elsewhere(self, tmp_path: Path) -> None:
        async with paired(tmp_path, settings=FILED.format("always")) as pair:
            client = EngineClient(pair.url)
            await client.connect()
            await pair.promote()
            pair.link.target = pair.replica.port  # for whoever comes from now on
            since = client.since()
            await client.execute("SET", "a", 1)
            assert not await client.lasts("a", ON_DISK, since=since, within_ms=10_000)
            assert client.since() == since
            assert await said(pair.replica, "GET", "a") is None
            await client.aclose()


async def _lost(client: Client) -> list[str]:
    """What `confirm_writes` misses, once the server is back at its engine."""
    found: list[str] = []

    async def told() -> bool:
        try:
            await client.confirm_writes()
        except WritesLost as lost:
            found.extend(write.cid for write in lost.writes)
        return bool(found)

    await until(told, what="the loss")
    return found


class TestBatches:
    """Those who ask in one turn of the loop, and while others wait."""

    async def test_one_write_and_one_wait_for_all(self, pair: Pair) -> None:
        client = EngineClient(pair.url)
        await client.connect()

        async def ask(count: int) -> list[bool]:
            asked = (
                client.lasts(f"p{n % 3}", ONE, since=client.since(), within_ms=10_000)
                for n in range(count)
            )
            return await asyncio.gather(*asked)

        assert all(await ask(50))  # by a connection that had to be opened
        assert await calls(pair.primary, "wait") == 1
        assert await calls(pair.primary, "set") == 3
        pair.replica.freeze()
        try:
            first = soon(ask(1))
            await until(lambda: _is(calls(pair.primary, "set"), 4), what="the first one's write")
            more = soon(ask(20))
            await eventually(lambda: len(client._lane._asked) == 20)
            assert not first.done()
        finally:
            pair.replica.thaw()
        assert all(await first + await more)
        assert await calls(pair.primary, "wait") == 3
        await client.aclose()

    async def test_each_waits_no_longer_than_it_says(self, pair: Pair) -> None:
        client = EngineClient(pair.url)
        await client.connect()
        pair.replica.freeze()
        try:
            patient = soon(client.lasts("a", ONE, since=client.since(), within_ms=60_000))
            await eventually(lambda: client._lane._batch)
            # Behind it, and not as patient.
            assert not await client.lasts("b", ONE, since=client.since(), within_ms=10)
            assert not patient.done()
        finally:
            pair.replica.thaw()
        assert await patient
        await client.aclose()

    async def test_closing_tells_those_who_wait(self, pair: Pair) -> None:
        client = EngineClient(pair.url)
        await client.connect()
        pair.replica.freeze()
        try:
            waiting = soon(client.lasts("a", ONE, since=client.since(), within_ms=60_000))
            await eventually(lambda: client._lane._batch)
            await client.aclose()
            assert not await waiting
        finally:
            pair.replica.thaw()


async def _is(work: Coroutine[Any, Any, T], value: T) -> bool:
    return await work == value


class TestDisk:
    """`fsync`."""

    async def test_the_embedded_engine_has_it_on_disk(
        self, engine: EmbeddedEngine, prefix: str
    ) -> None:
        async with (
            served(engine.url, prefix) as site,
            await site.sdk("agent1") as ann,
            await site.sdk("admin") as admin,
        ):
            conv = await ann.conversation(await site.texts("hello"))
            assert await conv.note("kept", dur="fsync")
            await ann.set_away(dur="fsync")
            assert (await admin.create_channel("news", dur="fsync")).now.name == "news"
            assert site.node.durability.counts["durable_confirmed"] == 3

    async def test_with_a_replica_it_is_there_as_well(self, tmp_path: Path, prefix: str) -> None:
        async with (
            paired(tmp_path, settings=FILED.format("always")) as pair,
            served(pair.url, prefix, dur_timeout_ms=1000) as site,
            await site.sdk("agent1", dur="fsync") as ann,
        ):
            conv = await ann.conversation(await site.texts("hello"))
            await conv.note("one")
            pair.replica.freeze()
            try:
                with pytest.raises(NotConfirmed):
                    await conv.note("two", key="two")
            finally:
                pair.replica.thaw()
            await conv.note("two", key="two")
            assert await notes(conv) == ["one", "two"]

    async def test_a_disk_that_does_not_follow_is_never_sure(self, tmp_path: Path) -> None:
        async with paired(tmp_path, settings=FILED.format("no")) as pair:
            client = EngineClient(pair.url)
            await client.connect()
            assert not await client.lasts("a", ON_DISK, since=client.since(), within_ms=300)
            await said(pair.primary, "CONFIG", "SET", "appendfsync", "always")
            assert await client.lasts("a", ON_DISK, since=client.since(), within_ms=10_000)
            await client.aclose()


class TestRefused:
    """Before anything is done."""

    async def test_what_no_engine_like_this_can_promise(self, engine_url: str, prefix: str) -> None:
        async with served(engine_url, prefix) as site, await site.sdk("agent1") as ann:
            conv = await ann.conversation(await site.texts("hello"))
            with pytest.raises(Invalid, match="no replicas to wait for"):
                await conv.note("no", dur="replica")
            answer = await site.act("agent1", conv.id, "note", text="no", dur="disk")
            assert answer.status_code == 400
            assert "dur: one of memory, replica, fsync" in answer.json()["detail"]
            assert await notes(conv) == []
            answer = await site.act("agent1", conv.id, "note", text="yes", dur="memory")
            assert answer.status_code == 200
            assert site.node.durability.own == "memory"

    @pytest.mark.parametrize(
        ("settings", "why"),
        [
            ("appendonly no\n", "no append-only file"),
            (FILED.format("everysec"), "appendfsync always"),
        ],
    )
    async def test_a_disk_that_is_not_written_at_once(
        self, tmp_path: Path, prefix: str, settings: str, why: str
    ) -> None:
        async with (
            paired(tmp_path, settings=settings) as pair,
            served(pair.url, prefix) as site,
            await site.sdk("agent1") as ann,
        ):
            conv = await ann.conversation(await site.texts("hello"))
            with pytest.raises(Invalid, match=why):
                await conv.note("no", dur="fsync")
            assert await notes(conv) == []


class TestSettings:
    """What an operator decides for everybody."""

    async def test_a_default_and_a_least(self, pair: Pair, prefix: str) -> None:
        default = served(pair.url, prefix, dur_default="replica", dur_timeout_ms=1000)
        async with default as site, await site.sdk("agent1") as ann:
            conv = await ann.conversation(await site.texts("hello"))
            pair.replica.freeze()
            try:
                with pytest.raises(NotConfirmed):
                    await conv.note("one")
                await conv.note("two", dur="memory")
            finally:
                pair.replica.thaw()
        least = served(pair.url, prefix, empty=True, dur_least="replica", dur_timeout_ms=1000)
        async with least as site, await site.sdk("agent1") as ann:
            conv = await ann.conversation(conv.id)
            pair.replica.freeze()
            try:
                with pytest.raises(NotConfirmed):
                    await conv.note("three", dur="memory")
            finally:
                pair.replica.thaw()
            assert await notes(conv) == ["one", "two", "three"]

    async def test_replicas_that_are_not_to_be_waited_for(self, pair: Pair, prefix: str) -> None:
        async with served(pair.url, prefix, dur_replicas=0) as site:
            assert site.node.durability.own == "memory"
            pair.replica.freeze()
            try:
                await site.texts("hello")
            finally:
                pair.replica.thaw()
