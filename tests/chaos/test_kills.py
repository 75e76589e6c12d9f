"""kill -9 of the server and of its engine, again and again, while people work and customers write.

What was acknowledged is there, once; nothing took effect twice; every badge is what a recount of
the rows makes it.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from batonbox import (
    ApiError,
    Backoff,
    BatonboxError,
    Client,
    ConnectionLost,
    OutcomeUnknown,
    RequestTimeout,
    Resync,
    Unavailable,
)
from batonbox_server.domain.indicators import totals
from batonbox_server.engine import EmbeddedEngine
from batonbox_server.store.connect import EngineClient
from batonbox_server.store.keys import Keys
from batonbox_server.torture.checking.truth import inbox_of_final
from batonbox_server.torture.record import Final
from batonbox_server.torture.truth import Reader
from tests.chaos.processes import Server, serving
from tests.served import SALES

INBOX = "sales"
PEOPLE = ("admin", "agent1", "agent2", "agent3")
CUSTOMERS = [f"+1416555{number}" for number in range(2000, 2060)]
HANDS = 3  # of each client: so much may be under way when something is killed
UNDECIDED = (RequestTimeout, OutcomeUnknown, ConnectionLost, Unavailable)
SETTINGS = {
    "log_events": 1_000_000,  # nothing of it is to leave
    "commands_per_s": 1000,
    "commands_burst": 1000,
    "outbox_sweep_s": 0.2,
    "check_interval_s": 0.5,
}


@dataclass(frozen=True, slots=True)
class Done:
    """A command that was acknowledged, with the place it was told."""

    actor: str
    verb: str
    cid: str
    seq: int
    tip: str
    text: str


@dataclass(slots=True)
class Story:
    """What happened, as those outside know it."""

    rng: random.Random
    done: list[Done] = field(default_factory=list)
    said: dict[str, bool] = field(default_factory=dict)  # customers' texts: acknowledged?
    replies: dict[str, str] = field(default_factory=dict)  # acknowledged texts: the customer
    counts: Counter[str] = field(default_factory=Counter)
    numbers: itertools.count[int] = field(default_factory=itertools.count)


class Worker:
    """Somebody who works: takes what waits, answers, hands on, finishes, notes."""

    def __init__(self, client: Client, user: str, story: Story) -> None:
        self._client = client
        self._user = user
        self._story = story

    async def run(self) -> None:
        """Until cancelled."""
        async with self._client.events(Resync, inbox=INBOX):
            while True:
                try:
                    await self._act()
                    await asyncio.sleep(self._story.rng.uniform(0.0, 0.05))
                except BatonboxError:
                    self._story.counts["away"] += 1
                    await asyncio.sleep(0.05)

    async def _act(self) -> None:
        rng = self._story.rng
        view = rng.choice(("unassigned", "mine", "mine", "open"))
        rows = [conv.now async for conv in self._client.conversations(inbox=INBOX, view=view)]
        if not rows:
            await asyncio.sleep(0.02)
            return
        row = rng.choice(rows)
        text = f"text {next(self._story.numbers)}"
        if row.status == "unassigned":
            verb, args = "assign", dict[str, Any]()
        elif row.assignee == self._user:
            verb, args = rng.choice(
                (
                    ("reply", {"text": text}),
                    ("reply", {"text": text}),
                    ("return", {}),
                    ("done", {"seen": row.in_seq}),
                    ("transfer", {"to": rng.choice(PEOPLE)}),
                )
            )
        else:
            verb, args = "note", {"text": text}
        if rng.random() < 0.2:
            self._client.send_seen(row.id, row.att)
        await self._surely(verb, {"conv": row.id, **args}, row.customer)

    async def _surely(self, verb: str, args: dict[str, Any], customer: str) -> None:
        """Again under the same id, as long as the outcome is open and may be asked for."""
        cid, story = f"{self._user}-{next(self._story.numbers)}", self._story
        for _ in range(20):
            try:
                told = await self._client.call(verb, args, key=cid, timeout_s=5)
            except OutcomeUnknown:
                break
            except UNDECIDED:
                story.counts["asked again"] += 1
                await asyncio.sleep(0.05)
                continue
            except ApiError as error:
                story.counts[f"refused: {error.slug}"] += 1
                return
            if not told.get("noop"):
                text = str(args.get("text", ""))
                story.done.append(Done(self._user, verb, cid, told["seq"], told["tip"], text))
                if verb == "reply":
                    story.replies[text] = customer
            return
        story.counts["never known"] += 1


async def customers_write(server: Server, token: str, story: Story) -> None:
    """Until cancelled; the carrier brings each message until it is taken."""
    headers = {"authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(base_url=server.url, headers=headers, timeout=3) as http:
        while True:
            text = f"hello {next(story.numbers)}"
            customer = story.rng.choice(CUSTOMERS)
            body = {"from": customer, "to": SALES, "text": text, "id": text}
            story.said[text] = False
            while not story.said[text]:
                try:
                    answer = await http.post("/v1/loopback/inbound", json=body)
                    story.said[text] = answer.is_success
                except httpx2.HTTPError:
                    story.counts["carrier's tries"] += 1
                if not story.said[text]:
                    await asyncio.sleep(0.05)
            await asyncio.sleep(story.rng.uniform(0.0, 0.05))


@asynccontextmanager
async def people(server: Server, *, each: int) -> AsyncIterator[list[Client]]:
    """Everybody's clients, at `each` places."""
    tokens = {user: await server.token(user) for user in PEOPLE}
    async with AsyncExitStack() as stack:
        clients = []
        for user in [*PEOPLE] * each:
            client = Client(server.url, tokens[user], backoff=Backoff(0.02, 0.2), timeout_s=30)
            clients.append(await stack.enter_async_context(client))
        yield clients


