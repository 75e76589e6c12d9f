"""One worker as its supervisor sees it: a child that says when it serves, and ends when we end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from typing import Any, Final

import msgspec

from batonbox_server.tied import Tie, Watchdog, default_tie, die_with_us

__all__ = ["Said", "Start", "WorkerProcess", "socket_name"]

_COMMAND: Final = (sys.executable, "-m", "batonbox_server", "worker")


class Start(msgspec.Struct, kw_only=True):
    """What a worker is told over its standard input; its settings it reads itself.

    `listeners`: descriptors that it inherits. `supervisor` names that one's control socket.
    """

    number: int
    listeners: list[int]
    overrides: dict[str, Any]
    engine_url: str
    demo: bool
    links: str
    supervisor: str


class Said(msgspec.Struct):
    """What it says over its standard output, once: it serves, or why it cannot."""

    error: str = ""


def socket_name(pid: int) -> str:
    """The control socket of the worker or supervisor with this pid, in the data folder."""
    return f"process-{pid}.sock"


class WorkerProcess:
    """Started where it is made, in the main thread; `ended` is set once it has been reaped."""

    def __init__(self, start: Start, *, tie: Tie | None = None) -> None:
        self.number = start.number
        self.ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._said: asyncio.Future[Said] = self._loop.create_future()
        tie = tie or default_tie()
        self._child = subprocess.Popen(  # noqa: S603 - ourselves
            _COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=start.listeners,
            start_new_session=True,  # Ctrl-C is for the supervisor, which passes it on
            preexec_fn=die_with_us(tie),  # noqa: PLW1509
        )
        self._watchdog = Watchdog(self._child.pid) if tie == "pipe" else None
        self._tell(msgspec.json.encode(start))
        threading.Thread(target=self._follow, name=f"worker-{start.number}", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def control(self) -> str:
        """The name of its control socket."""
        return socket_name(self.pid)

    @property
    def status(self) -> int:
        """Its exit status, negative for a signal; once it has ended."""
        return self._child.returncode or 0

    async def serves(self, *, within_s: float) -> str:
        """Wait until it does: "". Otherwise why not; then it has ended, or is ended now."""
        try:
            async with asyncio.timeout(within_s):
                said = await asyncio.shield(self._said)
        except TimeoutError:
            said = Said(f"it does not serve after {within_s:.0f} s")
        if said.error:
            self.signal(signal.SIGKILL)
            await self.ended.wait()
        return said.error

    def signal(self, number: int) -> None:
        """Harmless when it has ended."""
        self._child.send_signal(number)

    async def wait(self, *, within_s: float) -> bool:
        """Whether it has ended within that time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self.ended.wait()
        return self.ended.is_set()

    def _tell(self, line: bytes) -> None:
        assert self._child.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it ended already; the thread tells
            self._child.stdin.write(line)
            self._child.stdin.close()

    def _follow(self) -> None:
        assert self._child.stdout is not None
        with self._child.stdout as lines:
            if line := lines.readline():
                self._hand_over(_understood(line))
            lines.read()
        if self._watchdog is not None:
            self._watchdog.end()
        with contextlib.suppress(ChildProcessError):  # a signal that came too late has reaped it
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        self._hand_over(None)

    def _hand_over(self, said: Said | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is waiting
            self._loop.call_soon_threadsafe(self._heard, said)

    def _heard(self, said: Said | None) -> None:
        if said is None:
            # Reaped here, where signals are sent: its pid is nobody else's before.
            self._child.wait()
            said = Said(f"it ended with status {self.status}")
            self.ended.set()
        if not self._said.done():
            self._said.set_result(said)


def _understood(line: bytes) -> Said:
    try:
        return msgspec.json.decode(line, type=Said)
    except msgspec.MsgspecError:
        return Said(f"it said {line[:200].decode(errors='replace')!r}")
