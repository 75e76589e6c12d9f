"""What a site of engines offers, and one engine of it: a process that may be killed and frozen."""

from __future__ import annotations

import asyncio
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import quote

from redis.exceptions import RedisError

from batonbox_server.engine.locate import EngineBinary
from batonbox_server.errors import BatonboxError, EngineUnsuitable
from batonbox_server.store.resp import Argument, close_connection, open_connection, request
from batonbox_server.tied import Watchdog, default_tie, die_with_us

__all__ = ["EngineProc", "Site", "Tls", "random_password", "reserve_port"]

_POLL_S: Final = 0.02
_START_TIMEOUT_S: Final = 60.0
_END_TIMEOUT_S: Final = 30.0
_REPLY_TIMEOUT_S: Final = 2.0
_HOST: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Tls:
    """A certificate that is its own authority, and its key; not every engine is built with TLS."""

    certificate: Path
    key: Path

    @property
    def option(self) -> str:
        """In an address: whom to trust."""
        return f"ssl_ca_certs={quote(str(self.certificate), safe='')}"

    def told(self, port: int) -> str:
        """In a configuration."""
        return (
            f"port 0\ntls-port {port}\ntls-replication yes\ntls-auth-clients no\n"
            f"tls-cert-file {self.certificate}\ntls-key-file {self.key}\n"
            f"tls-ca-cert-file {self.certificate}\n"
        )


class Site(Protocol):
    """Engines that belong together, from `start` to `stop`; `start` may raise EngineUnsuitable."""

    @property
    def topology(self) -> str:
        """`standalone`, `sentinel` or `cluster`."""
        ...

    @property
    def url(self) -> str:
        """What BATONBOX_REDIS_URL takes; the same from `start` on, whatever fails."""
        ...

    @property
    def engines(self) -> Sequence[EngineProc]:
        """Those that keep data, replicas included."""
        ...

    @property
    def settings(self) -> Mapping[str, str]:
        """What decides how much a failure may lose, as the engine's own names and values."""
        ...

    async def start(self) -> None:
        """Start everything and return when the site takes writes."""
        ...

    async def stop(self) -> None:
        """End everything and remove its folder; harmless when not running."""
        ...

    async def failover(self) -> None:
        """Let another engine take over in good order; where there is none, NotImplementedError."""
        ...


def reserve_port() -> socket.socket:
    """A port of loopback for an engine's whole life, kept by a socket that never listens.

    Whoever looks for a free port or connects to somewhere is given another one, while an engine may
    bind it, again after each kill.
    """
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind((_HOST, 0))
    return kept


class EngineProc:
    """One process of a site on `127.0.0.1:port`, in a folder of its own; dies with us.

    `pid` changes with every start.  What it logs is in `<folder>/log`.  The configuration file is
    written once: the process may rewrite it, and finds its own words when it is started again.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        binary: EngineBinary,
        configuration: str,
        *,
        password: str,
        options: Sequence[str] = (),
        tls: Tls | None = None,
    ) -> None:
        """`configuration`: all but `bind`, `port` and `dir`, and may be set anew before the first
        start; `options` of the command line; with `tls` it speaks nothing else."""
        self.name = name
        self.configuration = configuration
        self.password = password
        self._folder = folder
        self._binary = binary
        self._options = options
        self._tls = tls
        self._kept = reserve_port()
        self.port: int = self._kept.getsockname()[1]
        if sys.platform != "linux":  # others let nobody bind what is bound
            self._kept.close()
        self._child: subprocess.Popen[bytes] | None = None
        self._watchdog: Watchdog | None = None

    @property
    def url(self) -> str:
        """Of this process alone, with its password."""
        at = f":{self.password}@{_HOST}:{self.port}"
        return f"rediss://{at}?{self._tls.option}" if self._tls else f"redis://{at}"

    @property
    def folder(self) -> Path:
        """Where it keeps its data."""
        return self._folder

    @property
    def pid(self) -> int:
        """Of the present process; 0 when it does not run."""
        return self._child.pid if self.running and self._child is not None else 0

    @property
    def running(self) -> bool:
        """Whether the process is there, frozen or not."""
        return self._child is not None and self._child.poll() is None

    async def start(self, *, wait: bool = True) -> None:
        """Start it, and unless told otherwise wait until it answers. From the main thread.

        Raises:
            EngineUnsuitable: it ended at once, or did not answer; the message has its last words.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file, tie = self._folder / "engine.conf", default_tie()
        if not file.exists():
            place = f"bind {_HOST}\ndir {self._folder}\n"
            place += self._tls.told(self.port) if self._tls else f"port {self.port}\n"
            file.touch(mode=0o600)
            file.write_text(place + self.configuration)
        with (self._folder / "log").open("ab") as log:
            # Not asyncio's: one process outlives several loops in tests, and its watcher does not.
            self._child = subprocess.Popen(  # noqa: ASYNC220, S603 - see engine.locate
                [self._binary.path, file, *self._options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us, who end it
                preexec_fn=die_with_us(tie),  # noqa: PLW1509
            )
        self._watchdog = Watchdog(self._child.pid) if tie == "pipe" else None
        if wait:
            await self.ready()

    async def ready(self) -> None:
        """Return once it answers; raises as `start`."""
        deadline_s = asyncio.get_running_loop().time() + _START_TIMEOUT_S
        while not await self._answers():
            if not self.running or asyncio.get_running_loop().time() > deadline_s:
                raise EngineUnsuitable(f"{self.name} did not start. It says: {self._last_words()}")
            await asyncio.sleep(_POLL_S)

    async def kill(self) -> None:
        """SIGKILL, as a machine's sudden end; harmless when it does not run."""
        await self._end(signal.SIGKILL)

    async def terminate(self) -> None:
        """SIGTERM, and wait for its end; harmless when it does not run."""
        await self._end(signal.SIGTERM)

    def freeze(self) -> None:
        """Let it do nothing, without a word to anybody."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    async def ask(self, *args: Argument) -> Any:
        """One command on a connection of its own.

        Raises:
            BatonboxError, redis.exceptions.RedisError, OSError: it does not answer, or refuses.
        """
        connection = await open_connection(self.url, timeout_s=_REPLY_TIMEOUT_S)
        try:
            async with asyncio.timeout(_REPLY_TIMEOUT_S):
                return await request(connection, *args)
        finally:
            await close_connection(connection)

    async def release(self) -> None:
        """Kill it and give its port back; it cannot be started again."""
        await self.kill()
        self._kept.close()

    def _signal(self, number: int) -> None:
        if self._child is not None:
            self._child.send_signal(number)  # to nobody once it has ended

    async def _end(self, number: int) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        # The watchdog goes first: once reaped, the pid may belong to somebody else.
        if self._watchdog is not None:
            self._watchdog.end()
        child.send_signal(number)
        await asyncio.to_thread(child.wait, _END_TIMEOUT_S)

    async def _answers(self) -> bool:
        try:
            return bool(await self.ask("PING"))
        except (BatonboxError, RedisError, OSError):
            return False  # such as LOADING

    def _last_words(self) -> str:
        try:
            lines = (self._folder / "log").read_text(errors="replace").splitlines()
        except OSError:
            lines = []
        return " / ".join(lines[-3:]) or "nothing"


def random_password() -> str:
    """For the engines of one site."""
    return secrets.token_hex(16)
