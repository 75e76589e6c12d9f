"""Requests of the shell and of workers, answered by whichever worker can; metrics of all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

from batonbox_server import control
from batonbox_server.errors import BatonboxError, Refused

from .merged import merged
from .process import WorkerProcess

__all__ = ["Asking", "read_metrics"]

_METRICS_S: Final = 5.0
_NOBODY: Final = "No worker serves just now; retry."


class Asking:
    """The handler of the supervisor's control sockets; `serving` are the workers of the moment."""

    def __init__(self, folder: Path, serving: Callable[[], Sequence[WorkerProcess]]) -> None:
        self._folder = folder
        self._serving = serving

    async def answer(self, request: dict[str, Any]) -> control.Answer:
        """See `control.listening`. Raises Refused."""
        match request.get("op"):
            case "metrics":
                return _in_pieces(await self._metrics())
            case "export":
                return await self._export(request)
            case "search":
                return await self._search(request)
        return await self._any(request)

    async def _any(self, request: dict[str, Any]) -> dict[str, Any]:
        for worker in self._serving():
            told = await control.ask(self._folder, request, name=worker.control)
            if told is not None:
                return told
        raise Refused("unavailable", _NOBODY)

    async def _search(self, request: dict[str, Any]) -> dict[str, Any]:
        """Each has an index of its own, or all have the engine's: told is who has read least."""
        told = []
        for number, worker in enumerate(self._serving()):
            # An index in the engine is thrown away once.
            asked = {**request, "first": number == 0}
            told.append(await control.ask(self._folder, asked, name=worker.control))
        known = [each for each in told if each is not None]
        if not known:
            raise Refused("unavailable", _NOBODY)
        return min(known, key=lambda each: (each["complete"], each["done"], -each["behind"]))

    async def _export(self, request: dict[str, Any]) -> AsyncIterator[bytes]:
        for worker in self._serving():
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
        workers = self._serving()
        texts = await asyncio.gather(*(read_metrics(self._folder, w.control) for w in workers))
        return merged({str(w.number): text for w, text in zip(workers, texts, strict=True)})


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
