"""Searching: what somebody may see of what the index finds, asked of the engine once more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar

from batonbox_server.domain.model import RoomKind
from batonbox_server.errors import Refused
from batonbox_server.session.ports import Principal
from batonbox_server.store.contacts_port import Contact, ContactStore
from batonbox_server.store.directory_port import User
from batonbox_server.store.rooms_port import Channel, RoomStore

from .directory import LiveDirectory
from .reads import InboxReads
from .search_port import Hit, Progress, SearchIndex

__all__ = ["KINDS", "Found", "Kind", "Marks", "Search"]

T = TypeVar("T")
Kind = Literal["messages", "conversations", "contacts", "channels", "people"]
Marks = tuple[tuple[int, int], ...]
KINDS: Final[tuple[Kind, ...]] = ("messages", "conversations", "contacts", "channels", "people")
_HIDDEN: Final = frozenset({"forbidden", "not_found"})


@dataclass(slots=True)
class Found:
    """Hits with what they are hits of, by kind; of one kind alone also the cursor behind them.

    `messages` and `conversations` come with the row of their conversation or room as it is now.
    """

    messages: list[tuple[Hit, dict[str, Any]]] = field(default_factory=list)
    conversations: list[tuple[Hit, dict[str, Any]]] = field(default_factory=list)
    contacts: list[tuple[Hit, Contact]] = field(default_factory=list)
    channels: list[tuple[Channel, bool, Marks]] = field(default_factory=list)
    people: list[tuple[User, Marks]] = field(default_factory=list)
    next: str = ""


class Search:
    """`find` over everything; `progress` says how far the index is."""

    def __init__(
        self,
        index: SearchIndex,
        reads: InboxReads,
        rooms: RoomStore,
        contacts: ContactStore,
        directory: LiveDirectory,
        *,
        progress: Callable[[], Progress],
    ) -> None:
        self._progress = progress
        self._index = index
        self._reads = reads
        self._rooms = rooms
        self._contacts = contacts
        self._directory = directory

    @property
    def progress(self) -> Progress:
        """How far the index is."""
        return self._progress()

    async def find(
        self, principal: Principal, q: str, *, kinds: Sequence[Kind], after: str, n: int
    ) -> Found:
        """Up to `n` of each kind. Refused: `bad_request`, `unavailable`."""
        if after and len(kinds) != 1:
            raise Refused("bad_request", "after: it continues one kind; name it with kinds.")
        found = Found()
        mine = await self._rooms.index_of(user=principal.user)
        logs = [*self._directory.inboxes_of(principal.user), *mine]
        for kind in dict.fromkeys(kinds):
            if kind == "messages":
                hits, found.next = await self._hits(q, logs, "message", after, n)
                found.messages = await self._with_rows(principal, hits)
            elif kind == "conversations":
                hits, found.next = await self._hits(q, logs, "conversation", after, n)
                found.conversations = await self._with_rows(principal, hits)
            elif kind == "contacts":
                hits, found.next = await self._hits(q, logs, "contact", after, n)
                found.contacts = await self._with_contacts(hits)
            elif kind == "channels" and not after:
                found.channels = await self._channels(principal, q, mine, n)
            elif kind == "people" and not after:
                found.people = self._people(q, n)
        if len(kinds) > 1:
            found.next = ""
        return found

    async def _hits(
        self, q: str, logs: Sequence[str], kind: str, after: str, n: int
    ) -> tuple[list[Hit], str]:
        return await self._index.find(q, logs=logs, kinds=frozenset({kind}), after=after, n=n)

    async def _with_rows(
        self, principal: Principal, hits: Sequence[Hit]
    ) -> list[tuple[Hit, dict[str, Any]]]:
        """The engine decides, when the row is read: what a node knows of memberships may be old."""
        convs = list(dict.fromkeys(hit.conv for hit in hits))
        rows = dict(
            zip(convs, await _each(self._row(principal, conv) for conv in convs), strict=True)
        )
        return [(hit, row) for hit in hits if (row := rows[hit.conv]) is not None]

    async def _row(self, principal: Principal, conv: str) -> dict[str, Any] | None:
        try:
            return await self._reads.row(principal, conv=conv)
        except Refused as refused:
            if refused.slug in _HIDDEN:
                return None
            raise

    async def _with_contacts(self, hits: Sequence[Hit]) -> list[tuple[Hit, Contact]]:
        if not hits:
            return []
        known = await self._contacts.by_ids([hit.id for hit in hits])
        return [(hit, known[hit.id]) for hit in hits if hit.id in known]

    async def _channels(
        self, principal: Principal, q: str, mine: frozenset[str], n: int
    ) -> list[tuple[Channel, bool, Marks]]:
        seen = [
            c for c in await self._rooms.channels() if c.kind is RoomKind.PUBLIC or c.id in mine
        ]
        matched = self._matched(q, [(channel.name, channel) for channel in seen])
        found = []
        for channel, marks in matched:
            inside = channel.id in mine and await self._is_in(channel.id, principal.user)
            if inside or channel.kind is RoomKind.PUBLIC:
                found.append((channel, inside, marks))
            if len(found) == n:
                break
        return found

    async def _is_in(self, room: str, user: str) -> bool:
        try:
            return (await self._rooms.room_marks(room=room, user=user)).since_seq > 0
        except Refused as refused:
            if refused.slug in _HIDDEN:
                return False
            raise

    def _people(self, q: str, n: int) -> list[tuple[User, Marks]]:
        users = sorted(self._directory.users.values(), key=lambda user: (user.name, user.id))
        named = self._matched(q, [(user.name, user) for user in users if user.active])
        return named[:n]

    def _matched(self, q: str, named: Sequence[tuple[str, T]]) -> list[tuple[T, Marks]]:
        found = self._index.matches(q, [name for name, _ in named])
        return [
            (what, marks)
            for (_, what), marks in zip(named, found, strict=True)
            if marks is not None
        ]


async def _each(calls: Iterable[Awaitable[T]]) -> list[T]:
    return list(await asyncio.gather(*calls))
