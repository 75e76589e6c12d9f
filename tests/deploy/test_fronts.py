"""deploy/nginx and deploy/caddy as they are, run for real, with people behind them."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import httpx2
import pytest

from batonbox import Backoff, Client, MessageReceived, Resync
from batonbox_server.config import Settings
from tests.ports import kept_port
from tests.served import Served, served
from tests.support import eventually

from .fronts import CADDY, FRONTS, NGINX, Front

# What the server tells a client of its own making, to tell it from nginx's.
FOREIGN: Final = "203.0.113.77"


class Site:
    """A node behind a proxy; it may go and come back on its port."""

    front: Front
    http: httpx2.AsyncClient

    def __init__(self, engine_url: str, port: int) -> None:
        self._engine_url = engine_url
        self._space = f"n{uuid.uuid4().hex[:8]}"
        self._port = port
        self._stack = AsyncExitStack()
        self.node: Served

    def behind(self, front: Front) -> httpx2.AsyncClient:
        """From now on it is reached through this one, by this client."""
        self.front = front
        tls = ssl.create_default_context(cafile=str(front.trusted))
        self.http = httpx2.AsyncClient(base_url=front.url, verify=tls, timeout=20)
        return self.http

    async def start(self) -> None:
        """The node, with the demo organisation."""
        site = served(self._engine_url, self._space, port=self._port, empty=hasattr(self, "node"))
        self.node = await self._stack.enter_async_context(site)

    async def reached(self) -> None:
        """Until somebody is let through."""
        for _ in range(1000):  # a proxy that asks for its health looks again within seconds
            if (await self.http.get("/livez")).status_code == 200:
                return
            await asyncio.sleep(0.01)
        raise AssertionError("the proxy never let anybody through")

    async def stop(self) -> None:
        """It drains and ends."""
        await self._stack.aclose()

    async def client(self, user: str) -> Client:
        """Of the SDK, through the proxy."""
        return Client(self.front.url, await self.node.token(user), backoff=Backoff(0.02, 0.1))


@pytest.fixture(params=FRONTS)
async def site(
    request: pytest.FixtureRequest,
    engine_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Site]:
    """Behind each of them."""
    async with AsyncExitStack() as stack:
        port = stack.enter_context(kept_port())
        it = Site(engine_url, port)
        stack.push_async_callback(it.stop)
        await it.start()
        front = await stack.enter_async_context(FRONTS[request.param](tmp_path, port))
        monkeypatch.setenv("SSL_CERT_FILE", str(front.trusted))
        await stack.enter_async_context(it.behind(front))
        await it.reached()
        yield it


async def test_people_work_through_it_and_go_on_when_the_server_was_away(site: Site) -> None:
    seen: list[str] = []
    async with (
        await site.client("agent1") as one,
        await site.client("agent2") as two,
        two.events(MessageReceived, Resync, inbox="sales") as events,
    ):
        conv = await site.node.texts("before")
        event = await anext(events)
        assert isinstance(event, MessageReceived) and event.text == "before"
        await (await one.conversation(conv)).claim()
        assert not await (await two.conversation(conv)).try_claim()

        await site.stop()
        away = await site.http.get("/v1/me")
        assert away.status_code in {502, 503}  # nobody there, or known not to be there
        await eventually(lambda: two.state != "connected", what="the loss was noticed")
        await site.start()
        await site.reached()
        await eventually(lambda: two.state == "connected", what="the client was back")
        await site.node.texts("after")
        event = await anext(events)
        # The next one of the log, and no Resync: it went on from its position.
        assert isinstance(event, MessageReceived) and event.text == "after", event
        seen.append(event.text)
    assert seen == ["after"]


async def test_the_server_knows_who_comes_from_where(site: Site) -> None:
    token = await site.node.token("admin")
    bearer = {"authorization": f"Bearer {token}"}
    claimed = {**bearer, "x-forwarded-for": FOREIGN, "x-request-id": "mine-1"}
    me = await site.http.get("/v1/me?secret=planted", headers=claimed)
    assert me.status_code == 200
    assert me.headers["x-request-id"] == "mine-1"
    assert "strict-transport-security" in me.headers  # it came by TLS, and the server knows
    made = await site.http.get("/v1/me", headers={**bearer, "x-request-id": "not fit"})
    assert re.fullmatch(r"[0-9a-f]{32}", made.headers["x-request-id"])

    conv = await site.node.texts("hello")
    path = f"/v1/conversations/{conv}/assign"
    acted = await site.http.post(path, headers=claimed, json={})
    assert acted.is_success, acted.text
    entries = await site.node.get("admin", "/v1/admin/audit")
    (entry,) = [e for e in entries["items"] if e.get("request") == "mine-1" or e["conv"] == conv]
    assert entry["address"] == "127.0.0.1"  # and not what the client says of itself

    large = bytes(Settings().media_max_bytes)
    png = b"\x89PNG\r\n\x1a\n" + large[16:]
    kept = await site.http.post("/v1/media", headers=bearer, content=png)
    assert kept.is_success, kept.text
    # Caddy 2.6 notices while it passes it on, and calls that the server's fault, or is gone before
    # the client has read that.
    with contextlib.suppress(httpx2.ReadError, httpx2.WriteError):
        refused = await site.http.post("/v1/media", headers=bearer, content=large + bytes(2 << 20))
        assert refused.status_code in {413, 502} and len(refused.content) < 1000

    # Metrics and probes are for this machine alone: 127.0.0.2 is another address.
    assert (await site.http.get("/readyz")).status_code == 200
    tls = ssl.create_default_context(cafile=str(site.front.trusted))
    elsewhere = httpx2.AsyncHTTPTransport(local_address="127.0.0.2", verify=tls)
    async with httpx2.AsyncClient(transport=elsewhere, base_url=site.front.url) as http:
        for path in ("/metrics", "/readyz", "/livez"):
            assert (await http.get(path)).status_code == 403
        assert (await http.get("/")).status_code == 200

    async with httpx2.AsyncClient(timeout=20) as http:
        moved = await http.get(f"{site.front.plain}/inboxes?a=b")
    assert moved.status_code in {301, 308}
    to = httpx2.URL(moved.headers["location"])
    assert (to.scheme, to.host, to.raw_path) == ("https", "127.0.0.1", b"/inboxes?a=b")

    def logged() -> str:
        return site.front.log.read_text() if site.front.log.exists() else ""

    await eventually(lambda: "/v1/me" in logged(), what="the request is in the log")
    assert "planted" not in logged() and token not in logged()


def test_nginx_waits_longer_than_the_server_is_silent() -> None:
    """Each of its times and sizes fits the server's settings."""
    settings = Settings()
    text = (NGINX / "batonbox.conf").read_text(encoding="utf-8")
    upstream = (NGINX / "upstream.conf").read_text(encoding="utf-8")
    (socket,) = re.findall(r"location = /v1/ws \{(.*?)\n    \}", text, re.DOTALL)
    for name in ("proxy_read_timeout", "proxy_send_timeout"):
        assert _seconds(name, socket) > settings.ping_s + settings.pong_timeout_s
    assert _seconds("keepalive_timeout", upstream) < settings.http_keep_alive_s
    (megabytes,) = re.findall(r"client_max_body_size (\d+)m;", text)
    assert int(megabytes) << 20 > settings.media_max_bytes
    # The server ends what stands still, and not nginx, which could not say why.
    (elsewhere,) = re.findall(r"location / \{(.*?)\n    \}", text, re.DOTALL)
    assert _seconds("proxy_read_timeout", elsewhere) > settings.http_timeout_s


def test_caddy_lets_go_of_connections_before_the_server_does() -> None:
    settings, text = Settings(), CADDY.read_text(encoding="utf-8")
    assert "stream_timeout" not in text and "read_timeout" not in text  # its default is none
    (keepalive,) = re.findall(r"keepalive (\d+)s", text)
    assert int(keepalive) < settings.http_keep_alive_s
    (megabytes,) = re.findall(r"max_size (\d+)MiB", text)
    assert int(megabytes) << 20 > settings.media_max_bytes


def _seconds(name: str, text: str) -> int:
    (found,) = re.findall(rf"^\s*{name}\s+(\d+)s;", text, re.MULTILINE)
    return int(found)
