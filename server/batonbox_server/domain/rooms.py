"""What happens to a room; the scripts mirror it, and a model test compares the two. Pure.

A room is changed by replacing it: every function returns the next one, the same one where nothing
changes, or raises Refusal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from batonbox_server.domain.model import Kind, RoomKind, RoomRow
from batonbox_server.domain.transitions import Refusal

__all__ = ["Post", "Room", "Seat"]


@dataclass(frozen=True, slots=True)
class Post:
    """One line of the thread: what people wrote, or what became of the room ("" text)."""

    kind: Kind
    actor: str
    text: str = ""
    state: str = ""
    before: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Seat:
    """Somebody in the room: how many posts they have seen, and which behind that name them."""

    read: int
    mentions: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Room:
    """A room as a whole; `last_ms` and `rev` of its row are the log's, and not decided here."""

    row: RoomRow
    seats: Mapping[str, Seat] = field(default_factory=dict)
    lines: tuple[Post, ...] = ()

    @classmethod
    def made(cls, row: RoomRow, people: Sequence[str], actor: str) -> Room:
        """A new room with its first people."""
        room = cls(row, {user: Seat(0) for user in people})
        return room._said(Kind.ROOM_CREATED, actor)

    def unread(self, user: str) -> int:
        """Posts that somebody in it has not seen; their own never count."""
        return self.row.posts - self.seats[user].read

    def member(self, actor: str, user: str, *, on: bool, admin: bool) -> Room:
        """Put somebody in or take them out; `actor` the same joins or leaves."""
        self._channel()
        public = self.row.kind is RoomKind.PUBLIC
        if not admin and not (user == actor and (user in self.seats or public)):
            raise Refusal("forbidden")
        if on == (user in self.seats):
            return self
        seats = {name: seat for name, seat in self.seats.items() if name != user}
        if on:
            seats[user] = Seat(self.row.posts)
        kind = Kind.MEMBER_JOINED if on else Kind.MEMBER_REMOVED
        return replace(self, seats=seats)._said(kind, actor)

    def changed(
        self, actor: str, *, name: str = "", archived: bool | None = None, admin: bool
    ) -> Room:
        """Another name, or closed to posts, or open again."""
        self._channel()
        if not admin:
            raise Refusal("forbidden")
        row = replace(self.row, name=name or self.row.name)
        if archived is not None:
            row = replace(row, archived=int(archived))
        if row == self.row:
            return self
        return replace(self, row=row)._said(Kind.ROOM_CHANGED, actor)

    def post(self, actor: str, text: str, mentions: Sequence[str]) -> Room:
        """One more unread for everybody else; its author has read the room with it."""
        self._inside(actor)
        if self.row.archived:
            raise Refusal("bad_request")
        self._all_inside(mentions)
        posts = self.row.posts + 1
        seats = {
            user: replace(seat, mentions=(*seat.mentions, posts)) if user in mentions else seat
            for user, seat in self.seats.items()
        }
        seats[actor] = Seat(posts)
        row = replace(self.row, posts=posts, last_by=actor, preview=text)
        return replace(self, row=row, seats=seats)._said(Kind.POSTED, actor, text)

    def edit(self, actor: str, n: int, text: str, mentions: Sequence[str]) -> Room:
        """Replace one's own post; counts stay."""
        post = self._post(actor, n)
        if post.actor != actor:
            raise Refusal("forbidden")
        if post.state == "deleted":
            raise Refusal("not_found")
        if self.row.archived:
            raise Refusal("bad_request")
        self._all_inside(mentions)
        return self._rewritten(n, post, text, "edited")

    def delete(self, actor: str, n: int, *, admin: bool) -> Room:
        """Leave nothing but its place of one's own; an admin, in a channel, of anybody's."""
        post = self._post(actor, n)
        admin = admin and self.row.kind is not RoomKind.DIRECT
        if post.actor != actor and not admin:
            raise Refusal("forbidden")
        if post.state == "deleted":
            return self
        if self.row.archived and not admin:
            raise Refusal("bad_request")
        return self._rewritten(n, post, "", "deleted")

    def seen(self, actor: str, read: int) -> Room:
        """The first `read` posts are seen; never lowers a mark."""
        self._inside(actor)
        seat, read = self.seats[actor], min(read, self.row.posts)
        if read <= seat.read:
            return self
        behind = tuple(ordinal for ordinal in seat.mentions if ordinal > read)
        return replace(self, seats={**self.seats, actor: Seat(read, behind)})

    def unseen(self, actor: str) -> Room:
        """The last post is unread again, if it is somebody else's and was read."""
        self._inside(actor)
        seat, posts = self.seats[actor], self.row.posts
        if not posts or self.row.last_by == actor or seat.read != posts:
            return self
        return replace(self, seats={**self.seats, actor: Seat(posts - 1)})

    def _channel(self) -> None:
        if self.row.kind is RoomKind.DIRECT:
            raise Refusal("bad_request")

    def _inside(self, actor: str) -> None:
        if actor not in self.seats:
            raise Refusal("forbidden")

    def _all_inside(self, users: Sequence[str]) -> None:
        if not set(users) <= self.seats.keys():
            raise Refusal("target_not_member")

    def _post(self, actor: str, n: int) -> Post:
        self._inside(actor)
        if not 0 < n <= len(self.lines) or self.lines[n - 1].kind is not Kind.POSTED:
            raise Refusal("not_found")
        return self.lines[n - 1]

    def _said(self, kind: Kind, actor: str, text: str = "") -> Room:
        lines = (*self.lines, Post(kind, actor, text))
        return replace(self, row=replace(self.row, n=len(lines)), lines=lines)

    def _rewritten(self, n: int, post: Post, text: str, state: str) -> Room:
        lines = list(self.lines)
        lines[n - 1] = replace(post, text=text, state=state, before=(*post.before, post.text))
        posts = [at for at, line in enumerate(self.lines, 1) if line.kind is Kind.POSTED]
        row = replace(self.row, preview=text) if n == posts[-1] else self.row
        return replace(self, row=row, lines=tuple(lines))
