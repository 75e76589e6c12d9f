"""The bot: a client, and handlers for what it is told."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Collection
from contextlib import AsyncExitStack

from batonbox._client import Client
from batonbox._group import Group, check_name
from batonbox.bot._clock import Clock, RealClock
from batonbox.bot._matching import names_of
from batonbox.bot._router import Router
from batonbox.bot._running import run_until_signal
from batonbox.bot._serving import Serving
from batonbox.bot._source import Source, StreamSource
from batonbox.bot._unless import unless

__all__ = ["Bot"]


class Bot(Router):
    """Handles what happens in inboxes, in order per conversation.

    `client`: one that has not been entered (default: `Client()`, from the environment).
    `group`: copies of the bot that share one name, and one user, share the work; see the guide.
    `inboxes`: ids, None for all that the user may see.  Handlers of one conversation run one after
    the other, up to `concurrency` of different ones at a time.  `ignore_self`: what the bot's own
    user did is not handed to handlers.  `drain_s`: how long what runs may take to end once the bot
    is to stop.  `retry_s`: for how long an event whose handlers fail for want of the server is
    handled again, 0: never.

    A command that a handler gives without `key=` gets an id that derives from the event, so that an
    event which is handled twice has no second effect.
    """

    _is_bot = True

    def __init__(
        self,
        client: Client | None = None,
        *,
        group: str | None = None,
        inboxes: Collection[str] | None = None,
        concurrency: int = 64,
        ignore_self: bool = True,
        drain_s: float = 10.0,
        retry_s: float = 60.0,
    ) -> None:
        super().__init__()
        if client is not None and not isinstance(client, Client):
            raise TypeError(f"Bot() takes a batonbox.Client, not {client!r}")
        if group is not None:
            check_name(group)
        if concurrency < 1:
            raise ValueError(f"concurrency= is 1 or more, not {concurrency}")
        for name, seconds in (("drain_s", drain_s), ("retry_s", retry_s)):
            if not math.isfinite(seconds) or seconds < 0:
                raise ValueError(f"{name}= takes seconds, not {seconds}")
        names = names_of("inboxes", inboxes)
        self.group = group
        self.inboxes: list[str] | None = sorted(names) if names is not None else None
        self.concurrency = concurrency
        self.ignore_self = ignore_self
        self.drain_s = drain_s
        self.retry_s = retry_s
        self._given = client
        self._client: Client | None = None
        self._clock: Clock = RealClock()
        self._serving: Serving | None = None
        self._stopping: asyncio.Event | None = None

    @property
    def client(self) -> Client:
        """The client of the bot that runs; raises RuntimeError before and after."""
        if self._client is None:
            raise RuntimeError("the bot does not run: it has a client from start() to stop()")
        return self._client

    def run(self) -> None:
        """Serve until SIGINT or SIGTERM, then drain; a second one ends the process at once.

        Raises ConnectionLost or Unauthorized when there is no first connection.
        """
        asyncio.run(run_until_signal(self))

    async def start(self, client: Client | None = None) -> None:
        """Serve until `stop()`, then drain; cancelled, it ends without waiting for handlers.

        `client` is taken instead of the bot's own.  Raises as `run`.
        """
        if self._in_use():
            raise RuntimeError("the bot is running already")
        self._name_handlers()
        stopping = self._stopping = asyncio.Event()
        using = client or self._given or Client()
        try:
            async with AsyncExitStack() as stack:
                await unless(stopping, stack.enter_async_context(using))
                if stopping.is_set():
                    return
                self._client = using
                source = self._source(using)
                self._serving = Serving(self, using, source, clock=self._clock, stopping=stopping)
                await self._serving.run()
        finally:
            self._client = self._serving = self._stopping = None

    def stop(self) -> None:
        """Ask for the drain: begin nothing more, end what runs, disconnect. From the loop only."""
        if self._stopping is not None:
            self._stopping.set()
        if self._serving is not None:
            self._serving.stop()

    async def idle(self) -> None:
        """Until the handlers of all that has been taken have ended, or wait to be run again."""
        if self._serving is not None:
            await self._serving.idle()

    def _in_use(self) -> bool:
        return self._stopping is not None

    def _source(self, client: Client) -> Source:
        if self.group is None:
            return StreamSource(client, self.inboxes)
        return Group(client, self.group, inboxes=self.inboxes)

    def _name_handlers(self) -> None:
        """The same function registered twice is two handlers, told apart by their order."""
        known: Counter[str] = Counter()
        for router in self._walk():
            for handler in router._handlers():
                name = handler.label.partition("#")[0]
                known[name] += 1
                handler.label = name if known[name] == 1 else f"{name}#{known[name]}"
