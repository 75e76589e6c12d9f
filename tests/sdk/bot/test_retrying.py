"""What failed for want of the server is handled again: which errors, how often, in whose turn."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from batonbox import (
    Bot,
    CallNext,
    ConnectionLost,
    Context,
    Conversation,
    ConversationEvent,
    MessageReceived,
    RequestTimeout,
    Resync,
    Router,
    Row,
)
from batonbox._derived import derived_id
from batonbox._errors import BY_SLUG, OutcomeUnknown, api_error
from batonbox._wire import ERRORS
from batonbox.bot._retrying import again_after_s
from batonbox.bot._waits import Due
from tests.sdk.bot.made import Given, GivenWork, message, turns
from tests.sdk.bot.test_serving import serving

AGAIN_S = 5.0  # at most


def away() -> Exception:
    return api_error(130, "unavailable", "the engine is away")


def limited() -> Exception:
    return api_error(111, "rate_limited", "wait", retry_ms=7000)


class Failing:
    """Raises so often, and counts."""

    def __init__(self, times: float, error: Callable[[], Exception] = away) -> None:
        self.times, self.error = times, error
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1
        if self.calls <= self.times:
            raise self.error()


@pytest.mark.parametrize("number", ERRORS)
def test_each_refusal_of_the_server_is_tried_again_or_is_not(number: int) -> None:
    slug, retryable, _ = ERRORS[number]
    assert slug in BY_SLUG
    assert (again_after_s(api_error(number, slug, "")) is not None) == retryable


def test_what_else_is_tried_again_and_after_how_long() -> None:
    lost = ConnectionLost("", retry_after_s=3.0)
    assert again_after_s(limited()) == 7.0
    assert again_after_s(api_error(130, "unavailable", "", retry_ms=2000)) == 2.0
    assert again_after_s(lost) == 3.0
    assert again_after_s(RequestTimeout("")) == 0.0
    assert again_after_s(ExceptionGroup("", [lost, ExceptionGroup("", [limited()])])) == 7.0
    for final in (TimeoutError(), ValueError(), OutcomeUnknown(command="reply", cid="")):
        assert again_after_s(final) is None
        assert again_after_s(ExceptionGroup("", [lost, final])) is None


async def test_the_whole_event_runs_again_from_the_start_and_with_the_same_ids() -> None:
    bot, source, fails = Bot(), Given(), Failing(3)
    said: list[Any] = []

    @bot.middleware
    async def around(event: ConversationEvent, ctx: Context, call_next: CallNext) -> None:
        said.append(("began", dict(ctx.state)))
        ctx.state["seen"] = True
        await call_next()

    @bot.message()
    async def answer(event: MessageReceived, ctx: Context) -> None:
        said.append((derived_id("claim", {"conv": "sales.c1"}), ctx.key("invoice")))
        fails()
        said.append((derived_id("reply", {"conv": "sales.c1"}), "done"))

    async with serving(bot, source) as run:
        works = source.give(message())
        await turns()
        assert works[0].said == ["begin"]
        await run.clock.go_on(3 * AGAIN_S)
    assert works[0].said == ["begin", "done"]
    assert said[0] == ("began", {})
    assert said[:6] == said[:2] * 3
    assert said[6:8] == said[:2]
    assert len(said) == 9


async def test_its_conversation_waits_and_the_others_go_on_whatever_the_concurrency() -> None:
    bot, source, fails = Bot(concurrency=1), Given(), Failing(2)
    handled: list[str] = []

    @bot.message()
    async def answer(event: MessageReceived) -> None:
        if event.text == "a1":
            fails()
        handled.append(event.text)

    async with serving(bot, source) as run:
        works = source.give(*(message(text, conv=f"s.{text[0]}") for text in ("a1", "a2", "b1")))
        await turns()
        assert handled == ["b1"]
        assert [work.said for work in works] == [["begin"], [], ["begin", "done"]]
        await run.clock.go_on(2 * AGAIN_S)
    assert handled == ["b1", "a1", "a2"]


@pytest.mark.parametrize("place", ["filter", "middleware", "handler of a router"])
async def test_wherever_it_is_raised(place: str) -> None:
    bot, source, fails, router = Bot(), Given(), Failing(1), Router()
    bot.include(router)
    handled: list[str] = []

    def tried(here: str) -> bool:
        if here == place:
            fails()
        return True

    @bot.middleware
    async def around(event: ConversationEvent, ctx: Context, call_next: CallNext) -> None:
        await call_next()
        tried("middleware")

    @router.message(filter=lambda event: tried("filter"))
    async def answer(event: MessageReceived) -> None:
        tried("handler of a router")
        handled.append(event.text)

    async with serving(bot, source) as run:
        source.give(message())
        await run.clock.go_on(AGAIN_S)
    assert fails.calls == 2
    assert handled == ["hello"] * (2 if place == "middleware" else 1)


@pytest.mark.parametrize("retry_s", [0.0, 30.0])
async def test_in_the_end_the_nearest_error_handlers_hear_of_it_once(retry_s: float) -> None:
    bot, source, router = Bot(retry_s=retry_s), Given(), Router()
    bot.include(router)
    began_s: list[float] = []
    heard: list[Any] = []
    error = away()  # the same object each time: each attempt is judged on its own

    @router.message("first")
    async def failing(event: MessageReceived) -> None:
        began_s.append(run.clock.now_s)
        raise error

    @bot.message("second")
    async def second(event: MessageReceived) -> None:
        heard.append("second")

    @router.error
    async def of_router(exception: Exception, event: ConversationEvent | None) -> None:
        assert event is not None
        heard.append((exception, event.conversation.id))

    @bot.error
    async def of_bot(exception: Exception, event: ConversationEvent | None) -> None:
        heard.append("of the bot")

    async with serving(bot, source) as run:
        works = source.give(message("first"), message("second"))
        await run.clock.go_on(retry_s + 1)
    assert heard == [(error, "sales.c1"), "second"]
    assert [work.said for work in works] == [["begin", "done"]] * 2
    if retry_s:
        assert 8 <= len(began_s) < 200  # in 0.2 to 5 s each, on average half of it
        assert began_s[0] <= began_s[-1] <= retry_s
    else:
        assert len(began_s) == 1


async def test_who_asks_for_a_pause_gets_it() -> None:
    bot, source = Bot(), Given()
    fails = Failing(1, limited)

    @bot.message()
    async def answer(event: MessageReceived) -> None:
        fails()

    async with serving(bot, source) as run:
        works = source.give(message())
        await run.clock.go_on(6.9)
        assert fails.calls == 1
        await run.clock.go_on(0.1 + AGAIN_S)
    assert fails.calls == 2
    assert works[0].said == ["begin", "done"]


async def test_what_middleware_takes_is_taken() -> None:
    bot, source, fails = Bot(), Given(), Failing(1)

    @bot.middleware
    async def insisting(event: ConversationEvent, ctx: Context, call_next: CallNext) -> object:
        try:
            return await call_next()
        except Exception:
            return await call_next()

    @bot.message()
    async def answer(event: MessageReceived) -> None:
        fails()

    async with serving(bot, source) as run:
        works = source.give(message())
        await turns()
        assert works[0].said == ["begin", "done"]
        await run.clock.go_on(60)
    assert fails.calls == 2


@pytest.mark.parametrize("times", [1, 1000])
async def test_who_waits_is_told_again_also_when_the_first_attempt_took_them(times: int) -> None:
    """Nobody else is told of a wait again, in a group either."""
    bot, source, told, heard = Bot(drain_s=5.0), Given(), [], []
    fails = Failing(times, limited)
    source.resumes = True

    @bot.unassigned(older_than_s=1)
    async def waiting(conversation: Conversation, ctx: Context) -> None:
        told.append((conversation.id, ctx.key("x")))
        run.serving._waits.tell(Row(id="s.a", rev=2, own_tok="2", status="assigned"))
        fails()

    @bot.error
    async def failed(exception: Exception, event: ConversationEvent | None) -> None:
        heard.append(event)

    async with serving(bot, source) as run:
        row = Row(id="s.a", rev=1, own_tok="1", status="unassigned")
        run.serving._waits.tell(row)
        run.serving._due(Due(bot._waits[0], row))
        await turns()
        assert len(told) == 1
        await run.clock.go_on(8)
        assert told == told[:1] * 2
        assert heard == []
        run.serving.stop()
        await turns()
    assert (len(told), heard) == (2, [] if times == 1 else [None])


async def test_what_is_no_conversations_is_not_run_again(caplog: pytest.LogCaptureFixture) -> None:
    bot, source = Bot(), Given()
    ready, resync, tick = Failing(1), Failing(1), Failing(1)

    @bot.on_ready
    async def on_ready() -> None:
        ready()

    @bot.on_resync
    async def on_resync(event: Resync) -> None:
        resync()

    @bot.every(seconds=20)
    async def every() -> None:
        tick()

    async with serving(bot, source) as run:
        source.works.put_nowait(Resync(inbox="", reason="gap"))
        await run.clock.go_on(39)
    assert (ready.calls, resync.calls, tick.calls) == (1, 1, 1)
    assert [r.levelname for r in caplog.records if r.name == "batonbox.bot"].count("ERROR") == 3


async def failed_once(
    *, times: int, drain_s: float, resumes: bool = False
) -> tuple[GivenWork, Failing, list[str]]:
    """An event that is to be run again in more than 7 s when the bot is stopped."""
    bot, source, router, heard = Bot(drain_s=drain_s), Given(), Router(), list[str]()
    source.resumes = resumes
    bot.include(router)
    fails = Failing(times, limited)

    @router.message()
    async def answer(event: MessageReceived) -> None:
        fails()

    @router.error
    async def of_router(exception: Exception, event: ConversationEvent | None) -> None:
        heard.append(type(exception).__name__)

    async with serving(bot, source) as run:
        [work] = source.give(message())
        await turns()
        assert heard == []
        run.serving.stop()
        await run.clock.go_on(3 * (7 + AGAIN_S))
        assert source.left
    return work, fails, heard


async def test_a_drain_gives_time_for_the_next_attempt() -> None:
    work, fails, heard = await failed_once(times=1, drain_s=20)
    assert (work.said, fails.calls, heard) == (["begin", "done"], 2, [])


async def test_a_drain_that_is_too_short_is_the_end() -> None:
    work, fails, heard = await failed_once(times=1, drain_s=5)
    assert (work.said, fails.calls, heard) == (["begin", "done"], 1, ["RateLimited"])
    work, fails, heard = await failed_once(times=9, drain_s=13)
    assert (work.said, fails.calls, heard) == (["begin", "done"], 2, ["RateLimited"])


@pytest.mark.parametrize(("drain_s", "calls"), [(5, 1), (13, 2)])
async def test_a_group_keeps_it_for_who_goes_on(
    drain_s: float, calls: int, caplog: pytest.LogCaptureFixture
) -> None:
    work, fails, heard = await failed_once(times=9, drain_s=drain_s, resumes=True)
    assert (work.said, fails.calls, heard) == (["begin"], calls, [])
    [record] = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert "left to who goes on" in record.getMessage()
