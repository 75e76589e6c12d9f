"""A million messages through an engine that is bounded: what it takes, and how old ones are read.

`import.lua` appends twenty messages of a conversation in one step, through the code that `receive`
has, with events, indexes and all; `done` is the server's own. Carriers' ids are left out, which an
engine forgets after a week: nobody waits one here. The archiver is the server's, beside the load.

The bound is what an engine has that no archive takes from it (itself, the newest events of its
logs), and room on top. Below that sum nothing can be kept, whatever leaves.
"""

from __future__ import annotations

import asyncio
import random
import socket
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import hiredis
import msgpack  # type: ignore[import-untyped]

from batonbox_server.archive.guarded import GuardedArchive
from batonbox_server.archive.sqlite import SqliteArchive
from batonbox_server.domain.model import Role, inbox_of
from batonbox_server.engine import EmbeddedEngine
from batonbox_server.service.archiver import Archiver, Bounds
from batonbox_server.store.by import by_command, pack_for_lua
from batonbox_server.store.connect import EngineClient
from batonbox_server.store.keys import Keys
from batonbox_server.store.library import Script, load_folder, load_script
from batonbox_server.store.redis import RedisStore
from batonbox_server.store.resp import pack
from batonbox_server.store.waiting import RedisWaiting
from batonbox_server.tasks import cancel_all, spawn

from .figures import Figures
from .scripts import ask
from .stage import INBOX, OUR

__all__ = ["archive_figures"]

_EACH: Final = 20
_WAVE: Final = 50
_READS: Final = 200
_SAMPLE_S: Final = 10.0
_SETTLE_S: Final = 120.0
# Nine of ten conversations are done.
_OPEN: Final = 10
_MIB: Final = 2**20
# Of a log as long as the settings' default keeps it; "log.size" says what they took.
_LOG_EVENTS: Final = 10_000
_EVENT_BYTES: Final = 720
_AGENT: Final = "agent1"
# A log's clock gives each event a millisecond of its own: one inbox would be far ahead of time.
_INBOXES: Final = tuple(f"{INBOX}{number}" for number in range(4))


@dataclass(slots=True)
class _Run:
    url: str
    client: EngineClient
    store: RedisStore
    archive: SqliteArchive
    archiver: Archiver
    bound: int
    convs: list[str] = field(default_factory=list)
    sent: int = 0
    most: int = 0
    began_s: float = 0.0


async def archive_figures(figures: Figures, *, quick: bool) -> None:
    """`archive.sqlite.<what>`: load, watch, wait until nothing moves any more, read."""
    messages, room = (100_000, 16 * _MIB) if quick else (1_000_000, 224 * _MIB)
    async with _running(room) as run:
        bound = run.bound
        print(f"\narchive: {messages:,} messages in {messages // _EACH:,} conversations,")
        print(f"engine_memory_max {bound / _MIB:.0f} MiB: {room // _MIB} beside what has to stay;")
        print(f"a line every {_SAMPLE_S:.0f} s")
        print("    s | messages in | engine MiB | archived messages | archive MiB")
        tasks: set[asyncio.Task[Any]] = set()
        run.began_s = time.perf_counter()
        spawn(tasks, _watch(run), name="watch")
        await _load(run, messages // _EACH)
        loaded_s = time.perf_counter() - run.began_s
        await _settled(run)
        await cancel_all(tasks)
        await _show(run)
        figures.add(f"archive.sqlite.load-of-{messages}.rate", "/s", [messages / loaded_s])
        rest = (await run.store.memory()).used
        for when, used in (("at-most", run.most), ("at-rest", rest)):
            name = f"archive.sqlite.engine-{when}"
            figures.add(f"{name}.size", "MiB", [used / _MIB])
            figures.add(f"{name}.share-of-bound", "%", [100 * used / bound])
        figures.add("archive.sqlite.log.size", "MiB", [await _logs_bytes(run) / _MIB])
        said = "kept" if run.most <= bound else f"NOT kept: {run.most / _MIB:.1f} MiB at most"
        print(f"the bound of {bound / _MIB:.1f} MiB was {said}")
        await _reads(run, figures)


@asynccontextmanager
async def _running(room: int) -> AsyncIterator[_Run]:
    with tempfile.TemporaryDirectory(prefix="batonbox-bench-") as name:
        engine = EmbeddedEngine(Path(name) / "engine")
        await engine.start()
        client, archive = EngineClient(engine.url), SqliteArchive(Path(name) / "archive.sqlite")
        try:
            await client.connect()
            store = RedisStore(client, keys=Keys())
            for inbox in _INBOXES:
                await store.create_inbox(inbox=inbox)
                await store.add_number(inbox=inbox, number=OUR)
                await store.join(inbox=inbox, user=_AGENT, role=Role.MEMBER, joined=True)
            stays = (await store.memory()).used + len(_INBOXES) * _LOG_EVENTS * _EVENT_BYTES
            archiver = _archiver(client, store, archive, stays + room)
            archiver.start()
            try:
                yield _Run(engine.url, client, store, archive, archiver, stays + room)
            finally:
                await archiver.aclose()
        finally:
            await archive.aclose()
            await client.aclose()
            await engine.stop()


def _archiver(
    client: EngineClient, store: RedisStore, archive: SqliteArchive, bound: int
) -> Archiver:
    """As the settings' defaults have it."""

    async def logs() -> AsyncIterator[str]:
        for inbox in _INBOXES:
            yield inbox

    guarded = GuardedArchive(archive, store, owner="bench")
    store.read_through(guarded)
    bounds = Bounds(keep=50, done_days=30.0, sweep_s=5.0, memory_max=bound)
    waiting = RedisWaiting(client, keys=Keys())
    return Archiver(store, waiting, guarded, logs, bounds=bounds, holder="bench")


async def _load(run: _Run, conversations: int) -> None:
    """Prebuilt commands over a raw socket, fifty conversations at a time."""
    scripts = {
        "import": load_script(Path(__file__).with_name("import.lua")),
        "done": load_folder()["done"],
    }
    for script in scripts.values():
        await run.client.execute("FUNCTION", "LOAD", "REPLACE", script.library.source)
    chance = random.Random(35)
    bodies = [msgpack.packb({"text": "x" * chance.randint(20, 200)}) for _ in range(500)]
    with socket.socket(socket.AF_UNIX) as raw:
        parts = urlsplit(run.url)
        raw.connect(unquote(parts.path))
        reader = hiredis.Reader()
        ask(raw, reader, pack(("AUTH", parts.password or "")), 1)
        for first in range(0, conversations, _WAVE):
            commands: list[bytes] = []
            for number in range(first, min(conversations, first + _WAVE)):
                unique = uuid.UUID(int=chance.getrandbits(128)).hex
                conv = f"{_INBOXES[number % len(_INBOXES)]}.{unique}"
                run.convs.append(conv)
                texts = chance.choices(bodies, k=_EACH)
                commands += _conversation(conv, number, texts, scripts)
            await asyncio.to_thread(ask, raw, reader, b"".join(commands), len(commands))
            run.sent += _EACH * _WAVE


def _conversation(
    conv: str, number: int, bodies: list[bytes], scripts: dict[str, Script]
) -> Iterator[bytes]:
    log, customer = Keys().inbox(inbox_of(conv)), f"+1905{number:07d}"
    given = (conv, OUR, customer, pack_for_lua(bodies), "x" * 40)
    yield pack(("FCALL", scripts["import"].function, 1, log, *given))
    if number // len(_INBOXES) % _OPEN:
        by = by_command(actor=_AGENT, cid=uuid.uuid4().hex, digest="0" * 40, keep=100_000)
        yield pack(("FCALL", scripts["done"].function, 1, log, conv, by, "", "*"))


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
        f" {status.lines:>17,} | {status.size_bytes / _MIB:>6.0f}",
        flush=True,
    )


