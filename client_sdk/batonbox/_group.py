"""Copies of a bot that share their inboxes: each event is handled by one of them.

Copies of a group are clients of one user with the same group's name.  The server deals an inbox's
64 partitions of conversations out to those that live, and remembers how far each is handled.  A
copy says every third of its lease that it lives and how far it has got; one that says nothing for a
whole lease is taken for dead, and its partitions are the others', from where it had got to.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections import deque
from collections.abc import Collection, Coroutine
from typing import TYPE_CHECKING, Any, Self

from batonbox._errors import (
    ApiError,
    BatonboxError,
    ConnectionLost,
    Forbidden,
    NotFound,
    RequestTimeout,
    api_error,
)
from batonbox._events import LogEvent, Resync
from batonbox._group_share import Share, SharedWork
from batonbox._models import State
from batonbox._tasks import cancel_all, spawn
from batonbox._wire import ERRORS, Op

if TYPE_CHECKING:
    from types import TracebackType

    from batonbox._client import Client
    from batonbox._streams import EventStream

__all__ = ["Group", "check_name"]

INBOXES_AT_ONCE = 32
PAUSE_S = 0.05  # between two words to the server
GOODBYE_S = 2.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_log = logging.getLogger("batonbox.group")


def check_name(name: str) -> None:
    """Raises ValueError for what is no group's name."""
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"a group's name is 1 to 40 of A-Z a-z 0-9 . _ -, the first none of . _ -: {name!r}"
        )


