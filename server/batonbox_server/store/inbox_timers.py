"""What an inbox is told of people's availability, and what falls due by it."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgpack  # type: ignore[import-untyped]

from batonbox_server.domain.model import Availability, InboxOptions, ReopenTo
from batonbox_server.store import port
from batonbox_server.store.by import pack_for_lua
from batonbox_server.store.inbox_calls import InboxCalls, ok

__all__ = ["InboxTimers", "unpack_options"]


class InboxTimers(InboxCalls):
    """What `store.port.InboxStore` says of availability, snoozing and timers."""

    async def snooze(
        self, *, conv: str, actor: str, cid: str, own_tok: str, until_ms: int
    ) -> port.Applied:
        """See the port."""
        return await self._command("snooze", conv, actor, cid, own_tok=own_tok, until_ms=until_ms)

    async def wake(self, *, conv: str, actor: str, cid: str, own_tok: str) -> port.Applied:
        """See the port."""
        return await self._command("wake", conv, actor, cid, own_tok=own_tok)

    async def set_options(self, *, inbox: str, options: InboxOptions, at: int) -> int:
        """See the port."""
        packed = pack_for_lua(dataclasses.asdict(options))
        return _fenced(await self._scripts.options(self._keys.inbox(inbox), packed=packed, at=at))

    async def set_away(self, *, inbox: str, user: str, mode: Availability, at: int) -> int:
        """See the port."""
        prefix = self._keys.inbox(inbox)
        return _fenced(await self._scripts.away(prefix, user=user, mode=str(mode), at=at))

    async def set_offline(self, *, inbox: str, user: str, version: int, since_ms: int) -> int:
        """See the port."""
        told = {"user": user, "version": version, "since_ms": since_ms}
        return _fenced(await self._scripts.offline(self._keys.inbox(inbox), **told))

    async def due(self, *, inbox: str) -> int:
        """See the port."""
        reply = await self._scripts.due(self._keys.inbox(inbox))
        return 0 if reply[0] == b"not_found" else int(reply[1])


def unpack_options(packed: bytes) -> InboxOptions:
    """Options as the inbox keeps them; those that it does not know yet are the default ones."""
    told = msgpack.unpackb(packed) if packed else {}
    if "reopen_to" in told:
        told["reopen_to"] = ReopenTo(told["reopen_to"])
    return InboxOptions(**told)


def _fenced(reply: list[Any]) -> int:
    """The later position that has spoken, or 0."""
    if reply[0] == b"stale":
        return int(reply[1])
    ok(reply)
    return 0
