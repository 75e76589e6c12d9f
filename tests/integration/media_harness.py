"""Files of every kind, and a carrier's server that keeps some for us."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from batonbox_server.carriers.signature import sign
from tests.ports import on_port
from tests.served import CUSTOMER, SALES, Served

SECRET = b"a secret of thirty-two bytes, ok"
SETTING = "whsec_" + base64.b64encode(SECRET).decode()
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4
PDF = b"%PDF-1.7\n" + b"x" * 500
HTML = b"<!doctype html><script>alert(1)</script>"
SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'
SAMPLES: dict[str, bytes] = {
    "image/jpeg": b"\xff\xd8\xff\xe0" + b"j" * 99,
    "image/png": PNG,
    "image/gif": b"GIF89a" + b"g" * 99,
    "image/webp": b"RIFF\x10\0\0\0WEBPVP8 " + b"w" * 99,
    "video/mp4": b"\0\0\0\x18ftypisom" + b"v" * 99,
    "video/3gpp": b"\0\0\0\x18ftyp3gp5" + b"v" * 99,
    "audio/mpeg": b"ID3\x04" + b"m" * 99,
    "audio/mp4": b"\0\0\0\x18ftypM4A " + b"a" * 99,
    "audio/ogg": b"OggS" + b"o" * 99,
    "audio/amr": b"#!AMR\n" + b"a" * 99,
    "audio/wav": b"RIFF\x10\0\0\0WAVEfmt " + b"w" * 99,
    "application/pdf": PDF,
    "text/vcard": b"BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Somebody\r\nEND:VCARD\r\n",
    "text/plain": "grüße\n".encode(),
}


class Shelf:
    """What a carrier keeps for us, how often it was asked for and what it was shown."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answered: list[str] = []
        self.shown: dict[str, str] = {}
        self.failures = 0
        self.hold = asyncio.Event()
        self.holding = 0
        self.elsewhere = ""
        self.url = ""

    async def give(self, request: Request) -> Response:
        """By name: `slow` waits the first time, `flaky` fails `failures` times, ...."""
        name = request.path_params["name"]
        self.asked.append(name)
        self.shown = dict(request.headers)
        if name.startswith("slow") and self.holding:
            self.holding -= 1
            await self.hold.wait()
        if self.failures:
            self.failures -= 1
            return Response(status_code=503)
        if name == "moved":
            return RedirectResponse(self.elsewhere, 302)
        if name == "gone":
            return Response(status_code=410)
        if name == "endless":
            return StreamingResponse(_endless())
        self.answered.append(name)
        kind = "image/heic" if name == "odd" else "image/png"
        return Response(b"\0\0\0\x18ftypheic" if name == "odd" else PNG, media_type=kind)


async def _endless() -> AsyncIterator[bytes]:
    for _ in range(200):
        yield PNG * 100
        await asyncio.sleep(0)


@asynccontextmanager
async def shelf(*, host: str = "127.0.0.1", **tls: Any) -> AsyncIterator[Shelf]:
    """The carrier's server on a free port."""
    it = Shelf()
    app = Starlette(routes=[Route("/{name}", it.give)])
    async with on_port(app, host=host, timeout_graceful_shutdown=1, **tls) as port:
        it.url = f"{'https' if tls else 'http'}://{host}:{port}"
        try:
            yield it
        finally:
            it.hold.set()


def kept(folder: Path) -> list[Path]:
    """Every file that lies there, half-written ones too."""
    return [path for path in folder.rglob("*") if path.is_file()]


async def age(site: Served, ids: list[str]) -> None:
    """As if the time had passed within which a message has to have these."""
    for media in ids:
        await site.node.client.execute("ZADD", f"{site.node.keys.org}:media_new", "XX", 1, media)


async def upload(
    site: Served,
    data: bytes | AsyncIterator[bytes],
    kind: str = "image/png",
    *,
    name: str = "",
    user: str = "agent1",
) -> httpx2.Response:
    """One upload."""
    token = await site.token(user)
    return await site.http.post(
        "/v1/media", content=data, params={"name": name},
        headers={"authorization": f"Bearer {token}", "content-type": kind},
    )  # fmt: skip


async def uploaded(site: Served, data: bytes = PNG, kind: str = "image/png", **more: str) -> str:
    """The id of an upload that succeeds."""
    answer = await upload(site, data, kind, **more)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def mine(site: Served, customer: str = CUSTOMER) -> str:
    """A conversation of agent1's."""
    conv = await site.texts("hello", customer=customer)
    assert (await site.act("agent1", conv, "assign")).status_code == 200
    return conv


async def texts_with(
    http: httpx2.AsyncClient, urls: list[str], *, key: str = "m1", text: str = "look"
) -> httpx2.Response:
    """A customer's message with files, as the webhook carrier signs it."""
    raw = json.dumps({"from": CUSTOMER, "to": SALES, "text": text, "media": urls}).encode()
    headers = sign(SECRET, message_id=key, timestamp_s=int(time.time()), body=raw)
    return await http.post("/v1/webhook/inbound", content=raw, headers=headers)


async def got(
    site: Served, conv: str, n: int, i: int = 0, *, user: str = "agent1", **headers: str
) -> httpx2.Response:
    """A message's file, the redirect followed."""
    first = await site.call(user, "GET", f"/v1/conversations/{conv}/messages/{n}/media/{i}")
    if first.status_code != 307:
        return first
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return await site.http.get(first.headers["location"], headers=given)


async def fetched(site: Served, conv: str, n: int, i: int = 0) -> httpx2.Response:
    """A message's file once it is no longer being fetched."""
    for _ in range(1000):
        answer = await got(site, conv, n, i)
        if answer.status_code != 503:
            return answer
        await asyncio.sleep(0.02)
    raise AssertionError("it was never fetched")
