"""Scripts per second: through the store, and what the engine does with the very same script."""

from __future__ import annotations

import asyncio
import itertools
import socket
import time
import uuid
from typing import Any
from urllib.parse import unquote, urlsplit

import hiredis
import msgpack  # type: ignore[import-untyped]

from batonbox_server.store.library import load_folder
from batonbox_server.store.resp import pack

from .figures import Figures
from .stage import INBOX, OUR, Stage, opened

__all__ = ["ask", "script_figures"]

_CALLERS = (1, 50, 500)
_DEPTH = 50
_CUSTOMERS = 500
_BODY = msgpack.packb({"text": "hello"})


async def script_figures(figures: Figures, *, quick: bool) -> None:
    """`scripts.<store|engine>.<callers>.rate`: `receive`, through the store and raw, 50 deep."""
    rounds = 1 if quick else 5
    async with opened() as stage:
        await _through_store(stage, callers=50, seconds=0.5)
        for callers in _CALLERS:
            mine: list[float] = []
            limit: list[float] = []
            for _ in range(rounds):
                mine.append(await _through_store(stage, callers=callers, seconds=1.0))
                limit.append(await _engine_limit(stage, batches=400))
            figures.add(f"scripts.store.{callers}.rate", "/s", mine)
            figures.add(f"scripts.engine.{callers}.rate", "/s", limit)


async def _through_store(stage: Stage, *, callers: int, seconds: float) -> float:
    """`receive` by so many callers at once, each waiting for its answer."""
    numbers = itertools.count()
    until_s = time.perf_counter() + seconds

    async def caller() -> None:
        while time.perf_counter() < until_s:
            await stage.conversation(next(numbers) % _CUSTOMERS)

    began_s = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(caller())
    return next(numbers) / (time.perf_counter() - began_s)


async def _engine_limit(stage: Stage, *, batches: int) -> float:
    """The same script from prebuilt bytes over a raw socket, 50 deep."""
    function = load_folder()["receive"].function
    prebuilt = [_batch(function, stage.log) for _ in range(batches)]
    return await asyncio.to_thread(_drive, stage.engine.url, prebuilt)


def _batch(function: str, prefix: str) -> bytes:
    commands = []
    for number in range(_DEPTH):
        customer = f"+1905555{number:04d}"
        conv, provider_id = f"{INBOX}.{uuid.uuid4().hex}", uuid.uuid4().hex
        arguments = (conv, OUR, customer, provider_id, _BODY, "hello", 0, "")
        commands.append(pack(("FCALL", function, 1, prefix, *arguments)))
    return b"".join(commands)


def _drive(url: str, prebuilt: list[bytes]) -> float:
    parts = urlsplit(url)
    with socket.socket(socket.AF_UNIX) as raw:
        raw.connect(unquote(parts.path))
        reader = hiredis.Reader()
        ask(raw, reader, pack(("AUTH", parts.password or "")), 1)
        began_s = time.perf_counter()
        for batch in prebuilt:
            ask(raw, reader, batch, _DEPTH)
        return len(prebuilt) * _DEPTH / (time.perf_counter() - began_s)


def ask(raw: socket.socket, reader: Any, request: bytes, replies: int) -> None:
    """Send, and read so many replies, none of which is an error."""
    raw.sendall(request)
    while replies:
        reply = reader.gets()
        if reply is False:
            reader.feed(raw.recv(65536))
        else:
            assert not isinstance(reply, Exception), reply
            replies -= 1
