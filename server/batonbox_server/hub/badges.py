"""Badges as a pure reducer: the board everybody shares, and each local user's own marks.

`blue(u) = |unm| - |seen(u)|`, `green(u) = |green(u)|`: absolute numbers, derived from the log's
events and from private marks, never counted up and down.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

from .frames import Happened, Mark, Standing
from .marked import Marked, ReadLike

__all__ = ["Badges", "MarksLike", "Private", "Totals"]

_UNASSIGNED: Final = "unassigned"


class MarksLike(ReadLike, Protocol):
    """See `store.port.Marks`."""

    @property
    def role(self) -> str: ...
    @property
    def joined(self) -> bool: ...
    @property
    def since_seq(self) -> int: ...
    @property
    def seen(self) -> bool: ...
    @property
    def keys(self) -> list[str]: ...
    @property
    def green(self) -> list[str]: ...
    @property
    def blue(self) -> int: ...


class Totals(NamedTuple):
    """What a BADGE says."""

    blue: int
    green: int
    unassigned: int


@dataclass(slots=True)
class Private:
    """One user's half; `role` "" means: no member. `seen` is a subset of the board."""

    role: str = ""
    joined: bool = False
    since_seq: int = 0
    mv: int = 0
    seen: set[str] = field(default_factory=set)
    green: set[str] = field(default_factory=set)


class Badges(Marked[Private, MarksLike, Happened]):
    """The reducer of one inbox."""

    def __init__(self) -> None:
        super().__init__()
        self.unassigned = 0
        self._unm: dict[str, str] = {}  # key -> who entered it, and so has seen it
        # key -> whoever may have it among `seen`: what leaves the board concerns them alone
        self._saw: dict[str, set[str]] = {}

    def restart(self, seq: int, *, unassigned: int, keys: Iterable[str]) -> None:
        """A new board; everybody's marks have to be read again."""
        self.unassigned = unassigned
        self._unm = dict.fromkeys(keys, "")
        self._saw.clear()
        self.void(seq)

    def stands(self, private: Private) -> bool:
        """See Marked."""
        return bool(private.role)

    def totals(self, user: str) -> Totals | None:
        """None while the user's marks are unknown."""
        private = self.users.get(user)
        if private is None:
            return None
        if not private.joined:
            return Totals(0, 0, self.unassigned)
        return Totals(len(self._unm) - len(private.seen), len(private.green), self.unassigned)

    def marks_of(self, user: str) -> dict[str, Any]:
        """Marks for SNAP and ME: {seq, mv, green: [conv]}, and of the waiting conversations
        either `blue`, those unread, or `seen`, those read: whichever are fewer.
        """
        private = self.users.get(user)
        if private is None or not private.joined:
            mv = private.mv if private else 0
            return {"seq": self.seq, "mv": mv, "blue": [], "green": []}
        marks = {"seq": self.seq, "mv": private.mv, "green": sorted(private.green)}
        if 2 * len(private.seen) < len(self._unm):
            return {**marks, "seen": [_conv_of(key) for key in private.seen]}
        return {**marks, "blue": [_conv_of(key) for key in self._unm.keys() - private.seen]}

    def agrees(self, user: str, marks: MarksLike) -> bool | None:
        """Whether marks just read give the totals known here; None: not of the same moment."""
        private = self.comparable(user, marks)
        if private is None or not (private.joined and marks.joined):
            return None
        return (marks.blue, set(marks.green)) == (
            len(self._unm) - len(private.seen),
            private.green,
        )

    # The rules

    def _private(self, marks: MarksLike) -> Private:
        private = Private(marks.role, marks.joined, marks.since_seq, marks.mv)
        private.green = set(marks.green)
        # Of thousands that wait somebody has seen a few, and only those are looked at.
        named, waiting = set(marks.keys), self._unm.keys()
        seen = waiting & named if marks.seen else waiting - named
        # What entered later is on the tape, and seen only by who brought it there.
        private.seen = {key for key in seen if _entered_at(key) <= marks.seq}
        return private

    def _install(self, user: str, marks: MarksLike) -> bool:
        current = super()._install(user, marks)
        for key in self.users[user].seen:
            self._saw.setdefault(key, set()).add(user)
        return current

    def _shared(self, meta: Happened) -> None:
        before, row = meta.before, meta.row
        if row is None:
            return
        was = before.status if before is not None else ""
        self.unassigned += (row.status == _UNASSIGNED) - (was == _UNASSIGNED)
        old, new = _key(meta.conv, before), _key(meta.conv, row)
        if old == new:
            return
        if old:
            self._unm.pop(old, None)
            for user in self._saw.pop(old, ()):
                if (private := self.users.get(user)) is not None:
                    private.seen.discard(old)
        if new:
            self._unm[new] = meta.actor if was != _UNASSIGNED else ""

    def _concerned(self, meta: Happened) -> set[str]:
        names = {meta.actor, meta.user}
        if meta.before is not None:
            names.add(meta.before.assignee)
        if meta.row is not None:
            names.add(meta.row.assignee)
        names.discard("")
        return names

    def _event(self, user: str, private: Private, seq: int, meta: Happened) -> bool:
        if meta.type in {"member_joined", "member_removed"} and meta.user == user:
            self._membership(private, seq, meta)
            return not (meta.type == "member_joined" and meta.fresh)
        if meta.row is not None:
            self._row(user, private, meta, meta.row)
        return True

    def _row(self, user: str, private: Private, meta: Happened, row: Standing) -> None:
        before = meta.before
        if row.status == _UNASSIGNED:
            new = _key(meta.conv, row)
            # Only what brings it there: by what they do later it may be unread again, for them too.
            if new and new != _key(meta.conv, before) and self._unm.get(new) == user:
                self._see(user, private, new)
        if meta.unseen and row.status == "assigned" and row.assignee == user:
            private.green.add(meta.conv)
        elif user == row.assignee or (before is not None and user == before.assignee):
            private.green.discard(meta.conv)

    def _membership(self, private: Private, seq: int, meta: Happened) -> None:
        removed = meta.type == "member_removed"
        # As the engine has it: nobody is shown what happened before they came.
        if removed:
            private.since_seq = seq if meta.role else 0
        elif not private.role:
            private.since_seq = seq
        private.role = meta.role
        private.joined = meta.joined
        if removed or meta.fresh:
            private.seen.clear()
            private.green.clear()

    def _marked(self, private: Private, mark: Mark, *, at: int) -> bool:
        """See Marked."""
        if mark.mv <= private.mv:
            return True
        if mark.mv > private.mv + 1:
            return False
        private.mv = mark.mv
        if mark.kind == "green":
            # Unlike a key of the board, a conversation alone does not say which of several
            # changes around a back-fill the mark came after.
            (private.green.add if mark.unseen else private.green.discard)(mark.conv)
            return mark.seq == at
        key = f"{mark.conv}:{mark.att}"
        if mark.unseen:
            private.seen.discard(key)
        elif key in self._unm:
            self._see(mark.user, private, key)
        return True

    def _see(self, user: str, private: Private, key: str) -> None:
        private.seen.add(key)
        self._saw.setdefault(key, set()).add(user)


def _key(conv: str, standing: Standing | None) -> str | None:
    if standing is None or standing.status != _UNASSIGNED or not standing.att:
        return None
    return f"{conv}:{standing.att}"


def _conv_of(key: str) -> str:
    """The conversation in a key `<conv>:<att>`."""
    return key.rpartition(":")[0]


def _entered_at(key: str) -> int:
    """The seq in a key `<conv>:<seq>.<hash>`."""
    return int(key.rpartition(":")[2].partition(".")[0])
