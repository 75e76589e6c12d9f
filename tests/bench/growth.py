"""What an event and a read cost in an inbox of a thousand conversations, and of a million.

One inbox holds everything: the worst case for its indexes. The first ten thousand conversations
are made by the server's own scripts (`receive`, `assign`, `done`), so that log and audit log are
full; further ones are copies of those (`copies.lua`). As many wait and as many are somebody's at
every size, as a team has its hands full with so many and no more; the rest is done. CPU is that of
the engine's threads, and of a server's that serves one agent, up to a hundred thousand: what it
keeps of each conversation is the search index alone, which has a benchmark of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
import tempfile
import time
import urllib.request
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import hiredis
import msgpack  # type: ignore[import-untyped]
from redis.exceptions import ResponseError

from batonbox import Client
from batonbox_server.engine import EmbeddedEngine
from batonbox_server.store.by import by_command, pack_for_lua
from batonbox_server.store.connect import EngineClient
from batonbox_server.store.keys import Keys
from batonbox_server.store.library import load_folder, load_script
from batonbox_server.store.redis import RedisStore
from batonbox_server.store.resp import pack

from .processes import LOAD_CORE, SERVER_CORE, Child, child, cpu_s, pin, token_of
from .scripts import ask
from .stage import INBOX, OUR

__all__ = ["COPIES", "growth_figures"]

COPIES: Final = Path(__file__).with_name("copies.lua")
SIZES: Final = (1_000, 10_000, 100_000, 1_000_000)
_LIVED: Final = 10_000  # made by the scripts, as many as fill a log
_WAITING: Final = 400  # at every size
_MINE: Final = 200
_SERVED_MOST: Final = 100_000
_WAVE: Final = 50
_AT_A_TIME: Final = 200
_EACH: Final = 200  # conversations of one round
# Enough to share one write of the append-only file; a connection may have 16 commands under way.
_CALLERS: Final = 50
_IN_FLIGHT: Final = 8
_AGENT: Final = "agent1"
_SEARCHED_S: Final = 900.0
_BODY: Final = msgpack.packb({"text": "Is anybody there? I wrote two days ago."})
_VERBS: Final = ("receive", "seen", "assign", "note", "return", "done")

_Act = Callable[[str], Awaitable[object]]


@dataclass(slots=True)
class _Run:
    """One engine that grows; `done` has the conversations that rounds choose from.

    `pattern` is done too, and stays as it was: of it the copies are.
    """

    engine: EmbeddedEngine
    client: EngineClient
    store: RedisStore
    data: Path
    pattern: str = ""
    done: list[str] = field(default_factory=list)
    filled: int = 0
    customer_of: dict[str, str] = field(default_factory=dict)
    figures: list[dict[str, Any]] = field(default_factory=list)

    def note(self, name: str, unit: str, rounds: list[float]) -> None:
        """One figure: the median of its rounds."""
        value = median(rounds)
        self.figures.append({"name": name, "unit": unit, "value": value, "rounds": rounds})

    def value(self, name: str) -> float:
        """A figure noted before."""
        return next(float(each["value"]) for each in self.figures if each["name"] == name)


async def growth_figures(*, quick: bool) -> list[dict[str, Any]]:
    """Rows {name, unit, value, rounds}; `quick` ends at 100,000 conversations, with three rounds.

    Names are `growth.<engine|server>.<verb>.<conversations>` and `growth.read.<read>.<...>` in CPU
    microseconds each, `growth.memory.<...>` in bytes per conversation, and `growth.ratio.<...>`,
    the largest size over the smallest.
    """
    sizes, rounds = (SIZES[:-1], 3) if quick else (SIZES, 5)
    chance = random.Random(41)
    async with _running() as run:
        for size in sizes:
            await _fill(run, size)
            used = (await run.store.memory()).used
            run.note(f"growth.memory.{size}", "bytes", [used / size])
            await _engine(run, size, chance, rounds)
            if size <= _SERVED_MOST:
                await _server(run, size, chance, rounds)
        _ratios(run, sizes)
        return run.figures


@asynccontextmanager
async def _running() -> AsyncIterator[_Run]:
    """An engine with the demo organisation, which a server has seeded and left."""
    with tempfile.TemporaryDirectory(prefix="batonbox-bench-") as name:
        engine = EmbeddedEngine(Path(name) / "engine")
        await engine.start()
        pin(engine.pid, LOAD_CORE)
        client = EngineClient(engine.url)
        try:
            await client.connect()
            run = _Run(engine, client, RedisStore(client, keys=Keys()), Path(name) / "server")
            async with _serving(run):
                pass
            yield run
        finally:
            await client.aclose()
            await engine.stop()


@asynccontextmanager
async def _serving(run: _Run) -> AsyncIterator[tuple[Child, int]]:
    """A server on the engine, and its port."""
    serve = ("serve", "--demo", "--redis-url", run.engine.url, "--port", "0")
    arguments = ("batonbox_server", *serve, "--data-dir", str(run.data))
    async with child(*arguments, core=SERVER_CORE) as server:
        yield server, await server.port()


# Filling


async def _fill(run: _Run, size: int) -> None:
    """Up to `size` conversations; nothing is synced to the disk meanwhile."""
    scripts = load_folder() | {"copies": load_script(COPIES)}
    functions = {name: script.function for name, script in scripts.items()}
    for library in {script.library for script in scripts.values()}:
        with contextlib.suppress(ResponseError):  # it is there from the size before
            await run.client.execute("FUNCTION", "LOAD", library.source)
    os.sched_setaffinity(run.engine.pid, os.sched_getaffinity(0))
    await run.client.execute("CONFIG", "SET", "appendonly", "no")
    await asyncio.to_thread(_pour, run, min(size, _LIVED), functions)
    await _copy(run, size, functions["copies"])
    await run.client.execute("CONFIG", "SET", "appendonly", "yes")
    while b"aof_rewrite_in_progress:0" not in (await run.client.execute("INFO", "persistence")):
        await asyncio.sleep(0.1)
    pin(run.engine.pid, LOAD_CORE)


async def _copy(run: _Run, size: int, function: str) -> None:
    """Of one that is done, a batch at a time."""
    log = Keys().inbox(INBOX)
    while run.filled < size:
        numbers = range(run.filled, min(size, run.filled + _AT_A_TIME))
        ids = [_conv(number) for number in numbers]
        packed = pack_for_lua(ids)
        await run.client.execute("FCALL", function, 1, log, run.pattern, run.filled, packed)
        run.done += ids
        run.customer_of.update(zip(ids, map(_customer, numbers), strict=True))
        run.filled += len(ids)


def _pour(run: _Run, size: int, functions: dict[str, str]) -> None:
    with socket.socket(socket.AF_UNIX) as raw:
        parts = urlsplit(run.engine.url)
        raw.connect(unquote(parts.path))
        reader = hiredis.Reader()
        ask(raw, reader, pack(("AUTH", parts.password or "")), 1)
        while run.filled < size:
            commands: list[bytes] = []
            for number in range(run.filled, min(size, run.filled + _WAVE)):
                commands += _lived(run, number, functions)
            ask(raw, reader, b"".join(commands), len(commands))
            run.filled = min(size, run.filled + _WAVE)


def _lived(run: _Run, number: int, functions: dict[str, str]) -> Iterator[bytes]:
    """What brings one conversation to where it stands."""
    log, conv, customer = Keys().inbox(INBOX), _conv(number), _customer(number)
    given = (conv, OUR, customer, f"fill-{number}", _BODY, "Is anybody there?", 0, "")
    yield pack(("FCALL", functions["receive"], 1, log, *given))
    if number < _WAITING:
        return
    by = by_command(actor=_AGENT, cid=f"fill-{number}", digest="0" * 40, keep=100_000)
    if number < _WAITING + _MINE:
        yield pack(("FCALL", functions["assign"], 1, log, conv, by, ""))
    else:
        yield pack(("FCALL", functions["done"], 1, log, conv, by, "", "*"))
        if not run.pattern:
            run.pattern = conv
            return
        run.done.append(conv)
        run.customer_of[conv] = customer


def _conv(number: int) -> str:
    return f"{INBOX}.{uuid.UUID(int=(0x1F << 96) | number).hex}"


def _customer(number: int) -> str:
    return f"+1905{number:07d}"


# Measuring


async def _engine(run: _Run, size: int, chance: random.Random, rounds: int) -> None:
    """Each verb and each read, through the store."""
    acts = _acts_of_store(run)
    found: dict[str, list[float]] = {verb: [] for verb in _VERBS}
    for turn in range(rounds + 1):
        convs = chance.sample(run.done, min(_EACH, len(run.done)))
        for verb in _VERBS:
            spent = await _spent(run.engine.pid, acts[verb], convs, at_once=_CALLERS)
            if turn:  # the first round warms up
                found[verb].append(spent)
    for verb, spent_us in found.items():
        run.note(f"growth.engine.{verb}.{size}", "us", spent_us)
    for name, read in _reads_of_store(run).items():
        spent_us = []
        for _ in range(rounds + 1):
            spent_us.append(await _spent(run.engine.pid, read, [""] * _CALLERS, at_once=_IN_FLIGHT))
        run.note(f"growth.read.{name}.{size}", "us", spent_us[1:])


def _acts_of_store(run: _Run) -> dict[str, _Act]:
    store, tokens = run.store, dict[str, str]()

    async def receive(conv: str) -> None:
        await store.receive(
            inbox=INBOX,
            our=OUR,
            customer=run.customer_of[conv],
            provider_id=uuid.uuid4().hex,
            body=_BODY,
            preview="hello",
        )

    async def seen(conv: str) -> None:
        row = (await store.history(conv=conv, actor=_AGENT, n=1)).row
        await store.seen(conv=conv, actor=_AGENT, att=row["att"])

    async def assign(conv: str) -> None:
        applied = await store.assign(conv=conv, actor=_AGENT, cid=uuid.uuid4().hex)
        tokens[conv] = applied.own_tok

    async def note(conv: str) -> None:
        await store.note(conv=conv, actor=_AGENT, cid=uuid.uuid4().hex, body=_BODY, mentions=[])

    async def give_back(conv: str) -> None:
        await store.release(conv=conv, actor=_AGENT, cid=uuid.uuid4().hex, own_tok=tokens[conv])

    async def done(conv: str) -> None:
        await store.done(conv=conv, actor=_AGENT, cid=uuid.uuid4().hex, own_tok="", seen="*")

    return dict(zip(_VERBS, (receive, seen, assign, note, give_back, done), strict=True))


def _reads_of_store(run: _Run) -> dict[str, _Act]:
    store, picked = run.store, random.Random(42)

    async def snapshot(_: str) -> None:
        await store.snapshot(inbox=INBOX)

    async def first_page(_: str) -> None:
        await store.page(inbox=INBOX, actor=_AGENT, view="done")

    async def deep_page(_: str) -> None:
        row = await store.history(conv=picked.choice(run.done), actor=_AGENT, n=1)
        after = str(row.row["last_ms"])
        await store.page(inbox=INBOX, actor=_AGENT, view="all", after=after)

    async def badge(_: str) -> None:
        await store.marks(inbox=INBOX, user=_AGENT)

    async def board(_: str) -> None:
        await store.board(inbox=INBOX)

    async def history(_: str) -> None:
        await store.history(conv=picked.choice(run.done), actor=_AGENT)

    reads = (snapshot, first_page, deep_page, badge, board, history)
    return {read.__name__: read for read in reads}


async def _server(run: _Run, size: int, chance: random.Random, rounds: int) -> None:
    """Members' verbs through a server's websocket; what it hears of the others."""
    async with _serving(run) as (server, port):
        url = f"http://127.0.0.1:{port}"
        token = await token_of(_AGENT, data_dir=run.data)
        await _searched(url)
        async with Client(url, token, timeout_s=30.0) as agent:
            acts = _acts_of_agent(run, agent)
            found: dict[str, list[float]] = {verb: [] for verb in _VERBS}
            for turn in range(rounds + 1):
                convs = chance.sample(run.done, min(_EACH, len(run.done)))
                for verb in _VERBS:
                    spent = await _spent(server.pid, acts[verb], convs, at_once=_IN_FLIGHT)
                    if turn:
                        found[verb].append(spent)
        for verb, spent_us in found.items():
            run.note(f"growth.server.{verb}.{size}", "us", spent_us)


def _acts_of_agent(run: _Run, agent: Client) -> dict[str, _Act]:
    """Customers' messages and marks are made in the engine: the server hears of them only."""
    tokens, others = dict[str, str](), _acts_of_store(run)

    async def command(name: str, conv: str, **args: Any) -> None:
        answer = await agent.call(name, {"conv": conv, **args})
        tokens[conv] = answer.get("own_tok", tokens.get(conv, ""))

    async def assign(conv: str) -> None:
        await command("assign", conv)

    async def note(conv: str) -> None:
        await command("note", conv, text="Called back, nobody there.")

    async def give_back(conv: str) -> None:
        await command("return", conv, own_tok=tokens[conv])

    async def done(conv: str) -> None:
        await command("done", conv, own_tok=tokens[conv], seen="*")

    mine = {"assign": assign, "note": note, "return": give_back, "done": done}
    return {**others, **mine}


