"""The race: many agents want every conversation at once, and exactly one may get it."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from batonbox._backoff import Backoff
from batonbox._client import Client
from batonbox._errors import (
    AlreadyAssigned,
    ApiError,
    BatonboxError,
    ConnectionLost,
    Forbidden,
    NotFound,
    OutcomeUnknown,
    RequestTimeout,
)
from batonbox._race_report import Attempt, Report, Watch, judge
from batonbox._scratch import Scratch
from batonbox._tasks import cancel_all, spawn

__all__ = ["Race", "run_race"]

OPENING_AT_ONCE = 16
INBOUND_AT_ONCE = 8
PATIENCE_S = 120.0
RETRY_S = 0.2

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """What to run, and against what."""

    url: str
    token: str
    agents: int
    conversations: int
    progress: Callable[[str], None]
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:10])


async def run_race(race: Race) -> Report:
    """Set up, race, read back, judge; removes what it made however it ends."""
    scratch = Scratch(race.url, race.token, run=race.run, kind="race")
    try:
        race.progress(f"making {race.agents} agents and an inbox")
        tokens = await scratch.make(race.agents)
        async with AsyncExitStack() as stack:
            return await _race_of(race, scratch, tokens, stack)
    finally:
        race.progress("removing what the race made")
        for left in await scratch.remove():
            race.progress(f"could not remove {left}")


async def _race_of(
    race: Race, scratch: Scratch, tokens: list[str], stack: AsyncExitStack
) -> Report:
    race.progress(f"opening {len(tokens)} websockets")
    clients = await _open(race, tokens, stack)
    watcher = await stack.enter_async_context(_client(race, scratch.admin_token))
    await _until_members([*clients, watcher], scratch.inbox)
    watch = await _watch(watcher, scratch.inbox, stack)
    race.progress(f"sending {race.conversations} inbound messages")
    await _each(race.conversations, scratch.inbound, at_once=INBOUND_AT_ONCE)
    wanted = await _patiently(partial(_ids, watcher, scratch.inbox))
    began_s = time.perf_counter()
    attempts = await _contest(race, clients, wanted)
    took_s = time.perf_counter() - began_s
    race.progress("reading everything back")
    await watch.reach(max((attempt.seq for attempt in attempts), default=0))
    reader = await stack.enter_async_context(_client(race, scratch.admin_token))
    threads = {c: await _patiently(partial(reader.read_thread, c, n=200)) for c in wanted}
    return judge(attempts, threads, watch, took_s=took_s, expected=race.conversations)


def _client(race: Race, token: str) -> Client:
    return Client(race.url, token, timeout_s=60.0, backoff=Backoff(0.1, 2.0))


async def _open(race: Race, tokens: list[str], stack: AsyncExitStack) -> list[Client]:
    clients = [_client(race, token) for token in tokens]

    async def enter(number: int) -> None:
        await stack.enter_async_context(clients[number])

    await _each(len(clients), enter, at_once=OPENING_AT_ONCE)
    return clients


async def _each(count: int, work: Callable[[int], Awaitable[Any]], *, at_once: int) -> None:
    """`work(0)` to `work(count - 1)`, a few at once."""
    numbers = iter(range(count))

    async def worker() -> None:
        for number in numbers:
            await work(number)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(at_once, count)):
            group.create_task(worker())


async def _until_members(clients: list[Client], inbox: str) -> None:
    """Until every agent's membership has reached the inbox itself."""

    async def listed(number: int) -> None:
        ask = partial(_ids, clients[number], inbox)
        await _patiently(ask, also=(Forbidden, NotFound))

    await _each(len(clients), listed, at_once=OPENING_AT_ONCE)


async def _ids(client: Client, inbox: str) -> list[str]:
    return [c.id async for c in client.conversations(inbox=inbox, view="unassigned")]


async def _watch(watcher: Client, inbox: str, stack: AsyncExitStack) -> Watch:
    """Follow the inbox's log on a connection of its own for the whole race."""
    events = await stack.enter_async_context(watcher.events(inbox=inbox, queue_max=1 << 18))
    owner: set[asyncio.Task[Any]] = set()
    stack.push_async_callback(cancel_all, owner)
    watch = Watch()
    spawn(owner, watch.run(events), name="race-watch")
    return watch


async def _patiently(
    ask: Callable[[], Awaitable[T]], *, also: tuple[type[BatonboxError], ...] = ()
) -> T:
    """Ask again through restarts; `also` names refusals that are expected to pass."""
    give_up_s = time.perf_counter() + PATIENCE_S
    while True:
        try:
            return await ask()
        except (BatonboxError, TimeoutError) as error:
            passing = isinstance(error, also) or not isinstance(error, ApiError) or error.retryable
            if not passing or time.perf_counter() > give_up_s:
                raise
        await asyncio.sleep(RETRY_S)


async def _contest(race: Race, clients: list[Client], wanted: list[str]) -> list[Attempt]:
    """One conversation after the other: all agents at once."""
    attempts: list[Attempt] = []
    for number, conv in enumerate(wanted, start=1):
        racers = random.sample(clients, len(clients))
        keys = [f"race-{race.run}-{number}-{client.user.id}" for client in racers]
        pairs = zip(racers, keys, strict=True)
        attempts += await asyncio.gather(*(_attempt(client, conv, key) for client, key in pairs))
        if number % max(1, len(wanted) // 10) == 0:
            race.progress(f"{number} of {len(wanted)} conversations, {len(attempts)} attempts")
    return attempts


async def _attempt(client: Client, conv: str, key: str) -> Attempt:
    """Assign to Me, through restarts, always with the same command id."""
    attempt = Attempt(conv=conv, agent=client.user.id, began_s=time.perf_counter())
    while True:
        try:
            result = await client.call("assign", {"conv": conv}, key=key, timeout_s=30.0)
            return attempt.won(str(result["own_tok"]), int(result["seq"]))
        except AlreadyAssigned as error:
            return attempt.lost(error.by)
        except OutcomeUnknown as error:
            return attempt.failed(str(error))
        except (ApiError, RequestTimeout, ConnectionLost) as error:
            passing = not isinstance(error, ApiError) or error.retryable
            if not passing or time.perf_counter() - attempt.began_s > PATIENCE_S:
                return attempt.failed(str(error))
            wait_s = (getattr(error, "retry_ms", None) or RETRY_S * 1000) / 1000
        attempt.retries += 1
        await asyncio.sleep(wait_s * (0.5 + random.random()))  # noqa: S311 - jitter
