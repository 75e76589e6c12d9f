"""Conversations that nobody owns: watched live, read anew after a gap, told when they are due."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from batonbox._errors import BatonboxError
from batonbox._events import ConversationEvent, Resync
from batonbox._models import Row
from batonbox.bot._clock import Clock
from batonbox.bot._unless import unless
from batonbox.bot._waits import Due, Waits

if TYPE_CHECKING:
    from batonbox._client import Client

__all__ = ["Waiting"]

# How often to ask whether a conversation whose handler is due is held here now.
HELD_AGAIN_S = 1.0
READ_AGAIN_S = 1.0
_log = logging.getLogger("batonbox.bot")


class Waiting:
    """Follows inboxes by a stream of its own, which no handler holds up."""

    def __init__(
        self,
        client: Client,
        inboxes: Collection[str] | None,
        waits: Waits,
        *,
        clock: Clock,
        holds: Callable[[str], bool],
        on_due: Callable[[Due], None],
    ) -> None:
        self._client = client
        self._inboxes = inboxes
        self._waits = waits
        self._clock = clock
        self._holds = holds
        self._on_due = on_due
        self._changed = asyncio.Event()
        self._known: set[str] = set()  # inboxes that were read; one may come later

    async def follow(self) -> None:
        """Learn who waits; until cancelled."""
        async with self._client.events(ConversationEvent, inbox=self._inboxes) as events:
            await self._read()
            async for event in events:
                if isinstance(event, Resync) or event.inbox not in self._known:
                    await self._read()
                elif isinstance(event, ConversationEvent):
                    self._waits.tell(event.row)
                self._changed.set()

    async def _read(self) -> None:
        """What happens meanwhile waits in the stream, and is told afterwards."""
        while True:
            try:
                self._waits.found(await self._unowned())
            except BatonboxError as error:
                self._client._in.check()
                _log.warning("cannot read who waits, trying again: %s", error)
                await self._clock.sleep(READ_AGAIN_S)
            else:
                self._changed.set()
                return

    async def _unowned(self) -> list[Row]:
        rows: list[Row] = []
        self._known = set(self._inboxes or [each.id for each in await self._client.inboxes()])
        for inbox in sorted(self._known):
            found = self._client.conversations(inbox=inbox, view="unassigned")
            rows += [conversation.now async for conversation in found]
        return [row for row in rows if row.status == "unassigned"]

    async def tell(self) -> None:
        """Call `on_due` when it is time; until cancelled."""
        while True:
            self._changed.clear()
            now_s = self._client.server_time_s()
            for due in self._waits.due(now_s, holds=self._holds):
                self._on_due(due)
            next_s = self._waits.next_s()
            if next_s is None:
                await self._changed.wait()
            else:
                wait_s = next_s - now_s if next_s > now_s else HELD_AGAIN_S
                await unless(self._changed, self._clock.sleep(wait_s))
