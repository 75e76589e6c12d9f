"""Server processes as an operator runs them: started, killed by their pid, started again."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2

from tests.ports import free_port
from tests.support import eventually

__all__ = ["Server", "batonbox", "serving"]


class Server:
    """One `batonbox-server serve` on a fixed port and folder, as a demo unless told otherwise."""

    def __init__(self, folder: Path, *, port: int = 0, demo: bool = True, **settings: Any) -> None:
        self.folder = folder
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("BATONBOX_")}
        given = {"requests_per_s": 0, "requests_address_per_s": 0, **settings}
        self.environment |= {f"BATONBOX_{k.upper()}": str(v) for k, v in given.items()}
        self.environment |= {"BATONBOX_DATA_DIR": str(folder)}
        self.log = folder.parent / f"server-{self.port}.log"
        self.how = ["serve", "--demo"] if demo else ["serve"]
        self.starts = 0

    async def start(self) -> None:
        """Start it, and wait until it is ready."""
        self.starts += 1
        log = self.log.open("ab")
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "batonbox_server", *self.how, "--port", str(self.port),
            env=self.environment, stdout=log, stderr=log,
        )  # fmt: skip
        log.close()
        await self.ready()

    async def ready(self, timeout_s: float = 30.0) -> None:
        """Wait for /readyz."""
        async with asyncio.timeout(timeout_s), httpx2.AsyncClient(timeout=2) as http:
            while not await self._answers(http):
                if self.process.returncode is not None:
                    raise AssertionError(f"the server ended with {self.process.returncode}")
                await asyncio.sleep(0.05)

    async def _answers(self, http: httpx2.AsyncClient) -> bool:
        try:
            return (await http.get(f"{self.url}/readyz")).status_code == 200
        except httpx2.HTTPError:
            return False

    async def kill(self) -> None:
        """SIGKILL; the embedded engine and the workers die with their parent."""
        children = self.children()
        self.process.kill()
        await self.process.wait()

        def gone() -> bool:
            return not any(Path(f"/proc/{pid}").exists() for pid in children)

        await eventually(gone, what="the children's end")

    async def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), 30)

    def children(self) -> dict[int, str]:
        """Its child processes, and what they are called."""
        task = Path(f"/proc/{self.process.pid}/task")
        threads = [thread / "children" for thread in task.iterdir()] if task.exists() else []
        pids = [int(pid) for thread in threads for pid in thread.read_text().split()]
        return {pid: Path(f"/proc/{pid}/comm").read_text().strip() for pid in pids}

    def engine_pid(self) -> int:
        """The embedded engine's process, 0 for none."""
        engines = (pid for pid, name in self.children().items() if "python" not in name)
        return next(engines, 0)

    def worker_pids(self) -> list[int]:
        """Its workers, the oldest first."""
        return [pid for pid, name in self.children().items() if "python" in name]

    def kill_engine(self) -> None:
        """SIGKILL for the engine alone; the server starts another."""
        if pid := self.engine_pid():
            os.kill(pid, signal.SIGKILL)

    async def token(self, user: str = "admin") -> str:
        """As the README says."""
        maker = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "batonbox_server", "token", user,
            env=self.environment, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, _ = await asyncio.wait_for(maker.communicate(), 30)
        assert maker.returncode == 0
        return out.decode().strip()


@asynccontextmanager
async def serving(folder: Path, **settings: Any) -> AsyncIterator[Server]:
    """A started server, stopped in the end."""
    server = Server(folder, **settings)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def batonbox(*args: str, url: str, token: str) -> asyncio.subprocess.Process:
    """A command of the SDK, started."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "batonbox", *args, "--url", url, "--token", token,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
