"""Work that falls due: what time does to inboxes, expired sessions, jobs that a dead node left."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, TypeAlias

import structlog

from batonbox_server.errors import BatonboxError, Refused
from batonbox_server.store.port import InboxStore
from batonbox_server.store.sign_in_port import SignInStore
from batonbox_server.tasks import cancel_all, spawn

from .administration import Administration
from .directory import LiveDirectory
from .paced import alone, pause_of

__all__ = ["Timers"]

_log = structlog.get_logger(__name__)
# Batches of one turn: a removal of thousands leaves room for the others between two turns.
_BATCHES: Final = 50
_SESSIONS: Final = 200

_Work: TypeAlias = Callable[[], Awaitable[Any]]


class Timers:
    """Every node polls; the scripts look again, so that doing something twice is harmless.

    `sharers()` nodes look at the inboxes, each so much more seldom; set by whoever puts the node
    together.
    """

    def __init__(
        self,
        store: InboxStore,
        administration: Administration,
        directory: LiveDirectory,
        sessions: SignInStore,
        *,
        interval_s: float = 1.0,
    ) -> None:
        self._store = store
        self._administration = administration
        self._directory = directory
        self._sessions = sessions
        self._interval_s = interval_s
        self.sharers: Callable[[], int] = alone
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self) -> None:
        """Begin to poll."""
        # Jobs may take long: neither waits for the other.
        spawn(self._tasks, self._run(self._of_all, alone), name="timers-jobs")
        spawn(self._tasks, self._run(self._of_inboxes, self._shared), name="timers")

    async def aclose(self) -> None:
        """Stop polling."""
        await cancel_all(self._tasks)

    def _shared(self) -> int:
        return self.sharers()

    async def _run(self, works: Callable[[], list[_Work]], sharers: Callable[[], int]) -> None:
        while True:
            await asyncio.sleep(pause_of(self._interval_s, sharers()))
            for work in works():
                if not await self._try(work):
                    break

    def _of_all(self) -> list[_Work]:
        return [self._jobs, partial(self._sessions.sweep_sessions, n=_SESSIONS)]

    def _of_inboxes(self) -> list[_Work]:
        return [partial(self._finish, inbox) for inbox in self._directory.inboxes]

    async def _try(self, work: _Work) -> bool:
        """False: the engine is not there, and the next turn is soon enough for the rest."""
        try:
            await work()
        except BatonboxError as error:
            _log.warning("timers_failed", error=str(error))
            return not (isinstance(error, Refused) and error.slug == "unavailable")
        except Exception:  # what goes wrong in one place must not hold up all the others
            _log.exception("timers_failed")
        return True

    async def _jobs(self) -> None:
        # One that fails is due again only when its lease ends: this comes to an end.
        for _ in range(_BATCHES):
            if not await self._administration.run_due_jobs():
                return

    async def _finish(self, inbox: str) -> None:
        for _ in range(_BATCHES):
            if not await self._store.due(inbox=inbox):
                return
