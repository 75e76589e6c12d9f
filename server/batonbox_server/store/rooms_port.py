"""Rooms: direct messages and channels, each a log of its own like an inbox's.

A room is a log with one conversation in it, whose id is the room's: rows, lines, events, positions,
stored replies and archive are those of `store.port`, and so are the duties. What is a room's truth
(who is in it, its posts, everybody's marks) stands in its own slot; which rooms somebody is in
stands beside it in the organisation's slot, and always holds at least what is true.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from batonbox_server.domain.model import RoomKind
from batonbox_server.store.directory_port import Job
from batonbox_server.store.port import Applied

__all__ = ["Channel", "RoomMarks", "RoomOf", "RoomState", "RoomStore", "Version"]


@dataclass(frozen=True, slots=True)
class RoomState:
    """A room at `seq`: its row (a map as `domain.model.RoomRow`); who is in it, since which seq."""

    epoch: str
    seq: int
    tip: str
    row: dict[str, Any]
    members: dict[str, int]


@dataclass(frozen=True, slots=True)
class RoomMarks:
    """One person's private state at `seq` and mark version `mv`.

    `read`: how many posts they have seen, of the row's `posts`. `mentions`: the ordinals, among the
    posts, of those behind `read` that name them, ascending. `since_seq` 0: they are not in it.
    """

    seq: int
    tip: str
    mv: int
    since_seq: int
    read: int
    mentions: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class RoomOf:
    """A room as one of its people has it; what ROOM tells: unread = posts - read."""

    row: dict[str, Any]
    unread: int
    mentions: int


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel's record in the organisation's slot; a direct room has none."""

    id: str
    name: str
    kind: RoomKind
    archived: int = 0


@dataclass(frozen=True, slots=True)
class Version:
    """What stood in a post before `by` edited or deleted it at `at_ms`."""

    at_ms: int
    by: str
    body: Any


class RoomStore(Protocol):
    """Refusals beside those of `store.port`: `forbidden` to whoever is not in the room.

    Whether an admin acts (`admin`) is the caller's to know. Every change of a membership, and every
    new or changed channel, becomes an event ROOM_CHANGED of the organisation's log, meta
    `{type: "room_changed", room}` and body {room: Channel as a map or nil, users: [whose index
    changed]}, at the latest by a job that any node finishes.
    """

    async def open_direct(self, *, actor: str, user: str, cid: str) -> Applied:
        """The room of these two, made when there is none; `conv` is its id, the same for both."""

    async def create_channel(
        self, *, actor: str, cid: str, name: str, kind: RoomKind, members: Sequence[str]
    ) -> Applied:
        """A new channel with the actor and `members` in it; a name that is taken is `conflict`."""

    async def add_member(
        self, *, room: str, user: str, actor: str, cid: str, admin: bool
    ) -> Applied:
        """Join (`user` the actor) or be put in. A no-op for who is in it already.

        `forbidden` without `admin`, but to join a public channel; `bad_request` of a direct room.
        """

    async def drop_member(
        self, *, room: str, user: str, actor: str, cid: str, admin: bool
    ) -> Applied:
        """Leave (`user` the actor) or be taken out: nothing after its seq reaches them."""

    async def rename(self, *, room: str, actor: str, cid: str, name: str) -> Applied:
        """Another name for a channel; one that is taken is `conflict`."""

    async def set_archived(self, *, room: str, actor: str, cid: str, on: bool) -> Applied:
        """Close a channel to posts, or open it again."""

    async def post(
        self,
        *,
        room: str,
        actor: str,
        cid: str,
        body: bytes,
        preview: str,
        mentions: Sequence[str] = (),
    ) -> Applied:
        """Append a post, and mark all before it as read by the actor; `n` is its line.

        `bad_request` in an archived channel; `target_not_member` of a mention who is not in it.
        """

    async def edit(
        self,
        *,
        room: str,
        actor: str,
        cid: str,
        n: int,
        body: bytes,
        preview: str,
        mentions: Sequence[str] = (),
    ) -> Applied:
        """Replace the actor's own post; what stood there is kept. `forbidden` of another's."""

    async def delete(self, *, room: str, actor: str, cid: str, n: int, admin: bool) -> Applied:
        """Leave an empty post with state `deleted`; what stood there is kept for admins."""

    async def versions(self, *, room: str, n: int) -> list[Version]:
        """What stood in post `n` before, the oldest first."""

    async def room_seen(self, *, room: str, actor: str, read: int) -> bool:
        """Mark the first `read` posts as seen; False when they were. Never lowers a mark."""

    async def room_unread(self, *, room: str, actor: str, cid: str) -> Applied:
        """Lower the actor's mark by the last post of others; a no-op when there is none."""

    async def room_state(self, *, room: str) -> RoomState:
        """One instant of a room, whoever asks. Refused("not_found")."""

    async def room_marks(self, *, room: str, user: str) -> RoomMarks:
        """Refused("not_found")."""

    async def room_marks_of(self, *, room: str, users: Sequence[str]) -> dict[str, RoomMarks]:
        """The same of several people (at most 256), at one position; each of them has an entry."""

    async def room_of(self, *, room: str, user: str) -> RoomOf | None:
        """A room as this person has it; None for who is not in it. Reads nothing of others."""

    async def rooms_of(self, *, user: str) -> dict[str, RoomOf]:
        """The rooms somebody is in, by id."""

    async def times_of(self, *, user: str) -> dict[str, int]:
        """The `last_ms` of at least those rooms, a small read each; to be shown to nobody."""

    async def index_of(self, *, user: str) -> frozenset[str]:
        """Ids of at least those rooms; cheap."""

    async def channels(self) -> list[Channel]:
        """Every channel, by name."""

    async def member_counts(self, rooms: Sequence[str]) -> dict[str, int]:
        """How many people are in each."""

    async def all_rooms(self, *, after: str = "", n: int = 500) -> list[str]:
        """Ids of every room there may be behind `after`, ascending; for what reads everything."""

    async def run_job(self, job: Job) -> None:
        """Do a job of kind `room`, which a node that died left: `Administration.handlers`."""

    async def leave_all(self, *, user: str) -> None:
        """Take somebody out of every channel, as nobody's act; again does no harm."""
