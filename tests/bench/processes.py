"""Processes under measurement: started, pinned to a core, their CPU read, ended by their pid."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from .limits import environment

__all__ = [
    "LOAD_CORE",
    "SERVER_CORE",
    "Child",
    "busy_s",
    "child",
    "cpu_s",
    "pin",
    "rss_bytes",
    "token_of",
    "tree",
]

SERVER_CORE = 0
LOAD_CORE = max(os.sched_getaffinity(0))
_START_S = 30.0
_ROOT = Path(__file__).parents[2]


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
    environ = {**os.environ, **environment(**settings)}
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


def rss_bytes(*pids: int) -> int:
    """Resident memory of the processes together."""
    page = os.sysconf("SC_PAGE_SIZE")
    return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page for pid in pids)


def tree(*pids: int) -> tuple[int, ...]:
    """The processes and all that they have started."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
                parents[int(entry.name)] = int(stat[1])
    found = set(pids)
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return tuple(sorted(found))


def busy_s() -> float:
    """Seconds that both cores of a measurement have been busy so far, whoever it was with."""
    wanted = {f"cpu{core}" for core in (SERVER_CORE, LOAD_CORE)}
    ticks = 0
    for line in Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name in wanted:
            ticks += sum(map(int, fields[:8])) - int(fields[3]) - int(fields[4])
    return ticks / os.sysconf("SC_CLK_TCK")
