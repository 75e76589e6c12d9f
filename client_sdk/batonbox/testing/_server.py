"""The real server for tests: a process of its own, with its own engine, gone afterwards."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import tempfile
import weakref
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from batonbox import sync
from batonbox._backoff import Backoff
from batonbox._client import Client
from batonbox._http import Http
from batonbox.bot import Bot
from batonbox.sync._portal import Portal
from batonbox.testing._customer import LOOK_S, Customer
from batonbox.testing._errors import Errors
from batonbox.testing._process import Process
from batonbox.testing._relay import Relay

__all__ = ["LocalServer"]

# Nobody's: the North American plan keeps 555-0100 to 555-0199 for fiction.
_FICTIONAL = "+1{area}55501{line:02}"
# A test may do in a second what people do in an hour.
_UNBOUND: Mapping[str, object] = {
    "log_level": "warning",
    "drain_s": 0.2,
    "commands_per_s": 10_000.0,
    "commands_burst": 10_000,
    "requests_per_s": 0.0,
    "requests_address_per_s": 0.0,
    "connections_per_user": 1000,
}
_PATH_MAX = 90  # bytes that the system leaves to the socket's folder, with some room


class LocalServer:
    """A server on a free port of this machine, with an engine and an organisation of its own.

    `demo`: the demo organisation (`agent1`, `agent2`, `agent3`, `admin`; inboxes `sales` and
    `support`); else an empty one, see `add_user` and `add_inbox`. `settings`: the server's, by name
    ("text_max_chars"); `python`: an interpreter that has `batonbox-server`, unless this one has it.

    Use as `with` or as `async with`. Raises RuntimeError where the server is not installed or does
    not start.
    """

    def __init__(
        self,
        *,
        demo: bool = True,
        settings: Mapping[str, object] | None = None,
        python: str | None = None,
    ) -> None:
        self._demo = demo
        self._settings = {**_UNBOUND, **(settings or {})}
        self._python = python
        self._folder: Path | None = None
        self._process: Process | None = None
        self._portal = Portal(self.close)
        self._relay = Relay()
        self._tokens: dict[str, str] = {}
        self._clients: weakref.WeakSet[Client] = weakref.WeakSet()
        self._customers = itertools.count()
        self._number = ""
        self.direct_url: str = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self.close)

    def start(self) -> None:
        """Start and wait until it serves; `with` does it."""
        if self._process is not None:
            raise RuntimeError("this server has been started already")
        folder = tempfile.mkdtemp(prefix="batonbox-")
        if len(folder.encode()) > _PATH_MAX:
            shutil.rmtree(folder)
            folder = tempfile.mkdtemp(prefix="batonbox-", dir="/tmp")
        self._folder = Path(folder)
        self._process = Process(
            self._folder / "data", demo=self._demo, settings=self._settings, python=self._python
        )
        try:
            self._portal.start()
            self._portal.run(self._relay.open())
            self._begin(self._process)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the server and remove what it kept; `with` does it."""
        process, self._process = self._process, None
        try:
            if self._portal.running:
                self._portal.run(self._relay.aclose())
                self._portal.stop()
        finally:
            if process is not None:
                process.stop()
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)

    def restart(self) -> None:
        """End the server and start it again with the same data; clients reconnect and resume."""
        process = self._running()
        process.stop()
        self._begin(process)

    @property
    def url(self) -> str:
        """Its base address, for clients; `drop_links` breaks what goes this way."""
        return f"http://127.0.0.1:{self._relay.port}"

    @property
    def log(self) -> str:
        """What the server wrote: warnings and errors, one JSON object per line."""
        return self._running().log

    # People

    def token(self, user: str) -> str:
        """An API token of the user; the same one each time."""
        if user not in self._tokens:
            self._tokens[user] = str(self._running().ask(op="token", user=user)["token"])
        return self._tokens[user]

    def client(self, user: str, **options: Any) -> Client:
        """A client signed in as the user, not entered yet: `async with server.client("agent1")`.

        `options` are those of `Client`.
        """
        client = Client(self.url, self.token(user), **_quick(options))
        self._clients.add(client)
        return client

    def sync_client(self, user: str, **options: Any) -> sync.Client:
        """The same, blocking: `with server.sync_client("agent1") as client`."""
        client = sync.Client(self.url, self.token(user), **_quick(options))
        self._clients.add(client._its)
        return client

    @asynccontextmanager
    async def serving(self, bot: Bot, user: str) -> AsyncIterator[Bot]:
        """The bot serves as the user while the block runs, from when it is ready; then it drains.

        Raises in the end what its handlers raised and no error handler of its own took.
        """
        errors = Errors()
        errors.listen()
        try:
            async with asyncio.TaskGroup() as group:
                running = group.create_task(bot.start(self.client(user)))
                while not (running.done() or _is_ready(bot)):  # noqa: ASYNC110 - or it failed
                    await asyncio.sleep(LOOK_S)
                yield bot
                bot.stop()
        finally:
            errors.unlisten()
        errors.check()

    def customer(self, number: str | None = None) -> Customer:
        """The customer with this number (E.164); without one somebody new.

        In a server that tests share let each take somebody new.
        """
        if number is None:
            area, line = divmod(next(self._customers), 100)
            number = _FICTIONAL.format(area=201 + area, line=line)
        return Customer(self, number)

    def number(self) -> str:
        """Our number that customers text where none is named: the first inbox's."""
        if not self._number:
            inboxes = self.api("GET", "/v1/inboxes")["items"]
            numbers = [number for inbox in inboxes for number in inbox["numbers"]]
            if not numbers:
                raise RuntimeError("no inbox has a number: server.add_inbox(..., numbers=[...])")
            self._number = str(numbers[0])
        return self._number

    def add_user(
        self, user: str, *, name: str = "", role: str = "member", bot: bool = False
    ) -> None:
        """Make a member or an admin, or a bot; raises Conflict of an id that is taken."""
        asked = {"id": user, "name": name or user, "role": role, "bot": bot}
        self.api("POST", "/v1/admin/users", asked)

    def add_inbox(self, inbox: str, *, members: list[str], numbers: list[str]) -> None:
        """Make an inbox with these members and numbers (E.164)."""
        asked = {"id": inbox, "name": inbox, "members": members, "numbers": numbers}
        self.api("POST", "/v1/admin/inboxes", asked)

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """One request of the HTTP API as `admin`, decoded; raises as commands do."""
        http = Http(self.direct_url, self.token("admin"), timeout_s=30.0)
        return http.ask(method, path, body)

    # What happens to a server

    def drop_links(self) -> int:
        """Reset every connection of every client at once; returns how many there were."""
        return self._portal.run(self._relay.drop())

    def advance(self, seconds: float) -> None:
        """Let the server's clock go ahead: what falls due until then is done within about a second.

        So snoozes end, owners count as silent or away, the time for undoing passes. Connections
        stay; what counts real time goes on as it does: pings, timeouts, how long the engine keeps
        the ids of commands.
        """
        self._running().ask(op="advance", seconds=seconds)
        for client in self._clients:
            client._in.ahead_s += seconds

    def _begin(self, process: Process) -> None:
        self.direct_url = process.start()
        self._relay.target = urlsplit(self.direct_url).port or 0

    def _running(self) -> Process:
        if self._process is None:
            raise RuntimeError("start the server first: `with LocalServer() as server:`")
        return self._process


def _is_ready(bot: Bot) -> bool:
    return bot._serving is not None and bot._serving.ready.is_set()


def _quick(options: dict[str, Any]) -> dict[str, Any]:
    return {"backoff": Backoff(0.05, 0.5), **options}
