"""Waiting for an engine when a server starts before it does, or in the middle of a failover."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from batonbox_server.errors import EngineUnavailable, Refused

from .backoff import pauses_s

__all__ = ["Patience"]

_log = structlog.get_logger(__name__)
_TOLD_EVERY_S: Final = 5.0


class Patience:
    """Tries again what an engine could not do yet, for `within_s` in all, beginning now.

    What waiting does not mend (EngineUnsuitable: a wrong password, an address that is none, an
    engine too old) is raised at once.
    """

    def __init__(self, within_s: float) -> None:
        self._within_s = within_s
        self._until_s = asyncio.get_running_loop().time() + within_s
        self._told, self._told_s = "", float("-inf")

    async def reach(self, attempt: Callable[[], Awaitable[object]]) -> None:
        """Return once `attempt()`, which may be repeated, has succeeded.

        Raises:
            EngineUnavailable: the last attempt's words, and how long it was waited.
        """
        for pause_s in pauses_s():
            try:
                await attempt()
                return
            except (EngineUnavailable, Refused) as error:
                why = error.message if isinstance(error, Refused) else str(error)
                if isinstance(error, Refused) and error.slug != "unavailable":
                    raise
                left_s = self._until_s - asyncio.get_running_loop().time()
                if left_s <= 0:
                    raise EngineUnavailable(self._given_up(why)) from error
                self._tell(why, left_s)
            await asyncio.sleep(min(pause_s, left_s))

    def _given_up(self, why: str) -> str:
        if not self._within_s:
            return why
        waited = f"It was waited for {self._within_s:g} s (BATONBOX_ENGINE_WAIT_S)."
        return f"{why} {waited}"

    def _tell(self, why: str, left_s: float) -> None:
        now_s = asyncio.get_running_loop().time()
        if why != self._told or now_s - self._told_s >= _TOLD_EVERY_S:
            self._told, self._told_s = why, now_s
            _log.warning("engine_awaited", why=why, gives_up_in_s=round(left_s, 1))
