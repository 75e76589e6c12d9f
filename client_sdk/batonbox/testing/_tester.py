"""A bot played without a network: what it is told, what it does, and time at the test's pace."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
import uuid
from collections.abc import Collection, Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self

import msgspec

from batonbox._client import Client
from batonbox._events import ConversationEvent
from batonbox._models import Message, Row
from batonbox._session import Applied
from batonbox._tasks import cancel_all, spawn
from batonbox.bot import Bot
from batonbox.bot._source import Source, StreamSource, Told
from batonbox.testing._errors import Errors
from batonbox.testing._house import House, WiredClient
from batonbox.testing._office import receive, wake_due

__all__ = ["BotTester", "Call", "Sent"]

NUMBERS = {"sales": "+14165550100", "support": "+14165550101"}
COLLEAGUES = ("agent1", "agent2", "agent3")
# Turns of the loop in which nothing was said: then nobody has anything to say any more.
QUIET_TURNS = 40
# What sums of seconds may be off by.
ROUNDED_S = 1e-6
# What the client adds to a command by itself.
_CARRIED = frozenset({"cid", "own_tok", "seen"})


class Sent(NamedTuple):
    """What the bot sent to a customer."""

    to: str
    text: str


class Call(NamedTuple):
    """A command of the bot, also a repeated one; `error`: by which word it was refused, or ""."""

    command: str
    args: dict[str, Any]
    error: str = ""


class BotTester:
    """Plays `bot`, as `user`, in an organisation in memory: inboxes `sales` and `support` (or those
    of the bot), `colleagues`, an `admin`.

    Each call returns once the bot has handled what it caused, and raises what its handlers raised
    and no error handler of its own took: the error itself, or an ExceptionGroup of several. Raises
    AssertionError when handlers run for longer than `timeout_s`. What is to be run again, as it
    failed for want of the server, is run by `advance`, and raised once it is final; at the end of
    the test time passes for it by itself, up to the bot's `drain_s`.

    The ownership rules are the server's. Files, rooms, contacts, search, keywords such as STOP,
    badges and presence are not played: `LocalServer` is the real one. A bot of a group plays alone.
    """

    def __init__(
        self,
        bot: Bot,
        *,
        user: str = "bot",
        colleagues: Collection[str] = COLLEAGUES,
        inboxes: Mapping[str, str] | None = None,
        timeout_s: float = 10.0,
    ) -> None:
        self._bot = bot
        self._timeout_s = timeout_s
        self._clock = _Clock(float(int(time.time())))  # sums of whole seconds are exact
        self._house = House(now_s=lambda: self._clock.now_s, ran=self._ran, happened=self._happened)
        self._errors = Errors()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._playing: asyncio.Task[Any] | None = None
        self.user = user
        self.calls: list[Call] = []
        self.replies: list[Sent] = []
        given = inboxes if inboxes is not None else _inboxes_of(bot)
        members = {user: "member", **dict.fromkeys(colleagues, "member"), "admin": "admin"}
        for inbox, number in given.items():
            self._house.add_box(inbox, number, members)

    async def __aenter__(self) -> Self:
        self._real_clock, self._bot._clock = self._bot._clock, self._clock
        self._bot._source = self._source  # type: ignore[method-assign]
        self._errors.listen()
        client = WiredClient(self._house, self.user)
        self._playing = spawn(self._tasks, self._bot.start(client), name="batonbox-bot-tester")
        try:
            await self.settle()
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None and self._playing is not None and not self._playing.done():
                self._bot.stop()
                self._clock.passes = True
                await self._playing
        finally:
            await self._end()
        if kind is None:
            self._errors.check()

    # What happens

    async def says(self, customer: str, text: str, *, inbox: str | None = None) -> str:
        """The customer with this number (E.164) texts an inbox (default: the first); returns the
        conversation's id.
        """
        box = self._house.boxes[inbox] if inbox else next(iter(self._house.boxes.values()))
        conv = receive(box, customer, text)
        await self.settle()
        return conv

    async def assigns(self, user: str, conv: str, *, to: str | None = None) -> None:
        """A colleague takes a conversation, or an admin hands it `to` somebody.

        Raises AssertionError when the rules refuse it, as the others.
        """
        await self._acts(user, "assign", conv, **({"to": to} if to else {}))

    async def transfers(self, user: str, conv: str, to: str, *, note: str = "") -> None:
        """A colleague (or an admin) hands it over."""
        await self._acts(user, "transfer", conv, to=to, **({"note": note} if note else {}))

    async def returns(self, user: str, conv: str) -> None:
        """A colleague returns it to the inbox."""
        await self._acts(user, "return", conv)

    async def answers(self, user: str, conv: str, text: str) -> None:
        """A colleague who owns it replies."""
        await self._acts(user, "reply", conv, text=text)

    async def notes(self, user: str, conv: str, text: str) -> None:
        """A colleague writes an internal note."""
        await self._acts(user, "note", conv, text=text)

    async def finishes(self, user: str, conv: str) -> None:
        """A colleague marks it as done."""
        await self._acts(user, "done", conv, seen="*")

    async def feed(self, event: ConversationEvent) -> None:
        """Hand an event to the bot (again): one of `events`, or one that the test has made."""
        serving = self._bot._serving
        assert serving is not None, "the bot has ended"
        serving._take(Told(event, StreamSource(self._bot.client)))
        await self.settle()

    async def advance(self, seconds: float) -> None:
        """Let so much time pass: `every`, `unassigned` and snoozes happen in their order."""
        until_s = self._clock.now_s + seconds
        while True:
            next_s = min(self._next_wake_s(), self._clock.next_s())
            if next_s > until_s + ROUNDED_S:
                break
            self._clock.go_to(next_s)
            for box in self._house.boxes.values():
                wake_due(box)
            await self.settle()
        self._clock.go_to(until_s)
        await self.settle()

    async def settle(self) -> None:
        """Until the bot has handled everything; the other calls do it."""
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._settled()
        except TimeoutError:
            raise AssertionError(
                f"the bot's handlers have not ended after {self._timeout_s:g} s: does one wait for"
                " what the test does next, or for real time?"
            ) from None
        self._errors.check()
        if self._playing is not None and self._playing.done():
            self._playing.result()

    # What is so

    def client(self, user: str) -> Client:
        """A client of a colleague in the same organisation: `async with t.client("agent1")`."""
        self._join(user)
        return WiredClient(self._house, user)

    def conversation(self, conv: str) -> Row:
        """A conversation as it is now, by its id or by the customer's number."""
        for box in self._house.boxes.values():
            for row in box.rows.values():
                if conv in {row.id, row.customer}:
                    return row
        raise KeyError(f"there is no conversation {conv}")

    def history(self, conv: str) -> list[Message]:
        """Its lines, oldest first."""
        row = self.conversation(conv)
        return [msgspec.convert(line, Message) for line in self._house.box_of(row.id).lines[row.id]]

    @property
    def events(self) -> list[ConversationEvent]:
        """Everything that happened so far, inbox by inbox."""
        known, found = self._bot.client._in.known, []
        for box in self._house.boxes.values():
            for seq, meta, body, tip in box.events:
                told = {**meta, "row": msgspec.to_builtins(meta["row"])}
                event = known.event(Applied(box.id, seq, told, body, tip))
                assert isinstance(event, ConversationEvent)
                found.append(event)
        return found

    async def _acts(self, user: str, command: str, conv: str, **args: Any) -> None:
        self._join(user)
        row = self.conversation(conv)
        token = {"own_tok": row.own_tok} if command in {"transfer", "return"} else {}
        given = {"conv": row.id, "cid": uuid.uuid4().hex, **token, **args}
        try:
            self._house.run(user, command, given)
        except Exception as error:
            raise AssertionError(f"{user} may not {command} {row}: {error}") from error
        await self.settle()

    def _join(self, user: str) -> None:
        for box in self._house.boxes.values():
            box.members.setdefault(user, "member")

    def _ran(self, user: str, command: str, args: dict[str, Any], error: str) -> None:
        if user == self.user:
            told = {name: value for name, value in args.items() if name not in _CARRIED}
            self.calls.append(Call(command, told, error))

    def _happened(self, row: Row, meta: Mapping[str, Any], body: Any) -> None:
        if meta["actor"] == self.user and meta["type"] in {"replied", "composed"}:
            self.replies.append(Sent(row.customer, str(body["text"])))

    def _next_wake_s(self) -> float:
        rows = [row for box in self._house.boxes.values() for row in box.rows.values()]
        return min((r.snoozed_until / 1000 for r in rows if r.snoozed_until), default=float("inf"))

    async def _settled(self) -> None:
        quiet, seen = 0, -1
        while quiet < QUIET_TURNS and self._playing is not None and not self._playing.done():
            await asyncio.sleep(0)
            await self._bot.idle()
            moves = self._house.moves + self._clock.slept
            serving = self._bot._serving
            quiet = quiet + 1 if moves == seen and serving and serving.ready.is_set() else 0
            seen = moves

    async def _end(self) -> None:
        await cancel_all(self._tasks)
        self._errors.unlisten()
        self._bot._clock = self._real_clock
        vars(self._bot).pop("_source", None)

    def _source(self, client: Client) -> Source:
        return StreamSource(client, self._bot.inboxes)


class _Clock:
    """Time that passes when the test says so."""

    def __init__(self, now_s: float) -> None:
        self.now_s = now_s
        self.passes = False  # by itself, for who falls asleep from now on
        self.slept = 0
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def monotonic_s(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0 or self.passes:
            self.go_to(self.now_s + max(0.0, seconds))
            await asyncio.sleep(0)
            return
        self.slept += 1
        wake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now_s + seconds, next(self._order), wake))
        await wake

    def next_s(self) -> float:
        """When somebody wakes."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else float("inf")

    def go_to(self, at_s: float) -> None:
        """It is so late now."""
        self.now_s = max(self.now_s, at_s)
        while self.next_s() <= self.now_s:
            heapq.heappop(self._sleepers)[2].set_result(None)


def _inboxes_of(bot: Bot) -> Mapping[str, str]:
    if not bot.inboxes:
        return NUMBERS
    return {inbox: f"+1416555{110 + at:04}" for at, inbox in enumerate(bot.inboxes)}
