"""Examples as their users run them: processes that know a server's address and a token."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from batonbox.testing import LocalServer
from batonbox_server.gen import ROOT
from web_client.build_hook import node_binary

__all__ = ["EXAMPLES", "Desk", "Running", "finished", "load", "running"]

EXAMPLES: Final = ROOT / "examples"
_WAIT_S: Final = 30.0


class Desk:
    """An inbox of a test's own in a server that tests share, and users who work there."""

    def __init__(self, site: LocalServer, name: str, number: str, *users: str) -> None:
        self._site = site
        self.number = number
        for user in users:
            site.add_user(user)
        site.add_inbox(name, members=["admin", *users], numbers=[number])

    def customer(self) -> DeskCustomer:
        """Somebody new, who texts this inbox."""
        return DeskCustomer(self._site, self.number)


class DeskCustomer:
    """See `batonbox.testing.LocalServer.customer`."""

    def __init__(self, site: LocalServer, desk: str) -> None:
        self._it, self._desk = site.customer(), desk
        self.hears, self.phone = self._it.hears, self._it.phone

    def says(self, text: str) -> str:
        """Returns the conversation's id."""
        return self._it.says(text, to=self._desk)


class Running:
    """What goes on, and what it prints, line by line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._lines: list[str] = []
        self._read = 0
        self._more = asyncio.Event()

    async def follow(self) -> None:
        """Until it ends."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self._lines.append(line.decode().rstrip())
            self._more.set()

    async def prints(self, pattern: str) -> str:
        """The next line that has this pattern."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_WAIT_S):
                while True:
                    while self._read < len(self._lines):
                        self._read += 1
                        if re.search(pattern, self._lines[self._read - 1]):
                            return self._lines[self._read - 1]
                    self._more.clear()
                    await self._more.wait()
        raise AssertionError(f"it did not print {pattern!r} but\n" + "\n".join(self._lines))

    async def ends(self, number: signal.Signals | None = None) -> int:
        """Its status, once it was told to end or has ended by itself."""
        if number is not None:
            self._process.send_signal(number)
        async with asyncio.timeout(_WAIT_S):
            return await self._process.wait()


@asynccontextmanager
async def running(
    name: str, *words: str, url: str, token: str, **more: str
) -> AsyncIterator[Running]:
    """The example, while the block runs; both its outputs are one."""
    process = await _started(name, words, url, token, more, errors=asyncio.subprocess.STDOUT)
    it = Running(process)
    async with asyncio.TaskGroup() as group:
        group.create_task(it.follow())
        try:
            yield it
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def finished(
    name: str, *words: str, url: str, token: str, **more: str
) -> tuple[int, bytes, str]:
    """Its status and its outputs, once it has ended by itself."""
    process = await _started(name, words, url, token, more, errors=asyncio.subprocess.PIPE)
    async with asyncio.timeout(2 * _WAIT_S):
        printed, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, printed, errors.decode()


async def _started(
    name: str, words: tuple[str, ...], url: str, token: str, more: dict[str, str], *, errors: int
) -> asyncio.subprocess.Process:
    program = node_binary() if name.endswith(".mjs") else sys.executable
    return await asyncio.create_subprocess_exec(
        program, EXAMPLES / name, *words,
        env=os.environ | {"BATONBOX_URL": url, "BATONBOX_TOKEN": token} | more,
        stdout=asyncio.subprocess.PIPE,
        stderr=errors,
    )  # fmt: skip


def load(name: str) -> Any:
    """The example as a module, a new one each time."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
