"""One of several server processes: a node of its own on listeners and an engine of its parent's."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from batonbox_server import config, control
from batonbox_server.asgi.metrics import exposition
from batonbox_server.errors import BatonboxError
from batonbox_server.node import Node
from batonbox_server.serving import respond, run, server_of
from batonbox_server.signals import Stop

from .asking import read_metrics
from .process import Said, Start, socket_name

__all__ = ["started", "work"]

# Whoever was let in a moment ago is about to ask for the upgrade, which a draining node refuses.
_SETTLING_S: Final = 1.0


def started() -> Start:
    """What the supervisor has written to standard input."""
    return msgspec.json.decode(sys.stdin.buffer.read(), type=Start)


async def work(start: Start, *, prepare: Callable[[config.Settings], None]) -> int:
    """Serve until SIGTERM, SIGINT or a replacement; the exit status. Says why it cannot.

    `prepare(settings)` comes before anything else.
    """
    try:
        settings = config.load(**start.overrides)
        prepare(settings)
        await _Worker(start, settings).serve()
    except (BatonboxError, config.ConfigError) as error:
        _say(Said(str(getattr(error, "message", "")) or str(error)))
        return 1
    return 0


class _Worker:
    def __init__(self, start: Start, settings: config.Settings) -> None:
        self._start = start
        self._folder = Path(settings.data_dir)
        self._stop = Stop()
        self._node = Node(
            settings, demo=start.demo, engine_url=start.engine_url, metrics=self._of_all
        )

    async def serve(self) -> None:
        listeners = [socket.socket(fileno=number) for number in self._start.listeners]
        try:
            if not await self._stop.outlasts(self._node.open()):
                return
            self._server = server_of(self._node, listeners)
            name = socket_name(os.getpid())
            async with control.listening(self._folder, self._answer, name=name):
                await run(
                    self._node, self._server, self._stop, accept=[], ready=lambda: _say(Said())
                )
        finally:
            await self._node.close()

    async def _answer(self, request: dict[str, Any]) -> control.Answer:
        match request.get("op"):
            case "accept":
                await self._server.accept(request["listeners"])
                return {}
            case "retire":
                await self._server.accept([])
                self._server.let_go()
                asyncio.get_running_loop().call_later(_SETTLING_S, self._leave)
                return {}
            case "metrics":
                return _in_pieces(exposition(self._node.readiness))
        return await respond(self._node, request, links=self._start.links)

    def _leave(self) -> None:
        # A balancer asks for an upgrade over any connection that it has kept.
        self._server.release()
        self._stop.retire()

    async def _of_all(self) -> bytes:
        found = await read_metrics(self._folder, self._start.supervisor)
        return found or exposition(self._node.readiness)


def _say(said: Said) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(said) + b"\n")
    sys.stdout.buffer.flush()


async def _in_pieces(text: bytes) -> AsyncIterator[bytes]:
    yield text
