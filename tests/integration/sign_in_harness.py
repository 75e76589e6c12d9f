"""Browsers of people who sign in: a cookie jar, an Origin, and websockets that carry both."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import httpx2
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from batonbox_server.wire import JSON_SUBPROTOCOL, Op
from tests.served import Served

PASSWORD = "correct horse"


class Line:
    """A websocket that said HELLO, and every frame it got."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.frames: list[list[Any]] = []

    async def until(self, op: Op) -> list[Any]:
        """Read up to the next frame of this operation."""
        while True:
            message = await asyncio.wait_for(self.socket.recv(), 10)
            for line in str(message).splitlines():
                self.frames.append(json.loads(line))
                if self.frames[-1][0] == op:
                    return self.frames[-1]

    async def close_code(self) -> int:
        """Read until the server closes."""
        try:
            while True:
                await asyncio.wait_for(self.socket.recv(), 10)
        except ConnectionClosed:
            return self.socket.close_code or 0

    @property
    def reason(self) -> str:
        """Why it was closed."""
        return self.socket.close_reason or ""

    async def alive(self) -> bool:
        """Whether a request is still answered."""
        await self.socket.send(json.dumps([Op.CHECK, 7, "sales", []]))
        return bool((await self.until(Op.OK))[1] == 7)


class Browser:
    """One browser: what it sends is told by its cookie jar and by the page it is on."""

    def __init__(self, site: Served, *, address: str = "", https: bool = False) -> None:
        self.site = site
        # All share the client of the site, but no cookies.
        site.http.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.cookie = ""
        self.set_cookie = ""
        scheme = "https" if https else "http"
        self.origin = f"{scheme}://{site.url.removeprefix('http://')}"
        self.forwarded = {"x-forwarded-for": address} if address else {}
        if https:
            self.forwarded["x-forwarded-proto"] = "https"

    async def call(self, method: str, path: str, body: Any = None, **more: str) -> httpx2.Response:
        """A request of the page; `origin=""` leaves the header out, other headers by `more`."""
        headers = {"origin": self.origin, **self.forwarded}
        headers |= {name.replace("_", "-"): value for name, value in more.items()}
        if self.cookie:
            headers["cookie"] = self.cookie
        headers = {name: value for name, value in headers.items() if value}
        answer = await self.site.http.request(method, path, json=body, headers=headers, timeout=60)
        if "set-cookie" in answer.headers:
            self.set_cookie = answer.headers["set-cookie"]
            self.cookie = self.set_cookie.partition(";")[0]
        return answer

    async def sign_in(self, user: str, password: str = PASSWORD) -> httpx2.Response:
        """By password."""
        return await self.call("POST", "/v1/session", {"user": user, "password": password})

    async def look(self) -> dict[str, Any]:
        """GET /v1/session."""
        answer = await self.call("GET", "/v1/session", origin="")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    @asynccontextmanager
    async def line(
        self, site: Served | None = None, *, token: str = "", **more: str
    ) -> AsyncIterator[Line]:
        """A websocket to a node, past HELLO; `origin=""` leaves the header out."""
        host = (site or self.site).url.removeprefix("http://")
        headers = {"origin": f"{self.origin.partition(':')[0]}://{host}", **self.forwarded}
        headers |= {name.replace("_", "-"): value for name, value in more.items()}
        if self.cookie:
            headers["cookie"] = self.cookie
        async with connect(
            f"ws://{host}/v1/ws",
            subprotocols=[JSON_SUBPROTOCOL],  # type: ignore[list-item]
            additional_headers={name: value for name, value in headers.items() if value},
        ) as socket:
            line = Line(socket)
            await socket.send(json.dumps([Op.HELLO, token, "web/test"]))
            yield line


async def person(site: Served, user: str, **more: Any) -> Browser:
    """Somebody who has signed in by password, which is made if need be."""
    if await site.node.sessions.password(user) is None:
        await site.node.sign_in.set_password(user, PASSWORD)
    browser = Browser(site, **more)
    answer = await browser.sign_in(user)
    assert answer.status_code == 200, answer.text
    return browser


async def until(holds: Callable[[], Awaitable[bool]], *, timeout_s: float = 30.0) -> None:
    """Poll a condition that asks the server."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    while not await holds():
        assert asyncio.get_running_loop().time() < deadline, "did not come true in time"
        await asyncio.sleep(0.05)
