"""Bots on a real server: what customers get, in which order, and how often."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from batonbox import (
    Backoff,
    Bot,
    CallNext,
    Client,
    Context,
    Conversation,
    ConversationEvent,
    Forbidden,
    MessageReceived,
    RequestTimeout,
    Resync,
    Unavailable,
)
from batonbox._errors import api_error
from batonbox.bot import _serving
from batonbox.bot._source import StreamSource
from batonbox_server.engine import EmbeddedEngine
from tests.engines import binary
from tests.relay import cuttable
from tests.sdk.bot.conftest import running
from tests.sdk.bot.made import Given, GivenWork
from tests.served import SUPPORT, Served, served
from tests.support import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


def phone() -> str:
    """A customer nobody else uses."""
    return f"+1416{uuid.uuid4().int % 10**7:07}"


def only(customer: str) -> Callable[[ConversationEvent], bool]:
    """Of other tests' customers this bot hears nothing."""
    return lambda event: event.row.customer == customer


async def test_a_customer_is_answered(site: Served, client: Client) -> None:
    bot, customer = Bot(client, inboxes=["sales"]), phone()

    @bot.message(r"(?i)^hours (?P<day>\w+)")
    async def hours(event: MessageReceived, ctx: Context) -> None:
        assert ctx.match is not None
        await event.conversation.claim()
        await event.conversation.reply(f"{ctx.match['day']}: nine to five")
        await ctx.client.conversation(event.conversation.id)
        await event.conversation.done()

    async with running(bot):
        await site.texts("hours monday", customer=customer)
        assert await site.phone_with(1, customer) == ["monday: nine to five"]


async def test_an_inbox_that_is_not_to_be_had_ends_the_start(client: Client) -> None:
    with pytest.raises(Forbidden, match="support"):
        await Bot(client, inboxes=["sales", "support"]).start()


async def test_each_customer_is_answered_in_order_while_others_wait(
    site: Served, client: Client
) -> None:
    bot, draw, go_on = Bot(client), random.Random(1), asyncio.Event()
    customers = [phone() for _ in range(6)]
    begun: set[str] = set()

    @bot.message(filter=lambda event: event.row.customer in customers)
    async def answer(event: MessageReceived) -> None:
        begun.add(event.row.customer)
        if event.row.customer == customers[0]:
            await go_on.wait()
        for _ in range(draw.randrange(3)):
            await event.conversation.history(n=1)
        await event.conversation.claim()
        await event.conversation.reply(f"re: {event.text}")

    async with running(bot):
        for number in range(4):
            for customer in customers:
                await site.texts(str(number), customer=customer)
        wanted = [f"re: {number}" for number in range(4)]
        for customer in customers[1:]:
            assert await site.phone_with(4, customer) == wanted
        assert begun == set(customers)
        assert await site.phone(customers[0]) == []
        go_on.set()
        assert await site.phone_with(4, customers[0]) == wanted


async def test_a_bot_that_is_too_slow_is_told_so(
    site: Served, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_serving, "WAITING_MAX", 2)
    bot, customer, go_on = Bot(client, concurrency=1), phone(), asyncio.Event()
    monkeypatch.setattr(bot, "_source", lambda client: StreamSource(client, queue_max=3))
    said: list[str] = []

    @bot.message(filter=only(customer))
    async def slow(event: MessageReceived) -> None:
        await go_on.wait()
        said.append(event.text)

    @bot.on_resync
    async def resync(event: Resync) -> None:
        said.append(event.reason)

    async with running(bot):
        for number in range(12):
            await site.texts(str(number), customer=customer)
        [stream] = client._in.streams
        await eventually(lambda: any(isinstance(e, Resync) for e in stream._queue))
        go_on.set()
        await eventually(lambda: "slow_consumer" in said)
        await site.texts("after", customer=customer)
        await eventually(lambda: "after" in said)
    texts = [text for text in said if text.isdecimal()]
    assert texts == sorted(texts, key=int)
    assert len(texts) < 12


WORDS = iter(f"answer {number}" for number in range(100))


async def same(conversation: Conversation) -> int:
    return await conversation.reply("answer")


async def other(conversation: Conversation) -> int:
    return await conversation.reply(next(WORDS))


