"""A million messages through an engine that is bounded: what it takes, and how old ones are read.

The messages come through the store's own scripts (`receive`, `done`) over one connection, while a
server moves them to its archive. Nobody waits a week here: what carriers' ids are remembered by,
which expires then, is taken away after each wave.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

import httpx2
import msgpack  # type: ignore[import-untyped]

from batonbox_server.archive.sqlite import SqliteArchive
from batonbox_server.engine import EmbeddedEngine
from batonbox_server.store.connect import EngineClient
from batonbox_server.store.keys import Keys
from batonbox_server.store.redis import RedisStore
from batonbox_server.tasks import cancel_all, spawn

from .processes import child, token_of
from .stage import INBOX, OUR

__all__ = ["archive_figures"]

_EACH: Final = 20
_WAVE: Final = 1000
_AT_ONCE: Final = 400
_READS: Final = 200
_SAMPLE_S: Final = 10.0
# Nine of ten conversations are done.
_OPEN: Final = 10
_MIB: Final = 2**20


@dataclass(slots=True)
class _Run:
    store: RedisStore
    client: EngineClient
    archive: SqliteArchive
    http: httpx2.AsyncClient
    token: str
    convs: list[str] = field(default_factory=list)
    sent: int = 0
    most: int = 0
    began_s: float = 0.0

    async def get(self, path: str) -> Any:
        answer = await self.http.get(path, headers={"authorization": f"Bearer {self.token}"})
        assert answer.status_code == 200, answer.text
        return answer.json()


async def archive_figures(*, quick: bool) -> None:
    """Load, watch, wait until nothing moves any more, read."""
    messages, bound = (100_000, 32 * _MIB) if quick else (1_000_000, 256 * _MIB)
    async with _running(bound) as run:
        print(f"\narchive: {messages:,} messages in {messages // _EACH:,} conversations,")
        print(f"engine_memory_max {bound // _MIB} MiB; a line every {_SAMPLE_S:.0f} s")
        print("    s | messages in | engine MiB | archived messages | archive MiB")
        tasks: set[asyncio.Task[Any]] = set()
        run.began_s = time.perf_counter()
        spawn(tasks, _watch(run), name="watch")
        await _load(run, messages // _EACH)
        loaded_s = time.perf_counter() - run.began_s
        await _settled(run)
        await cancel_all(tasks)
        await _show(run)
        print(f"loaded with {messages / loaded_s:,.0f} messages/s; the most that the engine took:")
        print(f"{run.most / _MIB:.0f} MiB of {bound // _MIB}")
        await _reads(run)


@asynccontextmanager
async def _running(bound: int) -> AsyncIterator[_Run]:
    with tempfile.TemporaryDirectory(prefix="batonbox-bench-") as name:
        folder = Path(name)
        engine = EmbeddedEngine(folder / "engine")
        await engine.start()
        client = EngineClient(engine.url)
        archive = SqliteArchive(folder / "archive.sqlite")
        try:
            await client.connect()
            given = {
                "ARCHIVE_URL": f"sqlite://{folder}/archive.sqlite",
                "ENGINE_MEMORY_MAX": str(bound),
            }
            data = folder / "server"
            serve = ("serve", "--demo", "--redis-url", engine.url, "--port", "0")
            arguments = ("batonbox_server", *serve, "--data-dir", str(data))
            async with child(*arguments, core=None, **given) as server:
                url = f"http://127.0.0.1:{await server.port()}"
                token = await token_of("admin", data_dir=data)
                async with httpx2.AsyncClient(base_url=url, timeout=30) as http:
                    yield _Run(RedisStore(client, keys=Keys()), client, archive, http, token)
        finally:
            await archive.aclose()
            await client.aclose()
            await engine.stop()


async def _load(run: _Run, conversations: int) -> None:
    chance = random.Random(35)
    for first in range(0, conversations, _WAVE):
        numbers = range(first, min(conversations, first + _WAVE))
        bodies = [msgpack.packb({"text": "x" * chance.randint(20, 200)}) for _ in range(_EACH)]
        await _all(_conversation(run, number, bodies) for number in numbers)


async def _all(works: Iterable[Awaitable[None]]) -> None:
    free = asyncio.Semaphore(_AT_ONCE)

    async def one(work: Awaitable[None]) -> None:
        async with free:
            await work

    async with asyncio.TaskGroup() as group:
        for work in works:
            group.create_task(one(work))


async def _conversation(run: _Run, number: int, bodies: list[bytes]) -> None:
    conv, log = "", Keys().inbox(INBOX)
    ids = [uuid.uuid4().hex for _ in bodies]
    for provider_id, body in zip(ids, bodies, strict=True):
        received = await run.store.receive(
            inbox=INBOX,
            our=OUR,
            customer=f"+1905{number:07d}",
            provider_id=provider_id,
            body=body,
            preview="x" * 40,
        )
        conv = received.conv
        run.sent += 1
    run.convs.append(conv)
    if number % _OPEN:
        cid = uuid.uuid4().hex
        await run.store.done(conv=conv, actor="agent1", cid=cid, own_tok="", seen=None)
    await run.client.execute("UNLINK", *(f"{log}:p:{provider_id}" for provider_id in ids))


async def _watch(run: _Run) -> None:
    shown_s = 0.0
    while True:
        run.most = max(run.most, (await run.store.memory()).used)
        if time.perf_counter() - shown_s > _SAMPLE_S:
            shown_s = time.perf_counter()
            await _show(run)
        await asyncio.sleep(0.2)


async def _show(run: _Run) -> None:
    used, status = (await run.store.memory()).used, await run.archive.status()
    print(
        f"{time.perf_counter() - run.began_s:>5.0f} | {run.sent:>11,} | {used / _MIB:>10.0f} |"
        f" {status.lines:>17,} | {status.size_bytes / _MIB:>6.0f}"
    )


async def _settled(run: _Run) -> None:
    """Until nothing moves for ten seconds."""
    last, since_s = -1, time.perf_counter()
    while time.perf_counter() - since_s < 10:
        now = (await run.archive.status()).lines
        if now != last:
            last, since_s = now, time.perf_counter()
        await asyncio.sleep(0.5)


async def _reads(run: _Run) -> None:
    """Over HTTP, so that the figures contain the handler and more."""
    chance = random.Random(36)
    convs = chance.sample(run.convs, _READS)
    status = await run.archive.status()
    lines, size = max(1, status.lines), status.size_bytes
    print(f"archive: {size / lines:.0f} bytes a message, {status.rows:,} conversations")
    paths = [f"/v1/conversations/{conv}/messages?limit=10&before=11" for conv in convs]
    print(f"oldest page of {_READS} conversations: {await _timed(run, paths)}")
    print(f"{_READS} pages of done: {await _pages(run)}")


async def _pages(run: _Run) -> str:
    """Fifty rows each, one after the other; from the newest again behind the oldest."""
    took_ms, after = [], ""
    for _ in range(_READS):
        path = f"/v1/conversations?inbox={INBOX}&view=done&limit=50&after={after}"
        began_s = time.perf_counter()
        found = await run.get(path)
        took_ms.append(1000 * (time.perf_counter() - began_s))
        assert len(found["items"]) == 50 or not found["next"]
        after = found["next"] or ""
    return _told(took_ms)


async def _timed(run: _Run, paths: list[str]) -> str:
    took_ms = []
    for path in paths:
        began_s = time.perf_counter()
        found = await run.get(path)
        took_ms.append(1000 * (time.perf_counter() - began_s))
        assert found["items"], path
    return _told(took_ms)


def _told(took_ms: list[float]) -> str:
    cuts = quantiles(took_ms, n=20)
    return f"p50 {cuts[9]:.1f} ms, p95 {cuts[18]:.1f} ms, most {max(took_ms):.1f} ms"
