"""Running one server process: what it accepts on, its greeting, the order of going down."""

from __future__ import annotations

import asyncio
import gc
import logging
import shlex
import socket
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, Final

import structlog
import uvicorn

from batonbox_server import control, demo
from batonbox_server.asgi.http_bounds import bounded
from batonbox_server.asgi.keeping import Keeping
from batonbox_server.asgi.origins import is_loopback
from batonbox_server.asgi.upgrade import Upgrade
from batonbox_server.config import Settings
from batonbox_server.domain.model import Role
from batonbox_server.errors import Refused
from batonbox_server.for_tests import ForTests
from batonbox_server.listeners import BACKLOG, listen, url_of
from batonbox_server.node import Node, Organisation
from batonbox_server.node_archive import archive_report
from batonbox_server.node_backup import backup_begins
from batonbox_server.node_export import operator_export
from batonbox_server.node_layout import layout_told
from batonbox_server.node_verify import verified
from batonbox_server.origin import Origin, act_as
from batonbox_server.service.passwords import random_password
from batonbox_server.service.texts import check_id
from batonbox_server.signals import Stop
from batonbox_server.store.directory_port import User

__all__ = [
    "Server",
    "answer",
    "greeting",
    "links_at",
    "respond",
    "run",
    "serve",
    "server_of",
]

_log = structlog.get_logger(__name__)
# Far above a connection's own limit, which answers with a close code instead of 1009.
_FRAME_MAX_BYTES: Final = 1 << 20
# Ctrl-C is pressed by somebody who waits at a terminal; SIGTERM comes from a rolling restart.
_DRAIN_AT_CTRL_C_S: Final = 1.0
_NO_TURNS: Final = "only `serve --workers 2` or more restarts without an interruption"
_EVERYWHERE: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, not bound
_NO_LINKS: Final = (
    "One-click links exist while `batonbox-server serve --demo` runs on this machine's own address;"
    " `batonbox-server password USER` makes a password."
)
# uvicorn says so of every upgrade that is answered over HTTP, which is how they are refused.
_SPURIOUS: Final = "ASGI callable returned without completing handshake."


class Server(uvicorn.Server):
    """Accepts on those of its `listeners` that it is told to.

    `kept()` connections of HTTP may be open and wait for another request, none once it is to end.
    Not run by `serve`: uvicorn's signals close every websocket with 1012 before anything else.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        listeners: Sequence[socket.socket],
        *,
        kept: Callable[[], int],
    ) -> None:
        super().__init__(config)
        config.load()
        self._keeping = Keeping(config.loaded_app, self.server_state.connections, most=kept)
        config.loaded_app = self._keeping
        self.lifespan = config.lifespan_class(config)
        self.servers = []
        self._listeners = listeners
        self._accepting: dict[int, Any] = {}
        self._turn = asyncio.Lock()

    async def accept(self, which: Collection[int]) -> None:
        """From now on accept on these listeners, by their numbers, and on no other.

        What waits in a listener's queue stays there for whoever accepts on it next.
        """
        async with self._turn:
            for number in self._accepting.keys() - set(which):
                self._accepting.pop(number).close()
            for number in set(which) - self._accepting.keys():
                # uvicorn closes what it is given, and another process may accept on the original.
                await self.startup(sockets=[self._listeners[number].dup()])
                (self._accepting[number],) = self.servers
            self.servers = list(self._accepting.values())

    def let_go(self) -> None:
        """From now on every answer is the last one of its connection."""
        self._keeping.end()

    def release(self) -> None:
        """Close the connections that clients of HTTP keep for their next request, or after this."""
        for connection in list(self.server_state.connections):
            if isinstance(connection, self.config.http_protocol_class):
                connection.shutdown()


async def serve(settings: Settings, *, with_demo: bool, say: Any, for_tests: bool = False) -> None:
    """Serve until SIGTERM or SIGINT, then drain; a second signal ends it at once.

    `say(text)` shows the greeting. Raises ConfigError, EngineUnsuitable, EngineUnavailable.
    """
    stop = Stop(on_hangup=lambda: _log.warning("hangup_ignored", remedy=_NO_TURNS))
    tests = ForTests(settings) if for_tests else None
    listeners = listen(settings)
    node = Node(settings, demo=with_demo)
    url = url_of(settings, listeners[0])
    links = links_at(settings, url) if with_demo else ""
    try:
        if not await stop.outlasts(node.open()):
            return
        if tests is not None:
            await tests.resume(node)
            tests.end_with_parent(stop)
        if with_demo:
            await demo.seed(node)

        async def responding(request: dict[str, Any]) -> control.Answer:
            told = tests.tell(node, request, url=url) if tests is not None else None
            return await (told or respond(node, request, links=links))

        async with control.listening(Path(settings.data_dir), responding):
            # Made before the first client can be answered, so that it is printed before, too.
            text = await greeting(node, url, links, with_demo=with_demo)
            server = server_of(node, listeners)
            await run(node, server, stop, accept=[0], ready=lambda: say(text))
    finally:
        await node.close()
        listeners[0].close()


def links_at(settings: Settings, url: str) -> str:
    """The address of one-click links, "" where others than this machine's could open them."""
    return url if is_loopback(settings.host) else ""


async def respond(node: Node, request: dict[str, Any], *, links: str) -> control.Answer:
    """`answer`, or an export or a report in pieces."""
    if request.get("op") == "verify":
        return verified(node)
    if request.get("op") != "export":
        return await answer(node, request, links=links)
    with act_as("", Origin("cli")):
        return await operator_export(node, direct=request.get("direct") is True)


