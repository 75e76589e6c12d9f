"""A real Kannel on loopback: its bearerbox and smsbox, with a message centre of `phones`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx2

from tests.ports import free_port
from tests.programs import program

__all__ = ["Gateway", "gateway"]

PASSWORD: Final = "secret"
_LONGEST_START_S: Final = 15.0


@dataclass(slots=True)
class Gateway:
    """Its two processes; `smpp_port` 0: Kannel's driver for tests listens on `ports["fake"]`."""

    folder: Path
    smpp_port: int = 0
    ports: dict[str, int] = field(default_factory=dict)
    running: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Ports are taken once, so that a box started again is found where it was."""
        self.ports = {name: free_port() for name in ("admin", "boxes", "fake", "sendsms")}

    @property
    def url(self) -> str:
        """Where sendsms answers."""
        return f"http://127.0.0.1:{self.ports['sendsms']}/cgi-bin/sendsms"

    @property
    def configuration(self) -> Path:
        """The file both processes read."""
        return self.folder / "kannel.conf"

    def log(self, box: str) -> str:
        """What a box has said so far."""
        return (self.folder / f"{box}.log").read_text(encoding="utf-8", errors="replace")

    async def start(self, groups: str) -> None:
        """Both boxes, ready; `groups`: what batonbox tells an operator to put into kannel.conf."""
        self.configuration.write_text(_configuration(self, groups), encoding="utf-8")
        await self.run("bearerbox")
        await self._until(self._listens)  # smsbox gives up when there is no bearerbox
        await self.begin("smsbox")

    async def run(self, box: str) -> None:
        """Start one of the boxes."""
        with (self.folder / f"{box}.log").open("ab") as log:
            self.running[box] = await asyncio.create_subprocess_exec(
                binary(box), "-v", "0", str(self.configuration),
                cwd=self.folder, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    async def begin(self, box: str) -> None:
        """Start one of the boxes again, and wait."""
        await self.run(box)
        await self._until(self._up)

    async def end(self, box: str) -> None:
        """SIGKILL for one of the boxes, if it still runs."""
        process = self.running.pop(box)
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()

    async def status(self) -> str:
        """What bearerbox says about itself."""
        url = f"http://127.0.0.1:{self.ports['admin']}/status.txt?password={PASSWORD}"
        async with httpx2.AsyncClient(timeout=2) as http:
            return (await http.get(url)).text

    async def _until(self, ready: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(_LONGEST_START_S):
            while not await ready():
                for box, process in self.running.items():
                    assert process.returncode is None, f"{box} ended:\n{self.log(box)[-3000:]}"
                await asyncio.sleep(0.02)

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.ports["boxes"])
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True

    async def _up(self) -> bool:
        try:
            said = await self.status()
            if "smsbox" not in said.partition("Box connections")[2]:
                return False
            async with httpx2.AsyncClient(timeout=2) as http:
                return (await http.get(self.url)).status_code == 403  # who are you?
        except (httpx2.HTTPError, OSError):
            return False


def binary(name: str) -> str:
    """Debian's Kannel."""
    return program(name, package="kannel")


def _configuration(it: Gateway, groups: str) -> str:
    """kannel.conf: a blank line ends a group."""
    ports = it.ports
    core = f"""\
group = core
admin-port = {ports["admin"]}
admin-interface = 127.0.0.1
admin-password = {PASSWORD}
smsbox-port = {ports["boxes"]}
box-allow-ip = 127.0.0.1
sms-resend-freq = 1
"""
    fake = f"""\
group = smsc
smsc = fake
smsc-id = phones
port = {ports["fake"]}
our-host = 127.0.0.1
connect-allow-ip = 127.0.0.1
"""
    smpp = f"""\
group = smsc
smsc = smpp
smsc-id = phones
host = 127.0.0.1
port = {it.smpp_port}
transceiver-mode = true
smsc-username = batonbox
smsc-password = {PASSWORD}
system-type = ""
reconnect-delay = 1
source-addr-autodetect = yes
dest-addr-ton = 1
dest-addr-npi = 1
"""
    return "\n".join([core, smpp if it.smpp_port else fake, groups])


@asynccontextmanager
async def gateway(folder: Path, *, smpp_port: int = 0) -> AsyncIterator[Gateway]:
    """A Kannel that is still to be started; it ends with the block."""
    it = Gateway(folder, smpp_port)
    try:
        yield it
    finally:
        for box in list(it.running):
            await it.end(box)
