"""Many agents on many conversations, each wanted by ten of them at once: one gets it."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from batonbox import Assigned, BatonboxError, Client, Conflict, Noted
from batonbox._scratch import Scratch
from batonbox._wire import Frame, Op
from batonbox.bench import Address, Commander, open_all, raise_file_limit
from tests.chaos.processes import serving

WANTED_BY = 10
GOING_ON = 100  # conversations that are fought over at the same time
READ_AT_ONCE = 32
PATIENCE_S = 240.0


@dataclass(slots=True)
class Fight:
    """How the attempts at one conversation ended: who won, what the others were told."""

    won: list[int] = field(default_factory=list)
    told: list[tuple[str, str]] = field(default_factory=list)  # (error, present owner)


async def fought(agents: list[Commander], convs: list[str], chance: random.Random) -> list[Fight]:
    """Ten agents each, drawn by lot, in one turn of the loop; some conversations at a time."""
    fights = {conv: Fight() for conv in convs}
    room = asyncio.Semaphore(GOING_ON)

    async def fight(conv: str) -> None:
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        drawn = chance.sample(range(len(agents)), WANTED_BY)

        def then(number: int, frame: Frame) -> None:
            if frame[0] == Op.OK:
                fights[conv].won.append(number)
            else:
                row = frame[6] if len(frame) > 6 and frame[6] else {}
                fights[conv].told.append((str(frame[3]), str(row.get("assignee", ""))))
            if len(fights[conv].won) + len(fights[conv].told) == WANTED_BY:
                answered.set_result(None)

        async with room, asyncio.timeout(PATIENCE_S):
            for number in drawn:
                args = {"conv": conv, "cid": f"{conv[-12:]}-{number}"}
                agents[number].command("assign", args, partial(then, number))
            await answered

    async with asyncio.TaskGroup() as group:
        for conv in convs:
            group.create_task(fight(conv))
    return [fights[conv] for conv in convs]


async def claims(client: Client, inbox: str, going: asyncio.Event) -> Counter[str]:
    """Events that said that a conversation was taken, by conversation, until everybody is done."""
    seen: Counter[str] = Counter()
    async with client.events(Assigned, Noted, inbox=inbox, queue_max=1 << 18) as events:
        going.set()
        async for event in events:
            if isinstance(event, Assigned):
                seen[event.conversation.id] += 1
            elif isinstance(event, Noted):
                return seen
    raise AssertionError("the stream ended")


async def race(folder: Path, *, count: int, conversations: int, seed: int) -> None:
    raise_file_limit()
    settings: dict[str, Any] = {"handshakes_per_s": 10_000, "log_events": 1_000_000}
    async with serving(folder, **settings) as server:
        scratch = Scratch(server.url, await server.token(), run=str(seed), kind="thousand")
        tokens = await scratch.make(count)
        convs = await numbered(scratch, conversations)
        address = Address.of(server.url)
        agents = await open_all(lambda n: Commander(address, tokens[n]), count)
        await asyncio.gather(*(known(agent, scratch.inbox) for agent in agents))
        async with Client(server.url, scratch.admin_token, timeout_s=60) as admin:
            going = asyncio.Event()
            watching = asyncio.get_running_loop().create_task(claims(admin, scratch.inbox, going))
            await going.wait()
            fights = await fought(agents, convs, random.Random(seed))
            await (await admin.conversation(convs[0])).note("over")
            seen = await asyncio.wait_for(watching, PATIENCE_S)
            rows = await owners(admin, scratch.inbox)
        judged(scratch, convs, fights, seen, rows)
        for agent in agents:
            agent.close()


def judged(
    scratch: Scratch,
    convs: list[str],
    fights: list[Fight],
    seen: Counter[str],
    rows: dict[str, str | None],
) -> None:
    """One winner each, whom the losers, the row and the only event about it name."""
    assert len(convs) == len(set(convs)) == len(rows)
    for conv, fight in zip(convs, fights, strict=True):
        assert len(fight.won) == 1, (conv, fight)
        winner = f"{scratch.inbox}-{fight.won[0]:04d}"
        assert set(fight.told) == {("conflict", winner)}, (conv, fight)
        assert rows[conv] == winner
    assert seen == Counter(convs)


async def numbered(scratch: Scratch, count: int) -> list[str]:
    """So many customers have written."""
    room = asyncio.Semaphore(READ_AT_ONCE)

    async def one(number: int) -> str:
        async with room:
            return await scratch.inbound(number)

    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                await one(0)
                break
            except Conflict:  # an inbox of a thousand members is being made yet
                await asyncio.sleep(0.5)
    return await asyncio.gather(*map(one, range(count)))


async def known(agent: Commander, inbox: str) -> None:
    """Until the inbox itself knows of the agent's membership."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                await agent.ask(Op.PAGE, inbox, "mine", "", 1)
            except BatonboxError:  # forbidden until it does
                await asyncio.sleep(0.2)
            else:
                return


async def owners(client: Client, inbox: str) -> dict[str, str | None]:
    """Who has each open conversation."""
    found: dict[str, str | None] = {}
    async for conversation in client.conversations(inbox=inbox, view="open", page_rows=200):
        found[conversation.id] = conversation.now.assignee
    return found


async def test_sixty_agents_on_three_hundred_conversations(tmp_path: Path) -> None:
    await race(tmp_path / "data", count=60, conversations=300, seed=60)


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_a_thousand_agents_on_ten_thousand_conversations(tmp_path: Path) -> None:
    await race(tmp_path / "data", count=1_000, conversations=10_000, seed=1_000)
