"""What `BotTester` plays is what the server does: both are given the same, and compared."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Protocol

import pytest

from batonbox import (
    ApiError,
    Bot,
    Client,
    ConversationEvent,
    DeliveryChanged,
    EventStream,
    MessageReceived,
    Noted,
    Row,
)
from batonbox.bot._clock import RealClock
from batonbox.testing import BotTester, LocalServer
from tests.support import eventually

USERS = ("agent1", "agent2", "admin")
VERBS = (
    "claim", "claim", "assign", "transfer", "release", "done", "undo", "snooze", "wake", "reply",
    "note", "unread", "stale", "replay", "says", "says", "compose", "advance",
)  # fmt: skip


class Side(Protocol):
    """The one or the other."""

    clients: dict[str, Client]

    async def says(self, customer: str, text: str) -> str: ...

    async def advance(self, seconds: float) -> None: ...


class Played:
    """A tester whose bot does nothing: its colleagues' clients do."""

    def __init__(self, tester: BotTester) -> None:
        self._tester = tester
        self.clients: dict[str, Client] = {}

    async def says(self, customer: str, text: str) -> str:
        return await self._tester.says(customer, text)

    async def advance(self, seconds: float) -> None:
        await self._tester.advance(seconds)


class Real:
    """The server."""

    def __init__(self, server: LocalServer) -> None:
        self._server = server
        self.clients: dict[str, Client] = {}

    async def says(self, customer: str, text: str) -> str:
        return await asyncio.to_thread(self._server.customer(customer).says, text)

    async def advance(self, seconds: float) -> None:
        await asyncio.to_thread(self._server.advance, seconds)
        client = self.clients["admin"]
        async for conv in client.conversations(inbox="sales"):  # what is due is done in a second
            while 0 < conv.now.snoozed_until <= 1000 * client.server_time_s():
                await conv.refresh()


@asynccontextmanager
async def sides() -> AsyncIterator[tuple[Side, Side]]:
    async with AsyncExitStack() as stack:
        tester = await stack.enter_async_context(BotTester(Bot()))
        server = await stack.enter_async_context(LocalServer())
        played, real = Played(tester), Real(server)
        for user in USERS:
            for side, client in ((played, tester.client(user)), (real, server.client(user))):
                side.clients[user] = await stack.enter_async_context(client)
        yield played, real


def shown(row: Row) -> dict[str, Any]:
    """A row but for marks, positions and times, which are each side's own."""
    return {
        "customer": row.customer,
        "status": row.status,
        "assignee": row.assignee,
        "last_assignee": row.last_assignee,
        "unanswered": row.unanswered,
        "preview": row.preview,
        "n": row.n,
        "waits": row.waiting_since > 0,
        "asleep": row.snoozed_until > 0,
        "attention": row.att != "",
        "answered": row.att == row.in_seq,
    }


def told(event: ConversationEvent) -> dict[str, Any]:
    """An event, likewise."""
    return shown(event.row) | {
        "type": type(event).__name__,
        "actor": event.actor,
        "line": event.n,
        "before": event.before,
        "text": getattr(event, "text", None),
        "reason": getattr(event, "reason", None),
        "mentions": event.mentions if isinstance(event, Noted) else None,
    }


class Walk:
    """The same steps of chance on either side."""

    def __init__(self, side: Side, seed: int) -> None:
        self.side = side
        self.random = random.Random(seed)
        self.convs: dict[str, str] = {}
        self.tokens: dict[str, str] = {}
        self.last: dict[str, Any] = {}

    async def step(self, number: int) -> Any:
        """What came of it."""
        draw = self.random
        verb, user = draw.choice(VERBS), draw.choice(USERS)
        other, customer = draw.choice((*USERS, "stranger")), f"+1202555010{draw.randrange(3)}"
        seconds = draw.choice((1.0, 8.0, 11.0, 70.0))
        if verb == "advance":
            await self.side.advance(seconds)
            return [verb, seconds]
        if verb == "says" or customer not in self.convs:
            self.convs[customer] = await self.side.says(customer, f"text {number}")
            return [verb, customer]
        conv = self.convs[customer]
        owner = (await self.side.clients["admin"].conversation(conv)).now.assignee
        if owner in USERS and draw.random() < 0.6:
            user = owner
        client = self.side.clients[user]
        handle = await client.conversation(conv)
        before = self.tokens.setdefault(conv, handle.now.own_tok)
        if draw.random() < 0.3:
            self.tokens[conv] = handle.now.own_tok
        key = f"k{number}"
        acts: dict[str, Callable[[], Any]] = {
            "claim": lambda: handle.claim(key=key),
            "assign": lambda: handle.assign(other, key=key),
            "transfer": lambda: handle.transfer(other, note="over to you", key=key),
            "release": lambda: handle.release(key=key),
            "done": lambda: handle.done(key=key),
            "undo": lambda: handle.undo(key=key),
            "snooze": lambda: handle.snooze(seconds=60, key=key),
            "wake": lambda: handle.wake(key=key),
            "reply": lambda: handle.reply(f"reply {number}", key=key),
            "note": lambda: handle.note(f"note {number}", [other], key=key),
            "unread": lambda: handle.unread(key=key),
            "stale": lambda: client.call("return", {"conv": conv, "own_tok": before}, key=key),
            "replay": lambda: client.call("note", {"conv": conv, "text": "twice"}, key="same"),
            "compose": lambda: client.compose("sales", customer, f"compose {number}", key=key),
        }
        outcome = ""
        try:
            await acts[verb]()
        except ApiError as error:
            outcome = f"{type(error).__name__} {error.slug} {error.cur and error.cur.assignee}"
        return [verb, user, other, customer, outcome, shown(await handle.refresh())]


