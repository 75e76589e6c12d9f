"""What a bot does with the works of a source, from its start to its end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import pytest

from batonbox import Bot, Client, ConnectionLost, Context, MessageReceived, Resync
from batonbox.bot._serving import Serving
from batonbox.bot._source import Source, StreamSource
from tests.sdk.bot.made import Clock, Given, GivenWork, client, message, turns


class Run:
    """A bot that serves a given source; `stop` is its drain's beginning."""

    def __init__(self, bot: Bot, source: Source, clock: Clock) -> None:
        self.stop = asyncio.Event()
        self.client: Client = client()
        self.clock = clock
        self.serving = Serving(bot, self.client, source, clock=clock, stopping=self.stop)


@asynccontextmanager
async def serving(bot: Bot, source: Source) -> AsyncIterator[Run]:
    run = Run(bot, source, Clock())
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        task = group.create_task(run.serving.run())
        await turns()
        try:
            yield run
        finally:
            run.stop.set()
            await asyncio.wait({task})


async def test_a_work_is_begun_before_its_handlers_and_done_after_them() -> None:
    bot, source, go_on = Bot(), Given(), asyncio.Event()
    works: list[GivenWork] = []

    @bot.message()
    async def handler(event: MessageReceived) -> None:
        works[0].said.append("handler")
        await go_on.wait()

    async with serving(bot, source):
        works += source.give(message())
        await turns()
        assert works[0].said == ["begin", "handler"]
        go_on.set()
        await turns()
        assert works[0].said == ["begin", "handler", "done"]
    assert source.left


async def test_what_is_not_ours_any_more_is_nobodys() -> None:
    bot, source, handled = Bot(), Given(), []

    @bot.message()
    async def handler(event: MessageReceived) -> None:
        handled.append(event.text)

    gone = GivenWork(message("gone"), ours=False)
    async with serving(bot, source):
        source.works.put_nowait(gone)
        source.give(message("ours"))
        await turns()
    assert handled == ["ours"]
    assert gone.said == ["begin"]


async def test_a_work_whose_handler_fails_is_done(caplog: pytest.LogCaptureFixture) -> None:
    bot, source = Bot(), Given()

    @bot.message("raises")
    async def raising(event: MessageReceived) -> None:
        raise ValueError

    @bot.message("cancels")
    async def cancelling(event: MessageReceived) -> None:
        """What it awaits was cancelled, and not the bot."""
        gone = asyncio.get_running_loop().create_future()
        gone.cancel()
        await gone

    with caplog.at_level(logging.ERROR, "batonbox.bot"):
        async with serving(bot, source):
            works = source.give(message("raises"), message("cancels"), message("nobody's"))
            await turns()
    assert [work.said for work in works] == [["begin", "done"]] * 3
    assert [record.exc_info is not None for record in caplog.records] == [True, True]


@pytest.mark.parametrize("ignore_self", [True, False])
async def test_what_the_bot_did_itself_is_not_handed_to_it(ignore_self: bool) -> None:
    bot, source, handled = Bot(ignore_self=ignore_self), Given(), []

    @bot.message()
    async def handler(event: MessageReceived) -> None:
        handled.append(event.actor)

    async with serving(bot, source) as run:
        me = run.client.user.id
        works = source.give(message(actor=me), message(actor="agent2"))
        await turns()
    assert handled == (["agent2"] if ignore_self else [me, "agent2"])
    assert [work.said for work in works] == [["begin", "done"]] * 2


async def test_conversations_go_on_beside_each_other_and_each_in_its_order() -> None:
    bot, source, order = Bot(), Given(), []
    locks = {"a": asyncio.Event(), "b": asyncio.Event()}

    @bot.message()
    async def handler(event: MessageReceived) -> None:
        await locks[event.text[0]].wait()
        order.append(event.text)

    async with serving(bot, source):
        for text in ("a1", "b1", "a2", "b2"):
            source.give(message(text, conv=f"sales.{text[0]}"))
        await turns()
        locks["b"].set()
        await turns()
        assert order == ["b1", "b2"]
        locks["a"].set()
        await turns()
    assert order == ["b1", "b2", "a1", "a2"]


async def test_what_waits_is_bounded() -> None:
    bot, source, go_on = Bot(concurrency=1), Given(), asyncio.Event()

    @bot.message()
    async def handler(event: MessageReceived) -> None:
        await go_on.wait()

    async with serving(bot, source):
        source.give(*[message() for _ in range(3000)])
        await turns(2000)
        assert source.taken <= 1026
        go_on.set()
        while source.works.qsize():
            await asyncio.sleep(0)
    assert source.taken == 3000


