"""Running one server process: the socket, the signals, the order of going down."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import shlex
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import structlog
import uvicorn

from batonbox_server import control, demo
from batonbox_server.asgi.origins import is_loopback
from batonbox_server.asgi.upgrade import Upgrade
from batonbox_server.config import ConfigError, Settings
from batonbox_server.domain.model import Role
from batonbox_server.errors import Refused
from batonbox_server.node import Node, Organisation
from batonbox_server.node_archive import archive_report
from batonbox_server.node_export import operator_export
from batonbox_server.origin import Origin, act_as
from batonbox_server.service.passwords import random_password
from batonbox_server.service.texts import check_id
from batonbox_server.store.directory_port import User

__all__ = ["answer", "serve"]

_log = structlog.get_logger(__name__)
_BACKLOG: Final = 4096
# Far above a connection's own limit, which answers with a close code instead of 1009.
_FRAME_MAX_BYTES: Final = 1 << 20
# Ctrl-C is pressed by somebody who waits at a terminal; SIGTERM comes from a rolling restart.
_DRAIN_AT_CTRL_C_S: Final = 1.0
_EVERYWHERE: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, not bound
_NO_LINKS: Final = (
    "One-click links exist while `batonbox-server serve --demo` runs on this machine's own address;"
    " `batonbox-server password USER` makes a password."
)
# uvicorn says so of every upgrade that is answered over HTTP, which is how they are refused.
_SPURIOUS: Final = "ASGI callable returned without completing handshake."


class _Stop(asyncio.Event):
    """Set by SIGTERM and SIGINT."""

    def __init__(self) -> None:
        super().__init__()
        self.interrupted = False
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.set)
        loop.add_signal_handler(signal.SIGINT, self._interrupt)

    def _interrupt(self) -> None:
        self.interrupted = True
        self.set()


class _Server(uvicorn.Server):
    """Without uvicorn's signals: its way closes every websocket with 1012 before anything else."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(settings: Settings, *, with_demo: bool, say: Any) -> None:
    """Serve until SIGTERM or SIGINT, then drain; a second signal ends it at once.

    `say(text)` shows the greeting. Raises ConfigError, EngineUnsuitable, EngineUnavailable.
    """
    stop = _Stop()
    logging.getLogger("uvicorn.error").addFilter(lambda record: record.msg != _SPURIOUS)
    listener = _listen(settings)
    node = Node(settings, demo=with_demo)
    url = _url(settings, listener)
    links = url if with_demo and is_loopback(settings.host) else ""
    try:
        await node.open()
        if with_demo:
            await demo.seed(node)
        async with control.listening(
            Path(settings.data_dir), lambda r: _respond(node, r, links=links)
        ):
            # Made before the first client can be answered, so that it is printed before, too.
            text = await _greeting(node, url, links)
            await _run(node, listener, stop, greet=lambda: say(text))
    finally:
        listener.close()
        await node.close()


async def _respond(node: Node, request: dict[str, Any], *, links: str) -> control.Answer:
    """`answer`, or an export in pieces."""
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
            return await organisation.search.told(rebuild=bool(request.get("rebuild")))
        case "link":
            if not links:
                raise Refused("conflict", _NO_LINKS)
            return {"link": demo.link_url(links, await organisation.sign_in.make_link(user))}
        case "archive_status":
            return await archive_report(organisation)
    raise Refused("unknown_op", "This server does not know that request; update it.")


async def _first_user(organisation: Organisation, user: str) -> None:
    # Whoever may ask here owns the data: the first user of an empty server is its admin.
    if not organisation.directory.users:
        check_id(user, field="user")
        await organisation.administration.create_user(User(user, user, Role.ADMIN))


async def _greeting(node: Node, url: str, links: str) -> str:
    engine = f"{node.client.server_name} {node.client.server_version}"
    if not node.demo:
        token = await node.setup.offer()
        listens = f"batonbox listens on {url} (engine: {engine})"
        return "\n".join([listens, *_invitation(node.settings, url, token)]) if token else listens
    access = await demo.open_access(node, url=links)
    return demo.greeting(node.settings, access, url=url, engine=engine)


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


async def _run(
    node: Node, listener: socket.socket, stop: _Stop, *, greet: Callable[[], None]
) -> None:
    server = _Server(_config(node))
    serving = asyncio.get_running_loop().create_task(server.serve(sockets=[listener]))
    greet()
    _settle_memory()
    stopping = asyncio.get_running_loop().create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not serving.done():
        await _drain(node, stop)
    server.should_exit = True
    await serving


async def _drain(node: Node, stop: _Stop) -> None:
    """Let the clients move away; a second signal ends the waiting."""
    stop.clear()
    loop = asyncio.get_running_loop()
    within_s = node.settings.drain_s
    if stop.interrupted:
        within_s = min(within_s, _DRAIN_AT_CTRL_C_S)
    draining = loop.create_task(node.drain(within_s=within_s))
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
        backlog=_BACKLOG,
        ws=Upgrade,
        ws_max_size=max(_FRAME_MAX_BYTES, 4 * settings.message_max_bytes),
        timeout_graceful_shutdown=5,
    )


def _url(settings: Settings, listener: socket.socket) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{listener.getsockname()[1]}"


def _listen(settings: Settings) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        return socket.create_server((settings.host, settings.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise ConfigError(
            f"Cannot listen on {settings.host}:{settings.port} ({error.strerror}); "
            "stop what uses it or choose another port (BATONBOX_PORT)."
        ) from error


def _settle_memory() -> None:
    # What start-up made lives as long as the process: do not walk it at every collection. A third
    # of the cost of a handshake, and most of its tail.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 50)
