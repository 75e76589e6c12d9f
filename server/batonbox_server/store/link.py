"""One connection to the engine, kept up in the background."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeAlias

import structlog
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from batonbox_server.errors import BatonboxError
from batonbox_server.tasks import cancel_all, spawn

from .backoff import pauses_s
from .locator import Locator
from .resp import close_connection, unreachable
from .suitable import Server, check_server

__all__ = ["Jobs", "Link"]

_log = structlog.get_logger(__name__)

Jobs: TypeAlias = Iterable[Coroutine[Any, Any, None]]


class Link:
    """Runs `jobs(connection)` while a connection lasts; the first job to raise ends it.

    `locator` says where to; a connection to what is no primary any more ends as a lost one does.
    `prepare(connection)` ends before a connection counts as one; it may ask the engine.
    `on_up` precedes the jobs and `on_down` follows them, once each per connection; they must be
    cheap and must not raise.  Reconnects by itself until `aclose`.
    """

    def __init__(
        self,
        locator: Locator,
        *,
        name: str,
        timeout_s: float,
        jobs: Callable[[AbstractConnection], Jobs],
        prepare: Callable[[AbstractConnection], Awaitable[None]] | None = None,
        on_up: Callable[[], None],
        on_down: Callable[[], None],
    ) -> None:
        self._locator = locator
        self._name = name
        self._timeout_s = timeout_s
        self._jobs = jobs
        self._prepare = prepare
        self._on_up = on_up
        self._on_down = on_down
        self._tasks: set[asyncio.Task[Any]] = set()
        self.server = Server("", "")

    async def connect(self) -> None:
        """The first connection; later ones are made in the background.

        Raises:
            EngineUnavailable: not reachable.
            EngineUnsuitable: too old, it may evict keys, or it refuses our credentials.
        """
        try:
            connection = await self._open()
        except BaseException:
            await self._locator.aclose()
            raise
        started = asyncio.Event()
        spawn(self._tasks, self._keep_up(connection, started), name=self._name)
        # A task cancelled before its first step would leave the connection open.
        await started.wait()

    async def aclose(self) -> None:
        """Close and stay closed."""
        await cancel_all(self._tasks)
        await self._locator.aclose()

    async def _keep_up(self, connection: AbstractConnection, started: asyncio.Event) -> None:
        while True:
            try:
                self._on_up()
                started.set()
                await self._serve(connection)
            finally:
                self._on_down()
                await close_connection(connection)
            connection = await self._reopen()

    async def _serve(self, connection: AbstractConnection) -> None:
        # Not a TaskGroup: 3.11's leaves its parent marked as cancelled once a child has failed,
        # and one that is cancelled while a child fails forgets the cancellation.
        loop = asyncio.get_running_loop()
        jobs = [*self._jobs(connection), self._locator.watch(connection)]
        tasks = [loop.create_task(job) for job in jobs]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        for error in ends:
            if isinstance(error, RedisError | OSError):
                _log.warning("engine_connection_lost", link=self._name, error=str(error))
            elif isinstance(error, Exception) and not isinstance(error, BatonboxError):
                # A fault of ours, or uvloop's RuntimeError on a closed transport: start afresh.
                _log.error("engine_connection_failed", link=self._name, exc_info=error)

    async def _reopen(self) -> AbstractConnection:
        for pause_s in pauses_s():
            await asyncio.sleep(pause_s)
            try:
                return await self._open()
            except BatonboxError as error:
                _log.warning("engine_unreachable", link=self._name, error=str(error))
        raise AssertionError("pauses never end")

    async def _open(self) -> AbstractConnection:
        connection = await self._locator.open(timeout_s=self._timeout_s)
        try:
            async with asyncio.timeout(self._timeout_s):
                self.server = await check_server(connection)
                if self._prepare is not None:
                    await self._prepare(connection)
        except (RedisError, OSError) as error:
            await close_connection(connection)
            raise unreachable(error) from error
        except BaseException:
            await close_connection(connection)
            raise
        return connection
