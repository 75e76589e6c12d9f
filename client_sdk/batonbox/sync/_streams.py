"""What an asynchronous stream gives, one after the other, for threads that block."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, cast

from batonbox._events import Event
from batonbox._streams import EventStream as AsyncEventStream
from batonbox.sync._job import Job
from batonbox.sync._portal import Portal

__all__ = ["EventStream", "Stream", "entered"]

A = TypeVar("A")
T = TypeVar("T")
_END = object()


class Stream(Generic[T]):
    """Iterator that waits for the next value; threads may share one, each value goes to one.

    A value that came while nobody waited any more (a timeout, Ctrl-C) is the next one.
    """

    def __init__(self, portal: Portal, source: AsyncIterator[A], shown: Callable[[A], T]) -> None:
        self._portal = portal
        self._source: AsyncIterator[Any] = source
        self._shown: Callable[[Any], T] = shown
        # Of a thread that was interrupted before it could give it back, and comes again.
        self._turn = threading.RLock()
        self._coming: Job[Any] | None = None
        self._ended = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        return self._next(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def next(self, timeout_s: float | None = None) -> T:
        """The next value; raises TimeoutError when none came in time, EOFError after the last."""
        try:
            return self._next(timeout_s)
        except StopIteration:
            raise EOFError("the stream has ended") from None

    def close(self) -> None:
        """No more values; whoever waits for one gets the end."""
        self._ended, coming = True, self._coming
        self._coming = None
        if self._portal.running:
            self._portal.run(self._closed(coming))

    def _next(self, timeout_s: float | None) -> T:
        if not self._turn.acquire(timeout=-1 if timeout_s is None else timeout_s):
            raise TimeoutError(f"nothing came within {timeout_s:g} s")
        try:
            found = self._arrived(timeout_s)
        finally:
            self._turn.release()
        if found is _END:
            raise StopIteration
        return self._shown(found)

    def _arrived(self, timeout_s: float | None) -> Any:
        if self._ended or self._portal.ended:
            return _END
        if self._coming is None:
            self._coming = Job(self._one)
        coming = self._coming
        self._portal.hand(coming)
        if not self._portal.wait(coming, timeout_s):
            raise TimeoutError(f"nothing came within {timeout_s:g} s")
        self._coming = None
        try:
            found = coming.result()
        except asyncio.CancelledError:
            found = _END
        if found is _END:
            self._ended = True
        return found

    async def _one(self) -> Any:
        return await anext(self._source, _END)

    async def _closed(self, coming: Job[Any] | None) -> None:
        if coming is not None:
            coming.cancel()
            await coming.over()
        aclose = getattr(self._source, "aclose", None)
        if aclose is not None:
            await aclose()


class EventStream(Stream[Event]):
    """Iterator of events, with blocking handles; what it does not lose and when a `Resync` comes
    is as with `batonbox.EventStream`.
    """


@contextmanager
def entered(
    portal: Portal,
    events: AbstractAsyncContextManager[AsyncEventStream],
    shown: Callable[[Event], Event],
) -> Iterator[EventStream]:
    """The events while the block runs."""

    async def enter() -> AsyncEventStream:
        return await events.__aenter__()

    async def leave() -> None:
        await events.__aexit__(None, None, None)

    stream = EventStream(portal, cast("AsyncIterator[Event]", portal.run(enter())), shown)
    try:
        yield stream
    finally:
        stream.close()
        if portal.running:
            portal.run(leave())
