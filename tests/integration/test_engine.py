"""The embedded engine: one opener, dies with its parent, loses nothing acknowledged."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from batonbox_server.engine import EmbeddedEngine, EngineBinary, locate
from batonbox_server.errors import EngineUnavailable, EngineUnsuitable, OutcomeUnknown
from batonbox_server.store.connect import EngineClient
from tests.support import eventually

PARENT = """
import asyncio, sys, threading
from pathlib import Path
import structlog
from batonbox_server.engine import EmbeddedEngine

async def main():
    # The engine's lines come from a thread: they must not fall into the line below.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    engine = EmbeddedEngine(Path(sys.argv[1]), tie=sys.argv[2])
    await engine.start()
    print("READY", engine.pid, engine.url, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def alive(pid: int) -> bool:
    """Whether the process runs (a zombie nobody reaped does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def spoil(folder: Path) -> None:
    """Overwrite the middle of the append-only file."""
    (log,) = folder.glob("appendonlydir/*.incr.aof")
    content = bytearray(log.read_bytes())
    content[5000:5200] = b"x" * 200  # not "#": such lines are annotations, and skipped
    log.write_bytes(content)


async def connected(engine: EmbeddedEngine, *, command_timeout_s: float = 5.0) -> EngineClient:
    client = EngineClient(engine.url, command_timeout_s=command_timeout_s)
    await client.connect()
    return client


def binaries() -> list[EngineBinary]:
    found = [locate()]
    if shutil.which("redis-server"):
        found.append(locate("redis-server"))
    return found


@pytest.mark.parametrize("binary", binaries(), ids=lambda b: f"{b.name}-{b.version[0]}")
async def test_a_write_outlives_stop_and_start(tmp_path: Path, binary: EngineBinary) -> None:
    for expected in (1, 2):
        engine = EmbeddedEngine(tmp_path, binary=binary)
        await engine.start()
        client = await connected(engine)
        assert await client.execute("INCR", "runs") == expected
        assert client.server_name == binary.name
        fsync = await client.execute("CONFIG", "GET", "appendfsync")
        assert fsync == [b"appendfsync", b"always"]
        await client.aclose()
        pid = engine.pid
        await engine.stop()
        assert not alive(pid)


async def test_a_second_opener_of_the_folder_is_refused(engine: EmbeddedEngine) -> None:
    second = EmbeddedEngine(engine.folder, lock_wait_s=0.1)
    with pytest.raises(EngineUnsuitable, match="in use by another"):
        await second.start()
    client = await connected(engine)
    assert await client.execute("PING") == b"PONG"
    await client.aclose()


@pytest.mark.parametrize("tie", ["death_signal", "pipe"])
async def test_the_engine_dies_with_a_killed_parent_and_the_folder_opens_again(
    tmp_path: Path, tie: str
) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, str(tmp_path), tie, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    try:
        async with asyncio.timeout(20):
            while not (line := await parent.stdout.readline()).startswith(b"READY"):
                assert line, "the parent ended"
        _, pid_text, url = line.decode().split()
        client = EngineClient(url)
        await client.connect()
        await client.execute("SET", "kept", "yes")
    finally:
        parent.kill()
        await parent.wait()
    await eventually(lambda: not alive(int(pid_text)), what="the engine's end")
    await client.aclose()

    engine = EmbeddedEngine(tmp_path)
    await engine.start()
    client = await connected(engine)
    assert await client.execute("GET", "kept") == b"yes"
    await client.aclose()
    await engine.stop()


async def test_acknowledged_writes_survive_kills_and_the_url_stays(engine: EmbeddedEngine) -> None:
    client = await connected(engine)
    url, acknowledged = engine.url, list[int]()

    async def write() -> None:
        n = 0
        while True:
            try:
                await client.execute("RPUSH", "log", n)
                acknowledged.append(n)
                n += 1
            except OutcomeUnknown:
                n += 1
            except EngineUnavailable:
                await asyncio.sleep(0.005)

    async with asyncio.TaskGroup() as group:
        writer = group.create_task(write())
        for _ in range(3):
            before, pid = len(acknowledged), engine.pid
            await eventually(lambda: len(acknowledged) > before + 200, what="200 writes")  # noqa: B023
            os.kill(pid, signal.SIGKILL)
            await eventually(lambda: engine.pid != pid and client.state, what="restart")  # noqa: B023
        writer.cancel()
    kept = [int(n) for n in await client.execute("LRANGE", "log", 0, -1)]
    assert engine.url == url
    assert kept == sorted(set(kept))
    # What was not acknowledged may be there or not; what was, is.
    assert set(acknowledged) <= set(kept)
    await client.aclose()


async def test_a_corrupt_log_refuses_to_start_and_says_why(tmp_path: Path) -> None:
    engine = EmbeddedEngine(tmp_path)
    await engine.start()
    client = await connected(engine)
    for n in range(200):
        await client.execute("SET", f"k{n}", "v" * 100)
    await client.aclose()
    await engine.stop()
    spoil(tmp_path)
    with pytest.raises(EngineUnsuitable, match=r"(?i)bad file format.*restore a backup"):
        await EmbeddedEngine(tmp_path).start()


async def test_a_deep_folder_gets_a_short_socket_path(tmp_path: Path) -> None:
    engine = EmbeddedEngine(tmp_path / ("deep" * 20) / ("er" * 40))
    await engine.start()
    client = await connected(engine)
    assert await client.execute("PING") == b"PONG"
    await client.aclose()
    await engine.stop()


async def test_starting_outside_the_main_thread_is_refused(tmp_path: Path) -> None:
    def start() -> None:
        asyncio.run(EmbeddedEngine(tmp_path).start())

    with pytest.raises(EngineUnsuitable, match="main thread"):
        await asyncio.to_thread(start)


def test_a_binary_that_is_not_there_is_an_error_with_the_remedy() -> None:
    with pytest.raises(EngineUnsuitable, match="BATONBOX_REDIS_URL"):
        locate("no-such-engine")


@pytest.mark.parametrize(
    "said", ["Redis server v=6.2.7 sha=0", "Valkey server v=7.0.1 sha=0", "something else"]
)
def test_a_binary_too_old_or_strange_is_refused(tmp_path: Path, said: str) -> None:
    script = tmp_path / "server"
    script.write_text(f"#!/bin/sh\necho '{said}'\n")
    script.chmod(0o700)
    with pytest.raises(EngineUnsuitable, match=r"too old|does not run"):
        locate(str(script))


async def test_a_stopped_engine_is_killed_when_it_does_not_obey(tmp_path: Path) -> None:
    engine = EmbeddedEngine(tmp_path, stop_timeout_s=0.2)
    await engine.start()
    pid = engine.pid
    os.kill(pid, signal.SIGSTOP)
    await engine.stop()
    assert not alive(pid)


def test_the_engine_itself_holds_the_lock(engine: EmbeddedEngine) -> None:
    held = [entry.resolve() for entry in Path(f"/proc/{engine.pid}/fd").iterdir()]
    assert engine.folder.resolve() / "lock" in held
