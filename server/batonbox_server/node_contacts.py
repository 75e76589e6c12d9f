"""The contacts of a node: the address book, and telling clients whose names have changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from batonbox_server.config import Settings
from batonbox_server.hub.hub import Hub
from batonbox_server.service.contacts import Contacts
from batonbox_server.store.audit import RedisAudit
from batonbox_server.store.contacts import RedisContacts
from batonbox_server.store.engine import Engine
from batonbox_server.store.keys import Keys

__all__ = ["NodeContacts"]

Names = dict[str, dict[str, str] | None]
_PUSH_S: Final = 0.1
_FORGET_S: Final = 1.0  # between two such frames, after each of which every client asks
_PUSH_MOST: Final = 200  # numbers in one frame; beyond that clients forget all and ask again


class NodeContacts:
    """Follows the contacts' log; `push(names)` tells this node's clients, None: forget all."""

    def __init__(self, settings: Settings, client: Engine, *, keys: Keys) -> None:
        entries = settings.audit_entries
        self._log = keys.contacts
        self.store = RedisContacts(
            client, keys=keys, log_events=settings.log_events, audit_entries=entries
        )
        self.contacts = Contacts(self.store, RedisAudit(client, keys=keys, audit_entries=entries))
        self._push: Callable[[Names | None], None] = lambda _: None
        self._due: Names = {}
        self._all = False
        self._timer: asyncio.TimerHandle | None = None
        self._pushed_s = 0.0
        self._forgot_s = float("-inf")

    async def follow(self, hub: Hub, push: Callable[[Names | None], None]) -> None:
        """Begin. Raises Refused("unavailable")."""
        await hub.follow(self._log, self._on_event, self._on_reset, lambda _: None)
        self._push = push

    async def aclose(self) -> None:
        """Tell nobody any more."""
        if self._timer is not None:
            self._timer.cancel()
        await self.contacts.aclose()

    def _on_event(self, _: int, meta: dict[str, Any], body: Any) -> None:
        has = set(body["numbers"]) if meta["type"] == "contact_changed" else set()
        for number in meta["numbers"]:
            named = {"id": body["id"], "name": body["name"]} if number in has else None
            self._due[number] = named
        if len(self._due) > _PUSH_MOST:
            self._on_reset()
        elif self._due:
            self._soon()

    def _on_reset(self) -> None:
        self._due, self._all = {}, True
        self._soon()

    def _soon(self) -> None:
        if self._timer is None:
            loop = asyncio.get_running_loop()
            at_s = max(self._pushed_s + _PUSH_S, loop.time())
            self._timer = loop.call_at(at_s, self._tell)

    def _tell(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer, now_s = None, loop.time()
        if self._all:
            if now_s < self._forgot_s + _FORGET_S:
                self._timer = loop.call_at(self._forgot_s + _FORGET_S, self._tell)
                return
            self._forgot_s = now_s
        self._pushed_s = now_s
        (due, self._due), (everything, self._all) = (self._due, {}), (self._all, False)
        self._push(None if everything else due)
