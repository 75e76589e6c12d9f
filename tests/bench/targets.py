"""Servers under measurement, each on the server's core with all that belongs to it.

`ours`: one process and its engine. `naive`: the loop one would write by hand, and its engine.
`floor`: send() in C. All speak enough of the wire for one load client, which is this process.
"""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from batonbox._wire import Frame, Op
from batonbox.bench import (
    Address,
    Audience,
    Commander,
    Lean,
    Subscriber,
    masked,
    open_all,
    open_one,
)
from batonbox_server.config import load
from batonbox_server.engine import EmbeddedEngine
from batonbox_server.node_organisation import Organisation
from batonbox_server.service.identity import sha256_of
from batonbox_server.store.connect import EngineClient

from .fixture import WRITER, inbox_of, secret_of, seed, user_of
from .frames import CHANNEL, event, greeting
from .naive import TOKENS
from .processes import SERVER_CORE, child, cpu_s, pin, rss_bytes, tree

__all__ = ["FLOOR", "NAIVE", "OURS", "Sender", "Target", "floor", "naive", "opened", "ours"]

OURS: Final = "batonbox"
NAIVE: Final = "naive"
FLOOR: Final = "floor"


class Sender(Protocol):
    """Writes events, as `batonbox.bench.Commander` does."""

    ended: str

    @property
    def in_flight(self) -> int:
        """Events without an answer."""

    def command(self, name: str, args: dict[str, Any], then: Callable[[Frame], None]) -> None:
        """One event; `then` gets its OK or ERR."""

    def close(self) -> None:
        """End the connection."""


@dataclass(frozen=True, slots=True)
class Target:
    """A running server; `pids` are its processes, `engine` those of its engine."""

    name: str
    port: int
    pids: tuple[int, ...]
    engine: tuple[int, ...]
    fan_path: str
    inboxes: int = 1
    engine_url: str = ""
    command_path: str = ""
    sender: Callable[[Target], Lean] = field(default=lambda target: target.commander(WRITER))

    @property
    def cpu_s(self) -> float:
        """Seconds on a core so far, the engine's included."""
        return cpu_s(*self.pids, *self.engine)

    @property
    def rss_bytes(self) -> int:
        """Resident memory, the engine's included."""
        return rss_bytes(*self.pids, *self.engine)

    def subscriber(self, number: int, audience: Audience, **more: Any) -> Subscriber:
        """The member of inbox `number`, at its level `list`."""
        at = self._at(self.fan_path.replace(CHANNEL, f"{number:04d}"))
        token = secret_of(user_of(number))
        return Subscriber(at, token, [inbox_of(number)], audience, **more)

    async def fill(self, audience: Audience, count: int) -> None:
        """So many subscribers, each of the inboxes' as many as of every other."""
        audience.members = await open_all(
            lambda number: self.subscriber(number % self.inboxes, audience), count
        )

    def commander(self, user: str, *, path: str = "") -> Commander:
        """Somebody who sends commands."""
        return Commander(self._at(path or self.fan_path), secret_of(user))

    async def writer(self) -> Any:
        """A `Sender` whose notes everybody gets."""
        return await open_one(lambda: self.sender(self))

    def _at(self, path: str) -> Address:
        return Address("127.0.0.1", self.port, path)


class _Raw(Lean):
    """Writes to the floor, which numbers nothing: the events are made here."""

    def __init__(self, address: Address) -> None:
        super().__init__(address, hello=b"")
        self.in_flight = 0
        self._seq: dict[str, int] = {}
        self._number = 0

    def message(self, payload: bytes) -> None:
        del payload
        if not self.ready.done():
            self.ready.set_result(None)

    def command(self, name: str, args: dict[str, Any], then: Callable[[Frame], None]) -> None:
        """Counts as answered once it is written."""
        assert name == "note"
        inbox = str(args["conv"]).partition(".")[0]
        seq = self._seq[inbox] = self._seq.get(inbox, 0) + 1
        self._number += 1
        self.write(masked(inbox[1:].encode() + event(inbox, seq, args)))
        then([int(Op.OK), self._number, {"inbox": inbox, "seq": seq}])


