"""When tokens were last used: noted as often as a minute allows, and beside the request."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import Any, Final

import structlog

from batonbox_server.errors import BatonboxError
from batonbox_server.store.directory_port import DirectoryStore
from batonbox_server.tasks import cancel_all, spawn

__all__ = ["Uses"]

_log = structlog.get_logger(__name__)
_STEP_MS: Final = 60_000
_MOST: Final = 50_000
_WRITING_MOST: Final = 64  # a use that finds more under way is noted the next time


class Uses:
    """At most one write a minute per token and node; callers never wait for it."""

    def __init__(self, store: DirectoryStore) -> None:
        self._store = store
        self._noted: OrderedDict[str, int] = OrderedDict()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def aclose(self) -> None:
        """Give what is being written a moment, then end."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1.0)
        await cancel_all(self._tasks)

    def used(self, token: str) -> None:
        """The token is being used now."""
        now_ms = int(time.time() * 1000)
        before_ms = self._noted.get(token, 0)
        if not token or now_ms - before_ms < _STEP_MS or len(self._tasks) >= _WRITING_MOST:
            return
        self._noted[token] = now_ms
        self._noted.move_to_end(token)
        if len(self._noted) > _MOST:
            self._noted.popitem(last=False)
        spawn(self._tasks, self._note(token, now_ms), name="token-used")

    async def _note(self, token: str, at_ms: int) -> None:
        try:
            await self._store.use_token(token, at_ms=at_ms)
        except BatonboxError as error:
            self._noted.pop(token, None)
            _log.warning("token_use_not_noted", error=str(error))
