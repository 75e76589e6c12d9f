"""Nodes as an operator runs them: `batonbox-server serve` processes, killed, frozen, started."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx2

from batonbox_server import control
from batonbox_server.errors import BatonboxError
from batonbox_server.tied import default_tie, die_with_us

__all__ = ["SETTINGS", "NodeProcess", "Unready", "free_port"]

# What differs from the defaults, so that a round of seconds holds what takes a minute otherwise,
# and so that the whole of a round's log can be read in its end.
SETTINGS: Final[Mapping[str, str]] = {
    "log_level": "warning",
    "log_events": "1000000",
    "check_interval_s": "2",
    "engine_timeout_s": "2",
    "outbox_sweep_s": "0.5",
    "outbox_lease_s": "3",
    "job_lease_s": "3",
    "ping_s": "2",
    "pong_timeout_s": "3",
    "drain_s": "1",
    "commands_per_s": "1000",
    "commands_burst": "1000",
    "commands_in_flight": "64",
    "connections_per_user": "64",
    "requests_per_s": "0",
    "requests_address_per_s": "0",
    "callbacks_per_s": "0",
    "search_index": "file",
}
_READY_S: Final = 60.0
_RESTART_S: Final = 0.5
_STOP_S: Final = 10.0
_LOG_TAIL_BYTES: Final = 4000


class Unready(BatonboxError):
    """A part of the site did not start; the message has its last words."""


class NodeProcess:
    """One node on a port of its own, in `folder`; it cannot outlive this process."""

    def __init__(self, name: str, folder: Path, *, settings: Mapping[str, str]) -> None:
        self.name = name
        self.folder = folder
        self.port = free_port()
        self.log = folder.parent / f"{name}.log"
        self.frozen = False
        self.starts = 0
        self._process: asyncio.subprocess.Process | None = None
        self._environment = {k: v for k, v in os.environ.items() if not k.startswith("BATONBOX_")}
        own = {**SETTINGS, **settings, "data_dir": str(folder), "port": str(self.port)}
        self._environment |= {f"BATONBOX_{name.upper()}": value for name, value in own.items()}

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return "127.0.0.1", self.port

    @property
    def running(self) -> bool:
        """Whether there is a process."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start it, and wait until it is ready. Raises Unready."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.starts += 1
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "batonbox_server",
                "serve",
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us; we stop it
                preexec_fn=die_with_us(default_tie()),
            )
        await self.ready()

    async def restart(self) -> None:
        """Start it again until it stays, as whoever supervises it would. Raises Unready."""
        deadline_s = asyncio.get_running_loop().time() + _READY_S
        while True:
            try:
                return await self.start()
            except Unready:
                if self.running or asyncio.get_running_loop().time() > deadline_s:
                    raise
                await asyncio.sleep(_RESTART_S)

    async def ready(self, timeout_s: float = _READY_S) -> None:
        """Until /readyz says so. Raises Unready."""
        try:
            async with asyncio.timeout(timeout_s), httpx2.AsyncClient(timeout=2) as http:
                while not await self._says_ready(http):
                    if not self.running:
                        raise Unready(f"{self.name} ended while it started: {self.last_words()}")
                    await asyncio.sleep(0.05)
        except TimeoutError:
            said = self.last_words()
            raise Unready(f"{self.name} was not ready in {timeout_s:.0f} s: {said}") from None

    async def _says_ready(self, http: httpx2.AsyncClient) -> bool:
        try:
            return (await http.get(f"http://127.0.0.1:{self.port}/readyz")).status_code == 200
        except httpx2.HTTPError:
            return False

    async def ask(self, **request: Any) -> dict[str, Any]:
        """What the shell asks of a running server. Raises Refused, Unready."""
        told = await control.ask(self.folder, request)
        if told is None:
            raise Unready(f"{self.name} does not answer on its control socket.")
        return told

    async def kill(self) -> None:
        """SIGKILL."""
        if self.running:
            self._signal(signal.SIGKILL)
            await self._ended()

    def freeze(self) -> None:
        """SIGSTOP: it is there, and does nothing."""
        self.frozen = True
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self.frozen = False
        self._signal(signal.SIGCONT)

    async def stop(self) -> None:
        """SIGTERM, then SIGKILL; harmless when it does not run."""
        if not self.running:
            return
        if self.frozen:
            self.thaw()
        self._signal(signal.SIGTERM)
        try:
            await self._ended()
        except TimeoutError:
            await self.kill()

    def resident_bytes(self) -> int:
        """What its process takes; 0 where the system does not tell."""
        if self._process is None:
            return 0
        try:
            text = Path(f"/proc/{self._process.pid}/statm").read_text(encoding="ascii")
        except OSError:
            return 0
        return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def last_words(self) -> str:
        """The end of its log, on one line."""
        try:
            tail = self.log.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace")
        except OSError:
            return "it said nothing"
        return " / ".join(tail.splitlines()[-3:]) or "it said nothing"

    async def _ended(self) -> None:
        assert self._process is not None
        await asyncio.wait_for(self._process.wait(), _STOP_S)

    def _signal(self, number: signal.Signals) -> None:
        if self.running:
            assert self._process is not None
            self._process.send_signal(number)


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
