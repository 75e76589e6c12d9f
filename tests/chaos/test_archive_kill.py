"""Server, engine or archive are killed while messages move: none is lost, none is doubled."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

import httpx2
import pytest

from batonbox_server.tasks import cancel_all, spawn
from tests.chaos.processes import Server
from tests.postgres import Cluster, cluster
from tests.served import SALES

Messages: TypeAlias = dict[int, str]
CUSTOMERS: Final = 6
WITHIN_S: Final = 40.0
# Everything that may leave leaves, as soon as it may.
EAGER: Final = {
    "archive_keep_messages": 2,
    "archive_done_days": 0,
    "archive_sweep_s": 0.01,
    "job_lease_s": 0.3,
    "commands_per_s": 10_000,
    "commands_burst": 10_000,
    "outbox_sweep_s": 5,
}


@dataclass(slots=True)
class Desk:
    """Agent1 at work with every customer, and what was acknowledged: by conversation, by number."""

    server: Server
    http: httpx2.AsyncClient
    tokens: dict[str, str] = field(default_factory=dict)
    kept: dict[str, Messages] = field(default_factory=dict)
    keys: Iterator[int] = field(default_factory=itertools.count)
    closing: bool = False

    async def ask(self, user: str, method: str, path: str, body: Any = None) -> Any:
        """One request under one key, sent again until it is answered."""
        headers = {"authorization": f"Bearer {self.tokens[user]}"}
        headers["idempotency-key"] = f"k{next(self.keys)}"
        deadline_s = time.monotonic() + WITHIN_S
        while time.monotonic() < deadline_s:
            try:
                answer = await self.http.request(method, path, json=body, headers=headers)
            except httpx2.HTTPError:
                answer = None
            if answer is not None and answer.status_code < 500:
                assert answer.is_success, (path, answer.text)
                return answer.json()
            await asyncio.sleep(0.02)
        raise AssertionError(f"{path} was never answered")

    async def serve(self, customer: int) -> None:
        """Until closing: they write, twice; agent1 takes it, writes two notes and is done."""
        sender = f"+1905555{customer:04d}"
        for turn in itertools.count():
            if self.closing:
                return
            for part in "ab":
                text = f"{customer} {turn}{part}"
                given = {"from": sender, "to": SALES, "text": text, "id": f"in {text}"}
                place = await self.ask("admin", "POST", "/v1/loopback/inbound", given)
                self.keep(place, text)
            conv = f"/v1/conversations/{place['conv']}"
            taken = await self.ask("agent1", "POST", f"{conv}/assign", {})
            for part in "cd":
                text = f"{customer} {turn}{part}"
                self.keep(await self.ask("agent1", "POST", f"{conv}/note", {"text": text}), text)
            done = {"own_tok": taken["own_tok"]}
            await self.ask("agent1", "POST", f"{conv}/done", done)

    def keep(self, place: dict[str, Any], text: str) -> None:
        """What an answer promised."""
        self.kept.setdefault(place["conv"], {})[place["n"]] = text

    async def read(self, conv: str) -> list[dict[str, Any]]:
        """All of a conversation, in pages that end anywhere."""
        found: list[dict[str, Any]] = []
        before = 0
        while True:
            page = await self.ask(
                "admin", "GET", f"/v1/conversations/{conv}/messages?limit=17&before={before}"
            )
            found = page["items"] + found
            if not page["next"]:
                return found
            before = page["next"]

    async def proof(self) -> str:
        """A hash over everything that can be read, once it is what was acknowledged."""
        told = hashlib.sha256()
        for conv in sorted(self.kept):
            messages = await self.read(conv)
            assert [m["n"] for m in messages] == list(range(1, len(messages) + 1)), conv
            texts = {m["n"]: m["body"]["text"] for m in messages if "text" in (m["body"] or {})}
            promised = self.kept[conv]
            assert {n: texts.get(n) for n in promised} == promised, "an acknowledged one is lost"
            assert len(set(texts.values())) == len(texts), "one is doubled"
            told.update(json.dumps(messages, sort_keys=True).encode())
        return told.hexdigest()

    async def status(self) -> dict[str, Any]:
        """As an operator asks for it."""
        asked = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "batonbox_server", "archive", "status", "--json",
            env=self.server.environment, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, _ = await asyncio.wait_for(asked.communicate(), 30)
        told: dict[str, Any] = json.loads(out)
        return told


@asynccontextmanager
async def desk(folder: Path, **settings: Any) -> AsyncIterator[Desk]:
    """A server whose archive is eager, and the desk."""
    server = Server(folder, **{**EAGER, **settings})
    await server.start()
    try:
        async with httpx2.AsyncClient(base_url=server.url, timeout=5) as http:
            it = Desk(server, http)
            it.tokens = {user: await server.token(user) for user in ("admin", "agent1")}
            yield it
    finally:
        await server.stop()


async def strike(desk: Desk, whom: str, base: Cluster | None) -> None:
    """One death, and everything up again."""
    if whom == "engine":
        desk.server.kill_engine()
    elif whom == "archive":
        assert base is not None
        await asyncio.to_thread(base.end, signal.SIGQUIT)
        await asyncio.to_thread(base.start)
    else:
        await desk.server.kill()
        await desk.server.start()
    await desk.server.ready()


async def survive(
    desk: Desk, *, kills: int, whom: tuple[str, ...], base: Cluster | None = None
) -> None:
    """Customers write, things move, `kills` deaths come at random moments; then everything is read.

    It is read twice: with deaths between, while nobody writes.
    """
    rng = random.Random(35)
    tasks: set[asyncio.Task[Any]] = set()
    serving = [
        spawn(tasks, desk.serve(customer), name=f"customer {customer}")
        for customer in range(CUSTOMERS)
    ]
    struck = 0
    try:
        while struck < kills:
            await asyncio.sleep(rng.uniform(0.05, 0.5))
            await strike(desk, whom[struck % len(whom)], base)
            struck += 1
            assert not any(task.done() for task in serving), [t for t in serving if t.done()]
        desk.closing = True
        await asyncio.wait_for(asyncio.gather(*serving), WITHIN_S)
    finally:
        await cancel_all(tasks)
    first = await desk.proof()
    await strike(desk, whom[0], base)
    assert await desk.proof() == first
    count = sum(len(kept) for kept in desk.kept.values())
    status = await desk.status()
    print(json.dumps({"kills": struck, "whom": whom, "messages": count, **status}))
    assert count > 4 * CUSTOMERS, "hardly anything was written"
    assert status["lines"] > count / 2, "hardly anything moved"


@pytest.fixture
def own_postgres() -> Iterator[Cluster]:
    """A cluster that a test may kill."""
    with cluster() as it:
        yield it


async def test_nothing_is_lost_or_doubled_when_server_or_engine_are_killed(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path / "data") as it:
        await survive(it, kills=3, whom=("server", "engine"))


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_nothing_is_lost_or_doubled_through_many_kills(tmp_path: Path) -> None:
    async with desk(tmp_path / "data") as it:
        await survive(it, kills=100, whom=("server", "engine"))


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_nothing_is_lost_or_doubled_when_postgresql_is_killed_too(
    tmp_path: Path, own_postgres: Cluster
) -> None:

    async with desk(tmp_path / "data", archive_url=own_postgres.url()) as it:
        await survive(it, kills=30, whom=("archive", "server", "engine"), base=own_postgres)
