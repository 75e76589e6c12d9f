"""Copies of a bot that share inboxes, so that each event is handled by one of them."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any

from batonbox_server.domain.model import is_room
from batonbox_server.errors import Refused
from batonbox_server.session.ports import Principal
from batonbox_server.store.group_port import GroupStore, Said
from batonbox_server.wire import Group, Share

__all__ = ["BotGroups"]


class BotGroups:
    """Implements `session.ports.Groups`. Copies of a group are those of one user."""

    def __init__(self, store: GroupStore) -> None:
        self._store = store

    async def share(self, principal: Principal, asked: Group) -> dict[str, Any]:
        """See the port. Refused: `conflict` with too many copies or groups, `unavailable`."""
        if len({share.inbox for share in asked.shares}) < len(asked.shares):
            raise Refused("bad_request", "shares: name each inbox once.")
        told = [self._one(principal.user, asked, share) for share in asked.shares]
        return {"shares": await asyncio.gather(*told)}

    async def _one(self, user: str, asked: Group, share: Share) -> list[Any]:
        if is_room(share.inbox):
            raise Refused("bad_request", "inbox: a room is not shared by a group's copies.")
        said = Said(share.gen, share.at, share.tip, share.holds, share.gives, share.done)
        try:
            found = await self._store.share(
                inbox=share.inbox,
                user=user,
                name=asked.name,
                copy=asked.copy,
                lease_ms=asked.lease_ms,
                leaving=asked.leave,
                said=said,
            )
        except Refused as refused:
            if refused.slug not in {"forbidden", "not_found"}:
                raise
            return [share.inbox, refused.code.number, None]
        return [share.inbox, 0, asdict(found)]
