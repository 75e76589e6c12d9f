"""Two server processes on one engine whose pub/sub connections keep dying."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from batonbox import Backoff, Client, LogEvent, Resync
from batonbox_server.engine import EmbeddedEngine
from batonbox_server.store.connect import EngineClient
from batonbox_server.store.keys import Keys
from batonbox_server.store.redis import RedisStore
from tests.chaos.processes import Server, serving
from tests.support import eventually

LOG = Keys().inbox("sales")
USERS = ("admin", "agent1", "agent2", "agent3")


class Listener:
    """A client that remembers every position it applied."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.start = 0
        self.seqs: list[int] = []
        self.resyncs: list[str] = []

    def following(self) -> bool:
        """Whether it stands somewhere in Sales."""
        return self.client.position("sales") is not None

    async def run(self) -> None:
        """Follow Sales until cancelled."""
        async with self.client.events(LogEvent, Resync, inbox="sales") as stream:
            async for event in stream:
                if isinstance(event, Resync):
                    self.resyncs.append(event.reason)
                elif isinstance(event, LogEvent):
                    self.seqs.append(event.seq)


@asynccontextmanager
async def listening(servers: list[Server], count: int) -> AsyncIterator[list[Listener]]:
    """`count` clients over the servers in turn, each following Sales."""
    tokens = {user: await servers[0].token(user) for user in USERS}
    async with AsyncExitStack() as stack:
        listeners = []
        for number in range(count):
            url, user = servers[number % len(servers)].url, USERS[number % len(USERS)]
            client = Client(url, tokens[user], backoff=Backoff(0.05, 1.0), timeout_s=30)
            listeners.append(Listener(await stack.enter_async_context(client)))
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(listener.run()) for listener in listeners]
        try:
            for listener in listeners:
                await eventually(listener.following)
                position = listener.client.position("sales")
                listener.start = position.seq if position else 0
            yield listeners
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def publish(server: Server, *, for_s: float, per_s: float) -> int:
    """Customers text all the while; returns how many messages there were."""
    token = await server.token("admin")
    sent = 0
    loop = asyncio.get_running_loop()
    end_s = loop.time() + for_s
    async with httpx2.AsyncClient(headers={"authorization": f"Bearer {token}"}) as http:
        while loop.time() < end_s:
            body = {"from": f"+1416555{sent % 50 + 1000}", "to": "+14165550100", "text": f"{sent}"}
            answer = await http.post(f"{server.url}/v1/loopback/inbound", json=body)
            assert answer.is_success, answer.text
            sent += 1
            await asyncio.sleep(1 / per_s)
    return sent


async def kill_channels(client: EngineClient, killed: list[int]) -> None:
    """Every 100 ms."""
    while True:
        killed.append(await client.execute("CLIENT", "KILL", "TYPE", "pubsub"))
        await asyncio.sleep(0.1)


async def run(tmp_path: Path, engine: EmbeddedEngine, *, clients: int, for_s: float) -> None:
    """The whole of it, small or large."""
    settings = {
        "redis_url": engine.url,
        "connections_per_user": clients,
        "check_interval_s": 1,
        "commands_per_s": 1000,
    }
    killer = EngineClient(engine.url)
    await killer.connect()
    store = RedisStore(killer, keys=Keys())
    killed: list[int] = []
    async with (
        serving(tmp_path / "east", **settings) as east,
        serving(tmp_path / "west", **settings) as west,
        listening([east, west], clients) as listeners,
    ):
        killing = asyncio.get_running_loop().create_task(kill_channels(killer, killed))
        sent = await publish(east, for_s=for_s, per_s=20)
        killing.cancel()
        head = await store.head(log=LOG)

        def behind() -> int:
            tops = [listener.client.position("sales") for listener in listeners]
            return sum(top is None or (top.seq, top.tip) != (head.seq, head.tip) for top in tops)

        # I15: once faults stop, everybody reaches the top tip within ten seconds.
        await eventually(lambda: behind() == 0, timeout_s=10, what="everybody at the top tip")
        await eventually(lambda: all(at.seqs and at.seqs[-1] == head.seq for at in listeners))
        # I4: no gap, no duplicate.
        for listener in listeners:
            assert listener.seqs == list(range(listener.start + 1, head.seq + 1))
            assert listener.resyncs == []
        print(f"{clients} clients, {sent} messages, {sum(killed)} channels killed, seq {head.seq}")
        assert sum(killed) > for_s * 5
        assert sent > for_s * 5
    await killer.aclose()


async def test_everybody_ends_at_the_top_tip(tmp_path: Path, engine: EmbeddedEngine) -> None:
    await run(tmp_path, engine, clients=60, for_s=4)


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_five_hundred_end_at_the_top_tip(tmp_path: Path, engine: EmbeddedEngine) -> None:
    await run(tmp_path, engine, clients=500, for_s=30)
