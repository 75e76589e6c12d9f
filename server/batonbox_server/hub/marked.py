"""Private marks of local people beside a log's events, each read at a position of its own.

A user's half is read from the engine and joins the stream of events and marks there; what happens
meanwhile is taped.  Subclasses say what an event and a mark mean.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

from .frames import Mark

__all__ = ["Marked", "PrivateLike", "ReadLike"]

_TAPE_MAX: Final = 4096


class ReadLike(Protocol):
    """Marks as they are read: the log's position at that moment, the user's mark version."""

    @property
    def seq(self) -> int: ...
    @property
    def mv(self) -> int: ...


class PrivateLike(Protocol):
    """One user's half; `since_seq` is where their membership began."""

    since_seq: int
    mv: int


P = TypeVar("P", bound=PrivateLike)
R = TypeVar("R", bound=ReadLike)
M = TypeVar("M")  # what an event says, as the reducer takes it


@dataclass(frozen=True, slots=True)
class _Step(Generic[M]):
    """An event on the tape."""

    seq: int
    meta: M


@dataclass(frozen=True, slots=True)
class _Load:
    """A read under way: begun at `seq`, with the tape standing at `place`."""

    number: int
    place: int
    seq: int


class Marked(Generic[P, R, M]):
    """The private halves at one log; `needs` are users whose marks must be read (again).

    Call `begin(user)`, read the user's marks, call `loaded`; events and marks go to `apply` and
    `mark` meanwhile.  `users` holds those who are known; `installed` those whose marks came into
    force and `changed` those whose marks moved, both until the owner clears them.
    """

    def __init__(self) -> None:
        self.seq = 0
        self.users: dict[str, P] = {}
        self.needs: set[str] = set()
        self.installed: set[str] = set()
        self.changed: set[str] = set()
        self._tape: list[tuple[int, _Step[M] | Mark]] = []  # with the seq at which it came
        self._loading: dict[str, _Load] = {}
        self._loads = 0
        self._early: dict[str, R] = {}  # read ahead of the log's events
        self._ahead: list[Mark] = []  # made ahead of the log's events

    # For subclasses

    def stands(self, private: P) -> bool:
        """Whether this is a member's half."""
        raise NotImplementedError

    def marks_of(self, user: str) -> dict[str, Any]:
        """Marks for SNAP and ME."""
        raise NotImplementedError

    def _private(self, marks: R) -> P:
        """The half that was read, as of `marks.seq`."""
        raise NotImplementedError

    def _shared(self, meta: M) -> None:
        """An event's effect on what everybody shares."""
        raise NotImplementedError

    def _concerned(self, meta: M) -> Iterable[str]:
        """Names, known or not, whose halves an event may change."""
        raise NotImplementedError

    def _event(self, user: str, private: P, seq: int, meta: M) -> bool:
        """An event's effect on one half; False: read the marks again instead."""
        raise NotImplementedError

    def _marked(self, private: P, mark: Mark, *, at: int) -> bool:
        """Apply what came when the log stood at `at`; False: read the marks again instead."""
        raise NotImplementedError

    # Who is wanted

    def want(self, user: str) -> None:
        """The user's half is wanted from now on."""
        if user not in self.users and user not in self._loading:
            self.needs.add(user)

    def forget(self, user: str) -> None:
        """Nobody here looks at the user's half any more."""
        self.users.pop(user, None)
        self.needs.discard(user)
        self._end(user)

    def stale(self) -> None:
        """Marks may have been missed: everybody's have to be read again."""
        self.needs |= self.users.keys() | self._loading.keys()
        self._stop_loading()
        self._ahead.clear()  # what is read will have them, or a failover has lost them

    def void(self, seq: int) -> None:
        """Everything shared was read anew at `seq`: everybody's marks have to be, too."""
        self.seq = seq
        self.needs |= self.users.keys() | self._loading.keys()
        self.users.clear()
        self._stop_loading()
        self._ahead.clear()

    # What happens

    def apply(self, seq: int, meta: M) -> None:
        """The log's next event."""
        self.seq = seq
        if self._loading:
            self._record(_Step(seq, meta))
        self._shared(meta)
        users = self.users
        for user in self._concerned(meta):
            private = users.get(user)
            if private is not None and not self._event(user, private, seq, meta):
                self.needs.add(user)
        if self._early or self._ahead:
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

    def loaded(self, user: str, number: int, marks: R) -> bool:
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

    def comparable(self, user: str, marks: R) -> P | None:
        """The half known here, if it is of the same moment as marks just read."""
        private = self.users.get(user)
        if private is None or user in self.needs or user in self._loading:
            return None
        return private if (marks.seq, marks.mv) == (self.seq, private.mv) else None

    def _install(self, user: str, marks: R) -> bool:
        start = self._loading[user].place
        private = self._private(marks)
        current = True
        for at, item in self._tape[start:]:
            if isinstance(item, Mark):
                current = current and (item.user != user or self._marked(private, item, at=at))
            elif item.seq > marks.seq and user in self._concerned(item.meta):
                current = self._event(user, private, item.seq, item.meta) and current
        self._end(user)
        if self.users.get(user) != private:
            self.changed.add(user)
        self.users[user] = private
        self.installed.add(user)
        if not current:
            self.needs.add(user)
        return current

    def _catch_up(self) -> None:
        if self._early:
            for user in [u for u, marks in self._early.items() if marks.seq <= self.seq]:
                self._install(user, self._early.pop(user))
        if self._ahead:
            due = [mark for mark in self._ahead if mark.seq <= self.seq]
            self._ahead = [mark for mark in self._ahead if mark.seq > self.seq]
            for mark in due:
                self.mark(mark)

    def _record(self, item: _Step[M] | Mark) -> None:
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
