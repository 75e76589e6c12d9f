"""Whole nodes on a real engine and a real port, in this process; and people who use them."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx2

from batonbox import Backoff, Client
from batonbox_server import demo
from batonbox_server.asgi.http_bounds import bounded
from batonbox_server.config import Settings
from batonbox_server.node import Node
from batonbox_server.tls import trusting
from tests.ports import on_port
from tests.relay import Balancer, relaying

SALES, SUPPORT = "+14165550100", "+14165550101"
CUSTOMER = "+14165550142"


class Served:
    """A node, and shortcuts to it; `kept_alive` connections at most, None: any number."""

    def __init__(self, node: Node, port: int, *, kept_alive: int | None = None) -> None:
        self.node = node
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        limits = httpx2.Limits(max_keepalive_connections=kept_alive)
        self.http = httpx2.AsyncClient(
            base_url=self.url, timeout=10, limits=limits, verify=trusting()
        )
        self._tokens: dict[str, str] = {}

    async def token(self, user: str, **limits: int) -> str:
        """An API token of the user; the same one each time unless limits are asked for."""
        if user not in self._tokens or limits:
            _, secret = await self.node.identity.make_token(user=user, limits=limits)
            self._tokens[user] = secret
        return self._tokens[user]

    async def call(
        self, user: str, method: str, path: str, body: Any = None, **headers: str
    ) -> httpx2.Response:
        """One HTTP request as `user`; underscores in header names stand for dashes."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if user:
            given["authorization"] = f"Bearer {await self.token(user)}"
        return await self.http.request(method, path, json=body, headers=given)

    async def get(self, user: str, path: str) -> Any:
        """A GET that succeeds, decoded."""
        answer = await self.call(user, "GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def act(self, user: str, conv: str, verb: str, **body: Any) -> httpx2.Response:
        """A conversation command."""
        return await self.call(user, "POST", f"/v1/conversations/{conv}/{verb}", body)

    async def texts(self, text: str, *, to: str = SALES, customer: str = CUSTOMER) -> str:
        """The customer texts; returns the conversation."""
        body = {"from": customer, "to": to, "text": text}
        answer = await self.call("admin", "POST", "/v1/loopback/inbound", body)
        assert answer.is_success, answer.text
        return str(answer.json()["conv"])

    async def phone(self, customer: str = CUSTOMER) -> list[str]:
        """Texts on the customer's phone."""
        found = await self.call(
            "admin", "GET", f"/v1/loopback/outbound?to={customer.replace('+', '%2B')}"
        )
        return [item["text"] for item in found.json()["items"]]

    async def phone_with(self, count: int, customer: str = CUSTOMER) -> list[str]:
        """The phone's texts, once there are so many."""
        for _ in range(1000):
            found = await self.phone(customer)
            if len(found) >= count:
                return found
            await asyncio.sleep(0.01)
        raise AssertionError(f"{count} messages never came, only {found}")

    async def sdk(self, user: str, **more: Any) -> Client:
        """A client of the SDK, not yet entered."""
        return Client(self.url, await self.token(user), backoff=Backoff(0.05, 0.5), **more)


@asynccontextmanager
async def served(
    engine_url: str,
    space: str,
    *,
    as_demo: bool = False,
    empty: bool = False,
    port: int = 0,
    nodes: int = 1,
    **settings: Any,
) -> AsyncIterator[Served]:
    """A node on a free port (or this one), with the demo organisation unless `empty`.

    `as_demo`: as `serve --demo` has it. `nodes`: so many, behind a balancer that gives each
    connection, and so each request, to the next of them; `node` is the first.
    """
    folder = tempfile.mkdtemp(prefix="batonbox-")
    given = {"check_interval_s": 0.5, "outbox_sweep_s": 0.2, "commands_per_s": 1000.0,
             "commands_burst": 1000, "requests_per_s": 0.0, "requests_address_per_s": 0.0,
             "data_dir": folder, **settings}  # fmt: skip
    of = Settings(redis_url=engine_url, key_space=space, port=0, **given)
    at = 0 if nodes > 1 else port
    try:
        async with AsyncExitStack() as stack:
            there = [
                await stack.enter_async_context(_serving(of, as_demo=as_demo, port=at))
                for _ in range(nodes)
            ]
            node, at = there[0]
            if not empty:
                await demo.seed(node)
            if nodes > 1:
                balancer = Balancer([inner for _, inner in there])
                at = await stack.enter_async_context(relaying(balancer, port=port))
            it = Served(node, at, kept_alive=0 if nodes > 1 else None)
            async with it.http:
                yield it
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def _serving(
    settings: Settings, *, as_demo: bool, port: int
) -> AsyncIterator[tuple[Node, int]]:
    node = Node(settings, demo=as_demo)
    await node.open()
    try:
        kept_s = settings.http_keep_alive_s
        http = bounded(node.shedder, timeout_s=settings.http_timeout_s)
        async with on_port(node.app, port=port, http=http, timeout_keep_alive=kept_s) as at:
            try:
                yield node, at
            finally:
                await node.drain(within_s=0.0)
    finally:
        await node.close()
