"""Which handler gets an event, what is around it, and where errors go."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest

from batonbox import (
    PASS,
    Assigned,
    Bot,
    CallNext,
    Context,
    ConversationEvent,
    Done,
    MessageReceived,
    Returned,
    Router,
)
from batonbox.bot._routing import handled, route
from tests.sdk.bot.made import context, message, returned


@pytest.fixture
def bot() -> Bot:
    return Bot()


@pytest.fixture
def said() -> list[Any]:
    return []


async def routed(bot: Bot, event: ConversationEvent) -> object:
    return await route(bot, event, context(bot, event))


async def test_the_first_that_matches_has_it_and_pass_leaves_it_to_the_next(
    bot: Bot, said: list[Any]
) -> None:
    @bot.message("nothing like it")
    async def other(event: MessageReceived) -> None:
        said.append("other")

    @bot.message("^hel")
    async def passing(event: MessageReceived) -> object:
        said.append("passing")
        return PASS

    @bot.message()
    async def first(event: MessageReceived) -> None:
        said.append("first")

    @bot.message()
    async def second(event: MessageReceived) -> None:
        said.append("second")

    assert await routed(bot, message()) is None
    assert said == ["passing", "first"]
    assert await routed(bot, returned()) is PASS
    assert said == ["passing", "first"]


async def test_a_router_stands_where_it_was_included(bot: Bot, said: list[Any]) -> None:
    outer, inner = Router(), Router()

    @bot.message("b")
    async def before(event: MessageReceived) -> None:
        said.append("before")

    bot.include(outer)
    outer.include(inner)

    @bot.message()
    async def after(event: MessageReceived) -> None:
        said.append("after")

    @inner.message("i")
    async def within(event: MessageReceived) -> object:
        said.append("within")
        return PASS

    @outer.message("o")
    async def around(event: MessageReceived) -> None:
        said.append("around")

    for text in ("b i o", "i o", "i", "o", "x"):
        await routed(bot, message(text))
        said.append("|")
    assert " ".join(said) == "before | within around | within after | around | after |"


async def test_the_match_of_the_pattern_is_the_handlers(bot: Bot, said: list[Any]) -> None:
    @bot.message(r"(?i)order (\d+)")
    async def order(event: MessageReceived, ctx: Context) -> None:
        assert ctx.match is not None
        said.append(ctx.match[1])

    @bot.message(re.compile("x"))
    async def compiled(event: MessageReceived, ctx: Context) -> None:
        assert ctx.match is not None
        said.append(ctx.match.group())

    @bot.message()
    async def rest(event: MessageReceived, ctx: Context) -> None:
        said.append(ctx.match)

    for text in ("my ORDER 12 please", "x", "y"):
        await routed(bot, message(text))
    assert said == ["12", "x", None]


async def test_all_that_is_asked_for_has_to_hold(bot: Bot, said: list[Any]) -> None:
    async def short(event: MessageReceived) -> bool:
        return len(event.text) < 4

    def loud(event: MessageReceived) -> bool:
        return event.text.isupper()

    @bot.message(inbox="support", status=["assigned", "unassigned"])
    async def of_support(event: MessageReceived) -> None:
        said.append("support")

    @bot.message(status="assigned")
    async def of_somebody(event: MessageReceived) -> None:
        said.append("assigned")

    @bot.message(filter=short)
    async def of_few_words(event: MessageReceived) -> None:
        said.append("short")

    @bot.message(filter=loud)
    async def of_loud_words(event: MessageReceived) -> None:
        said.append("loud")

    for event in (
        message(conv="support.c1"),
        message(status="assigned"),
        message("hi"),
        message("HELLO"),
    ):
        assert await routed(bot, event) is not PASS
    assert await routed(bot, message("hello")) is PASS
    assert said == ["support", "assigned", "short", "loud"]


async def test_updates_are_of_types_and_reasons(bot: Bot, said: list[Any]) -> None:
    @bot.updated(Returned, reason="away")
    async def away(event: Returned) -> None:
        said.append("away")

    @bot.updated(Done, Assigned)
    async def owned(event: Done | Assigned) -> None:
        said.append("owned")

    @bot.updated(MessageReceived, reason=("opt_out", "opt_in"))
    async def opted(event: MessageReceived) -> None:
        said.append("opted")

    @bot.updated()
    async def anything(event: ConversationEvent) -> None:
        said.append(type(event).__name__)

    for event in (returned(reason="away"), returned(), message("STOP", reason="opt_out")):
        await routed(bot, event)
    assert said == ["away", "Returned", "opted"]


async def test_keywords_wait_for_nobody(bot: Bot, said: list[Any]) -> None:
    @bot.message()
    async def answer(event: MessageReceived) -> None:
        said.append(event.text)

    assert await routed(bot, message("STOP", reason="opt_out")) is PASS
    assert said == []


async def test_middleware_goes_around_in_order_and_shares_its_state(
    bot: Bot, said: list[Any]
) -> None:
    router = Router()
    bot.include(router)

    @bot.middleware
    async def outer(event: ConversationEvent, ctx: Context, call_next: CallNext) -> object:
        ctx.state["by"] = "outer"
        said.append("outer in")
        outcome = await call_next()
        said.append("outer out")
        return outcome

    @bot.middleware
    async def second(event: ConversationEvent, ctx: Context, call_next: CallNext) -> None:
        said.append("second in")
        await call_next()
        said.append("second out")

    @router.middleware
    async def inner(event: ConversationEvent, ctx: Context, call_next: CallNext) -> None:
        said.append("inner in")
        await call_next()

    @router.message("hello")
    async def handler(event: MessageReceived, ctx: Context) -> None:
        said.append(ctx.state["by"])

    @bot.message()
    async def rest(event: MessageReceived) -> None:
        said.append("rest")

    await routed(bot, message())
    assert said == ["outer in", "second in", "inner in", "outer", "second out", "outer out"]
    said.clear()
    # What returns nothing does not take an event that nobody within took.
    await routed(bot, message("other"))
    assert said == ["outer in", "second in", "inner in", "rest", "second out", "outer out"]


@pytest.mark.parametrize("answer", [None, PASS])
async def test_middleware_that_does_not_go_on_has_handled_it_or_passes(
    bot: Bot, said: list[Any], answer: object
) -> None:
    router = Router()
    bot.include(router)

    @router.middleware
    async def shut(event: ConversationEvent, ctx: Context, call_next: CallNext) -> object:
        return answer

    @router.message()
    async def handler(event: MessageReceived) -> None:
        said.append("handler")

    @bot.message()
    async def rest(event: MessageReceived) -> None:
        said.append("rest")

    await routed(bot, message())
    assert said == ([] if answer is None else ["rest"])


async def test_errors_go_to_the_nearest_router_that_hears_them(bot: Bot, said: list[Any]) -> None:
    middle, inner = Router(), Router()
    bot.include(middle)
    middle.include(inner)

    def broken(event: MessageReceived) -> bool:
        raise KeyError("filter")

    @inner.message("inner")
    async def of_inner(event: MessageReceived) -> None:
        raise ValueError("inner")

    @inner.message("filter", filter=broken)
    async def of_filter(event: MessageReceived) -> None:
        said.append("never")

    @bot.message("outer")
    async def of_outer(event: MessageReceived) -> None:
        raise ValueError("outer")

    @middle.error
    async def heard(error: Exception, event: ConversationEvent | None) -> None:
        said.append(("middle", error.args[0], event is not None))

    @bot.error
    async def at_last(error: Exception, event: ConversationEvent | None) -> None:
        said.append(("bot", error.args[0], event is not None))

    for text in ("inner", "filter", "outer"):
        event = message(text)
        await handled(bot, event, context(bot, event))
    assert said == [("middle", "inner", True), ("middle", "filter", True), ("bot", "outer", True)]


async def test_middleware_may_catch_what_handlers_raise(bot: Bot, said: list[Any]) -> None:
    @bot.middleware
    async def catching(event: ConversationEvent, ctx: Context, call_next: CallNext) -> None:
        try:
            await call_next()
        except ValueError:
            said.append("caught")

    @bot.message()
    async def handler(event: MessageReceived) -> None:
        raise ValueError

    await routed(bot, message())
    assert said == ["caught"]


async def test_what_nobody_hears_is_logged_and_so_is_a_failing_error_handler(
    bot: Bot, caplog: pytest.LogCaptureFixture
) -> None:
    @bot.message()
    async def handler(event: MessageReceived) -> None:
        raise ValueError("of the handler")

    event = message()
    with caplog.at_level(logging.ERROR, "batonbox.bot"):
        await handled(bot, event, context(bot, event))
        assert "of the handler" in caplog.text
        assert f"sales/{event.seq}" in caplog.text
        caplog.clear()

        @bot.error
        async def worse(error: Exception, event: ConversationEvent | None) -> None:
            raise KeyError("of the error handler")

        await handled(bot, event, context(bot, event))
    assert "of the error handler" in caplog.text
    assert "of the handler" in caplog.text
