"""One start of a bot: what its source gives goes to its handlers, until it is stopped."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from batonbox._conversation import Conversation
from batonbox._events import Resync
from batonbox.bot._clock import Clock
from batonbox.bot._context import Context, of_event, of_run, of_wait
from batonbox.bot._handlers import Handler
from batonbox.bot._lanes import Lanes
from batonbox.bot._periodic import periodically
from batonbox.bot._retrying import Retrying
from batonbox.bot._router import Every, Router
from batonbox.bot._routing import Again, guarded, handled
from batonbox.bot._source import Source, Work
from batonbox.bot._unless import unless
from batonbox.bot._waiting import Waiting
from batonbox.bot._waits import Due, Waits

if TYPE_CHECKING:
    from batonbox._client import Client
    from batonbox.bot._bot import Bot

__all__ = ["Serving"]

# Works that were taken and have not begun; more stay with the source.
WAITING_MAX = 1024
_log = logging.getLogger("batonbox.bot")


class Serving:
    """Runs once, between an entered client and its end."""

    def __init__(
        self,
        bot: Bot,
        client: Client,
        source: Source,
        *,
        clock: Clock,
        stopping: asyncio.Event,
    ) -> None:
        self._bot = bot
        self._client = client
        self._source = source
        self._clock = clock
        self._lanes = Lanes(concurrency=bot.concurrency, waiting_max=WAITING_MAX)
        self._routers = list(bot._walk())
        self._waits = Waits(each for router in self._routers for each in router._waits)
        self._stopping = stopping
        self._retrying = Retrying(
            self._lanes,
            clock=clock,
            retry_s=bot.retry_s,
            drain_s=bot.drain_s,
            stopping=stopping,
            resumes=source.resumes,
        )
        self.ready = asyncio.Event()  # for tests: nothing that happens from now on is missed

    def stop(self) -> None:
        """Begin nothing more from now on, before `stopping` has made its way."""
        self._retrying.stop()
        self._stopping.set()
        self._source.stop()
        self._lanes.close()

    async def idle(self) -> None:
        """Until what has been taken is handled, or waits for its next attempt."""
        await self._lanes.idle()

    async def run(self) -> None:
        """Until `stopping` is set, and until what runs then has ended, or `drain_s` have gone by.

        Raises what ends the source: that there will be no connection any more.
        """
        async with AsyncExitStack() as stack:
            await unless(self._stopping, stack.enter_async_context(self._source))
            if self._stopping.is_set():
                return
            try:
                await unless(self._stopping, self._ready())
                if not self._stopping.is_set():
                    _log.info("ready as %s", self._client.user.id)
                    self.ready.set()
                    await unless(self._stopping, self._read(), *self._others())
                self.stop()
                await self._drain()
            finally:
                self.stop()
                await self._lanes.cut()

    async def _ready(self) -> None:
        for router in self._routers:
            for handler in router._ready:
                self._lanes.put("ready", partial(self._once, router, handler))
        await self._lanes.idle()

    def _others(self) -> list[Coroutine[Any, Any, None]]:
        clock = self._clock
        found: list[Coroutine[Any, Any, None]] = [
            periodically(clock, every.seconds, partial(self._tick, every))
            for router in self._routers
            for every in router._periodic
        ]
        if any(router._waits for router in self._routers):
            waiting = Waiting(
                self._client,
                self._bot.inboxes,
                self._waits,
                clock=clock,
                holds=self._source.holds,
                on_due=self._due,
            )
            found += [waiting.follow(), waiting.tell()]
        return found

    async def _read(self) -> None:
        async for work in self._source:
            if isinstance(work, Resync):
                self._resync(work)
            else:
                self._take(work)
            await self._lanes.room()

    def _take(self, work: Work) -> None:
        event = work.event
        if self._bot.ignore_self and event.actor == self._client.user.id:
            if work.begin():
                work.done()
            return
        self._lanes.put(event.conversation.id, partial(self._handle, work))

    async def _handle(self, work: Work) -> None:
        if not work.begin():
            return
        event = work.event

        async def attempt(ctx: Context, again: Again) -> None:
            await handled(self._bot, event, ctx, again)

        if await self._retrying.run(attempt, partial(of_event, self._bot, event), event=event):
            work.done()

    def _resync(self, resync: Resync) -> None:
        _log.info("events of %s are missing (%s)", resync.inbox or "all inboxes", resync.reason)
        for router in self._routers:
            for handler in router._resyncs:
                self._lanes.put("resync", partial(self._once, router, handler, resync=resync))

    async def _once(self, router: Router, handler: Handler, **offered: Any) -> None:
        await guarded(router, of_run(self._bot), handler, **offered)

    def _tick(self, every: Every) -> None:
        if self._source.leads and not self._lanes.busy(every):
            self._lanes.put(every, partial(self._once, every.router, every.handler))

    def _due(self, due: Due) -> None:
        self._lanes.put(due.row.id, partial(self._waited, due))

    async def _waited(self, due: Due) -> None:
        row = self._waits.still(due)
        if row is None or not self._source.holds(row.id):
            return
        unassigned = due.handler

        async def attempt(ctx: Context, again: Again) -> None:
            """Of the same wait, even if the attempt before this one has ended it."""
            conversation = Conversation(self._client, row)
            await guarded(
                unassigned.router, ctx, unassigned.handler, again, conversation=conversation
            )

        await self._retrying.run(attempt, partial(of_wait, self._bot, row))

    async def _drain(self) -> None:
        if not self._lanes.begun:
            return
        _log.info("waiting for %d handlers to end", self._lanes.begun)
        try:
            async with asyncio.timeout(self._bot.drain_s):
                await self._lanes.ended()
        except TimeoutError:
            left = self._lanes.begun
            _log.warning("%d handlers ran longer than drain_s, and are cut off", left)
