"""`BotTester`: a bot without a network sees and does what it would with the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from batonbox import (
    AlreadyAssigned,
    Assigned,
    Bot,
    Context,
    Conversation,
    ConversationEvent,
    MessageReceived,
    RequestTimeout,
)
from batonbox.testing import BotTester, Call

ANA = "+14165550142"
pytestmark = pytest.mark.timeout(30)


def opening_hours() -> Bot:
    """Answers one question, and hands everything else to people."""
    bot = Bot()

    @bot.message(r"(?i)open")
    async def hours(event: MessageReceived, ctx: Context) -> None:
        if await event.conversation.try_claim():
            await event.conversation.reply("From 9 to 5.")
            await event.conversation.done()

    @bot.message(r"(?i)human")
    async def human(event: MessageReceived) -> None:
        await event.conversation.note("asks for a human")

    return bot


@pytest.fixture
async def t() -> AsyncIterator[BotTester]:
    async with BotTester(opening_hours()) as t:
        yield t


async def test_what_the_bot_says_does_and_leaves_behind_is_there(t: BotTester) -> None:
    conv = await t.says(ANA, "When do you open?")
    assert t.replies == [(ANA, "From 9 to 5.")]
    assert [call.command for call in t.calls] == ["assign", "reply", "done"]
    assert t.calls[1] == Call("reply", {"conv": conv, "text": "From 9 to 5."})
    assert t.conversation(conv) == t.conversation(ANA)
    assert (t.conversation(ANA).status, t.conversation(ANA).last_assignee) == ("done", "bot")
    assert [m.text for m in t.history(ANA) if m.text] == ["When do you open?", "From 9 to 5."]
    assert [type(event).__name__ for event in t.events] == [
        "MessageReceived", "Assigned", "Replied", "DeliveryChanged", "DeliveryChanged", "Done",
    ]  # fmt: skip
    await t.says(ANA, "open on Sunday?", inbox="sales")
    assert len(t.replies) == 2


async def test_somebody_else_was_first(t: BotTester) -> None:
    conv = await t.says(ANA, "hello")
    await t.assigns("bo", conv)
    await t.says(ANA, "open?")
    assert t.replies == []
    assert t.calls == [Call("assign", {"conv": conv}, "conflict")]
    assert t.conversation(ANA).assignee == "bo"
    await t.answers("bo", conv, "I am on it.")
    await t.notes("bo", conv, "regular customer")
    await t.transfers("bo", conv, "agent1", note="yours")
    await t.returns("agent1", conv)
    await t.assigns("admin", conv, to="bot")
    await t.finishes("bot", conv)
    with pytest.raises(AssertionError, match=r"bo may not return .*not_owner"):
        await t.returns("bo", conv)
    with pytest.raises(KeyError, match="no conversation"):
        t.conversation("+1999")


async def test_who_is_refused_hears_of_it_as_from_the_server() -> None:
    bot = Bot()
    heard: list[AlreadyAssigned] = []

    @bot.updated(Assigned)
    async def late(event: Assigned) -> None:
        with pytest.raises(AlreadyAssigned) as refused:
            await event.conversation.claim()
        heard.append(refused.value)

    async with BotTester(bot) as t:
        await t.assigns("bo", await t.says(ANA, "hello"))
        assert [(error.by, error.slug) for error in heard] == [("bo", "conflict")]


async def test_what_a_handler_raises_is_raised_in_the_test() -> None:
    bot = Bot()

    @bot.message("wrong")
    async def wrong(event: MessageReceived) -> None:
        raise ZeroDivisionError("of the handler")

    @bot.message("taken")
    async def taken(event: MessageReceived) -> None:
        await event.conversation.claim()

    async with BotTester(bot) as t:
        with pytest.raises(ZeroDivisionError, match="of the handler"):
            await t.says(ANA, "wrong")
        conv = await t.says(ANA, "hello")
        await t.assigns("bo", conv)
        with pytest.raises(AlreadyAssigned):
            await t.says(ANA, "taken")

    errors: list[BaseException] = []

    @bot.error
    async def took(exception: Exception, event: ConversationEvent | None) -> None:
        errors.append(exception)

    async with BotTester(bot) as t:
        await t.says(ANA, "wrong")
    assert [type(error) for error in errors] == [ZeroDivisionError]


async def test_a_bot_that_cannot_start_fails_the_test() -> None:
    bot = Bot()

    @bot.on_ready
    async def ready() -> None:
        raise LookupError("not configured")

    with pytest.raises(LookupError, match="not configured"):
        async with BotTester(bot):
            pass


async def test_a_handler_that_never_ends_is_named() -> None:
    bot = Bot()

    @bot.message()
    async def waits(event: MessageReceived) -> None:
        await asyncio.Event().wait()

    async with BotTester(bot, timeout_s=0.05) as t:
        with pytest.raises(AssertionError, match="handlers have not ended"):
            await t.says(ANA, "hello")
        bot.drain_s = 0.0


async def test_time_passes_when_the_test_says_so_and_in_order() -> None:
    bot = Bot()
    log: list[str] = []

    @bot.every(seconds=60)
    async def tick() -> None:
        log.append("tick")

    @bot.unassigned(older_than_s=90)
    async def waiting(conversation: Conversation) -> None:
        log.append(f"waits: {conversation.now.customer}")
        await conversation.claim()
        await conversation.snooze(seconds=20)

    @bot.updated(reason="due")
    async def woken(event: ConversationEvent) -> None:
        log.append("woken")
        await event.conversation.reply("Sorry that you had to wait.")

    async with BotTester(bot) as t:
        await t.says(ANA, "hello")
        await t.advance(59)
        assert log == []
        await t.advance(1)
        assert log == ["tick"]
        await t.advance(120)
        waits = f"waits: {ANA}"
        assert log == ["tick", waits, "woken", "tick", "tick"]
        assert t.replies == [(ANA, "Sorry that you had to wait.")]
        await t.advance(3600)
        assert log.count(waits) == 1


async def test_what_fails_for_want_of_the_server_is_run_again_as_time_passes() -> None:
    bot, wanting, begun = Bot(retry_s=60.0), 2, []

    @bot.message()
    async def answers(event: MessageReceived) -> None:
        begun.append(event.text)
        await event.conversation.try_claim()
        if len(begun) <= wanting:
            raise RequestTimeout("no answer")
        await event.conversation.reply("here")

    async with BotTester(bot) as t:
        await t.says(ANA, "hello")
        await t.says(ANA, "hello?")
        assert begun == ["hello"]
        await t.advance(10)
        assert begun == ["hello"] * 3 + ["hello?"]
        assert t.replies == [(ANA, "here")] * 2
        wanting = 10**6
        await t.says(ANA, "and now?")
        await t.advance(50)
        with pytest.raises(RequestTimeout):
            await t.advance(10)

    wanting = len(begun) + 1
    async with BotTester(bot) as t:
        await t.says(ANA, "once more")  # the end of the test gives it time
    assert (begun[-2:], t.replies) == (["once more"] * 2, [(ANA, "here")])
    wanting = 10**6
    with pytest.raises(RequestTimeout):
        async with BotTester(bot) as t:
            await t.says(ANA, "in vain")


async def test_an_event_handed_over_again_has_no_second_effect(t: BotTester) -> None:
    await t.says(ANA, "When do you open?")
    (first, *_) = t.events
    await t.feed(first)
    assert t.replies == [(ANA, "From 9 to 5.")]
    assert [call.command for call in t.calls] == ["assign", "reply", "done"] * 2
    assert t.conversation(ANA).status == "done"


async def test_what_it_does_not_play_says_where_to_test_it() -> None:
    bot = Bot()

    @bot.message()
    async def asks(event: MessageReceived, ctx: Context) -> Any:
        return await (
            ctx.client.search("x") if event.text == "search" else ctx.client.open_dm("bo")
        )

    async with BotTester(bot) as t:
        with pytest.raises(NotImplementedError, match="LocalServer"):
            await t.says(ANA, "search")
        with pytest.raises(Exception, match="LocalServer"):
            await t.says(ANA, "room")


async def test_a_bot_is_as_it_was_afterwards_and_a_colleague_has_a_client() -> None:
    bot = Bot(group="copies", inboxes=["box"])
    clock = bot._clock

    @bot.message()
    async def takes(event: MessageReceived) -> None:
        await event.conversation.try_claim()

    async with BotTester(bot) as t, t.client("bo") as bo:
        conv = await t.says(ANA, "hello")
        assert conv.startswith("box.")
        handle = await bo.conversation(conv)
        assert not await handle.try_claim()
        assert [each.id async for each in bo.conversations(view="others")] == [conv]
    assert bot._clock is clock
    assert "_source" not in vars(bot)
