"""What every workload stands on: an inbox, people and conversations of its own on the server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from batonbox._errors import BatonboxError, Forbidden, NotFound
from batonbox._http import Http
from batonbox._scratch import Scratch
from batonbox._wire import Op
from batonbox.bench.address import Address
from batonbox.bench.commander import Commander
from batonbox.bench.opening import Turned, open_all
from batonbox.bench.plan import Plan
from batonbox.bench.subscriber import Audience, Subscriber
from batonbox.bench.tally import Tally

__all__ = ["Ground", "prepared"]

PEOPLE: Final = 16
INBOUND_AT_ONCE: Final = 8
REMOVAL_S: Final = 20.0
MEMBER_S: Final = 20.0
# Raised, never skipped: the server checks these numbers like everybody's.
LIMITS: Final = {
    "commands_per_s": 1_000_000,
    "commands_burst": 1_000_000,
    "commands_in_flight": 4096,
    "connections_per_user": 1_000_000,
    "subscriptions_max": 128,
}


@dataclass(frozen=True, slots=True)
class Ground:
    """Where a run takes place: conversations of `inbox`, and of each inbox one in `homes`."""

    plan: Plan
    address: Address
    inbox: str
    tokens: list[str]
    conversations: list[str]
    homes: dict[str, str]
    http: Http

    def token(self, number: int) -> str:
        """The people in turn."""
        return self.tokens[number % len(self.tokens)]

    def subscriber(
        self,
        number: int,
        audience: Audience,
        *,
        inbox: str = "",
        tallies: dict[str, Tally] | None = None,
    ) -> Subscriber:
        """The `number`-th; with `tallies` it goes on where an earlier connection of it ended."""
        inboxes = [inbox or self.inbox]
        return Subscriber(self.address, self.token(number), inboxes, audience, tallies=tallies)

    async def subscribers(
        self, audience: Audience, count: int, *, turned: Turned | None = None
    ) -> list[Subscriber]:
        """`count` of them, following the inbox; they are the audience's members from now on."""
        audience.members = await open_all(
            lambda number: self.subscriber(number, audience), count, turned=turned
        )
        return audience.members

    async def commanders(self, count: int, *, inboxes: Sequence[str] = ()) -> list[Commander]:
        """`count` connections of people; the inboxes in turn are theirs to act in."""
        made = await open_all(lambda n: Commander(self.address, self.token(n)), count)
        inboxes = inboxes or [self.inbox]
        async with asyncio.TaskGroup() as group:
            for number, commander in enumerate(made):
                for inbox in inboxes[number % len(inboxes) :: count]:
                    group.create_task(_until_member(commander, inbox))
        return made


@asynccontextmanager
async def prepared(plan: Plan) -> AsyncIterator[Ground]:
    """Make everything; removes it however the run ends, and says what it could not remove.

    Raises ConnectionLost without a server, Unauthorized for a wrong token, Forbidden when it is no
    admin's.
    """
    scratch = Scratch(
        plan.url, plan.token, run=plan.run, kind="bench", limits=LIMITS, inboxes=plan.inboxes
    )
    try:
        plan.progress(f"making the inbox {scratch.inbox} with {PEOPLE} members")
        tokens = await _made(scratch)
        wanted = [(number, scratch.inbox) for number in range(plan.count("commands"))]
        conversations = await _conversations(scratch, wanted)
        firsts = await _conversations(scratch, [(0, inbox) for inbox in scratch.inboxes])
        yield Ground(
            plan=plan,
            address=Address.of(plan.url),
            inbox=scratch.inbox,
            tokens=tokens,
            conversations=conversations,
            homes=dict(zip(scratch.inboxes, firsts, strict=True)),
            http=Http(plan.url, scratch.admin_token),
        )
    finally:
        plan.progress("removing what the run made")
        for left in await scratch.remove(within_s=REMOVAL_S):
            plan.progress(f"could not remove {left}; an admin can delete it")


async def _made(scratch: Scratch) -> list[str]:
    try:
        return await scratch.make(PEOPLE)
    except BaseExceptionGroup as group:
        error: BaseException = group.exceptions[0]
    except Forbidden as refused:
        error = refused
    if isinstance(error, Forbidden):
        raise Forbidden(
            error.code, error.slug, "bench makes an inbox of its own: give it an admin's token."
        ) from None
    raise error


async def _conversations(scratch: Scratch, wanted: list[tuple[int, str]]) -> list[str]:
    """Of customers by number, each in an inbox; they write by the loopback carrier."""
    gate = asyncio.Semaphore(INBOUND_AT_ONCE)

    async def one(number: int, inbox: str) -> str:
        async with gate:
            return await scratch.inbound(number, inbox=inbox)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(*customer)) for customer in wanted]
    except BaseExceptionGroup as failed:
        if isinstance(failed.exceptions[0], NotFound | Forbidden):
            raise BatonboxError(
                "bench lets simulated customers write: the server has to offer the loopback"
                " carrier (BATONBOX_LOOPBACK=true)"
            ) from None
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]


async def _until_member(commander: Commander, inbox: str) -> Any:
    """Until the membership has reached the server process of this connection."""
    give_up_s = time.perf_counter() + MEMBER_S
    while True:
        try:
            return await commander.ask(Op.PAGE, inbox, "unassigned", None, 1)
        except (Forbidden, NotFound):
            if time.perf_counter() > give_up_s:
                raise
        await asyncio.sleep(0.1)
