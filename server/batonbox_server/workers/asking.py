"""Requests of the shell and of workers, answered by whichever worker can; metrics of all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

from batonbox_server import control
from batonbox_server.errors import BatonboxError, Refused

from .merged import merged
from .supervisor import Supervisor

__all__ = ["Asking", "read_metrics"]

_METRICS_S: Final = 5.0
_NOBODY: Final = "No worker serves just now; retry."


class Asking:
    """The handler of the supervisor's control sockets."""

    def __init__(self, folder: Path, supervisor: Supervisor) -> None:
        self._folder = folder
        self._supervisor = supervisor

    async def answer(self, request: dict[str, Any]) -> control.Answer:
        """See `control.listening`. Raises Refused."""
        match request.get("op"):
            case "metrics":
                return _in_pieces(await self._metrics())
            case "export" | "verify":
                return await self._streamed(request)
            case "search":
                return await self._search(request)
        return await self._any(request)

    async def _any(self, request: dict[str, Any]) -> dict[str, Any]:
        for worker in self._supervisor.serving:
            told = await control.ask(self._folder, request, name=worker.control)
            if told is not None:
                return told
        raise Refused("unavailable", _NOBODY)

    async def _search(self, request: dict[str, Any]) -> dict[str, Any]:
        """Each has an index of its own, or all have the engine's: told is who has read least."""
        told = []
        for number, worker in enumerate(self._supervisor.serving):
            # An index in the engine is thrown away once.
            asked = {**request, "first": number == 0}
            told.append(await control.ask(self._folder, asked, name=worker.control))
        known = [each for each in told if each is not None]
        if not known:
            raise Refused("unavailable", _NOBODY)
        return min(known, key=lambda each: (each["complete"], each["done"], -each["behind"]))

    async def _streamed(self, request: dict[str, Any]) -> AsyncIterator[bytes]:
        for worker in self._supervisor.serving:
            held = AsyncExitStack()
            asked = control.streaming(self._folder, request, name=worker.control)
            pieces = await held.enter_async_context(asked)
            try:
                # A refusal comes in place of the first one.
                first = b"" if pieces is None else await anext(pieces, b"")
            except BaseException:
                await held.aclose()
                raise
            if pieces is not None and first:
                return _passed_on(first, pieces, held)
            await held.aclose()
        raise Refused("unavailable", _NOBODY)

    async def _metrics(self) -> bytes:
        workers = self._supervisor.serving
        texts = await asyncio.gather(*(read_metrics(self._folder, w.control) for w in workers))
        of_each = {str(w.number): text for w, text in zip(workers, texts, strict=True)}
        return merged(of_each) + self._own_metrics()

    def _own_metrics(self) -> bytes:
        deaths = enumerate(self._supervisor.deaths)
        lines = [
            "# HELP batonbox_workers Workers that serve now",
            "# TYPE batonbox_workers gauge",
            f"batonbox_workers {len(self._supervisor.serving)}",
            "# HELP batonbox_worker_deaths_total Workers that ended without being asked to",
            "# TYPE batonbox_worker_deaths_total counter",
            *(f'batonbox_worker_deaths_total{{worker="{n}"}} {times}' for n, times in deaths),
        ]
        return "".join(f"{line}\n" for line in lines).encode()


async def read_metrics(folder: Path, name: str) -> bytes:
    """Those of the process with this control socket; nothing where it does not answer."""
    try:
        async with (
            asyncio.timeout(_METRICS_S),
            control.streaming(folder, {"op": "metrics"}, name=name) as pieces,
        ):
            return b"".join([piece async for piece in pieces]) if pieces is not None else b""
    except (OSError, BatonboxError):
        return b""


async def _passed_on(
    first: bytes, pieces: AsyncIterator[bytes], held: AsyncExitStack
) -> AsyncIterator[bytes]:
    async with held:
        yield first
        async for piece in pieces:
            yield piece


async def _in_pieces(text: bytes) -> AsyncIterator[bytes]:
    yield text
