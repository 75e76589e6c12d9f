"""Badges as a pure reducer: the board everybody shares, and each local user's own marks.

`blue(u) = |unm| - |seen(u)|`, `green(u) = |green(u)|`: absolute numbers, derived from the log's
events and from private marks, never counted up and down.  A user's half is read from the engine
at a position of its own and joins the stream there; what happens meanwhile is taped.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from .frames import Mark

__all__ = ["Badges", "MarksLike", "Private", "Totals"]

_TAPE_MAX: Final = 4096
_UNASSIGNED: Final = "unassigned"


class MarksLike(Protocol):
    """See `store.port.Marks`."""

    @property
    def seq(self) -> int: ...
    @property
    def mv(self) -> int: ...
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


@dataclass(frozen=True, slots=True)
class Totals:
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


@dataclass(frozen=True, slots=True)
class _Step:
    """An event, as far as badges care."""

    seq: int
    meta: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Load:
    """A read under way: begun at `seq`, with the tape standing at `place`."""

    number: int
    place: int
    seq: int


class Badges:
    """The reducer of one inbox; `needs` are users whose marks must be read (again).

    Call `begin(user)`, read the user's marks, call `loaded`; events and marks go to `apply` and
    `mark` meanwhile.  `users` holds those who are known; `installed` those whose marks came into
    force and `changed` those whose marks moved, both until the owner clears them.
    """

    def __init__(self) -> None:
        self.seq = 0
        self.unassigned = 0
        self.users: dict[str, Private] = {}
        self.needs: set[str] = set()
        self.installed: set[str] = set()
        self.changed: set[str] = set()
        self._unm: dict[str, str] = {}  # key -> who entered it, and so has seen it
        self._tape: list[tuple[int, _Step | Mark]] = []  # with the seq at which it came
        self._loading: dict[str, _Load] = {}
        self._loads = 0
        self._early: dict[str, MarksLike] = {}  # read ahead of the log's events
        self._ahead: list[Mark] = []  # made ahead of the log's events

    def restart(self, seq: int, *, unassigned: int, keys: Iterable[str]) -> None:
        """A new board; everybody's marks have to be read again."""
        self.seq, self.unassigned = seq, unassigned
        self._unm = dict.fromkeys(keys, "")
        self.needs |= self.users.keys() | self._loading.keys()
        self.users.clear()
        self._stop_loading()
        self._ahead.clear()

    def want(self, user: str) -> None:
        """The user's badge is wanted from now on."""
        if user not in self.users and user not in self._loading:
            self.needs.add(user)

    def forget(self, user: str) -> None:
        """Nobody here looks at the user's badge any more."""
        self.users.pop(user, None)
        self.needs.discard(user)
        self._end(user)

    def stale(self) -> None:
        """Marks may have been missed: everybody's have to be read again."""
        self.needs |= self.users.keys() | self._loading.keys()
        self._stop_loading()

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
        private = self.users.get(user)
        if private is None or user in self.needs or user in self._loading:
            return None
        if (marks.seq, marks.mv) != (self.seq, private.mv) or not (private.joined and marks.joined):
            return None
        return (marks.blue, set(marks.green)) == (
            len(self._unm) - len(private.seen),
            private.green,
        )

    # What happens

    def apply(self, seq: int, meta: dict[str, Any]) -> None:
        """The log's next event."""
        self.seq = seq
        step = _Step(seq, meta)
        self._record(step)
        self._shared(meta)
        for user, private in self._concerned(meta):
            self._event(user, private, meta)
        self._catch_up()

    def mark(self, mark: Mark) -> None:
        """A private mark as published; one that lies ahead of the events waits for them."""
        if mark.seq > self.seq:
            if len(self._ahead) < _TAPE_MAX:
                self._ahead.append(mark)
            else:
                self.needs.add(mark.user)
            return
        self._record(mark)
        private = self.users.get(mark.user)
        if private is None:
            return
        self.changed.add(mark.user)
        if not self._marked(private, mark, at=self.seq):
            self.needs.add(mark.user)

    # Reading a user's marks

    def begin(self, user: str) -> int:
        """The user's marks are being read from now on; pass the number on to `loaded`."""
        self.needs.discard(user)
        self._early.pop(user, None)
        self._loads += 1
        self._loading[user] = _Load(self._loads, len(self._tape), self.seq)
        return self._loads

    def failed(self, user: str, number: int) -> None:
        """The read failed; it is needed still."""
        load = self._loading.get(user)
        if load is not None and load.number == number:
            self._end(user)
            self.needs.add(user)

    def loaded(self, user: str, number: int, marks: MarksLike) -> bool:
        """The marks as read; True once they are in force, False: later, or `needs` again."""
        load = self._loading.get(user)
        if load is None or load.number != number:
            return False  # overtaken by a newer read, which sees more
        if marks.seq < load.seq:
            # The engine has fallen behind what we know: a failover, which the feed will notice.
            self.failed(user, number)
            return False
        if marks.seq > self.seq:
            self._early[user] = marks
            return False
        return self._install(user, marks)

    def _install(self, user: str, marks: MarksLike) -> bool:
        start = self._loading[user].place
        private = Private(marks.role, marks.joined, marks.since_seq, marks.mv)
        private.green = set(marks.green)
        private.seen = self._seen_as_of(marks)
        current = True
        for at, item in self._tape[start:]:
            if isinstance(item, Mark):
                current = current and (item.user != user or self._marked(private, item, at=at))
            elif item.seq > marks.seq:
                self._event(user, private, item.meta)
                current = current and not _rejoins(user, item.meta)
        self._end(user)
        self.users[user] = private
        self.installed.add(user)
        self.changed.add(user)
        if not current:
            self.needs.add(user)
        return current

    def _seen_as_of(self, marks: MarksLike) -> set[str]:
        named = set(marks.keys)
        seen = set()
        for key in self._unm:
            # What entered later is on the tape, and seen only by who brought it there.
            if _entered_at(key) <= marks.seq and (key in named) == marks.seen:
                seen.add(key)
        return seen

    def _catch_up(self) -> None:
        if self._early:
            for user in [u for u, marks in self._early.items() if marks.seq <= self.seq]:
                self._install(user, self._early.pop(user))
        if self._ahead:
            due = [mark for mark in self._ahead if mark.seq <= self.seq]
            self._ahead = [mark for mark in self._ahead if mark.seq > self.seq]
            for mark in due:
                self.mark(mark)

    def _record(self, item: _Step | Mark) -> None:
        if not self._loading:
            return
        self._tape.append((self.seq, item))
        if len(self._tape) > _TAPE_MAX:
            self.needs |= self._loading.keys()
            self._stop_loading()

    def _end(self, user: str) -> None:
        self._loading.pop(user, None)
        self._early.pop(user, None)
        if not self._loading:
            self._tape.clear()

    def _stop_loading(self) -> None:
        self._loading.clear()
        self._early.clear()
        self._tape.clear()

    # The rules

    def _shared(self, meta: dict[str, Any]) -> None:
        old, new = _key(meta, meta.get("before")), _key(meta, meta.get("row"))
        if "row" in meta:
            was, now = _status(meta.get("before")), _status(meta["row"])
            self.unassigned += (now == _UNASSIGNED) - (was == _UNASSIGNED)
        if old == new:
            return
        if old:
            self._unm.pop(old, None)
            for private in self.users.values():
                private.seen.discard(old)
        if new:
            entering = _status(meta.get("before")) != _UNASSIGNED
            self._unm[new] = meta.get("actor", "") if entering else ""

    def _concerned(self, meta: dict[str, Any]) -> Iterable[tuple[str, Private]]:
        before, row = meta.get("before") or {}, meta.get("row") or {}
        names = {meta.get("actor"), meta.get("user"), before.get("assignee"), row.get("assignee")}
        return [(name, self.users[name]) for name in names if name in self.users]

    def _event(self, user: str, private: Private, meta: dict[str, Any]) -> None:
        if meta["type"] in {"member_joined", "member_removed"}:
            self._membership(user, private, meta)
        row = meta.get("row")
        if row is None:
            return
        new = _key(meta, row)
        if new and self._unm.get(new) == user:
            private.seen.add(new)
        if row["status"] == "assigned" and row["assignee"] == user and meta.get("unseen"):
            private.green.add(meta["conv"])
        elif user in {row["assignee"], (meta.get("before") or {}).get("assignee")}:
            private.green.discard(meta["conv"])

    def _membership(self, user: str, private: Private, meta: dict[str, Any]) -> None:
        if meta["user"] != user:
            return
        private.role = meta["role"]
        private.joined = bool(meta.get("joined"))
        if meta["type"] == "member_removed" or meta.get("fresh"):
            private.seen.clear()
            private.green.clear()
        if _rejoins(user, meta):
            self.needs.add(user)

    def _marked(self, private: Private, mark: Mark, *, at: int) -> bool:
        """Apply what came when the log stood at `at`; False: read the marks again instead."""
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
            private.seen.add(key)
        return True


def _status(state: dict[str, Any] | None) -> str:
    return str(state["status"]) if state else ""


def _key(meta: dict[str, Any], state: dict[str, Any] | None) -> str | None:
    if state is None or state["status"] != _UNASSIGNED or not state["att"]:
        return None
    return f"{meta['conv']}:{state['att']}"


def _conv_of(key: str) -> str:
    """The conversation in a key `<conv>:<att>`."""
    return key.rpartition(":")[0]


def _entered_at(key: str) -> int:
    """The seq in a key `<conv>:<seq>.<hash>`."""
    return int(key.rpartition(":")[2].partition(".")[0])


def _rejoins(user: str, meta: dict[str, Any]) -> bool:
    fresh = meta["type"] == "member_joined" and meta.get("fresh")
    return bool(fresh) and meta.get("user") == user
