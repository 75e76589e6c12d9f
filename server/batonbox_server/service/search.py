"""Searching: what somebody may see of what the index finds, asked of the engine once more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, TypeVar

from batonbox_server.domain.model import RoomKind, inbox_of
from batonbox_server.errors import Refused
from batonbox_server.session.ports import Principal
from batonbox_server.store.contacts_port import Contact, ContactStore
from batonbox_server.store.directory_port import User
from batonbox_server.store.rooms_port import Channel, RoomStore
from batonbox_server.store.scan_port import CONTACTS

from .directory import LiveDirectory
from .reads import InboxReads
from .search_changes import line_of
from .search_port import Hit, Progress, SearchIndex, Standing, card_line

__all__ = ["KINDS", "Found", "Kind", "Marks", "Search"]

K = TypeVar("K")
T = TypeVar("T")
_Kept = tuple[Hit, dict[str, Any], int]  # with its row, and where the log stood then
Kind = Literal["messages", "conversations", "contacts", "channels", "people"]
Marks = tuple[tuple[int, int], ...]
KINDS: Final[tuple[Kind, ...]] = ("messages", "conversations", "contacts", "channels", "people")
_HIDDEN: Final = frozenset({"forbidden", "not_found"})
_TRIES: Final = 8
_UNKNOWN: Final = Progress(complete=False, behind=0, done=0, total=0)


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
    index: Progress = _UNKNOWN


@dataclass(slots=True)
class _Asked:
    """Whose search, and in which logs; `part`: something that was found could not be read."""

    principal: Principal
    q: str
    logs: Sequence[str]
    part: bool = False


class Search:
    """`find` over everything."""

    def __init__(
        self,
        index: SearchIndex,
        reads: InboxReads,
        rooms: RoomStore,
        contacts: ContactStore,
        directory: LiveDirectory,
        *,
        standing: Standing,
    ) -> None:
        self._standing = standing
        self._index = index
        self._reads = reads
        self._rooms = rooms
        self._contacts = contacts
        self._directory = directory

    async def find(
        self, principal: Principal, q: str, *, kinds: Sequence[Kind], after: str, n: int
    ) -> Found:
        """Up to `n` of each kind. Refused: `bad_request`, `unavailable`."""
        if after and len(kinds) != 1:
            raise Refused("bad_request", "after: it continues one kind; name it with kinds.")
        found = Found()
        mine = await self._rooms.index_of(user=principal.user)
        asked = _Asked(principal, q, [*self._directory.inboxes_of(principal.user), *mine])
        for kind in dict.fromkeys(kinds):
            if kind == "messages":
                found.messages, found.next = await self._seen(asked, "message", after, n)
            elif kind == "conversations":
                found.conversations, found.next = await self._seen(asked, "conversation", after, n)
            elif kind == "contacts":
                found.contacts, found.next = await self._cards(asked, after, n)
            elif kind == "channels" and not after:
                found.channels = await self._channels(principal, q, mine, n)
            elif kind == "people" and not after:
                found.people = self._people(q, n)
        if len(kinds) > 1:
            found.next = ""
        # Of other people's logs not even how many there are.
        progress = self._standing.progress_in({CONTACTS, *asked.logs})
        found.index = replace(progress, complete=progress.complete and not asked.part)
        return found

    async def _hits(self, asked: _Asked, kind: str, after: str, n: int) -> tuple[list[Hit], str]:
        kinds = frozenset({kind})
        return await self._index.find(asked.q, logs=asked.logs, kinds=kinds, after=after, n=n)

    async def _seen(
        self, asked: _Asked, kind: str, after: str, n: int
    ) -> tuple[list[tuple[Hit, dict[str, Any]]], str]:
        """The engine decides, when the row is read: what a node knows of memberships may be old.

        The index is asked again without a log that is not theirs, so that no cursor tells of it.
        """
        for _ in range(_TRIES):
            seqs = self._standing.seqs_in(asked.logs)
            hits, cursor = await self._hits(asked, kind, after, n)
            convs = list(dict.fromkeys(hit.conv for hit in hits))
            rows = await _each(
                {conv: self._reads.row_at(asked.principal, conv=conv) for conv in convs}
            )
            closed = {inbox_of(conv) for conv in convs if _slug(rows[conv]) == "forbidden"}
            if not closed:
                break
            asked.logs = [log for log in asked.logs if log not in closed]
            cursor = ""  # unless the next try finds theirs alone
        there = self._there(asked, rows)
        kept = [(hit, *there[hit.conv]) for hit in hits if hit.conv in there]
        if kind == "message":
            kept = await self._as_they_are(asked, kept, seqs)
        return [(hit, row) for hit, row, _ in kept], cursor

    def _there(self, asked: _Asked, read: Mapping[K, T | Refused]) -> dict[K, T]:
        """What could be read; raises Refused where all of it is away for now."""
        there = {name: it for name, it in read.items() if not isinstance(it, Refused)}
        away = [it for it in read.values() if isinstance(it, Refused) and it.slug not in _HIDDEN]
        if away and not there:
            raise away[0]
        asked.part = asked.part or bool(away)
        return there

    async def _as_they_are(
        self, asked: _Asked, kept: list[_Kept], seqs: Mapping[str, int]
    ) -> list[_Kept]:
        """Where the index is behind its log, messages may be others by now, or no more."""
        late = [hit for hit, _, seq in kept if seqs.get(inbox_of(hit.conv)) != seq]
        if not late:
            return kept
        lines = await _each(
            {
                (hit.conv, hit.n): self._reads.line(asked.principal, conv=hit.conv, n=hit.n)
                for hit in late
            }
        )
        there = self._there(asked, lines)
        now = {hit: self._now(asked.q, hit, there.get((hit.conv, hit.n))) for hit in late}
        found = [(now.get(hit, hit), row, seq) for hit, row, seq in kept]
        return [(hit, row, seq) for hit, row, seq in found if hit is not None]

    def _now(self, q: str, hit: Hit, line: list[Any] | None) -> Hit | None:
        """The hit, if this is its message now and is one still."""
        said = line_of(hit.conv, line) if line else None
        return self._showing(q, hit, said.text) if said else None

    def _showing(self, q: str, hit: Hit, text: str) -> Hit | None:
        shown = self._index.shown(q, text)
        return replace(hit, excerpt=shown[0], marks=shown[1]) if shown else None

    async def _cards(
        self, asked: _Asked, after: str, n: int
    ) -> tuple[list[tuple[Hit, Contact]], str]:
        """Contacts as they are: one that has changed since is looked at, and may be no hit."""
        seq = self._standing.seqs_in([CONTACTS]).get(CONTACTS, 0)
        hits, cursor = await self._hits(asked, "contact", after, n)
        known = await self._contacts.by_ids([hit.id for hit in hits]) if hits else {}
        found: list[tuple[Hit, Contact]] = []
        for hit in hits:
            contact = known.get(hit.id)
            if contact is None:
                continue
            line = card_line(contact.name, contact.numbers, contact.note)
            now = self._showing(asked.q, hit, line) if contact.rev > seq else hit
            if now is not None:
                found.append((now, contact))
        return found, cursor

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


async def _each(calls: Mapping[K, Awaitable[T]]) -> dict[K, T | Refused]:
    """What they end in, side by side; raises what is no refusal."""
    done = await asyncio.gather(*calls.values(), return_exceptions=True)
    found: dict[K, T | Refused] = {}
    for name, it in zip(calls, done, strict=True):
        if isinstance(it, BaseException) and not isinstance(it, Refused):
            raise it
        found[name] = it
    return found


def _slug(read: object) -> str:
    return read.slug if isinstance(read, Refused) else ""
