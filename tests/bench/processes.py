"""Processes under measurement: started, pinned to a core, their CPU read, ended by their pid."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

__all__ = ["SERVER_CORE", "Child", "child", "cpu_s", "pin", "token_of"]

SERVER_CORE = 0
LOAD_CORE = max(os.sched_getaffinity(0))
_START_S = 30.0
_ROOT = Path(__file__).parents[2]
# Raised, never skipped: the server checks these numbers like everybody's.
_LIMITS = {
    "COMMANDS_PER_S": "1000000",
    "COMMANDS_BURST": "1000000",
    "CONNECTIONS_PER_USER": "20000",
    "HANDSHAKES_PER_S": "20000",
    "PING_S": "300",
    "LOG_LEVEL": "error",
}


class Child:
    """A running process of ours, its standard output line by line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    async def line(self, *, timeout_s: float = _START_S) -> str:
        """The next line it prints; raises EOFError when it has ended."""
        assert self._process.stdout is not None
        async with asyncio.timeout(timeout_s):
            raw = await self._process.stdout.readline()
        if not raw:
            raise EOFError(f"process {self.pid} ended")
        return raw.decode().rstrip("\n")

    async def port(self) -> int:
        """The port in the first address it prints."""
        while not (found := re.search(r"http://127\.0\.0\.1:(\d+)", await self.line())):
            pass
        return int(found.group(1))

    def say(self, line: str) -> None:
        """One line to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")

    async def end(self) -> None:
        """SIGTERM, and SIGKILL after a while."""
        if self._process.returncode is None:
            self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), 5)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def child(*args: str, core: int | None = LOAD_CORE, **settings: str) -> AsyncIterator[Child]:
    """`python -m args...` on one core (None: on any), ended with the block."""
    given = {**_LIMITS, **settings}
    environ = {**os.environ, **{f"BATONBOX_{name}": value for name, value in given.items()}}
    environ["BATONBOX_DRAIN_S"] = "0"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *args,
        cwd=_ROOT,
        env=environ,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    if core is not None:
        pin(process.pid, core)
    it = Child(process)
    try:
        yield it
    finally:
        await it.end()


async def token_of(user: str, *, data_dir: Path) -> str:
    """An API token, made by the running server."""
    arguments = ("batonbox_server", "token", user, "--data-dir", str(data_dir))
    async with child(*arguments) as asked:
        return await asked.line()


def pin(pid: int, core: int) -> None:
    """Every thread of the process to one core; those it starts later inherit it."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


def cpu_s(*pids: int) -> float:
    """Seconds on a core so far, all threads of the processes together."""
    files = (f for pid in pids for f in Path(f"/proc/{pid}/task").glob("*/schedstat"))
    return sum(int(f.read_text().split()[0]) for f in files) / 1e9
