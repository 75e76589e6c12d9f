"""Scripts called by name; `library.py` has their sources, and the engine keeps them compiled."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from redis.exceptions import ResponseError

from batonbox_server.errors import EngineUnavailable, Refused
from batonbox_server.measured import SCRIPT_S
from batonbox_server.store.engine import Engine
from batonbox_server.store.library import LIBRARIES, Script, load_folder

__all__ = ["Scripts", "forget_others"]

_UNWRITTEN: Final = frozenset({b"idle", b"not_found"})


@cache
def _own() -> dict[str, Script]:
    """Those of this package, read once: every store has them, and a node has a dozen stores."""
    return load_folder()


class Scripts:
    """`await scripts.assign(prefix, conv=..., actor=..., ...)`: one attribute per file.

    Scripts take effect in the order of the calls, which hand them to the engine, awaited or not.
    Raises (awaited) Refused("unavailable") when it is down, and when the outcome stays unknown.
    Every script may be sent again: it is idempotent by a stored reply, a provider id or its nature.
    `on_write(prefix)` is called after every script that may have appended to the prefix's log; one
    that answers `idle` or `not_found` has not.  A wrong name in a call is a TypeError.
    """

    def __init__(self, client: Engine, folder: Path | None = None) -> None:
        self._client = client
        self._scripts = load_folder(folder) if folder else _own()
        client.know({script.library for script in self._scripts.values()})
        self.on_write: Callable[[str], None] | None = None

    def __getattr__(self, name: str) -> Callable[..., Awaitable[list[Any]]]:
        if name not in self._scripts:
            raise AttributeError(f"there is no script {name}.lua")

        def call(prefix: str, **args: Any) -> Awaitable[list[Any]]:
            return self.hand(name, prefix, args)

        setattr(self, name, call)  # looked up once
        return call

    def hand(self, name: str, prefix: str, args: dict[str, Any]) -> Awaitable[list[Any]]:
        """Hands the call to the engine at once; await its answer."""
        script = self._scripts[name]
        if tuple(args) != script.params:
            if set(args) != set(script.params):
                names = ", ".join(script.params)
                raise TypeError(f"{script.name} takes {names}, not {sorted(args)}")
            args = {name: args[name] for name in script.params}
        handed: asyncio.Future[Any] | EngineUnavailable
        try:
            handed = self._client.evaluate(script.function, prefix, args.values())
        except EngineUnavailable as error:
            handed = error
        return self._answered(script, prefix, handed, perf_counter())

    async def _answered(
        self,
        script: Script,
        prefix: str,
        handed: asyncio.Future[Any] | EngineUnavailable,
        handed_s: float,
    ) -> list[Any]:
        try:
            if isinstance(handed, EngineUnavailable):
                raise handed
            reply: list[Any] = await handed
            SCRIPT_S.add(script.name, perf_counter() - handed_s)
        except EngineUnavailable as error:
            raise Refused("unavailable", str(error)) from error
        if script.writes and reply[0] not in _UNWRITTEN and self.on_write is not None:
            self.on_write(prefix)
        return reply


async def forget_others(client: Engine) -> None:
    """Let the engine forget the libraries of other versions; once, when a node begins.

    A node of another version that still runs stores its own again with its next command, and
    forgets none: so two versions do not take turns.

    Raises:
        EngineUnavailable: as `Engine.execute`.
    """
    ours = next(iter(_own().values())).library.name
    for entry in await client.execute("FUNCTION", "LIST", "LIBRARYNAME", LIBRARIES + "*"):
        name = entry[1].decode()
        if name != ours:
            # Another node was faster, or the engine takes no writes just now: it costs nothing.
            with contextlib.suppress(ResponseError, EngineUnavailable):
                await client.execute("FUNCTION", "DELETE", name)
