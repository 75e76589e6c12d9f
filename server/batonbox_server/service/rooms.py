"""Rooms as people read them: their own, the channels there are, one with its people and posts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from batonbox_server.domain.model import ROOM_SIGN, Role, RoomKind
from batonbox_server.domain.policy import Action, missing_scope
from batonbox_server.errors import Refused
from batonbox_server.session.ports import Principal
from batonbox_server.store.rooms_port import (
    Channel,
    RoomMarks,
    RoomOf,
    RoomState,
    RoomStore,
    Version,
)

__all__ = ["Rooms", "Shown", "acts_as_admin", "is_direct", "private_to_its_two"]

_DIRECT: Final = f"{ROOM_SIGN}d"


@dataclass(frozen=True, slots=True)
class Shown:
    """A channel as one person finds it; `members` counts those who are in it."""

    channel: Channel
    member: bool
    members: int


class Rooms:
    """Every method is of what the principal may see, and asks the store's truth for it."""

    def __init__(self, store: RoomStore) -> None:
        self._store = store

    async def mine(self, principal: Principal) -> list[RoomOf]:
        """The rooms they are in, the one with the newest post first."""
        found = await self._store.rooms_of(user=principal.user)
        return sorted(found.values(), key=lambda room: _place(room.row), reverse=True)

    async def times(self, principal: Principal) -> dict[str, int]:
        """When something last happened in rooms they may be in; `some` says in which they are."""
        return await self._store.times_of(user=principal.user)

    async def some(self, principal: Principal, rooms: Sequence[str]) -> list[RoomOf]:
        """Those of these rooms that they are in, in this order."""
        asked = (self._store.room_of(room=room, user=principal.user) for room in rooms)
        return [room for room in await asyncio.gather(*asked) if room is not None]

    async def channels(self, principal: Principal) -> list[Shown]:
        """Public channels and those they are in, by name; an admin: every one."""
        mine = await self._store.rooms_of(user=principal.user)
        sees_all = acts_as_admin(principal)
        found = [
            channel
            for channel in await self._store.channels()
            if sees_all or channel.kind is RoomKind.PUBLIC or channel.id in mine
        ]
        counts = await self._store.member_counts([channel.id for channel in found])
        return [Shown(channel, channel.id in mine, counts.get(channel.id, 0)) for channel in found]

    async def one(self, principal: Principal, *, room: str) -> tuple[RoomState, RoomMarks]:
        """The room and the principal's marks; Refused: `forbidden`, `not_found`."""
        async with private_to_its_two(self._store, room, principal.user):
            marks = await self._store.room_marks(room=room, user=principal.user)
            if not marks.since_seq:
                raise Refused("forbidden", "You are not in this room.")
            return await self._store.room_state(room=room), marks

    async def versions(self, principal: Principal, *, room: str, n: int) -> list[Version]:
        """What stood in post `n` before; of a channel, for admins who are in it."""
        state, _ = await self.one(principal, room=room)
        if state.row["kind"] == RoomKind.DIRECT or not acts_as_admin(principal):
            raise Refused("forbidden", "Earlier versions are for admins, and of channels alone.")
        return await self._store.versions(room=room, n=n)

    async def row(self, principal: Principal, *, room: str) -> dict[str, Any] | None:
        """The room's row as it is now; None for who may not read it or is not in it.

        An admin may have acted on it, and so may a token without the scope.
        """
        if missing_scope(Action.SEE, principal.scopes) is not None:
            return None
        mine = await self._store.room_of(room=room, user=principal.user)
        return mine.row if mine is not None else None


def acts_as_admin(principal: Principal) -> bool:
    """Whether an admin's rights go with this token: one without the scope acts as a member's."""
    return principal.role == Role.ADMIN and "admin" in principal.scopes


def is_direct(room: str) -> bool:
    """Whether it is the id of a direct room, which anybody can compute from two users'."""
    return room.startswith(_DIRECT)


@asynccontextmanager
async def private_to_its_two(store: RoomStore, room: str, user: str) -> AsyncIterator[None]:
    """Nobody else learns from a refusal whether these two have ever talked to each other."""
    try:
        yield
    except Refused as refused:
        certain = not refused.code.retryable
        if certain and is_direct(room) and not await _is_in(store, room, user):
            raise Refused("not_found", "There is no such room.") from None
        raise


async def _is_in(store: RoomStore, room: str, user: str) -> bool:
    try:
        return (await store.room_marks(room=room, user=user)).since_seq > 0
    except Refused as refused:
        if refused.slug != "not_found":
            raise
        return False


def _place(row: dict[str, Any]) -> tuple[int, str]:
    return row["last_ms"], row["id"]