async def _logs_bytes(run: _Run) -> int:
    sizes = [
        await run.client.execute("MEMORY", "USAGE", f"{Keys().inbox(inbox)}:log", "SAMPLES", "0")
        for inbox in _INBOXES
    ]
    return sum(sizes)


async def _settled(run: _Run) -> None:
    """Until it is full no more and nothing moves for ten seconds."""
    last, since_s, until_s = -1, time.perf_counter(), time.perf_counter() + _SETTLE_S
    while time.perf_counter() < until_s:
        now, used = run.archiver.moved.lines, (await run.store.memory()).used
        if now != last or used > 0.8 * run.bound:
            last, since_s = now, time.perf_counter()
        if time.perf_counter() - since_s > 10:
            return
        await asyncio.sleep(0.5)


async def _reads(run: _Run, figures: Figures) -> None:
    """What a handler of the HTTP API waits for, but for the rights it looks up in memory."""
    status = await run.archive.status()
    lines, size = max(1, status.lines), status.size_bytes
    figures.add("archive.sqlite.message.size", "bytes", [size / lines])
    convs = iter(random.Random(36).sample(run.convs, _READS))
    after = ""

    async def oldest() -> int:
        read = run.store.history(conv=next(convs), actor=_AGENT, before=11, n=10)
        return len((await read).messages)

    async def done() -> int:
        nonlocal after
        page = await run.store.page(inbox=_INBOXES[0], actor=_AGENT, view="done", after=after, n=50)
        after = page.next
        return len(page.rows)

    await _timed(figures, "oldest-messages", oldest, 10)
    await _timed(figures, "newest-done", done, 50)
    # Behind all that the engine has: from the archive alone.
    half = len(run.convs) // 20
    found = await run.archive.rows(inbox=_INBOXES[0], after_ms=None, n=half, ascending=True)
    after = str(found[-1].last_ms)
    await _timed(figures, "oldest-done", done, 50)


async def _timed(
    figures: Figures, name: str, read: Callable[[], Awaitable[int]], full: int
) -> None:
    took_ms = []
    for _ in range(_READS):
        began_s = time.perf_counter()
        found = await read()
        took_ms.append(1000 * (time.perf_counter() - began_s))
        assert found <= full
    cuts = quantiles(took_ms, n=20)
    for what, value in (("p50", cuts[9]), ("p95", cuts[18]), ("max", max(took_ms))):
        figures.add(f"archive.sqlite.{name}.{what}", "ms", [value])
