"""200 agents want every customer at the same moment: one of them gets each, and only one.

    BATONBOX_TOKEN=... python race.py [AGENTS]      # an admin's, of a server with simulated phones

Makes agents and an inbox for them, and removes them in the end. `batonbox race` is the same with
faults in view: it goes on through restarts of the server, and compares everything with its log.
"""

import asyncio
import contextlib
import json
import os
import random
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import batonbox

CUSTOMERS = 10
URL = os.environ.get("BATONBOX_URL", "http://127.0.0.1:8080")
TOKEN = os.environ.get("BATONBOX_TOKEN", "")
INBOX = f"race-{uuid.uuid4().hex[:8]}"
NUMBER = f"+1{random.randrange(201, 999)}5550199"  # fictional, as those of the customers

A = TypeVar("A")
B = TypeVar("B")


async def main(count: int) -> bool:
    """Whether each customer got one agent."""
    agents = [f"{INBOX}-{n}" for n in range(count)]
    try:
        await each(agents, lambda a: api("POST", "/v1/admin/users", {"id": a, "name": a}))
        made = {"id": INBOX, "name": INBOX, "members": agents, "numbers": [NUMBER]}
        await api("POST", "/v1/admin/inboxes", made)
        async with AsyncExitStack() as stack:
            clients = await each(agents, signed_in)
            streams = await each(clients, lambda client: following(client, stack))
            return await race(clients, streams)
    finally:
        await removed(f"/v1/admin/inboxes/{INBOX}")
        await each([f"/v1/admin/users/{agent}" for agent in agents], removed)


async def race(clients: list[batonbox.Client], streams: list[batonbox.EventStream]) -> bool:
    winners: dict[str, list[str]] = defaultdict(list)

    async def agent(client: batonbox.Client, stream: batonbox.EventStream) -> None:
        for _ in range(CUSTOMERS):
            event = await anext(stream)
            assert isinstance(event, batonbox.MessageReceived), event
            if await event.conversation.try_claim():
                winners[event.conversation.id].append(client.user.id)

    began_s = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for client, stream in zip(clients, streams, strict=True):
            group.create_task(agent(client, stream))
        await each(range(CUSTOMERS), customer_writes)
    print(f"{len(clients) * CUSTOMERS} claims in {time.perf_counter() - began_s:.1f} s")

    fair = len(winners) == CUSTOMERS
    for conv, won in winners.items():
        conversation = await clients[0].conversation(conv)
        owners = [m.actor for m in await conversation.history() if m.kind == "assigned"]
        fair &= won == owners == [conversation.now.assignee]
        print(f"{conv}: {', '.join(won)}")
    print("one winner each" if fair else "NOT one winner each")
    return fair


async def signed_in(agent: str) -> batonbox.Client:
    made = await api("POST", f"/v1/admin/users/{agent}/tokens", {"label": "race"})
    return batonbox.Client(URL, made["token"], timeout_s=60)


async def following(client: batonbox.Client, stack: AsyncExitStack) -> batonbox.EventStream:
    await stack.enter_async_context(client)
    events = client.events(batonbox.MessageReceived, inbox=INBOX)
    return await stack.enter_async_context(events)


async def customer_writes(number: int) -> None:
    message = {"from": f"+12025550{100 + number}", "to": NUMBER, "text": "Is anybody there?"}
    await api("POST", "/v1/loopback/inbound", message)


async def each(items: Iterable[A], work: Callable[[A], Awaitable[B]]) -> list[B]:
    """In order; sixteen at a time."""
    gate = asyncio.Semaphore(16)

    async def one(item: A) -> B:
        async with gate:
            return await work(item)

    results = await asyncio.gather(*(one(item) for item in items), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results  # type: ignore[return-value]


async def removed(path: str) -> None:
    with contextlib.suppress(RefusedError):  # it was not made, then
        await api("DELETE", path)


async def api(method: str, path: str, body: object = None) -> Any:
    return await asyncio.to_thread(ask, method, path, body)


def ask(method: str, path: str, body: object) -> Any:
    """What administration takes is HTTP; see docs/rest.md."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(URL + path, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            answer = response.read()
            return json.loads(answer) if answer else None
    except urllib.error.HTTPError as error:
        raise RefusedError(f"{method} {path}: {error.read().decode()}") from None
    except OSError as error:
        raise RefusedError(f"cannot reach {URL}: {error}") from None


class RefusedError(Exception):
    """A request had no effect; says why."""


if __name__ == "__main__":
    if not TOKEN:
        sys.exit("set BATONBOX_TOKEN: batonbox-server token ADMIN makes one")
    try:
        sys.exit(not asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)))
    except (RefusedError, batonbox.BatonboxError) as error:
        sys.exit(str(error))
