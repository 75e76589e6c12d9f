"""A receiver of webhooks on a real port, and nodes that tell it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.ports import on_port
from tests.served import Served, served
from tests.support import eventually

# Quick enough for tests; a lease is three times the timeout.
QUICK: dict[str, Any] = {
    "webhooks_private": True,
    "webhooks_first_pause_s": 0.02,
    "webhooks_longest_pause_s": 0.2,
    "webhooks_timeout_s": 1.0,
    "webhooks_sweep_s": 0.2,
}
# A webhook that is told of texts alone.
ONLY = {"events": ["message.received"]}
Json = dict[str, Any]
Decide = Callable[[Json], int | Response]


@dataclass
class Told:
    """One request, as it came."""

    id: str
    body: Json
    headers: dict[str, str]
    raw: bytes
    at_s: float = field(default_factory=time.monotonic)


class Receiver:
    """Answers 204, or what `decide(body)` says; keeps every request and what was accepted."""

    def __init__(self) -> None:
        self.url = ""
        self.port = 0
        self.decide: Decide = lambda _: 204
        self.takes_s = 0.0
        self.silent = asyncio.Event()
        self.silent.set()  # cleared: requests are read and left without an answer
        self.requests: list[Told] = []
        self.accepted: list[Told] = []
        self.under_way = 0
        self.most_at_once = 0

    async def take(self, request: Request) -> Response:
        raw = await request.body()
        told = Told(request.headers["webhook-id"], json.loads(raw), dict(request.headers), raw)
        self.requests.append(told)
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            await self.silent.wait()
            await asyncio.sleep(self.takes_s)
        finally:
            self.under_way -= 1
        answer = self.decide(told.body)
        given = answer if isinstance(answer, Response) else Response(status_code=answer)
        if given.status_code < 300:
            self.accepted.append(told)
        return given

    def types(self) -> list[str]:
        """Accepted events by name."""
        return [told.body["type"] for told in self.accepted]

    def texts(self) -> list[str]:
        """Accepted messages' texts."""
        found = [told.body.get("message") or {} for told in self.accepted]
        return [message["text"] for message in found if "text" in message]

    async def until(self, count: int, *, timeout_s: float = 30.0) -> list[Told]:
        """The accepted, once there are so many."""
        await eventually(
            lambda: len(self.accepted) >= count,
            timeout_s=timeout_s,
            what=f"{count} events, not {self.types()}",
        )
        return self.accepted

    async def until_tried(self, count: int) -> list[Told]:
        """The requests, once there are so many."""
        await eventually(lambda: len(self.requests) >= count, what=f"{count} requests")
        return self.requests


@asynccontextmanager
async def receiving(port: int = 0) -> AsyncIterator[Receiver]:
    """A receiver on a free port, or on this one again."""
    receiver = Receiver()
    app = Starlette(routes=[Route("/in", receiver.take, methods=["POST"])])
    async with on_port(app, port=port, timeout_graceful_shutdown=1) as receiver.port:
        receiver.url = f"http://127.0.0.1:{receiver.port}/in"
        try:
            yield receiver
        finally:
            receiver.silent.set()


@asynccontextmanager
async def telling(engine_url: str, prefix: str, **settings: Any) -> AsyncIterator[Served]:
    """A node that may reach the receiver."""
    async with served(engine_url, prefix, **{**QUICK, **settings}) as site:
        yield site


async def hook_on(site: Served, url: str, **more: Any) -> Json:
    """A webhook to the URL, with its secret."""
    answer = await site.call("admin", "POST", "/v1/admin/webhooks", {"url": url, **more})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def hooks_of(site: Served) -> list[Json]:
    """The webhooks as they are listed."""
    return list((await site.get("admin", "/v1/admin/webhooks"))["items"])


async def log_of(site: Served, hook: str, query: str = "") -> list[Json]:
    """Its deliveries, the newest first."""
    found = await site.get("admin", f"/v1/admin/webhooks/{hook}/deliveries{query}")
    return list(found["items"])


async def until_logged(
    site: Served, hook: str, holds: Callable[[list[Json]], bool], *, timeout_s: float = 30.0
) -> list[Json]:
    """The deliveries, once this holds of them."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = await log_of(site, hook, "?limit=200")
        if holds(found):
            return found
        assert time.monotonic() < deadline, found[:5]
        await asyncio.sleep(0.02)


def signatures(told: Told, *secrets: str) -> list[bool]:
    """Whether the request carries a right signature by each secret, as the specification has it.

    Written out here, with nothing of the server's.
    """
    signed = f"{told.id}.{told.headers['webhook-timestamp']}.".encode() + told.raw
    given = told.headers["webhook-signature"].split(" ")
    found = []
    for secret in secrets:
        key = base64.b64decode(secret.removeprefix("whsec_"))
        digest = hmac.new(key, signed, hashlib.sha256).digest()
        found.append("v1," + base64.b64encode(digest).decode() in given)
    return found


def customer(i: int) -> str:
    """One of many."""
    return f"+1416555{200 + i:04d}"


async def texts(site: Served, count: int, *, customers: int = 1, name: str = "m") -> list[str]:
    """Messages from customers in turn; returns their texts."""
    said = [f"{name}{i}" for i in range(count)]
    for i, text in enumerate(said):
        await site.texts(text, customer=customer(i % customers))
    return said


def under_way(site: Served, hook: str) -> bool:
    """Whether a turn of the webhook runs."""
    return any(turning == hook for turning, _ in site.node.hook_worker._turning)