@asynccontextmanager
async def ours(
    *,
    inboxes: int = 1,
    core: int | None = SERVER_CORE,
    engine_core: int | None = SERVER_CORE,
    **settings: str,
) -> AsyncIterator[Target]:
    """`serve` on an engine of its own that has the benchmarks' organisation; core None: on any."""
    async with _engine(inboxes, engine_core) as (engine, folder):
        serve = ("serve", "--port", "0", "--redis-url", engine.url, "--data-dir", str(folder))
        async with child("batonbox_server", *serve, core=core, **settings) as server:
            port, path = await server.port(), "/v1/ws"
            pids, of_engine = tree(server.pid), (engine.pid,)
            yield Target(OURS, port, pids, of_engine, path, inboxes, engine.url, path)


@asynccontextmanager
async def naive(
    *, inboxes: int = 1, engine_core: int | None = SERVER_CORE
) -> AsyncIterator[Target]:
    """The hand-written loop, on an engine that has the same organisation."""
    async with _engine(inboxes, engine_core) as (engine, _):
        client = EngineClient(engine.url)
        await client.connect()
        for user in (WRITER, *map(user_of, range(inboxes))):
            await client.execute("HSET", TOKENS, sha256_of(secret_of(user)), user)
        await client.aclose()
        async with child("tests.bench.naive", engine.url, core=SERVER_CORE) as server:
            port = await server.port()
            pids, of_engine = (server.pid,), (engine.pid,)
            yield Target(NAIVE, port, pids, of_engine, "/fan", inboxes, engine.url, "/cmd")


@asynccontextmanager
async def floor(*, inboxes: int = 1) -> AsyncIterator[Target]:
    """Compiled here; raises FileNotFoundError where there is no `cc`."""
    with tempfile.TemporaryDirectory(prefix="batonbox-bench-") as folder:
        program, source = Path(folder) / "floor", Path(__file__).with_name("floor.c")
        await asyncio.to_thread(_compile, source, program)
        told = greeting(inbox_of(CHANNEL)).hex()
        process = await asyncio.create_subprocess_exec(
            program, told, stdout=asyncio.subprocess.PIPE
        )
        pin(process.pid, SERVER_CORE)
        try:
            assert process.stdout is not None
            async with asyncio.timeout(10):
                address = (await process.stdout.readline()).decode().strip()
            port = urlsplit(address).port or 0
            it = Target(FLOOR, port, (process.pid,), (), f"/sub/{CHANNEL}", inboxes)
            yield replace(it, sender=lambda target: _Raw(Address("127.0.0.1", port, "/pub")))
        finally:
            process.kill()
            await process.wait()


@asynccontextmanager
async def opened(
    *names: str, inboxes: int = 1, engine_core: int = SERVER_CORE
) -> AsyncIterator[list[Target]]:
    """Those named, all at once: a round measures one after the other."""
    async with AsyncExitStack() as stack:
        makers: dict[str, Callable[[], Any]] = {
            OURS: lambda: ours(inboxes=inboxes, engine_core=engine_core),
            NAIVE: lambda: naive(inboxes=inboxes, engine_core=engine_core),
            FLOOR: lambda: floor(inboxes=inboxes),
        }
        yield [await stack.enter_async_context(makers[name]()) for name in names]


@asynccontextmanager
async def _engine(inboxes: int, core: int | None) -> AsyncIterator[tuple[EmbeddedEngine, Path]]:
    with tempfile.TemporaryDirectory(prefix="batonbox-bench-") as folder:
        engine = EmbeddedEngine(Path(folder) / "engine")
        await engine.start()
        try:
            if core is not None:
                pin(engine.pid, core)
            settings = load({}, redis_url=engine.url, data_dir=str(Path(folder) / "seed"))
            organisation = Organisation(settings)
            try:
                await organisation.open()
                await seed(organisation, inboxes)
            finally:
                await organisation.close()
            yield engine, Path(folder) / "server"
        finally:
            await engine.stop()


def _compile(source: Path, program: Path) -> None:
    command = ["cc", "-O2", "-o", str(program), str(source)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