async def answer(
    organisation: Organisation, request: dict[str, Any], *, links: str = ""
) -> dict[str, Any]:
    """A request of the control socket, carried out. Raises Refused.

    `links`: the address of one-click links, empty where there are none.
    """
    with act_as("", Origin("cli")):
        return await _carry_out(organisation, request, links=links)


async def _carry_out(
    organisation: Organisation, request: dict[str, Any], *, links: str
) -> dict[str, Any]:
    user = str(request.get("user", ""))
    match request.get("op"):
        case "token":
            await _first_user(organisation, user)
            _, secret = await organisation.identity.make_token(user=user, label="command line")
            return {"token": secret}
        case "password":
            await _first_user(organisation, user)
            password = str(request.get("password") or random_password())
            await organisation.sign_in.set_password(user, password)
            return {"password": password}
        case "setup":
            password = str(request.get("password") or random_password())
            admin = User(user, str(request.get("name", "")), Role.ADMIN)
            await organisation.setup.create(
                organisation=str(request.get("organisation", "")), admin=admin, password=password
            )
            return {"password": password}
        case "search" if isinstance(organisation, Node):
            rebuild, first = request.get("rebuild") is True, request.get("first", True) is True
            return await organisation.search.told(rebuild=rebuild, first=first)
        case "link":
            if not links:
                raise Refused("conflict", _NO_LINKS)
            return {"link": demo.link_url(links, await organisation.sign_in.make_link(user))}
        case "archive_status":
            return await archive_report(organisation)
        case "backup":
            return await backup_begins(organisation)
        case "layout":
            return await layout_told(organisation)
    raise Refused("unknown_op", "This server does not know that request; update it.")


async def _first_user(organisation: Organisation, user: str) -> None:
    # Whoever may ask here owns the data: the first user of an empty server is its admin.
    if not organisation.directory.users:
        check_id(user, field="user")
        await organisation.administration.create_user(User(user, user, Role.ADMIN))


async def greeting(organisation: Organisation, url: str, links: str, *, with_demo: bool) -> str:
    """What to print once the server serves; every start makes a new link for setting up."""
    client, settings = organisation.client, organisation.settings
    engine = f"{client.server_name} {client.server_version}"
    if not with_demo:
        token = await organisation.setup.offer()
        listens = f"batonbox listens on {url} (engine: {engine})"
        return "\n".join([listens, *_invitation(settings, url, token)]) if token else listens
    access = await demo.open_access(organisation, url=links)
    return demo.greeting(settings, access, url=url, engine=engine)


def _invitation(settings: Settings, url: str, token: str) -> list[str]:
    folder = "" if settings.data_dir == "data" else f" --data-dir {shlex.quote(settings.data_dir)}"
    lines = [
        "",
        "There is nobody here yet. Set up your organisation and its first admin:",
        "",
        f"  {url}/setup#token={token}",
        "",
        "The link works once, until this server stops; each start prints a new one. By script:",
        "",
        "  batonbox-server setup --organisation 'Acme Ltd' --admin dana --name 'Dana Smith'"
        + folder,
    ]
    if settings.host in _EVERYWHERE:
        lines.insert(4, f"  (from elsewhere: this machine's name in place of {settings.host})")
    return lines


def server_of(node: Node, listeners: Sequence[socket.socket]) -> Server:
    """The HTTP server of an open node; it accepts nothing yet."""
    logging.getLogger("uvicorn.error").addFilter(lambda record: record.msg != _SPURIOUS)
    return Server(_config(node), listeners, kept=node.shedder.kept_max)


async def run(
    node: Node, server: Server, stop: Stop, *, accept: Collection[int], ready: Callable[[], None]
) -> None:
    """Serve from `ready()` on until `stop`, drain, end."""
    serving = asyncio.get_running_loop().create_task(server.main_loop())
    ready()
    await server.accept(accept)
    _settle_memory()
    await stop.wait()
    server.let_go()
    await _drain(node, stop)
    server.should_exit = True
    await serving
    await server.shutdown()


async def _drain(node: Node, stop: Stop) -> None:
    """Let the clients move away; a second signal ends the waiting."""
    stop.clear()
    loop = asyncio.get_running_loop()
    within_s = node.settings.drain_s
    if stop.interrupted:
        within_s = min(within_s, _DRAIN_AT_CTRL_C_S)
    draining = loop.create_task(node.drain(within_s=within_s, replaced=stop.replaced))
    again = loop.create_task(stop.wait())
    await asyncio.wait({draining, again}, return_when=asyncio.FIRST_COMPLETED)
    for task in (draining, again):
        task.cancel()
    await asyncio.gather(draining, again, return_exceptions=True)


def _config(node: Node) -> uvicorn.Config:
    settings = node.settings
    return uvicorn.Config(
        node.app,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        http=bounded(node.shedder, timeout_s=settings.http_timeout_s),
        ws=Upgrade,
        ws_max_size=max(_FRAME_MAX_BYTES, 4 * settings.message_max_bytes),
        timeout_keep_alive=settings.http_keep_alive_s,
        timeout_graceful_shutdown=5,
    )


def _settle_memory() -> None:
    # What start-up made lives as long as the process: do not walk it at every collection. A third
    # of the cost of a handshake, and most of its tail.
    gc.collect()
    gc.freeze()
    # Few at a time: of 20,000 that live, as under a crowd of strangers, one walk takes 5 to 9 ms.
    gc.set_threshold(5000, 50, 50)
