"""Command ids: the same for the same work, and never the same for another."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from batonbox import Bot, Context, ConversationEvent, MessageReceived
from batonbox._derived import derived_id
from batonbox.bot._routing import handled
from tests.sdk.bot.made import context, message

IDS: list[str] = []


def given(command: str = "reply", conv: str = "sales.c1") -> str:
    found = derived_id(command, {"conv": conv})
    assert found is not None
    IDS.append(found)
    return found


async def ids_of(bot: Bot, event: ConversationEvent) -> list[str]:
    IDS.clear()
    bot._name_handlers()
    await handled(bot, event, context(bot, event))
    return list(IDS)


async def once(event: MessageReceived) -> None:
    given()


async def other(event: MessageReceived) -> None:
    given()


def bot_of(*handlers: Any, **more: Any) -> Bot:
    bot = Bot(**more)
    for handler in handlers:
        bot.message()(handler)
    return bot


async def test_outside_of_handlers_there_is_none() -> None:
    assert derived_id("reply", {"conv": "sales.c1"}) is None
    await ids_of(bot_of(once), message())
    assert derived_id("reply", {"conv": "sales.c1"}) is None


async def test_the_same_event_has_the_same_ids_in_every_process() -> None:
    """A change of what they derive from would let a bot's next version answer twice."""
    event = message(seq=7)
    assert await ids_of(bot_of(once), event) == await ids_of(bot_of(once), event)
    assert await ids_of(bot_of(once), event) == ["bot.bd05e5ac18f701663adade4fa50e1d9f"]


async def test_what_differs_makes_another_id() -> None:
    event = message(seq=7)
    another_history = message(seq=7)
    object.__setattr__(another_history, "tip", "another")
    found = [
        *await ids_of(bot_of(once), event),
        *await ids_of(bot_of(other), event),
        *await ids_of(bot_of(once), message(seq=8)),
        *await ids_of(bot_of(once), message(seq=7, conv="support.c1")),
        *await ids_of(bot_of(once), another_history),
        *await ids_of(bot_of(once, group="night"), event),
        *await ids_of(bot_of(once, group="day"), event),
    ]
    assert len(set(found)) == len(found) == 7


async def test_commands_are_told_apart_by_kind_target_and_order() -> None:
    async def many(event: MessageReceived, ctx: Context) -> None:
        for command, conv in (("reply", "a"), ("reply", "a"), ("note", "a"), ("reply", "b")):
            given(command, conv)
        IDS.extend([ctx.key("x"), ctx.key("y")])
        assert ctx.key("x") == ctx.key("x")

    found = await ids_of(bot_of(many), message())
    assert len(set(found)) == len(found) == 6


async def test_commands_that_run_at_the_same_time_have_the_same_ids_in_any_order() -> None:
    order = ["a", "b", "c"]

    async def at_once(event: MessageReceived) -> None:
        async def one(conv: str) -> None:
            given(conv=conv)

        async with asyncio.TaskGroup() as group:
            for conv in order:
                group.create_task(one(conv))

    event, bot = message(), bot_of(at_once)
    first = await ids_of(bot, event)
    order.reverse()
    assert await ids_of(bot, event) == first[::-1]


async def test_a_function_that_is_registered_twice_is_two_handlers() -> None:
    bot = Bot()

    async def passing(event: MessageReceived) -> object:
        given()
        from batonbox import PASS

        return PASS

    bot.message("h")(passing)
    bot.message("e")(passing)
    first = await ids_of(bot, message(seq=9))
    assert len(set(first)) == 2
    assert await ids_of(bot, message(seq=9)) == first


async def test_middleware_that_tries_again_repeats_the_commands() -> None:
    bot = bot_of(once)

    @bot.middleware
    async def twice(event: ConversationEvent, ctx: Context, call_next: Any) -> None:
        given()
        await call_next()
        await call_next()
        given()

    before, first, again, after = await ids_of(bot, message())
    assert first == again
    assert len({before, first, after}) == 3


@pytest.mark.parametrize("command", ["compose", "open_dm", "create"])
async def test_commands_without_a_conversation_have_targets_too(command: str) -> None:
    async def two(event: MessageReceived) -> None:
        for name in ("x", "y"):
            args = {"inbox": name, "to": name, "user": name, "name": name}
            IDS.append(str(derived_id(command, args)))

    found = await ids_of(bot_of(two), message())
    assert len(set(found)) == 2
