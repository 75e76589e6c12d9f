"""`serve --workers N`: one supervisor with the engine and the port, N processes that serve it."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

from batonbox_server import control, demo
from batonbox_server.config import ConfigError, Settings
from batonbox_server.engine import EmbeddedEngine
from batonbox_server.listeners import listen, url_of
from batonbox_server.node import Organisation
from batonbox_server.serving import greeting, links_at
from batonbox_server.signals import Stop

from .asking import Asking
from .process import Start, socket_name
from .supervisor import Supervisor

__all__ = ["serve_workers"]

_MOST: Final = 64


async def serve_workers(
    settings: Settings, overrides: dict[str, Any], *, with_demo: bool, say: Any
) -> None:
    """Serve until SIGTERM or SIGINT, then drain; SIGHUP replaces the workers one at a time.

    `overrides` are the settings that do not come from the environment, which workers read anew.
    Raises ConfigError, EngineUnsuitable, EngineUnavailable.
    """
    if settings.workers > _MOST:
        raise ConfigError(f"BATONBOX_WORKERS must be 1 to {_MOST}, not {settings.workers}.")
    async with AsyncExitStack() as held:
        stop = Stop()
        listeners = listen(settings, count=settings.workers)
        for listener in listeners:
            held.callback(listener.close)
        url, folder = url_of(settings, listeners[0]), Path(settings.data_dir)
        links = links_at(settings, url) if with_demo else ""
        engine_url = await _engine(settings, held)
        text = await _prepared(settings, stop, engine_url, url, links, with_demo=with_demo)
        if not text:
            return
        first = Start(
            number=0,
            listeners=[listener.fileno() for listener in listeners],
            overrides=overrides,
            engine_url=engine_url,
            demo=with_demo,
            links=links,
            supervisor=socket_name(os.getpid()),
        )
        supervisor = Supervisor(
            first, count=settings.workers, folder=folder, drain_s=settings.drain_s
        )
        held.push_async_callback(supervisor.aclose)
        stop.on_hangup = supervisor.roll
        _remove_left(folder)
        if not await stop.outlasts(supervisor.start()):
            return  # of those that are to serve one may hang
        answer = Asking(folder, supervisor).answer
        await held.enter_async_context(control.listening(folder, answer, name=first.supervisor))
        await held.enter_async_context(control.listening(folder, answer))
        say(text)
        await supervisor.run(stop)


async def _engine(settings: Settings, held: AsyncExitStack) -> str:
    """The URL of an embedded engine, "" where another is named."""
    if settings.redis_url:
        return ""
    engine = EmbeddedEngine(Path(settings.data_dir))
    await engine.start()
    held.push_async_callback(engine.stop)
    return engine.url


async def _prepared(
    settings: Settings, stop: Stop, engine_url: str, url: str, links: str, *, with_demo: bool
) -> str:
    """What is done once, before there are several; returns what to print, "" if it is to stop."""
    wait_s = settings.engine_wait_s
    organisation = Organisation(settings, engine_url=engine_url, engine_wait_s=wait_s)
    try:
        if not await stop.outlasts(organisation.open()):
            return ""
        if with_demo:
            await demo.seed(organisation)
        return await greeting(organisation, url, links, with_demo=with_demo)
    finally:
        await organisation.close()


def _remove_left(folder: Path) -> None:
    """Sockets of processes that were killed."""
    for path in folder.glob(socket_name(0).replace("0", "*")):
        pid = path.stem.rpartition("-")[2]
        if pid.isdigit() and not _lives(int(pid)):
            path.unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
