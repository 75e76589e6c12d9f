"""What people have not seen of a room, as a pure reducer: `unread(u) = posts - read(u)`.

Posts are counted by the room's row, which every event carries; a person's mark is an ordinal of
them. Nothing is counted up and down.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from .frames import Mark
from .marked import Marked, ReadLike

__all__ = ["Reader", "RoomMarksLike", "Unread", "Waiting"]


class RoomMarksLike(ReadLike, Protocol):
    """See `store.rooms_port.RoomMarks`."""

    @property
    def since_seq(self) -> int: ...
    @property
    def read(self) -> int: ...
    @property
    def mentions(self) -> tuple[int, ...]: ...


class Waiting(NamedTuple):
    """What a ROOM says beside the row: posts not seen, and how many of them name the person."""

    unread: int
    mentions: int


@dataclass(slots=True)
class Reader:
    """One person's half; `since_seq` 0: not in the room. `mentions` are ordinals of posts."""

    since_seq: int = 0
    mv: int = 0
    read: int = 0
    mentions: tuple[int, ...] = ()


class Unread(Marked[Reader, RoomMarksLike, dict[str, Any]]):
    """The reducer of one room: `row` as of `seq`, how many are in it, and local people's marks.

    `moved`: the row is another than the owner, who clears it, has told.
    """

    def __init__(self) -> None:
        super().__init__()
        self.row: dict[str, Any] = {}
        self.members = 0
        self.moved = False

    def restart(self, seq: int, *, row: Mapping[str, Any], members: int) -> None:
        """Another state of the room; everybody's marks have to be read again."""
        self.row, self.members = dict(row), members
        self.void(seq)

    def stands(self, private: Reader) -> bool:
        """See Marked."""
        return private.since_seq > 0

    def waiting(self, user: str) -> Waiting | None:
        """None of who is not in the room, and while their marks are unknown."""
        private = self.users.get(user)
        if private is None or not private.since_seq:
            return None
        return Waiting(max(0, self.row["posts"] - private.read), len(private.mentions))

    def marks_of(self, user: str) -> dict[str, Any]:
        """Marks for SNAP and ME: {seq, mv, read, mentions: [ordinal]}."""
        private = self.users.get(user) or Reader()
        return {
            "seq": self.seq,
            "mv": private.mv,
            "read": private.read,
            "mentions": list(private.mentions),
        }

    def agrees(self, user: str, marks: RoomMarksLike) -> bool | None:
        """Whether marks just read are those known here; None: not of the same moment."""
        private = self.comparable(user, marks)
        return None if private is None else private == self._private(marks)

    # The rules

    def _private(self, marks: RoomMarksLike) -> Reader:
        if not marks.since_seq:
            return Reader(mv=marks.mv)
        return Reader(marks.since_seq, marks.mv, marks.read, tuple(marks.mentions))

    def _shared(self, meta: dict[str, Any]) -> None:
        row = meta.get("row")
        if row is not None:
            self.row, self.moved = row, True
        if meta["type"] == "member_joined":
            self.members += 1
        elif meta["type"] == "member_removed":
            self.members -= 1

    def _concerned(self, meta: dict[str, Any]) -> set[str]:
        names = {meta.get("actor"), meta.get("user"), *(meta.get("mentions") or ())}
        return {name for name in names if name}

    def _event(self, user: str, private: Reader, seq: int, meta: dict[str, Any]) -> bool:
        kind, mine = meta["type"], meta.get("user") == user
        if kind == "posted" and private.since_seq:
            posts = meta["row"]["posts"]
            if meta["actor"] == user:
                private.read, private.mentions = posts, ()
            elif user in (meta.get("mentions") or ()):
                private.mentions = (*private.mentions, posts)
        elif kind == "member_joined" and mine:
            private.since_seq, private.read = seq, meta["row"]["posts"]
            private.mentions = ()
        elif kind == "member_removed" and mine:
            private.since_seq, private.read, private.mentions = 0, 0, ()
        else:
            return True
        self.changed.add(user)
        return True

    def _marked(self, private: Reader, mark: Mark, *, at: int) -> bool:
        """See Marked."""
        if mark.mv <= private.mv:
            return True
        if mark.mv > private.mv + 1:
            return False
        private.mv = mark.mv
        if not private.since_seq or mark.seq != at:
            # A post of their own, or their leaving, may lie between the two.
            return False
        private.read = int(mark.att)
        private.mentions = tuple(ordinal for ordinal in private.mentions if ordinal > private.read)
        return True
