"""The client against the real websocket server on a real engine."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any, ClassVar

import pytest

from batonbox import Backoff, Client, LogEvent, MessageReceived, Resync
from batonbox_server.store.connect import EngineClient
from batonbox_server.store.keys import Keys
from tests.integration.socket_harness import Node, People, running
from tests.served import served
from tests.support import eventually

USERS = [f"agent{number}" for number in range(12)]


class Directory(People):
    """With the organisation's state as the service shows it."""

    def state_for(self, user: str) -> dict[str, Any]:
        inboxes = [{"id": name, "members": USERS} for name in sorted(self.inboxes_of(user))]
        return {"user": {"id": user, "role": "member"}, "inboxes": inboxes}


@pytest.fixture
async def node(engine_url: str, client: EngineClient, prefix: str) -> AsyncIterator[Node]:
    async with running(Node(engine_url, client, Keys(prefix), Directory())) as node:
        await node.join("box", *USERS)
        yield node


class Steady(Backoff):
    """Long enough away for a message to be missed."""

    def delay_s(
        self, failures: int, draw: Callable[[], float] = random.random, **_: float
    ) -> float:
        return 0.05 + 0.0 * failures * draw()


class Noting(Backoff):
    """What the server asked for before each attempt: over how long to spread, when to come back."""

    asked: ClassVar[list[dict[str, float]]] = []

    def delay_s(
        self, failures: int, draw: Callable[[], float] = random.random, **asked: float
    ) -> float:
        self.asked.append(asked)
        return 0.05 + 0.0 * failures * draw()


def sdk(node: Node, user: str, **more: Any) -> Client:
    url = f"http://127.0.0.1:{node.port}"
    return Client(url, f"tok-{user}", backoff=Steady(), **more)


async def test_of_all_agents_one_gets_the_conversation_and_all_others_hear_who(node: Node) -> None:
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(sdk(node, user)) for user in USERS]
        conv = await node.receive("box")
        handles = [await client.conversation(conv) for client in clients]
        won = await asyncio.gather(*(handle.try_claim() for handle in handles))
        assert won.count(True) == 1
        winner = USERS[won.index(True)]
        assert {handle.now.assignee for handle in handles} == {winner}
        listed = [c.id async for c in clients[0].conversations(inbox="box", view="unassigned")]
        assert listed == []


async def test_a_client_comes_back_when_the_server_asks_it_to(engine_url: str, prefix: str) -> None:
    Noting.asked.clear()
    async with served(engine_url, prefix, connections_max=1, handshakes_per_s=10.0) as site:
        token = await site.token("agent1")
        first, second = (Client(site.url, token, backoff=Noting()) for _ in range(2))
        async with asyncio.TaskGroup() as group:
            await first.__aenter__()
            group.create_task(second.__aenter__())
            await eventually(lambda: Noting.asked)
            assert Noting.asked[0]["after_s"] >= 1  # Retry-After: the server is full
            first._connection.drop()
            await eventually(lambda: {"spread_s": 0.1} in Noting.asked)  # one of ten a second
            await first.aclose()
        await second.aclose()


@pytest.mark.parametrize("codec", ["msgpack", "json"])
async def test_badges_and_events_arrive(node: Node, codec: str) -> None:
    async with (
        sdk(node, "agent0", codec=codec) as client,
        client.events(MessageReceived, inbox="box") as events,
    ):
        await node.receive("box")
        async with asyncio.timeout(10):
            event = await anext(events)
            assert isinstance(event, MessageReceived)
            assert (event.text, event.row.status) == ("hello", "unassigned")
            async for badge in client.badges():
                if badge.blue == 1:
                    break
        assert event.conversation.seen()
        await eventually(lambda: client._in.badges["box"].blue == 0, what="the cleared badge")


async def test_links_that_break_all_the_time_lose_and_double_nothing(node: Node) -> None:
    async with sdk(node, "agent0") as client, client.events(inbox="box") as events:
        seen: list[int] = []

        async def collect() -> None:
            async for event in events:
                assert not isinstance(event, Resync)
                assert isinstance(event, LogEvent)
                seen.append(event.seq)

        async def disturb() -> None:
            for number in range(60):
                if number % 6 == 0:
                    await eventually(lambda: client.state == "connected")
                    client._connection.last_error = None
                    client._connection.drop()
                    await eventually(lambda: client._connection.last_error is not None)
                await node.receive("box", f"+155502{number:02}")

        async with asyncio.TaskGroup() as group:
            collecting = group.create_task(collect())
            await group.create_task(disturb())
            await eventually(lambda: len(seen) == 60, what="every event")
            collecting.cancel()
        assert seen == list(range(seen[0], seen[0] + 60))