async def test_it_is_ready_once_and_before_the_first_event() -> None:
    bot, source, said, go_on = Bot(), Given(), [], asyncio.Event()

    @bot.on_ready
    async def ready() -> None:
        await go_on.wait()
        said.append("ready")

    @bot.on_ready
    async def ready_too(ctx: Context) -> None:
        said.append(type(ctx).__name__)

    @bot.message()
    async def handler(event: MessageReceived) -> None:
        said.append(event.text)

    async with serving(bot, source):
        source.give(message("one"), message("two"))
        await turns()
        assert said == []
        go_on.set()
        await turns()
    assert said == ["ready", "Context", "one", "two"]


async def test_a_resync_is_told_and_its_errors_are_heard() -> None:
    bot, source = Bot(), Given()
    said: list[Any] = []

    @bot.on_resync
    async def resync(event: Resync) -> None:
        said.append(event.reason)
        raise ValueError("of resync")

    @bot.error
    async def heard(error: Exception, event: object) -> None:
        said.append((str(error), event))

    async with serving(bot, source):
        source.works.put_nowait(Resync(inbox="", reason="slow_consumer"))
        await turns()
    assert said == ["slow_consumer", ("of resync", None)]


async def test_every_never_overlaps_itself_and_leaves_out_what_it_missed() -> None:
    bot, source, began, go_on = Bot(), Given(), [], asyncio.Event()
    go_on.set()

    @bot.every(seconds=10)
    async def tick() -> None:
        began.append(run.clock.now_s)
        await go_on.wait()

    async with serving(bot, source) as run:
        assert began == []
        await run.clock.go_on(25)
        assert began == [10, 20]
        go_on.clear()
        await run.clock.go_on(40)
        assert began == [10, 20, 30]
        go_on.set()
        await run.clock.go_on(10)
        assert began == [10, 20, 30, 70]
        run.clock.now_s = 1000.0  # the machine slept
        await run.clock.go_on(15)
        assert began[4:] == [1000, 1010]
        source.leads = False
        await run.clock.go_on(100)
        assert began[4:] == [1000, 1010]


async def test_every_goes_on_after_an_error(caplog: pytest.LogCaptureFixture) -> None:
    bot, began = Bot(), []

    @bot.every(seconds=1)
    async def tick(ctx: Context) -> None:
        began.append(ctx.key("x"))
        raise ValueError

    async with serving(bot, Given()) as run:
        await run.clock.go_on(3)
    assert len(set(began)) == 3


async def test_a_drain_ends_what_runs_and_leaves_what_has_not_begun() -> None:
    bot, source, ended, go_on = Bot(concurrency=2), Given(), [], asyncio.Event()

    @bot.message()
    async def handler(event: MessageReceived) -> None:
        await go_on.wait()
        ended.append(event.text)

    @bot.every(seconds=1)
    async def tick() -> None:
        ended.append("tick")

    async with serving(bot, source) as run:
        works = source.give(
            message("a1", conv="s.a"), message("b1", conv="s.b"),
            message("a2", conv="s.a"), message("c1", conv="s.c"),
        )  # fmt: skip
        await turns()
        run.stop.set()
        await turns()
        more = source.give(message("late"))
        await run.clock.go_on(5)
        assert not source.left
        go_on.set()
    assert ended == ["a1", "b1"]
    assert [work.said for work in works] == [["begin", "done"]] * 2 + [[], []]
    assert more[0].said == []
    assert source.left


async def test_what_outlasts_the_drain_is_cut_off_and_is_not_done(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bot, source, cut = Bot(drain_s=0.0), Given(), []

    @bot.message()
    async def handler(event: MessageReceived) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cut.append(event.text)
            raise

    async with serving(bot, source) as run:
        works = source.give(message("hangs"))
        await turns()
        run.stop.set()
    assert cut == ["hangs"]
    assert works[0].said == ["begin"]
    assert "longer than drain_s" in caplog.text


async def test_the_end_of_the_source_is_the_end_of_the_bot() -> None:
    bot, source = Bot(), Given([ConnectionLost("for good")])
    serves = Serving(bot, client(), source, clock=Clock(), stopping=asyncio.Event())
    with pytest.raises(ConnectionLost, match="for good"):
        await serves.run()
    assert source.left


async def test_it_may_be_stopped_while_it_begins_to_follow() -> None:
    class Slow(Given):
        async def __aenter__(self) -> Self:
            await asyncio.Event().wait()
            return self

    async with serving(Bot(), Slow()) as run:
        run.serving.stop()
    async with serving(Bot(), StreamSource(client())) as run:
        run.serving.stop()


async def test_a_running_bot_takes_no_handlers() -> None:
    bot: Any = Bot(Client("http://127.0.0.1:1", "t", timeout_s=20))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(bot.start())
        await turns()
        with pytest.raises(RuntimeError, match="before it starts"):
            bot.on_ready(turns)
        with pytest.raises(RuntimeError, match="running already"):
            await bot.start()
        bot.stop()  # before there is a connection
        await asyncio.wait_for(task, 10)