@pytest.mark.parametrize("words", [same, other])
async def test_an_event_that_is_handled_twice_is_answered_once(
    site: Served, client: Client, words: Callable[[Conversation], Awaitable[int]]
) -> None:
    """As after the death of the copy that had begun it, and with what happened meanwhile."""
    customer, handled, numbers = phone(), [], []

    async def answer(event: MessageReceived) -> None:
        await event.conversation.claim()
        await event.conversation.refresh()
        numbers.append(await words(event.conversation))
        await event.conversation.note("answered")
        handled.append(event)

    first = Bot(client)
    first.message("^question", filter=only(customer))(answer)
    async with running(first):
        await site.texts("question", customer=customer)
        await eventually(lambda: handled)
    await site.texts("and more", customer=customer)

    second = Bot(await site.sdk("agent1"))
    second.message("^question", filter=only(customer))(answer)
    given = Given()
    second._source = lambda client: given  # type: ignore[method-assign]
    async with running(second):
        event = replace(handled[0], conversation=Conversation(second.client, handled[0].row))
        work = GivenWork(event)
        given.works.put_nowait(work)
        await eventually(lambda: "done" in work.said)
        history = await event.conversation.history()
    assert len(handled) == 2
    assert [line.kind for line in history].count("noted") == 1
    assert len(await site.phone_with(1, customer)) == 1
    assert numbers == ([numbers[0]] * 2 if words is same else [numbers[0], 0])


async def test_two_copies_without_a_group_answer_once_all_the_same(site: Served) -> None:
    customer, handled = phone(), []

    async def answer(event: MessageReceived) -> None:
        await event.conversation.claim()
        await event.conversation.reply("answer")
        handled.append(event.seq)

    bots = [Bot(await site.sdk("agent1")) for _ in range(2)]
    for bot in bots:
        bot.message(filter=only(customer))(answer)
    async with running(bots[0]), running(bots[1]):
        await site.texts("question", customer=customer)
        await eventually(lambda: len(handled) == 2)
    assert await site.phone_with(1, customer) == ["answer"]


async def test_a_connection_that_breaks_within_a_handler_changes_nothing(
    site: Served, client: Client
) -> None:
    bot, customer = Bot(client), phone()

    @bot.message(filter=only(customer))
    async def answer(event: MessageReceived, ctx: Context) -> None:
        await event.conversation.claim()
        ctx.client._connection.drop()
        await event.conversation.reply(f"re: {event.text}")
        ctx.client._connection.drop()

    async with running(bot):
        for text in ("one", "two", "three"):
            await site.texts(text, customer=customer)
        wanted = ["re: one", "re: two", "re: three"]
        assert await site.phone_with(3, customer) == wanted


async def test_a_reply_whose_answer_is_lost_and_the_server_away_is_tried_again_and_sent_once(
    site: Served,
) -> None:
    customer, numbers, attempts = phone(), [], []
    async with cuttable(site.port) as link:
        client = Client(link.url, await site.token("agent1"), backoff=Backoff(0.05, 0.5))
        bot = Bot(client)

        @bot.middleware
        async def meanwhile(event: ConversationEvent, ctx: Context, call_next: CallNext) -> None:
            try:
                await call_next()
            except RequestTimeout as error:
                attempts.append(error.sent)
                assert await site.phone_with(1, customer) == ["re: one"]
                link.closed = len(attempts) < 2
                link.cut()
                link.release()
                client._timeout_s = 0.2 if link.closed else 10.0
                raise

        @bot.message(filter=only(customer))
        async def answer(event: MessageReceived) -> None:
            await event.conversation.claim()
            if not attempts:
                link.hold()
                client._timeout_s = 0.2
            numbers.append(await event.conversation.reply(f"re: {event.text}"))

        async with running(bot):
            for text in ("one", "two"):
                await site.texts(text, customer=customer)
            assert await site.phone_with(2, customer) == ["re: one", "re: two"]
    assert attempts == [True, False]
    assert len(numbers) == 2


async def test_an_engine_that_is_away_while_a_handler_replies_costs_no_answer(
    tmp_path: Path,
) -> None:
    engine = EmbeddedEngine(tmp_path / "data", binary=binary())
    failed, answered = asyncio.Event(), asyncio.Event()
    await engine.start()
    try:
        async with served(engine.url, "away:") as site:
            bot = Bot(await site.sdk("agent1", timeout_s=2.0))

            @bot.middleware
            async def noting(event: ConversationEvent, ctx: Context, call_next: CallNext) -> None:
                try:
                    await call_next()
                except (Unavailable, RequestTimeout):
                    failed.set()
                    raise

            @bot.message()
            async def answer(event: MessageReceived) -> None:
                await event.conversation.claim()
                if not failed.is_set():
                    await engine.stop()
                await event.conversation.reply(f"re: {event.text}")
                answered.set()

            async with running(bot):
                await site.texts("one")
                await asyncio.wait_for(failed.wait(), 20)
                await engine.start()
                await asyncio.wait_for(answered.wait(), 20)
                await site.texts("two")
                assert await site.phone_with(2) == ["re: one", "re: two"]
    finally:
        await engine.stop()


