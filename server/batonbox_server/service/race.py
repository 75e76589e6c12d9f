"""Five bots that want the same conversation: what anybody can try to see one of them win."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from batonbox_server.domain.model import Role, inbox_of
from batonbox_server.errors import BatonboxError, EngineUnavailable, Refused
from batonbox_server.origin import SYSTEM, act_as
from batonbox_server.session.ports import Principal
from batonbox_server.store.directory_port import User
from batonbox_server.tasks import cancel_all, spawn
from batonbox_server.wire import Assign, Done, Reply

from .administration import Administration
from .commands import InboxCommands
from .directory import LiveDirectory
from .intake import Inbound, Intake
from .texts import e164

__all__ = ["Attempt", "Outcome", "Races"]

_log = structlog.get_logger(__name__)
_BOTS: Final = tuple(
    User(f"race-bot-{n}", f"Race bot {n}", Role.MEMBER, bot=True) for n in range(1, 6)
)
_CARRIER: Final = "loopback"
_WITHIN_S: Final = 10.0
_LEAVING_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """How a bot's Assign to Me ended: `code` is empty for the winner, else `owner` came first."""

    bot: User
    code: str
    owner: str
    own_tok: str
    ms: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """`winner` is a bot, or the person who was there before all of them."""

    conv: str
    winner: User
    losers: tuple[Attempt, ...]
    ms: float


