"""All that a server can be overrun with, at once: nobody else notices, and nothing of it stays."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import socket
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest

from batonbox._wire import Op
from batonbox.bench import (
    Address,
    Audience,
    Commander,
    Subscriber,
    open_all,
    open_one,
    raise_file_limit,
)
from tests.served import Served, served
from tests.support import eventually

from .attack import Attack, Raw, Sizes
from .processes import serving

INBOX: Final = "sales"
AT_ONCE: Final = 8
TEXT: Final = "x" * 1500
# Short, so that what is cut is cut soon; the rates are those of a test that signs in by hundreds.
SETTINGS: Final[dict[str, Any]] = {
    "hello_timeout_s": 2.0,
    "http_timeout_s": 2.0,
    "write_timeout_s": 2.0,
    "ping_s": 600.0,  # or who stalls would be closed for that
    "connections_per_user": 20_000,
    "commands_per_s": 10_000.0,
    "commands_burst": 10_000,
    "handshakes_per_s": 2000.0,
}
SMALL: Final = Sizes(stalled=6, strangers=250, dripping=30, bombs=1, subscriptions=2000)
PARTS: Final = {"Connection", "WebSocketTransport", "BoundedHTTP", "Upgrade", "Session", "Viewer"}
LARGE: Final = Sizes(stalled=50, strangers=5000, dripping=600, bombs=4, subscriptions=10_000)


class Office:
    """Members who read what comes, and one who writes."""

    def __init__(self, agent: Commander, audience: Audience, conv: str) -> None:
        self.agent, self.audience, self._conv = agent, audience, conv
        self._name = uuid.uuid4().hex
        self._number = 0
        self._top = 0

    async def write(self, seconds: float, *, pause_s: float) -> list[float]:
        """Notes, each after the answer to the one before; what each took, ascending."""
        took: list[float] = []
        end_s = time.perf_counter() + seconds
        while time.perf_counter() < end_s:
            self._number += 1
            began_s = time.perf_counter()
            args = {"conv": self._conv, "text": TEXT, "cid": f"{self._name}.{self._number}"}
            done = await self.agent.ask(Op.CMD, "note", args)
            took.append(time.perf_counter() - began_s)
            self._top = max(self._top, done["seq"])
            await asyncio.sleep(pause_s)
        return sorted(took)

    async def write_many(self, count: int) -> None:
        """Long notes of many words, several at once."""
        chance = random.Random(count)
        words = [f"{chance.randrange(16**5):x}" for _ in range(5000)]

        async def some(number: int) -> None:
            for _ in range(number):
                text = " ".join(chance.choices(words, k=400))[:1500]
                self._number += 1
                args = {"conv": self._conv, "text": text, "cid": f"{self._name}.{self._number}"}
                done = await self.agent.ask(Op.CMD, "note", args)
                self._top = max(self._top, done["seq"])

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(some(count // AT_ONCE))

    async def right(self) -> None:
        """Everybody is there, and got everything once and in order."""
        assert await self.audience.until({INBOX: self._top}, timeout_s=60)
        account = self.audience.account({INBOX: self._top})
        assert account.right, account


@asynccontextmanager
async def office(url: str, token: str, readers: int, *, admin: str) -> AsyncIterator[Office]:
    address, audience = Address.of(url), Audience()
    headers = {"authorization": f"Bearer {admin}"}
    async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=10) as http:
        body = {"from": "+14165550142", "to": "+14165550100", "text": "hello"}
        conv = (await http.post("/v1/loopback/inbound", json=body)).json()["conv"]
    agent = await open_one(lambda: Commander(address, token))
    audience.members = await open_all(
        lambda _: Subscriber(address, token, [INBOX], audience), readers
    )
    try:
        yield Office(agent, audience, conv)
    finally:
        for link in (agent, *audience.members):
            link.cut()


async def cycle(
    they: Office,
    attack: Attack,
    *,
    seconds: float,
    pause_s: float,
    begun: Callable[[], None] = lambda: None,
) -> None:
    """The attack, while members go on; until the stalled have been closed, too.

    `begun` is called once those who will stall are there.
    """
    stalled: list[Raw] = await attack.stall()
    begun()
    async with asyncio.TaskGroup() as group:
        group.create_task(attack.all())
        group.create_task(they.write(seconds, pause_s=pause_s))
    while not all(one.ended.is_set() for one in stalled):
        await they.write(1.0, pause_s=pause_s)
        for one in stalled:  # those whose end nobody reads
            if not one.transport.is_reading() and not one.transport.is_closing():
                one.transport.write(b"\x8a\x80\0\0\0\0")
    await they.right()


async def test_nobody_else_notices_and_no_task_or_connection_stays(
    engine_url: str, prefix: str
) -> None:
    soon = dict.fromkeys(("hello_timeout_s", "http_timeout_s", "write_timeout_s"), 1.0)
    settings = {**SETTINGS, **soon, "handshakes_pending_max": 100}
    async with served(engine_url, prefix, **settings) as site:
        shedder = site.node.shedder
        most = 0

        async def look() -> None:
            nonlocal most
            while True:
                most = max(most, shedder.crowd.pending)
                await asyncio.sleep(0.01)

        token, admin = await site.token("agent1"), await site.token("admin")
        async with office(site.url, token, 30, admin=admin) as they:
            attack = Attack(site.port, token, SMALL, INBOX)
            looking = asyncio.get_running_loop().create_task(look())
            await eventually(lambda: shedder.crowd.connections == 31)
            before, alive = tasks_of(site), objects()
            await cycle(they, attack, seconds=2.0, pause_s=0.01, begun=lambda: narrow(site))
            looking.cancel()
            assert 50 < most <= 100
            assert attack.answers["101"] + attack.answers["503"] == SMALL.strangers
            assert attack.answers["503"] > 0
            await eventually(lambda: shedder.crowd.connections == 31, timeout_s=60)
            await eventually(lambda: tasks_of(site) <= before, timeout_s=60)
            await eventually(lambda: objects() == alive, timeout_s=60)
            assert shedder.crowd.pending == 0
            assert shedder.counts["http_cut"] >= SMALL.dripping


def narrow(site: Served) -> None:
    """The system takes little for who does not read, so that they stall soon."""
    for connection in site.node.pump.connections:
        transport: Any = connection._transport
        sock = transport._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)


def tasks_of(site: Served) -> int:
    """Tasks of the node that end by themselves."""
    return len(site.node.pump.tasks) + len(site.node.hub._reads.tasks)


def objects() -> Counter[str]:
    """What connections are made of."""
    gc.collect()
    return Counter(name for found in gc.get_objects() if (name := type(found).__name__) in PARTS)


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_the_full_crowd_three_times_leaves_memory_and_files_as_they_were(
    tmp_path: Path,
) -> None:
    raise_file_limit()
    # A ring that is full at once: it is to grow by what is written, up to its bound.
    settings = {**SETTINGS, "handshakes_pending_max": 1000, "ring_bytes": 1 << 18}
    sizes: list[int] = []
    async with serving(tmp_path / "data", **settings) as server:
        token, admin = await server.token("agent1"), await server.token("admin")
        async with office(server.url, token, 450, admin=admin) as they:
            attack = Attack(server.port, token, LARGE, INBOX)
            files = open_files(server.process.pid)
            await cycle(they, attack, seconds=15.0, pause_s=0.05)
            # Nothing is written meanwhile: texts fill the caches of the archive and the index.
            for _ in range(3):
                await attack.all()
                await eventually(
                    lambda: open_files(server.process.pid) <= files + 2,
                    timeout_s=120,
                    what="the files' end",
                )
                sizes.append(resident(server.process.pid))
                print(f"RSS {sizes[-1] / (1 << 20):.1f} MB; {attack.answers}", flush=True)
            await they.right()
            assert attack.answers["503"] > 1000
            assert b"Traceback" not in server.log.read_bytes()
    assert sizes[2] <= 1.05 * sizes[0], sizes


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_memory_levels_off_while_members_write_under_attack(tmp_path: Path) -> None:
    raise_file_limit()
    sizes: list[int] = []
    async with serving(tmp_path / "data", **SETTINGS, ring_bytes=1 << 18) as server:
        token, admin = await server.token("agent1"), await server.token("admin")
        async with office(server.url, token, 30, admin=admin) as they:
            attack = Attack(server.port, token, SMALL, INBOX)
            files = open_files(server.process.pid)
            # The first fills what is bounded: the index's cache (32 MB) has all its pages by then.
            for count in (10_000, 3000, 3000):
                async with asyncio.TaskGroup() as group:
                    group.create_task(attack.all())
                    group.create_task(they.write_many(count))
                await eventually(lambda: open_files(server.process.pid) <= files + 2, timeout_s=120)
                sizes.append(resident(server.process.pid))
                print(f"RSS {sizes[-1] / (1 << 20):.1f} MB after {count} more", flush=True)
            await they.right()
    assert sizes[2] <= 1.05 * sizes[0], sizes


def open_files(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