@asynccontextmanager
async def working(server: Server, clients: Sequence[Client], story: Story) -> AsyncIterator[None]:
    """They work and customers write while the context lasts."""
    token, loop = await server.token("admin"), asyncio.get_running_loop()
    hands = [*clients] * HANDS
    work = [loop.create_task(Worker(client, client.user.id, story).run()) for client in hands]
    work += [loop.create_task(customers_write(server, token, story)) for _ in range(2)]
    try:
        yield
    finally:
        for task in work:
            task.cancel()
        ends = await asyncio.gather(*work, return_exceptions=True)
    failed = [end for end in ends if not isinstance(end, asyncio.CancelledError)]
    assert not failed, failed


async def killing(server: Server, story: Story, kills: int) -> None:
    """As often as that, the server or its engine, at random moments of its work."""
    for _ in range(kills):
        await asyncio.sleep(story.rng.uniform(0.02, 0.5))
        if story.rng.random() < 0.5:
            server.kill_engine()
            story.counts["engine killed"] += 1
        else:
            await server.kill()
            story.counts["server killed"] += 1
            await server.start()
        await server.ready()


async def read(folder: Path) -> Final:
    """The truth of a folder that no server has open."""
    engine = EmbeddedEngine(folder)
    await engine.start()
    try:
        client = EngineClient(engine.url)
        await client.connect()
        try:
            return await Reader(client, Keys()).truth(INBOX, PEOPLE)
        finally:
            await client.aclose()
    finally:
        await engine.stop()


def judge(story: Story, truth: Final) -> None:
    """Acknowledged: there, where it was told, and once. Whatever else: at most once."""
    effects: Counter[tuple[str, str, str]] = Counter()
    places: dict[tuple[str, str], set[tuple[int, str]]] = {}
    received: Counter[str] = Counter()
    for entry in truth.log:
        seq, meta, body, tip = entry.decoded()
        if meta.get("cid"):
            effects[meta["actor"], meta["cid"], meta["type"]] += 1
            places.setdefault((meta["actor"], meta["cid"]), set()).add((seq, tip))
        if meta["type"] == "received":
            received[body["text"]] += 1
    assert [entry.seq for entry in truth.log] == list(range(1, truth.head[0] + 1))
    lost = [done for done in story.done if (done.seq, done.tip) not in places.get(_by(done), set())]
    doubled = [effect for effect, count in effects.items() if count > 1]
    unheard = [text for text, told in story.said.items() if told and not received[text]]
    twice = [text for text, count in received.items() if count > 1]
    assert (lost, doubled, unheard, twice) == ([], [], [], [])


def _by(done: Done) -> tuple[str, str]:
    return done.actor, done.cid


async def badges_agree(clients: Sequence[Client], truth: Final) -> None:
    """Everybody is told what a recount of the rows makes."""
    inbox = inbox_of_final(truth)
    want = {}
    for user in PEOPLE:
        counted = totals(inbox, user)
        want[user] = (counted.blue, counted.green, counted.unassigned)
        assert truth.totals[user] == want[user]

    async def told(client: Client) -> None:
        async for badge in client.badges():
            if badge.inbox != INBOX:
                continue
            if (badge.blue, badge.green, badge.unassigned) == want[client.user.id]:
                return

    async with asyncio.timeout(60):
        await asyncio.gather(*(told(client) for client in clients))


async def replies_arrived(server: Server, story: Story) -> None:
    """Each acknowledged reply is on its customer's phone, and none twice."""
    headers = {"authorization": f"Bearer {await server.token()}"}
    async with httpx2.AsyncClient(base_url=server.url, headers=headers, timeout=10) as http:
        due = time.monotonic() + 90
        while True:
            texts: Counter[str] = Counter()
            for customer in CUSTOMERS:
                found = await http.get(f"/v1/loopback/outbound?to={quote(customer)}")
                texts.update(item["text"] for item in found.json()["items"])
            missing = story.replies.keys() - texts.keys()
            if not missing or time.monotonic() > due:
                break
            await asyncio.sleep(0.5)
    assert missing == set()
    assert [text for text, count in texts.items() if count > 1] == []


async def run(folder: Path, *, kills: int, each: int, seed: int) -> None:
    """The whole of it."""
    print(f"seed {seed}")
    story = Story(random.Random(seed))
    async with serving(folder, **SETTINGS) as server, people(server, each=each) as clients:
        async with working(server, clients, story):
            await killing(server, story, kills)
            await asyncio.sleep(1.0)  # of work after the last one
        await replies_arrived(server, story)
        assert await server.stop() == 0
        truth = await read(folder)
        print(json.dumps({"seed": seed, "seq": truth.head[0], **figures(story)}))
        judge(story, truth)
        await server.start()
        await badges_agree(clients, truth)


def figures(story: Story) -> dict[str, Any]:
    """What there was to judge."""
    return {
        "acknowledged": dict(Counter(done.verb for done in story.done)),
        "customers' messages": sum(story.said.values()),
        **story.counts,
    }


@pytest.mark.long
async def test_a_few_kills(tmp_path: Path) -> None:
    await run(tmp_path / "data", kills=3, each=1, seed=31)


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_a_hundred_kills(tmp_path: Path) -> None:
    await run(tmp_path / "data", kills=100, each=3, seed=random.SystemRandom().randrange(1 << 32))