class Races:
    """The bots are users like any other: only their commands decide, and only members may act.

    They are members of the inbox for the race only. One race at a time per inbox of this node.
    """

    def __init__(
        self,
        intake: Intake,
        commands: InboxCommands,
        administration: Administration,
        directory: LiveDirectory,
    ) -> None:
        self._intake = intake
        self._commands = commands
        self._administration = administration
        self._directory = directory
        self._running: set[str] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._leaving: set[asyncio.Task[Any]] = set()

    async def aclose(self) -> None:
        """End the races; returns when their bots have left the inboxes."""
        await cancel_all(self._tasks)
        if self._leaving:
            await asyncio.wait(self._leaving, timeout=_LEAVING_S)
        await cancel_all(self._leaving)

    async def run(self, *, our: str, customer: str, text: str) -> Outcome:
        """The customer texts, the bots race; returns once the winner has answered and is done.

        A caller that gives up does not end the race. Raises Refused: `number_not_routed`,
        `bad_request`, `unavailable`, and `conflict` while another race runs in the inbox.
        """
        our, customer = e164(our, field="to"), e164(customer, field="from")
        inbox = self._inbox_of(our)
        if inbox in self._running:
            raise Refused("conflict", "A race runs in this inbox already; wait until it has ended.")
        self._running.add(inbox)
        message = Inbound(_CARRIER, uuid.uuid4().hex, our, customer, text)
        race = spawn(self._tasks, self._ended(inbox, message), name="race")
        ended: Outcome | Refused = await asyncio.shield(race)
        if isinstance(ended, Refused):
            raise ended
        return ended

    def _inbox_of(self, our: str) -> str:
        route = self._directory.routes.get(our)
        if route is None or route.delivers not in self._directory.inboxes:
            raise Refused("number_not_routed", f"{our} delivers to no inbox; choose another.")
        if route.carrier != _CARRIER:
            raise Refused(
                "conflict",
                f"{our} sends through {route.carrier}; races take a number of simulated phones.",
            )
        return route.delivers

    async def _ended(self, inbox: str, message: Inbound) -> Outcome | Refused:
        try:
            return await self._race(inbox, message)
        except Refused as refused:
            return refused
        except EngineUnavailable:
            return Refused("unavailable")

    async def _race(self, inbox: str, message: Inbound) -> Outcome:
        try:
            async with asyncio.timeout(_WITHIN_S):
                await self._join(inbox)
                conv = (await self._intake.receive(message)).conv
                if inbox_of(conv) != inbox:
                    raise Refused("conflict", "The number was moved to another inbox meanwhile.")
                return await self._decide(conv)
        except TimeoutError:
            late = f"The race was not over after {_WITHIN_S:.0f} s; try again."
            raise Refused("unavailable", late) from None
        finally:
            # Whoever gives up now does not keep the bots from leaving.
            leaving = self._leave(inbox)
            await asyncio.shield(spawn(self._leaving, leaving, name="race-bots-leave"))

    async def _join(self, inbox: str) -> None:
        for bot in _BOTS:
            if bot.id not in self._directory.users:
                await self._make(bot)
            await self._administration.set_member(inbox=inbox, user=bot.id, on=True)

    async def _make(self, bot: User) -> None:
        try:
            await self._administration.create_user(bot)
        except Refused as refused:
            if refused.slug != "conflict":
                raise
            await self._directory.refresh()  # made through another node a moment ago

    async def _leave(self, inbox: str) -> None:
        """Whatever happened. What a bot still owns returns to the inbox with its membership."""
        try:
            async with asyncio.timeout(_LEAVING_S):
                for bot in _BOTS:
                    await self._administration.set_member(inbox=inbox, user=bot.id, on=False)
        except (BatonboxError, TimeoutError) as error:
            # They are told apart by their names, and the next race takes them out.
            _log.warning("race_bots_stayed", inbox=inbox, error=str(error))
        finally:
            self._running.discard(inbox)

    async def _decide(self, conv: str) -> Outcome:
        started_s = time.perf_counter()
        # In the order of this list they reach the engine: nobody is favoured.
        bots = random.sample(_BOTS, len(_BOTS))
        attempts = await asyncio.gather(*(self._attempt(bot, conv, started_s) for bot in bots))
        winners = [attempt for attempt in attempts if not attempt.code]
        losers = tuple(sorted((a for a in attempts if a.code), key=lambda a: a.bot.id))
        if not winners:
            return Outcome(conv, self._person(losers), losers, min(a.ms for a in losers))
        (won,) = winners
        await self._answer(conv, won, len(losers))
        return Outcome(conv, won.bot, losers, won.ms)

    async def _attempt(self, bot: User, conv: str, started_s: float) -> Attempt:
        command = Assign(cid=uuid.uuid4().hex, conv=conv)
        code = owner = own_tok = ""
        try:
            with act_as(bot.id, SYSTEM):
                result = await self._commands.run(_principal(bot), "assign", command)
            owner, own_tok = bot.id, result["own_tok"]
        except Refused as refused:
            code, owner = refused.slug, (refused.cur or {}).get("assignee") or ""
        return Attempt(bot, code, owner, own_tok, 1000 * (time.perf_counter() - started_s))

    def _person(self, losers: Sequence[Attempt]) -> User:
        owners = [attempt.owner for attempt in losers if attempt.owner]
        if not owners:
            raise Refused(losers[0].code, "No bot could take the conversation, and nobody has it.")
        return self._directory.users.get(owners[0]) or User(owners[0], owners[0], Role.MEMBER)

    async def _answer(self, conv: str, won: Attempt, others: int) -> None:
        text = f"{won.bot.name} here. {others} others wanted this one, too."
        principal, own_tok = _principal(won.bot), won.own_tok
        reply = Reply(cid=uuid.uuid4().hex, conv=conv, text=text, own_tok=own_tok)
        try:
            with act_as(won.bot.id, SYSTEM):
                own_tok = (await self._commands.run(principal, "reply", reply))["own_tok"]
                done = Done(cid=uuid.uuid4().hex, conv=conv, own_tok=own_tok)
                await self._commands.run(principal, "done", done)
        except Refused as refused:
            # Somebody took it over since: the race had been decided before.
            _log.info("race_winner_overtaken", conv=conv, code=refused.slug)


def _principal(bot: User) -> Principal:
    return Principal(bot.id, str(bot.role))
