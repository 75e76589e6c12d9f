"""One room as a node shows it: to its people unasked, and its events to who listens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from batonbox_server import wire
from batonbox_server.errors import Refused
from batonbox_server.tasks import spawn
from batonbox_server.wire import Op

from .backlog import SnapshotFrame
from .feed import Reason
from .follower import Position, Reads
from .frames import Published
from .notices import room_audience, room_notice
from .port import RoomReads
from .seated import OnMoved, SeatedFollower
from .unread import Unread
from .viewer import Seat, Viewer
from .watching import Watching

__all__ = ["Person", "RoomFollower"]

# There are many rooms on a node, and most are quiet: older events are read from the log.
_RING_SHARE: Final = 16
_RECALLED_MAX: Final = 256

Frames = dict[tuple[str, int, int], bytes]


@dataclass(eq=False, slots=True)
class Person:
    """Somebody connected to this node. `viewers` have got ROOMS, `coming` will.

    `rooms` are those of the index; None: there is no such room yet, or any more. `shown` are those
    that the viewers have been told of. `due`: the index is to be read (again).
    """

    user: str
    viewers: dict[Viewer, None] = field(default_factory=dict)
    coming: dict[Viewer, None] = field(default_factory=dict)
    rooms: dict[str, RoomFollower | None] = field(default_factory=dict)
    shown: set[str] = field(default_factory=set)
    due: bool = False


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """What SNAP says of a room."""

    epoch: str
    seq: int
    tip: str
    counts: dict[str, int]
    rows: list[dict[str, Any]]
    next: None = None


class RoomFollower(SeatedFollower):
    """A room: `people` of it who are connected here are told of it without any seat.

    `on_gone(person)` is called for each of them when the room's log is no more.
    """

    # Each read lets everybody look who waits for theirs, perhaps thousands; it costs little itself.
    marks_at_once = 256

    def __init__(
        self,
        reads: Reads,
        rooms: RoomReads,
        *,
        inbox: str,
        log: str,
        channel: str,
        on_moved: OnMoved,
        on_gone: Callable[[Person], None],
        watching: Watching,
    ) -> None:
        self.unread = Unread()
        self.people: dict[str, Person] = {}
        self._rooms = rooms
        self._on_gone = on_gone
        super().__init__(
            reads,
            self.unread,
            inbox=inbox,
            log=log,
            channel=channel,
            on_moved=on_moved,
            watching=watching,
            ring_share=_RING_SHARE,
        )

    # People

    def admit(self, person: Person) -> None:
        """Tell them of the room, as far as they are in it, from now on."""
        self.people[person.user] = person
        self.unread.want(person.user)
        self._marks_reading.soon()

    def dismiss(self, person: Person) -> None:
        """Tell them of it no more."""
        if self.people.get(person.user) is person:
            del self.people[person.user]
            self.released(person.user)
        self._untell(person)

    def said(self, person: Person) -> None:
        """ROOMS said it all: there is nothing to repeat."""
        if person.user not in self.by_user:
            self.unread.changed.discard(person.user)

    def knows(self, user: str) -> bool:
        """Whether it is known what the room is to the user."""
        return user in self.unread.users

    # What the feed says

    async def base(self) -> Position:
        """See Follower."""
        state = await self.reads.paced(lambda: self._rooms.room_state(room=self.inbox))
        self.unread.restart(state.seq, row=state.row, members=len(state.members))
        return Position(state.epoch, state.seq, state.tip)

    async def read_marks(self, users: Sequence[str]) -> Mapping[str, Any]:
        """All in one read: after a reconnect that is one a room, whoever is connected."""
        found: Mapping[str, Any] = await self.reads.paced(
            lambda: self._rooms.room_marks_of(room=self.inbox, users=users)
        )
        return found

    async def snapshot(self) -> SnapshotFrame:
        """From what stands here: it costs the engine nothing."""
        await self.until(lambda: self.closed or self.feed.following)
        counts = {"members": self.unread.members}
        at = (self.feed.epoch, self.feed.hi, self.ring.last_tip)
        return SnapshotFrame(self.inbox, _Snapshot(*at, counts, [self.unread.row]))

    def appended(self, event: Published) -> None:
        """See Follower."""
        meta = event.meta
        self.unread.apply(event.seq, meta)
        if meta["type"] == "member_removed":
            self.removed(meta["user"], event.seq)
        elif meta["type"] == "member_joined" and self.knows(meta["user"]):
            self._member_at[meta["user"]] = event.seq
        for user in room_audience(meta):
            person = self.people.get(user)
            if person is not None and self.inbox in person.shown:
                self._notify(person, meta)

    def removed(self, user: str, seq: int) -> None:
        """See SeatedFollower."""
        super().removed(user, seq)
        if self.knows(user):
            self._member_at.pop(user, None)
            person = self.people.get(user)
            if person is not None:
                self._untell(person)

    def rebased(self, reason: Reason, common: int | None, lost: list[tuple[str, str]]) -> None:
        """See Follower. Rows were told without a seat, too: their revs compare no more."""
        told = [
            viewer
            for person in self.people.values()
            for viewer in person.viewers
            if self.inbox in person.shown and not self._listens(viewer)
        ]
        super().rebased(reason, common, lost)
        for viewer in told if reason != "trimmed" else ():
            viewer.take_back(Op.ROOM, self.inbox)
            cids = [cid for actor, cid in lost if actor == viewer.user]
            viewer.send([Op.RESET, self.inbox, reason, cids])

    def gone(self) -> None:
        """See Follower."""
        super().gone()
        people, self.people = self.people, {}
        for person in people.values():
            person.rooms[self.inbox] = None
            self._untell(person)
            self._on_gone(person)

    # Seats

    @property
    def used(self) -> bool:
        """See SeatedFollower."""
        return bool(self.by_user or self.people)

    def wanted(self, user: str) -> bool:
        """See SeatedFollower."""
        return user in self.by_user or user in self.people

    def silence(self, seat: Seat) -> None:
        """Without events there is no need of a seat: ROOM comes without one."""
        if seat.listening:
            self.leave(seat)

    def refusal(self) -> Refused:
        """Nobody but its two learns whether a direct room is there: anybody can compute its id."""
        if self.unread.row.get("kind") == "direct":
            return Refused("not_found", "There is no such room.")
        return Refused("forbidden", "You are not in this room.")

    # Telling

    def push(self) -> bool:
        """See SeatedFollower."""
        unread = self.unread
        if not unread.moved and not unread.changed:
            return False
        frames: Frames = {}
        for user in list(self.people if unread.moved else unread.changed):
            person = self.people.get(user)
            if person is not None:
                self._tell(person, frames)
        for user in unread.changed:
            for seat in self.by_user.get(user, ()):
                if seat.listening:
                    self.tell_marks(seat)
        unread.changed.clear()
        unread.moved = False
        return True

    async def audit(self, user: str) -> bool | None:
        """See SeatedFollower."""
        return self.unread.agrees(user, (await self.read_marks([user]))[user])

    def audited(self) -> list[str]:
        """See SeatedFollower."""
        return list(self.people)

    def _listens(self, viewer: Viewer) -> bool:
        seat = viewer.seats.get(self.inbox)
        return seat is not None and seat.listening

    def _tell(self, person: Person, frames: Frames) -> None:
        waiting = self.unread.waiting(person.user)
        if waiting is None:
            if self.knows(person.user):
                self._untell(person)
            return
        if not person.viewers:
            return  # ROOMS will say it
        if self.inbox not in person.shown:
            person.shown.add(self.inbox)
            recall = self._recall(person, self._since(person.user), self.unread.seq)
            spawn(self.reads.tasks, recall, name=f"recall {self.inbox}")
        for viewer in person.viewers:
            key = (viewer.subprotocol, *waiting)
            if key not in frames:
                frame = [Op.ROOM, self.inbox, self.unread.row, *waiting]
                frames[key] = wire.encode(frame, viewer.subprotocol)
            viewer.send_encoded(Op.ROOM, self.inbox, frames[key])

    def _untell(self, person: Person) -> None:
        if self.inbox in person.shown:
            person.shown.discard(self.inbox)
            for viewer in person.viewers:
                viewer.send_latest([Op.ROOM, self.inbox, None, 0, 0])

    def _notify(self, person: Person, meta: dict[str, Any]) -> None:
        notice = room_notice(meta, person.user)
        if notice is not None:
            kind, data = notice
            for viewer in person.viewers:
                viewer.send([Op.NOTIFY, kind, self.inbox, self.inbox, data])

    async def _recall(self, person: Person, first: int, last: int) -> None:
        """What concerned somebody between their joining and this node's telling them of the room.

        Who has it on their list since they came was away then, and is not told now.
        """
        if self.ring.base < first:
            events = self.ring.events_after(first - 1)
        else:
            last = min(last, first + _RECALLED_MAX - 1)
            try:
                entries = await self.reads.paced(
                    lambda: self.reads.logs.range(log=self.log, first=first, last=last)
                )
            except Refused:
                return  # the totals, which are absolute, say that there is something
            events = [Published.of(entry.prev, entry.frame) for entry in entries]
        for event in events:
            if event.seq <= last and self.inbox in person.shown:
                self._notify(person, event.meta)
