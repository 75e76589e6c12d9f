"""The supervisor of the embedded engine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import structlog

from batonbox_server.errors import EngineUnsuitable
from batonbox_server.tasks import cancel_all, spawn
from batonbox_server.tied import Tie, default_tie

from .configuration import render
from .folder import lock_folder, socket_path
from .locate import EngineBinary, locate
from .process import EngineProcess
from .readiness import wait_ready

__all__ = ["EmbeddedEngine"]

_log = structlog.get_logger(__name__)
_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 2.0


class EmbeddedEngine:
    """An engine of our own: append-only in `data_dir`, on a unix socket, gone when we are.

    `start` and `stop` belong to one event loop in the main thread.  When the engine dies it is
    started again with the same url and password, so clients only have to reconnect.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        binary: EngineBinary | None = None,
        start_timeout_s: float = 120.0,
        stop_timeout_s: float = 10.0,
        lock_wait_s: float = 2.0,
        tie: Tie | None = None,
    ) -> None:
        self._folder = data_dir.absolute()
        self._binary = binary
        self._start_timeout_s = start_timeout_s
        self._stop_timeout_s = stop_timeout_s
        self._lock_wait_s = lock_wait_s
        self._tie = tie or default_tie()
        self._password = secrets.token_hex(32)
        self._held = contextlib.ExitStack()
        self._lock = -1
        self._socket = Path()
        self._process: EngineProcess | None = None
        self._exited = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def url(self) -> str:
        """`unix://` with the password; valid from `start` to `stop`, restarts included."""
        return f"unix://:{self._password}@{quote(str(self._socket))}"

    @property
    def folder(self) -> Path:
        """The data folder, absolute."""
        return self._folder

    @property
    def pid(self) -> int:
        """The present process; changes with every restart."""
        assert self._process is not None, "start it first"
        return self._process.pid

    async def start(self) -> None:
        """Lock the folder, start the engine and wait until it answers.

        Raises:
            EngineUnsuitable: locked by another, no binary, or the engine refused to start; the
                message carries the engine's own words.
        """
        self._binary = self._binary or locate()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self._lock = await lock_folder(self._folder, wait_s=self._lock_wait_s)
            self._held.callback(os.close, self._lock)
            self._socket = self._held.enter_context(socket_path(self._folder))
            await self._start_process()
        except BaseException:
            await self.stop()
            raise
        spawn(self._tasks, self._keep_running(), name="engine-supervisor")

    async def stop(self) -> None:
        """SIGTERM, wait, SIGKILL; then let go of the folder.  Harmless when not running."""
        await cancel_all(self._tasks)
        if self._process is not None:
            await self._end(self._process)
            self._process = None
            self._socket.unlink(missing_ok=True)
        self._held.close()

    async def _start_process(self) -> None:
        assert self._binary is not None
        self._socket.unlink(missing_ok=True)
        loop = asyncio.get_running_loop()
        exited = self._exited = asyncio.Event()

        def report_exit() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is waiting
                loop.call_soon_threadsafe(exited.set)

        process = self._process = EngineProcess(
            self._binary,
            configuration=render(
                directory=self._folder, socket=self._socket, password=self._password
            ),
            lock=self._lock,
            tie=self._tie,
            on_exit=report_exit,
        )
        if not await wait_ready(
            self._socket,
            password=self._password,
            running=lambda: process.running,
            timeout_s=self._start_timeout_s,
        ):
            await self._end(process)
            raise EngineUnsuitable(
                f"The engine did not start on {self._folder}. It says: {process.complaint()}. "
                "If its append-only file is corrupt, restore a backup, or inspect it with "
                "valkey-check-aof (redis-check-aof) before repairing it."
            )
        _log.info("engine_ready", pid=process.pid, name=self._binary.name)

    async def _end(self, process: EngineProcess) -> None:
        if process.running:
            process.terminate()
        try:
            async with asyncio.timeout(self._stop_timeout_s):
                await self._exited.wait()
        except TimeoutError:
            _log.warning("engine_killed", pid=process.pid, after_s=self._stop_timeout_s)
            process.kill()
            await self._exited.wait()

    async def _keep_running(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            await self._exited.wait()
            assert self._process is not None
            _log.error("engine_died", said=self._process.complaint(), restart_in_s=pause_s)
            await asyncio.sleep(pause_s)
            try:
                await self._start_process()
                pause_s = _FIRST_PAUSE_S
            except (EngineUnsuitable, OSError) as error:
                _log.error("engine_restart_failed", error=str(error))
                self._exited.set()
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