async def _spent(pid: int, act: _Act, convs: list[str], *, at_once: int) -> float:
    """CPU microseconds of the process per conversation, a few at once."""
    ahead = iter(convs)

    async def worker() -> None:
        for conv in ahead:
            await act(conv)

    began_s = cpu_s(pid)
    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(worker())
    return 1e6 * (cpu_s(pid) - began_s) / len(convs)


async def _searched(url: str) -> None:
    """Until the node's search index has read everything: that is work of its own."""
    until_s = time.perf_counter() + _SEARCHED_S
    while time.perf_counter() < until_s:
        text = await asyncio.to_thread(_read, f"{url}/metrics")
        if any(line.startswith("batonbox_search_complete 1") for line in text.splitlines()):
            return
        await asyncio.sleep(0.5)
    raise TimeoutError(f"the search index was not complete after {_SEARCHED_S:.0f} s")


def _read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return str(answer.read().decode())


def _ratios(run: _Run, sizes: tuple[int, ...]) -> None:
    """Of everything the largest size at which it was measured over the smallest.

    `growth.ratio.event.<verb>` is that of the engine's and the server's together.
    """
    end = f".{sizes[0]}"
    names = [figure["name"] for figure in run.figures]
    for stem in [name.removesuffix(end) for name in names if name.endswith(end)]:
        biggest = max(size for size in sizes if f"{stem}.{size}" in names)
        ratio = run.value(f"{stem}.{biggest}") / run.value(stem + end)
        run.note(f"growth.ratio.{stem.removeprefix('growth.')}", "x", [ratio])
    served = max(size for size in sizes if size <= _SERVED_MOST)
    for verb in _VERBS:
        engine, server = f"growth.engine.{verb}", f"growth.server.{verb}"
        first = run.value(engine + end) + run.value(server + end)
        last = run.value(f"{engine}.{sizes[-1]}") + run.value(f"{server}.{served}")
        run.note(f"growth.ratio.event.{verb}", "x", [last / first])