class Group:
    """One copy's part of the group `name`: a `bot._source.Source`.

    `client` is a connected client; `inboxes` ids, None: all it may see, those too that come later.
    `lease_s` (1 to 60 s): for so long this copy counts as living after it was last heard of.  At
    most `queue_max` events are kept that are not handled yet; reading waits until there are fewer,
    and misses none.  `copy` names this copy, and no other.
    """

    resumes = True  # what is not done is handed to the copy that goes on

    def __init__(
        self,
        client: Client,
        name: str,
        *,
        inboxes: Collection[str] | None = None,
        lease_s: float = 6.0,
        queue_max: int = 4096,
        copy: str | None = None,
    ) -> None:
        check_name(name)
        if not 1.0 <= lease_s <= 60.0:
            raise ValueError(f"lease_s is 1 to 60 seconds, not {lease_s:g}")
        self.name = name
        self.copy: str = copy or secrets.token_hex(8)
        self._client = client
        self._inboxes = None if inboxes is None else list(inboxes)
        self._lease_s = lease_s
        self._queue_max = queue_max
        self._shares: dict[str, Share] = {}
        self._streams: dict[str, EventStream] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._queue: deque[SharedWork | Resync] = deque()
        self._queued = asyncio.Event()
        self._speak = asyncio.Event()
        self._moved = asyncio.Event()  # a share or the room for works changed: readers look again
        self._resynced: set[tuple[str, str]] = set()
        self._error: Exception | None = None
        self._stopped = False

    async def __aenter__(self) -> Self:
        try:
            await self._say()
        except BaseException:
            await cancel_all(self._tasks)
            raise
        spawn(self._tasks, self._guarded(self._keep_saying()), name="batonbox-group")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        await cancel_all(self._tasks)
        try:
            await self._say_of(list(self._shares.values()), leave=True)
        except BatonboxError as refused:
            _log.info("group %s: leaving without a word: %s", self.name, refused)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SharedWork | Resync:
        while not self._stopped:
            if self._queue:
                return self._queue.popleft()
            if self._error is not None:
                raise self._error
            self._queued.clear()
            await self._queued.wait()
        raise StopAsyncIteration

    def holds(self, conv: str) -> bool:
        """Whether this copy handles the conversation now."""
        share = self._shares.get(conv.partition(".")[0])
        return share is not None and share.holds(conv)

    @property
    def leads(self) -> bool:
        """Whether this copy does what one copy alone does: it holds the first of all partitions."""
        first = min(self._shares, default=None)
        if first is None or not self._shares[first].runs():
            return False
        line = self._shares[first].lines.get(0)
        return line is not None and not line.asked

    @property
    def copies(self) -> int:
        """How many live, as far as is known."""
        return max((share.copies for share in self._shares.values()), default=0)

    def stop(self) -> None:
        """No more works: the iteration ends."""
        self._stopped = True
        self._queued.set()

    # What the server is told, and says

    async def _keep_saying(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._lease_s / 3):
                    await self._speak.wait()
            except TimeoutError:
                pass
            self._speak.clear()
            try:
                await self._say()
            except (RequestTimeout, ApiError, ConnectionLost) as error:
                refused = isinstance(error, ApiError) and not error.retryable
                if refused or self._client.state is State.STOPPED:
                    raise
                _log.warning("group %s: not heard: %s", self.name, error)
            await asyncio.sleep(PAUSE_S)

    async def _say(self) -> None:
        """One round over all inboxes; raises what the server refuses, RequestTimeout."""
        wanted = await self._wanted()
        for inbox in [inbox for inbox in self._shares if inbox not in wanted]:
            self._end(inbox)
        for inbox in wanted:
            if inbox not in self._shares:
                self._begin(inbox)
        await self._say_of(list(self._shares.values()))

    async def _say_of(self, shares: list[Share], *, leave: bool = False) -> None:
        for first in range(0, len(shares), INBOXES_AT_ONCE):
            await self._say_some(shares[first : first + INBOXES_AT_ONCE], leave=leave)

    async def _say_some(self, shares: list[Share], *, leave: bool) -> None:
        now_s = asyncio.get_running_loop().time
        asked_s = now_s()
        lease_ms = round(1000 * self._lease_s)
        said = [share.said() for share in shares]
        request = self._client._in.request(Op.GROUP, self.name, self.copy, lease_ms, leave, said)
        answer = await self._client._answer(request, min(self._lease_s, GOODBYE_S if leave else 60))
        for share, (_, number, told) in zip(shares, answer["shares"], strict=True):
            if leave:
                share.lose()
            elif number:
                self._refused(share, int(number))
            else:
                late = 0 < share.till_s < now_s()
                share.till_s = asked_s + self._lease_s
                self._told(share, told, renew=late)
        self._moved.set()

    def _told(self, share: Share, told: dict[str, Any], *, renew: bool) -> None:
        lost = str(told["lost"])
        if lost and (share.inbox, lost) not in self._resynced:
            self._put(Resync(inbox=share.inbox, reason=lost))
        self._resynced = {(i, why) for i, why in self._resynced if i != share.inbox}
        again = share.told(told, renew=renew)
        if again or not share.lines:
            self._end_stream(share.inbox)
        if share.ready_to_give:
            self._speak.set()

    def _refused(self, share: Share, number: int) -> None:
        """No access (any more): a single inbox's affair, unless it was named."""
        share.lose()
        self._end_stream(share.inbox)
        if self._inboxes is not None:
            slug, _, remedy = ERRORS.get(number, ("", False, ""))
            raise api_error(number, slug, f"{share.inbox} cannot be shared. {remedy}")

    async def _wanted(self) -> Collection[str]:
        if self._inboxes is not None:
            return self._inboxes
        return [inbox.id for inbox in await self._client.inboxes()]

    # Reading

    def _begin(self, inbox: str) -> None:
        share: Share

        def runs() -> bool:
            ended = self._stopped or self._error is not None
            return not ended and asyncio.get_running_loop().time() < share.till_s

        share = Share(inbox, runs=runs, offer=self._put, settled=lambda: self._settled(share))
        self._shares[inbox] = share
        spawn(self._tasks, self._guarded(self._read(share)), name=f"batonbox-group-{inbox}")

    def _end(self, inbox: str) -> None:
        self._shares.pop(inbox).lose()
        self._end_stream(inbox)
        self._moved.set()

    def _end_stream(self, inbox: str) -> None:
        stream = self._streams.pop(inbox, None)  # what it still has is not to be taken
        if stream is not None:
            stream.end()

    async def _read(self, share: Share) -> None:
        """Follow the inbox while we hold something of it and have room."""
        while self._shares.get(share.inbox) is share:
            start = share.start
            if start is None or self._waiting >= self._queue_max:
                self._moved.clear()
                await self._moved.wait()
                continue
            try:
                async with self._client.events(inbox=share.inbox, since=start) as stream:
                    if share.start == start:  # which another word of the server may have changed
                        self._streams[share.inbox] = stream
                        await self._take(share, stream)
            except BatonboxError as error:
                refused = isinstance(error, ApiError) and not error.retryable
                if refused and not isinstance(error, Forbidden | NotFound):
                    raise  # as by who follows too many
                _log.info("group %s: %s is not read: %s", self.name, share.inbox, error)
                await asyncio.sleep(self._lease_s / 3)
            finally:
                self._streams.pop(share.inbox, None)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        """Whoever waits for works hears of it when there will be none any more."""
        try:
            await work
        except Exception as error:
            self._error = error
            self._queued.set()
            if not isinstance(error, BatonboxError):
                raise

    async def _take(self, share: Share, stream: EventStream) -> None:
        async for event in stream:
            if self._streams.get(share.inbox) is not stream:
                return
            if isinstance(event, Resync):
                if self._resync(share, event):
                    return
            elif isinstance(event, LogEvent):
                share.take(event)
                if self._waiting >= self._queue_max:
                    return

    def _resync(self, share: Share, event: Resync) -> bool:
        """True: what follows does not continue what we have read."""
        if event.reason == "writes_lost":
            self._put(event)
            return False
        if event.reason not in {"gap", "snapshot", "slow_consumer"}:
            # What the log is now, and where we go on in it, the server has to say.
            if event.reason != "perm":
                self._put(event)
                self._resynced.add((share.inbox, event.reason))
            share.lose()
            self._speak.set()
        return True

    # Works

    @property
    def _waiting(self) -> int:
        return sum(share.waiting for share in self._shares.values())

    def _put(self, item: SharedWork | Resync) -> None:
        if len(self._queue) > 2 * self._queue_max:
            kept = [w for w in self._queue if isinstance(w, Resync) or not w.gone]
            self._queue = deque(kept)
        self._queue.append(item)
        self._queued.set()

    def _settled(self, share: Share) -> None:
        if share.ready_to_give:
            self._speak.set()
        if self._waiting < self._queue_max // 2:
            self._moved.set()
