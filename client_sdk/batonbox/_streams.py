"""Queues between the read loop and user code: bounded, and honest when they overflow."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Iterable
from typing import Generic, TypeVar

from batonbox._events import Event, LogEvent, Resync
from batonbox._room_models import is_room

__all__ = ["EventStream", "Latest"]

K = TypeVar("K")
V = TypeVar("V")


class EventStream:
    """Async iterator of events.

    `Resync` always comes through, whatever the types asked for.  When user code is slower than the
    inbox, the queue is emptied and a single `Resync(reason="slow_consumer")` takes its place.
    """

    def __init__(
        self,
        types: tuple[type[Event], ...] = (),
        *,
        inbox: str | Collection[str] | None = None,
        rooms: bool = False,
        queue_max: int = 4096,
    ) -> None:
        self._types = (*types, Resync) if types else (Event,)
        self._inboxes = frozenset([inbox] if isinstance(inbox, str) else inbox or ())
        self._all = inbox is None
        self._rooms = rooms
        self._queue_max = queue_max
        self._queue: deque[Event] = deque()
        self._told: dict[str, int] = {}  # the newest seq of each log
        self._begun: set[str] = set()  # the logs of which anything was told
        self._ready = asyncio.Event()
        self._error: Exception | None = None
        self._ended = False

    def __aiter__(self) -> EventStream:
        return self

    async def __anext__(self) -> Event:
        while not self._queue:
            if self._error is not None:
                raise self._error
            if self._ended:
                raise StopAsyncIteration
            self._ready.clear()
            await self._ready.wait()
        return self._queue.popleft()

    def offer(self, event: Event) -> None:
        """Called by the read loop; never blocks."""
        if event.inbox and not self.follows(event.inbox):
            return
        if isinstance(event, LogEvent | Resync):
            self._begun.add(event.inbox)
        if isinstance(event, LogEvent):
            if event.seq <= self._told.get(event.inbox, 0):
                return  # told again for another stream, which goes on from further back
            self._told[event.inbox] = event.seq
        elif isinstance(event, Resync):
            self._told.pop(event.inbox, None)
        if not isinstance(event, self._types):
            return
        if len(self._queue) >= self._queue_max:
            self._queue.clear()
            self._queue.append(Resync(inbox="", reason="slow_consumer"))
        self._queue.append(event)
        self._ready.set()

    def begin(self, inbox: str, seq: int) -> None:
        """Nothing up to `seq` is for this stream, unless it was told something of this log before:
        then it was told where it goes on, or that it has to read again what is older than that.
        """
        if inbox not in self._begun:
            self._told[inbox] = max(seq, self._told.get(inbox, 0))

    def follows(self, inbox: str) -> bool:
        """Whether this stream wants the inbox, or the room."""
        if not self._all:
            return self._error is None and inbox in self._inboxes
        return self._rooms or not is_room(inbox)

    def refused(self, inbox: str, error: Exception) -> None:
        """The inbox is not to be had: the end of a stream that asked for it by name."""
        if inbox in self._inboxes:
            self.fail(error)

    def fail(self, error: Exception) -> None:
        """No more events; raised once what is queued has been read."""
        self._error = error
        self._ready.set()

    def end(self) -> None:
        """No more events."""
        self._ended = True
        self._ready.set()


class Latest(Generic[K, V]):
    """Async iterator of values that replace each other; only the latest of each key is kept."""

    def __init__(self, known: Iterable[tuple[K, V]]) -> None:
        self._latest = dict(known)
        self._ready = asyncio.Event()
        self._error: Exception | None = None
        self._ended = False

    def __aiter__(self) -> Latest[K, V]:
        return self

    async def __anext__(self) -> V:
        while not self._latest:
            if self._error is not None:
                raise self._error
            if self._ended:
                raise StopAsyncIteration
            self._ready.clear()
            await self._ready.wait()
        return self._latest.pop(next(iter(self._latest)))

    def offer(self, key: K, value: V) -> None:
        """Called by the read loop; replaces an unread one of the same key."""
        self._latest[key] = value
        self._ready.set()

    def fail(self, error: Exception) -> None:
        """No more values; raised once the latest have been read."""
        self._error = error
        self._ready.set()

    def end(self) -> None:
        """No more values."""
        self._ended = True
        self._ready.set()