async def happened(events: EventStream, side: Side) -> list[dict[str, Any]]:
    """Every event until now, but for deliveries: the server sends when it comes to it."""
    await side.says("+12025550199", "the end")
    found: list[dict[str, Any]] = []
    async for event in events:
        if isinstance(event, MessageReceived) and event.text == "the end":
            return found
        if isinstance(event, ConversationEvent) and not isinstance(event, DeliveryChanged):
            found.append(told(event))
    raise AssertionError("the stream ended")


@pytest.mark.parametrize("seeds", [range(4), pytest.param(range(4, 60), marks=pytest.mark.long)])
async def test_any_commands_have_the_same_outcomes_and_events_on_both(seeds: range) -> None:
    async with (
        sides() as both,
        both[0].clients["admin"].events(inbox="sales") as here,
        both[1].clients["admin"].events(inbox="sales") as there,
    ):
        for seed in seeds:
            walks = [Walk(side, seed) for side in both]
            for number in range(60):
                played, real = [await walk.step(1000 * seed + number) for walk in walks]
                assert played == real, f"seed {seed}, step {number}"
            seen = await happened(here, both[0])
            assert len(seen) > 15
            assert seen == await happened(there, both[1])


class Restless(RealClock):
    """Looks again and again: the server's clock goes ahead while the bot waits."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(min(seconds, 0.02))


def rota() -> tuple[Bot, list[str]]:
    """A bot that uses most of what bots have."""
    bot, log = Bot(), []

    @bot.message(r"hours")
    async def hours(event: MessageReceived) -> None:
        if not await event.conversation.try_claim():
            log.append(f"{event.conversation.now.assignee} has it")
            return
        n = await event.conversation.reply("9 to 5")
        await event.conversation.done()
        log.append(f"answered with {n}")

    @bot.message()
    async def other(event: MessageReceived) -> None:
        await event.conversation.note("for people")
        log.append(f"noted {event.text} {event.row.unanswered}")

    @bot.unassigned(older_than_s=300)
    async def waits(conversation: Any) -> None:
        await conversation.claim()
        await conversation.transfer("agent2", note="waits for long")
        log.append(f"handed over {conversation.now.customer}")

    @bot.updated()
    async def any_other(event: ConversationEvent) -> None:
        if not isinstance(event, DeliveryChanged):
            log.append(f"{type(event).__name__} by {event.actor}: {event.row.status}")

    return bot, log


async def test_the_same_bot_sees_and_does_the_same_on_both() -> None:
    first, second = "+12025550111", "+12025550112"
    here, played = rota()
    async with BotTester(here, user="agent1") as t, t.client("agent2") as colleague:
        conv = await t.says(first, "hours?")
        await t.says(second, "something else")
        handle = await colleague.conversation(await t.says(second, "hello?"))
        await handle.claim()
        await t.settle()
        await t.says(second, "hours please")
        await handle.release()
        await t.settle()
        await t.advance(301)
        sent, rows = list(t.replies), [shown(t.conversation(c)) for c in (first, second)]
        lines = [m.text for m in t.history(conv)]

    there, real = rota()
    there._clock = Restless()
    async with LocalServer() as server, server.client("agent2") as colleague:

        async def settled(count: int) -> None:
            await eventually(lambda: len(real) >= count, what=f"{count} lines, not {real}")

        async with server.serving(there, "agent1"):
            one, two = server.customer(first), server.customer(second)
            conv = one.says("hours?")
            await settled(1)
            two.says("something else")
            await settled(2)
            handle = await colleague.conversation(two.says("hello?"))
            await settled(3)
            await handle.claim()
            await settled(4)
            two.says("hours please")
            await settled(5)
            await handle.release()
            await settled(6)
            server.advance(301)
            await settled(len(played))
            await one.hears("9 to 5")
            assert real == played
            assert [(c.number, text) for c in (one, two) for text in c.phone()] == sent
            finals = [(await colleague.conversation(c)).now for c in (conv, handle.id)]
            assert [shown(row) for row in finals] == rows
            assert [m.text for m in await (await colleague.conversation(conv)).history()] == lines