async def test_who_waits_is_told_once_and_found_again_after_a_gap(
    site: Served, client: Client
) -> None:
    bot, before, after, owned = Bot(client), phone(), phone(), phone()
    convs = {await site.texts("hello", customer=before): "before"}
    told: list[str] = []

    @bot.unassigned(older_than_s=0.3)
    async def waiting(conversation: Conversation, ctx: Context) -> None:
        if conversation.id in convs:
            assert conversation.now.status == "unassigned"
            told.append(convs[conversation.id])

    async with running(bot):
        convs[await site.texts("hello", customer=after)] = "after"
        taken = await site.texts("hello", customer=owned)
        convs[taken] = "owned"
        await site.act("agent2", taken, "assign")
        await eventually(lambda: len(told) == 2)
        await site.texts("hello?", customer=after)
        client._in._tell(Resync(inbox="", reason="gap"))
        await site.act("agent2", taken, "return")
        await eventually(lambda: len(told) == 3)
        assert sorted(told) == ["after", "before", "owned"]
        assert bot._serving is not None
        bot._serving._waits.found([])  # as if it had missed them
        client._in._tell(Resync(inbox="", reason="gap"))
        await eventually(lambda: len(told) == 6)
    assert sorted(told) == ["after", "after", "before", "before", "owned", "owned"]


async def test_an_inbox_that_comes_later_has_people_who_wait_too(
    site: Served, client: Client
) -> None:
    bot, told, path = Bot(client), [], "/v1/admin/inboxes/support/members/agent1"

    @bot.unassigned(older_than_s=0, inbox="support")
    async def waiting(conversation: Conversation) -> None:
        told.append(conversation.id)

    before = await site.texts("hello", to=SUPPORT, customer=phone())
    async with running(bot):
        assert (await site.call("admin", "PUT", path)).is_success
        try:
            await eventually(lambda: client.position("support"))
            after = await site.texts("hello", to=SUPPORT, customer=phone())
            await eventually(lambda: {before, after} <= set(told))
        finally:
            await site.call("admin", "DELETE", path)
    assert len(told) == len(set(told))


async def test_what_a_copy_of_a_group_has_to_leave_is_answered_by_the_next(site: Served) -> None:
    customer, attempts = phone(), []

    async def copy() -> Bot:
        bot = Bot(await site.sdk("agent1"), group="leaving", inboxes=["sales"])

        @bot.message(filter=only(customer))
        async def answer(event: MessageReceived) -> None:
            attempts.append(event.seq)
            await event.conversation.claim()
            if len(attempts) == 1:
                raise api_error(111, "rate_limited", "for longer than a drain", retry_ms=30_000)
            await event.conversation.reply("answer")

        @bot.error
        async def never(exception: Exception, event: ConversationEvent | None) -> None:
            attempts.append(0)

        return bot

    async with running(await copy()):
        await site.texts("question", customer=customer)
        await eventually(lambda: attempts)
    async with running(await copy()):
        assert await site.phone_with(1, customer) == ["answer"]
    assert attempts == attempts[:1] * 2


async def test_copies_of_a_group_share_the_customers(site: Served) -> None:
    customers, took = [phone() for _ in range(12)], []

    def copy(number: int, client: Client) -> Bot:
        bot = Bot(client, group="answers", inboxes=["sales"])

        @bot.message(filter=lambda event: event.row.customer in customers)
        async def answer(event: MessageReceived) -> None:
            took.append((number, event.row.customer, event.text))
            await event.conversation.claim()
            await event.conversation.reply(f"re: {event.text}")

        return bot

    first, second = [copy(number, await site.sdk("agent1")) for number in range(2)]
    async with running(first):
        for customer in customers:
            await site.texts("one", customer=customer)
        async with running(second):
            for customer in customers:
                await site.texts("two", customer=customer)
            for customer in customers:
                assert await site.phone_with(2, customer) == ["re: one", "re: two"]
        for customer in customers:
            await site.texts("three", customer=customer)
        for customer in customers:
            assert len(await site.phone_with(3, customer)) == 3
    assert len(took) == len({(who, text) for _, who, text in took}) == 36
    assert {number for number, _, text in took if text == "three"} == {0}
