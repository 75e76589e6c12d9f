"""Where a bot's work comes from: the seam between dispatching and sharing.

A bot that works alone takes what its client is told; copies of a bot that share their work take
what their group gives them.  Both are a `Source`, and dispatching knows no more than this file:

- It iterates over a source, and pulls no more than it has room for: a source may be slow, and has
  to be bounded itself (an `EventStream` is; what it drops it says by a Resync).
- Works of one conversation are handled in the order in which they came, one after the other;
  those of different conversations at the same time, so that `done()` comes out of order.
- Right before the first handler of a work runs, `begin()` is asked, in the same turn of the loop.
  False: it has been taken back meanwhile (a group gave its conversation to another copy), and
  nobody hears of it: no handler runs, `done()` is not called.  So "not begun" is the source's own
  to know: it needs no call that takes works back, it only answers False from then on.
- `done()` comes once for each work that was begun, after its handlers have ended, however they
  did (what they raised went to the error handlers), and after the last attempt where what failed is
  tried again.  It is not called for what is cut off: by a drain that took too long, by a crash, or
  when the bot is cancelled; nor, where the source `resumes`, for what had failed and whose next
  attempt a drain left no time for.
- `stop()` begins the drain: the source ends its iteration, and answers False to every later
  `begin()`.  It may come more than once, and before the source is entered.  Leaving the source
  (`__aexit__`) ends it: nothing is running any more, every `done()` that will come has come, and
  its client is still connected.  A group commits and says good-bye.

All calls are made on the loop's thread.  None but `__aenter__`, `__anext__` and `__aexit__` may
wait.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from batonbox._events import ConversationEvent, Resync
from batonbox._streams import EventStream

if TYPE_CHECKING:
    from batonbox._client import Client

__all__ = ["Source", "StreamSource", "Work"]


class Work(Protocol):
    """One event that is to be handled once.

    Command ids derive from the event's inbox, seq and tip, which are the same wherever, and however
    often, it is handled: a source must hand out the event as the log has it.
    """

    @property
    def event(self) -> ConversationEvent:
        """What happened."""
        ...

    def begin(self) -> bool:
        """It is about to be handled; False: it is not ours any more, forget it."""
        ...

    def done(self) -> None:
        """Its handlers have ended."""
        ...


class Source(Protocol):
    """Works in the order of each inbox's log; a Resync where some are missing.

    Entering it returns once nothing that happens afterwards can be missed without a Resync; of a
    group: once it is joined and its first share is known.
    """

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def __aiter__(self) -> Self: ...

    async def __anext__(self) -> Work | Resync: ...

    def holds(self, conv: str) -> bool:
        """Whether works of this conversation come here now; asked before `unassigned` handlers."""
        ...

    @property
    def resumes(self) -> bool:
        """Whether what was begun and is not done is given again, to another copy or start."""
        ...

    @property
    def leads(self) -> bool:
        """Whether `every` handlers run here: of a group's copies at most one says so."""
        ...

    def stop(self) -> None:
        """No more works: the iteration ends."""
        ...


class StreamSource:
    """What a client is told of these inboxes (None: of all it may see), for a bot on its own."""

    leads = True
    resumes = False

    def __init__(
        self, client: Client, inboxes: Collection[str] | None = None, *, queue_max: int = 4096
    ) -> None:
        self._client = client
        self._inboxes = inboxes
        self._queue_max = queue_max
        self._stack = AsyncExitStack()
        self._stream: EventStream | None = None
        self.stopped = False

    async def __aenter__(self) -> Self:
        following = self._client.events(
            ConversationEvent, inbox=self._inboxes, queue_max=self._queue_max
        )
        self._stream = await self._stack.enter_async_context(following)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Work | Resync:
        while self._stream is not None and not self.stopped:
            event = await anext(self._stream)
            if isinstance(event, Resync):
                return event
            if isinstance(event, ConversationEvent):
                return Told(event, self)
        raise StopAsyncIteration

    def holds(self, conv: str) -> bool:  # noqa: ARG002 - all of them
        return True

    def stop(self) -> None:
        self.stopped = True
        if self._stream is not None:
            self._stream.end()


class Told:
    """An event of a stream: it is ours until the bot stops."""

    __slots__ = ("_source", "event")

    def __init__(self, event: ConversationEvent, source: StreamSource) -> None:
        self.event = event
        self._source = source

    def begin(self) -> bool:
        return not self._source.stopped

    def done(self) -> None:
        pass
