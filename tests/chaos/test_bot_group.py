"""Copies of a bot are killed and frozen under load: every message is answered once, in order."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.chaos.processes import Server, serving
from tests.served import SALES

SETTINGS: dict[str, Any] = {"commands_per_s": 2000, "commands_burst": 4000}
BOT = "agent1"


class Copies:
    """Processes of one bot."""

    def __init__(self, server: Server, token: str, folder: Path, *, lease_s: float) -> None:
        self.server, self.folder = server, folder
        self.running: list[asyncio.subprocess.Process] = []
        self._environment = {
            **os.environ,
            "BATONBOX_URL": server.url,
            "BATONBOX_TOKEN": token,
            "GROUP": "answers",
            "LEASE_S": str(lease_s),
        }
        self._started = 0

    async def start(self) -> None:
        """One more."""
        self._started += 1
        with (self.folder / f"bot{self._started}.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.chaos.group_bot", stdout=log, stderr=log,
                env={**self._environment, "NOTES": str(self.folder / f"bot{self._started}.txt")},
            )  # fmt: skip
        self.running.append(process)

    async def kill(self, process: asyncio.subprocess.Process) -> None:
        """SIGKILL."""
        self.running.remove(process)
        process.kill()
        await process.wait()

    async def stop(self) -> list[int]:
        """SIGTERM for all; their exit statuses."""
        for process in self.running:
            process.send_signal(signal.SIGTERM)
        return [await asyncio.wait_for(process.wait(), 20) for process in self.running]

    def kill_all(self) -> None:
        """Whatever became of the test."""
        for process in self.running:
            if process.returncode is None:
                process.kill()

    def notes(self) -> list[list[str]]:
        """What each copy began, one line per message."""
        files = [self.folder / f"bot{n + 1}.txt" for n in range(self._started)]
        return [file.read_text().splitlines() if file.exists() else [] for file in files]


class Town:
    """Customers who write, and their phones."""

    def __init__(self, url: str, token: str, customers: int) -> None:
        headers = {"authorization": f"Bearer {token}"}
        self._http = httpx2.AsyncClient(base_url=url, timeout=30, headers=headers)
        self.customers = [f"+1647{n:07}" for n in range(customers)]
        self.sent: Counter[str] = Counter()

    async def aclose(self) -> None:
        """No more requests."""
        await self._http.aclose()

    async def writes(self, customer: str, count: int, pause_s: float) -> None:
        """ "0", "1", ... one after the other, whether or not the server is there just now."""
        for _ in range(count):
            text = str(self.sent[customer])
            said = {"from": customer, "to": SALES, "text": text, "id": f"{customer}-{text}"}
            await self._asked("POST", "/v1/loopback/inbound", json=said)
            self.sent[customer] += 1
            await asyncio.sleep(random.uniform(0, 2 * pause_s))

    async def _asked(self, method: str, path: str, **more: Any) -> Any:
        while True:
            try:
                answer = await self._http.request(method, path, **more)
            except httpx2.HTTPError:
                answer = None
            if answer is not None and answer.status_code < 500:
                assert answer.is_success, answer.text
                return answer.json()
            await asyncio.sleep(0.05)

    async def phone(self, customer: str) -> list[str]:
        """What came."""
        found = await self._asked("GET", f"/v1/loopback/outbound?to=%2B{customer[1:]}")
        return [item["text"] for item in found["items"]]

    async def answered(self, timeout_s: float) -> None:
        """Every message has its answer, once and in order, on every phone."""
        async with asyncio.timeout(timeout_s):
            for customer in self.customers:
                wanted = [f"re {n}" for n in range(self.sent[customer])]
                while (found := await self.phone(customer)) != wanted:
                    assert found == wanted[: len(found)], f"{customer} got {found}"
                    await asyncio.sleep(0.05)


@asynccontextmanager
async def town_with_bots(
    folder: Path, *, customers: int, lease_s: float
) -> AsyncIterator[tuple[Town, Copies]]:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving(folder / "data", **SETTINGS))
        town = Town(server.url, await server.token(), customers)
        stack.push_async_callback(town.aclose)
        bots = Copies(server, await server.token(BOT), folder, lease_s=lease_s)
        stack.callback(bots.kill_all)
        for _ in range(3):
            await bots.start()
        await ready(town, bots)
        yield town, bots


async def ready(town: Town, bots: Copies) -> None:
    """Until each copy has answered somebody: a group that begins, does so at the log's end.

    Whose conversations a copy gets is chance: more customers come until each has one.
    """
    async with asyncio.timeout(30):
        while not all("ready as" in log.read_text() for log in bots.folder.glob("bot*.log")):
            await asyncio.sleep(0.02)
        while not all(bots.notes()):
            town.customers.append(f"+1647{len(town.customers):07}")
            await town.writes(town.customers[-1], 1, 0.05)


async def test_one_dies_and_one_freezes_and_every_message_is_answered_once_and_in_order(
    tmp_path: Path,
) -> None:
    async with town_with_bots(tmp_path, customers=12, lease_s=1.0) as (town, bots):
        async with asyncio.TaskGroup() as group:
            for customer in town.customers:
                group.create_task(town.writes(customer, 16, 0.1))
            await asyncio.sleep(0.4)
            await bots.kill(bots.running[0])
            frozen = bots.running[0]
            frozen.send_signal(signal.SIGSTOP)
            await asyncio.sleep(2.0)  # longer than its lease
            frozen.send_signal(signal.SIGCONT)
        await town.answered(timeout_s=20)
        assert await bots.stop() == [0, 0]
        again = Counter(line for notes in bots.notes() for line in notes)
        print(f"{again.total()} begun for {town.sent.total()}, by {[*map(len, bots.notes())]}")


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_five_thousand_messages_through_several_deaths(tmp_path: Path) -> None:
    rng = random.Random(5)
    async with town_with_bots(tmp_path, customers=50, lease_s=6.0) as (town, bots):
        async with asyncio.TaskGroup() as group:
            for customer in town.customers:
                group.create_task(town.writes(customer, 100, 0.6))
            for _ in range(4):
                await asyncio.sleep(rng.uniform(2, 6))
                await bots.kill(rng.choice(bots.running))
                await bots.start()
            frozen = rng.choice(bots.running)
            frozen.send_signal(signal.SIGSTOP)
            await asyncio.sleep(15)
            frozen.send_signal(signal.SIGCONT)
        await town.answered(timeout_s=120)
        assert town.sent.total() >= 5000
        assert await bots.stop() == [0, 0, 0]
        begun = Counter(line for notes in bots.notes() for line in notes)
        print(f"{begun.total()} begun for {town.sent.total()}, by {[*map(len, bots.notes())]}")


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_the_server_dies_and_its_engine_and_every_message_is_answered_once_all_the_same(
    tmp_path: Path,
) -> None:
    rng = random.Random(6)
    async with town_with_bots(tmp_path, customers=12, lease_s=2.0) as (town, bots):
        async with asyncio.TaskGroup() as group:
            for customer in town.customers:
                group.create_task(town.writes(customer, 40, 0.2))
            for _ in range(2):
                await asyncio.sleep(1.0)
                await bots.server.kill()
                await asyncio.sleep(rng.uniform(0, 3))
                await bots.server.start()
            bots.server.kill_engine()
            await asyncio.sleep(1.0)
            await bots.kill(bots.running[0])
        await town.answered(timeout_s=120)
        assert await bots.stop() == [0, 0]
