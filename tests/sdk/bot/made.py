"""Events, clients and sources of works without a network, and time that a test moves on."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from batonbox import (
    Bot,
    Client,
    Conversation,
    ConversationEvent,
    MessageReceived,
    Resync,
    Returned,
    Row,
)
from batonbox.bot._context import Context, of_event

__all__ = ["Clock", "Given", "GivenWork", "client", "context", "message", "returned"]

_seqs = itertools.count(1)


def client() -> Client:
    """Not connected; its user's id is ""."""
    return Client("http://127.0.0.1:1", "t")


def _log(conv: str, actor: str, seq: int | None, **of_row: Any) -> dict[str, Any]:
    number = seq or next(_seqs)
    row = Row(id=conv, rev=number, **of_row)
    return {
        "inbox": row.inbox,
        "seq": number,
        "tip": f"tip{number}",
        "actor": actor,
        "meta": {},
        "conversation": Conversation(client(), row),
        "row": row,
        "before": None,
        "cid": "",
        "n": 1,
    }


def message(
    text: str = "hello",
    *,
    conv: str = "sales.c1",
    actor: str = "customer",
    seq: int | None = None,
    status: str = "unassigned",
    reason: str = "",
) -> MessageReceived:
    """The customer wrote."""
    return MessageReceived(**_log(conv, actor, seq, status=status), text=text, reason=reason)


def returned(*, conv: str = "sales.c1", actor: str = "agent2", reason: str = "") -> Returned:
    """Back to the inbox."""
    return Returned(**_log(conv, actor, None), reason=reason)


def context(bot: Bot, event: ConversationEvent) -> Context:
    """As a bot makes it for an event."""
    return of_event(bot, event)


class GivenWork:
    """Says what became of it."""

    def __init__(self, event: ConversationEvent, *, ours: bool = True) -> None:
        self.event = event
        self.ours = ours
        self.said: list[str] = []

    def begin(self) -> bool:
        self.said.append("begin")
        return self.ours

    def done(self) -> None:
        self.said.append("done")


class Given:
    """A source of what the test gives."""

    def __init__(self, works: Sequence[GivenWork | Resync | Exception] = ()) -> None:
        self.works: asyncio.Queue[GivenWork | Resync | Exception | None] = asyncio.Queue()
        self.leads = True
        self.resumes = False
        self.held = True
        self.left = False
        self.taken = 0
        for work in works:
            self.works.put_nowait(work)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.left = True

    def give(self, *events: ConversationEvent) -> list[GivenWork]:
        """As works that are ours."""
        works = [GivenWork(event) for event in events]
        for work in works:
            self.works.put_nowait(work)
        return works

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> GivenWork | Resync:
        work = await self.works.get()
        if work is None:
            raise StopAsyncIteration
        if isinstance(work, Exception):
            raise work
        self.taken += 1
        return work

    def holds(self, conv: str) -> bool:  # noqa: ARG002
        return self.held

    def stop(self) -> None:
        self.works.put_nowait(None)


class Clock:
    """Stands still until it is moved on."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.sleeping: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    def monotonic_s(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        waking: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self.sleeping, (self.now_s + seconds, next(self._numbers), waking))
        await waking

    async def go_on(self, seconds: float) -> None:
        """Wake who sleeps no longer, in order; what they begin gets turns of the loop."""
        until_s = self.now_s + seconds
        while True:
            await turns()
            if not self.sleeping or self.sleeping[0][0] > until_s:
                break
            at_s, _, waking = heapq.heappop(self.sleeping)
            self.now_s = max(self.now_s, at_s)
            if not waking.done():
                waking.set_result(None)
        self.now_s = until_s


async def turns(count: int = 20) -> None:
    """Let everything that can go on do so."""
    for _ in range(count):
        await asyncio.sleep(0)
