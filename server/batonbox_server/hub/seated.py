"""Seats of local connections at one log: who may listen, from where, and what happens to them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from batonbox_server.errors import CODES, Refused
from batonbox_server.measured import RESETS, RESUMES
from batonbox_server.tasks import spawn
from batonbox_server.wire import Op

from .backlog import Chunk, SharedRead, SnapshotFrame, chunk_of
from .delivery import Delivery
from .feed import Reason
from .follower import Follower, Position, Reads
from .frames import Look, Mark, Moved
from .marked import Marked
from .marks_reading import MarksReading
from .viewer import Seat, Viewer
from .watching import Watching

__all__ = ["OnMoved", "SeatedFollower"]

_CHUNK_EVENTS: Final = 256
_SNAPSHOT_BEHIND_MAX: Final = 256
_SNAPSHOT_TRIES: Final = 5
_AGAIN_S: Final = 0.1

OnMoved = Callable[["SeatedFollower"], None]


class SeatedFollower(Follower):
    """Seats at an inbox or a room, over one feed; `inbox` is its id, as frames name it.

    `on_moved(self)` is called when what people are told unasked may have moved; the hub then calls
    `push`, at its own pace. Nobody gets anything whose marks do not say that they are a member.
    """

    marks_at_once = 32

    def __init__(
        self,
        reads: Reads,
        marks: Marked[Any, Any, Any],
        *,
        inbox: str,
        log: str,
        channel: str,
        on_moved: OnMoved,
        watching: Watching,
        ring_share: int = 1,
    ) -> None:
        super().__init__(reads, log=log, channel=channel, ring_share=ring_share)
        self.inbox = inbox
        self.by_user: dict[str, set[Seat]] = {}
        self.idle_since_s = self.pushed_at_s = 0.0
        self.watching = watching
        self._marks = marks
        self._on_moved = on_moved
        self._member_at: dict[str, int] = {}  # the log position at which membership was confirmed
        self.delivery = Delivery(self.ring, self._member_at, reads.flush)
        self._marks_reading = MarksReading(self, marks)
        self._snapshots = SharedRead[SnapshotFrame](reads.tasks, fresh=self._still_serves)
        self._chunks = SharedRead[Chunk | None](reads.tasks, fresh=lambda _: True)
        self._departures = SharedRead[Reason | None](reads.tasks, fresh=lambda _: True)

    # For subclasses

    async def read_marks(self, users: Sequence[str]) -> Mapping[str, Any]:
        """Some users' marks, no entry: try again. Raises Refused, `not_found`: of the log."""
        raise NotImplementedError

    async def snapshot(self) -> SnapshotFrame:
        """What a subscription without a position begins with. Raises Refused."""
        raise NotImplementedError

    def push(self) -> bool:
        """Tell everybody of what moved, absolutely; False: nothing did."""
        raise NotImplementedError

    async def audit(self, user: str) -> bool | None:
        """Whether the user's totals are those of the engine; None: no verdict. Raises Refused."""
        raise NotImplementedError

    def audited(self) -> list[str]:
        """Whose totals are shown here."""
        return list(self.by_user)

    def refusal(self) -> Refused:
        """What those are told who are no members."""
        return Refused("forbidden", "You are not a member of this inbox.")

    @property
    def used(self) -> bool:
        """Whether anybody here still needs it."""
        return bool(self.by_user)

    def wanted(self, user: str) -> bool:
        """Whether the user's marks are needed."""
        return user in self.by_user

    # Seats

    async def enter(self, viewer: Viewer) -> Seat:
        """A seat, not listening yet. Raises Refused: `forbidden`, `unavailable`."""
        seat = self.sit(viewer)
        try:
            await self._known(seat)
        except Refused:
            if not seat.listening and seat.badge is None:
                self.leave(seat)
            raise
        self._on_moved(self)
        return seat

    def sit(self, viewer: Viewer) -> Seat:
        """The connection's seat, of somebody who may turn out to be no member."""
        if viewer.closed:
            raise Refused("unavailable")
        seat = viewer.seats.get(self.inbox)
        if seat is None:
            seat = viewer.seats[self.inbox] = Seat(viewer, self)
            self.by_user.setdefault(viewer.user, set()).add(seat)
            if self.wanted(viewer.user) and not self.confirmed(viewer.user):
                self._marks.needs.add(viewer.user)  # known to be no member: perhaps not any more
            self._marks.want(viewer.user)
            self._marks_reading.soon()
        return seat

    def seated(self, viewer: Viewer) -> bool:
        """Seat a connection of somebody who is known to be a member; False: `enter` has to."""
        if viewer.closed or not self.confirmed(viewer.user):
            return False
        self.greet(self.sit(viewer))
        return True

    def greet(self, seat: Seat) -> None:  # noqa: ARG002
        """Tell a connection that was just seated what everybody is told unasked."""
        self._on_moved(self)

    def leave(self, seat: Seat) -> None:
        """Idempotent."""
        seat.gone = True
        seat.listening = False
        self.watching.left(seat)
        viewer = seat.viewer
        if viewer.seats.get(self.inbox) is seat:
            del viewer.seats[self.inbox]
        viewer.withdraw(self.inbox)
        viewer.unmark(seat)
        self.delivery.seats.pop(seat, None)
        seats = self.by_user.get(viewer.user)
        if seats is not None:
            seats.discard(seat)
            if not seats:
                del self.by_user[viewer.user]
                self.released(viewer.user)

    def released(self, user: str) -> None:
        """A need of the user's marks has ended."""
        if not self.wanted(user):
            self._member_at.pop(user, None)
            self._marks.forget(user)

    async def listen(self, seat: Seat, position: Position | None) -> str:
        """Deliver events: `resumed` behind `position`, or `snapshot`. Raises Refused."""
        self._silence(seat)
        how = "snapshot"
        if position is not None:
            reason = await self._mismatch(position, seat)
            self._must_sit(seat)
            if reason is None:
                # Marks are no events: those made while away stand in nothing that follows.
                self.tell_marks(seat)
                self._deliver_from(seat, position.seq)
                RESUMES["resumed"] += 1
                return "resumed"
            self._reset(seat, reason)
            how = reason
        RESUMES[how] += 1
        await self._open_with_snapshot(seat)
        return "snapshot"

    def silence(self, seat: Seat) -> None:
        """Deliver no more events."""
        self._silence(seat)

    def reread(self, user: str) -> None:
        """The user's marks are wrong here."""
        self._marks.needs.add(user)
        self._marks_reading.soon()

    def catch_up(self, seat: Seat) -> None:
        """Called when a marked seat has nothing in reach: perhaps it fell off the ring."""
        behind = seat.listening and seat.chunk is None and seat.cursor < self.ring.base
        if behind and not seat.catching and self.feed.following:
            seat.catching = True
            spawn(self.reads.tasks, self._catch_up(seat), name=f"catch up {self.inbox}")

    # What the feed says

    def marked(self, mark: Mark) -> None:
        """See Follower."""
        self._marks.mark(mark)

    def told(self, message: Moved | Look) -> None:
        """See Follower."""
        if isinstance(message, Look):
            self.watching.heard(self.inbox, message)

    def missed(self) -> None:
        """See Follower."""
        self._marks.stale()
        self._marks_reading.soon()

    def gone(self) -> None:
        """See Follower."""
        self.closed = True
        for seats in list(self.by_user.values()):
            for seat in list(seats):
                self.evict(seat, "not_found")

    def rebased(self, reason: Reason, common: int | None, lost: list[tuple[str, str]]) -> None:
        """See Follower."""
        self._snapshots.forget()
        self._chunks.forget()
        self._departures.forget()
        # Positions of another history confirm nothing: nobody gets more before marks are re-read.
        self._member_at.clear()
        void = []
        for seat in list(self.delivery.seats):
            seat.chunk = None
            if common is None or seat.cursor > common:
                self._silence(seat)
                cids = [cid for actor, cid in lost if actor == seat.viewer.user]
                self._reset(seat, reason, cids)
                void.append(seat)
        if void:
            spawn(self.reads.tasks, self._reopen(void), name=f"reopen {self.inbox}")

    def settled(self) -> None:
        """See Follower."""
        super().settled()
        if self._marks.installed:
            self._confirm()
        self.delivery.due()
        self._marks_reading.soon()
        self._on_moved(self)

    def evict(self, seat: Seat, slug: str) -> None:
        """Nothing of this inbox reaches the seat any more, backlog included."""
        viewer = seat.viewer
        self.leave(seat)
        self._reset(seat, "perm")
        viewer.send([Op.UNSUBD, self.inbox, CODES[slug].number])

    def _reset(self, seat: Seat, reason: str, lost: Sequence[str] = ()) -> None:
        RESETS[reason] += 1
        seat.viewer.send([Op.RESET, self.inbox, reason, [*lost]])

    def tell_marks(self, seat: Seat) -> None:
        """ME, absolute."""
        marks = self._marks.marks_of(seat.viewer.user)
        seat.viewer.send_latest([Op.ME, self.inbox, marks])

    # Membership

    def removed(self, user: str, seq: int) -> None:
        """The event `seq` took the user out: nothing after it reaches them."""
        # Marks under way decide for those who are not confirmed yet: they know of a re-joining.
        if user in self._member_at and seq > self._member_at[user]:
            for seat in list(self.by_user.get(user, ())):
                self.evict(seat, "forbidden")
        self.watching.removed(self.inbox, user)

    def confirmed(self, user: str) -> bool:
        """Whether the user is known to be a member at the feed's position."""
        return user in self._member_at

    def _confirm(self) -> None:
        for user in self._marks.installed:
            private = self._marks.users.get(user)
            if private is None:
                continue
            if self._marks.stands(private):
                self._member_at[user] = self._marks.seq
                continue
            self._member_at.pop(user, None)
            for seat in list(self.by_user.get(user, ())):
                if seat.listening or seat.badge is not None:
                    self.evict(seat, "forbidden")
                else:
                    self.leave(seat)  # never told anything: whoever asked is refused
        self._marks.installed.clear()

    async def _known(self, seat: Seat) -> None:
        await self.until(lambda: seat.gone or self.confirmed(seat.viewer.user))
        self._must_sit(seat)

    def _must_sit(self, seat: Seat) -> None:
        if seat.gone:
            raise self.refusal()

    def _since(self, user: str) -> int:
        since_seq: int = self._marks.users[user].since_seq
        return since_seq

    # Delivery

    def _deliver_from(self, seat: Seat, seq: int) -> None:
        seat.cursor = seq
        seat.listening = True
        self.delivery.seats[seat] = None
        seat.viewer.mark(seat)

    def _silence(self, seat: Seat) -> None:
        seat.listening = False
        seat.chunk = None
        seat.viewer.unmark(seat)
        self.delivery.seats.pop(seat, None)

    async def _mismatch(self, position: Position, seat: Seat) -> str | None:
        """Why the position cannot be continued, or None."""
        # Until it is mended, a ring that has broken holds what is void.
        await self._reached(seat, 0)
        self._must_sit(seat)
        if position.seq < self._since(seat.viewer.user):
            return "perm"
        if position.epoch != self.feed.epoch:
            return "epoch"
        if (tip := self.ring.tip_of(position.seq)) is not None:
            return None if tip == position.tip else "fork"
        behind = position.seq < self.ring.base
        reason = await self._departures.get((position, behind), lambda: self.departs(position))
        if reason is None and not behind:
            # The log may yet lose what this node has not heard of: then nothing here would tell.
            await self.check()
            await self._reached(seat, position.seq)
        if reason is None and not (behind and self.feed.following):
            return await self._mismatch(position, seat)
        return reason

    async def _open_with_snapshot(self, seat: Seat) -> None:
        for _ in range(_SNAPSHOT_TRIES):
            frame = await self._snapshots.get("", self.snapshot)
            await self._reached(seat, frame.seq)
            self._must_sit(seat)
            user = seat.viewer.user
            # An older one would be followed by events from before this membership.
            serves = frame.seq >= self._since(user)
            at_tip = self.ring.tip_of(frame.seq) == frame.tip
            if serves and at_tip and frame.epoch == self.feed.epoch:
                me = self._marks.marks_of(user)
                seat.viewer.send_pieces(frame.pieces(seat.viewer.subprotocol, me))
                self._deliver_from(seat, frame.seq)
                return
            self._snapshots.forget()
        raise Refused("unavailable")

    async def _reached(self, seat: Seat, seq: int) -> None:
        def there() -> bool:
            return self.confirmed(seat.viewer.user) and self.feed.following and self.feed.hi >= seq

        await self.until(lambda: seat.gone or there())

    def _still_serves(self, frame: SnapshotFrame) -> bool:
        near = self.feed.hi - frame.seq <= _SNAPSHOT_BEHIND_MAX
        return near and self.feed.following and self.ring.tip_of(frame.seq) == frame.tip

    async def _reopen(self, seats: Iterable[Seat]) -> None:
        for seat in seats:
            if seat.gone or seat.listening:
                continue
            try:
                await self._open_with_snapshot(seat)
            except Refused as refused:
                if not seat.gone:
                    seat.viewer.send([Op.UNSUBD, self.inbox, refused.code.number])

    async def _catch_up(self, seat: Seat) -> None:
        after = seat.cursor
        try:
            chunk = await self._chunks.get(after, lambda: self._read_chunk(after))
        except Refused:
            await asyncio.sleep(_AGAIN_S)  # the engine is away; marked again by `settled`
            chunk, after = None, -1
        finally:
            seat.catching = False
        if not seat.listening:
            return
        if seat.cursor != after:
            seat.viewer.mark(seat)
            return
        if chunk is not None:
            seat.chunk = (chunk.data(as_json=seat.viewer.text), chunk.last)
            seat.viewer.mark(seat)
            return
        self._silence(seat)
        self._reset(seat, "trimmed")
        await self._reopen([seat])

    async def _read_chunk(self, after: int) -> Chunk | None:
        # No further than to the ring, which alone hears of what the log loses after it was read.
        last = min(after + _CHUNK_EVENTS, self.ring.base)
        if last <= after:
            raise Refused("unavailable")  # the ring has been mended, and reaches back to there
        entries = await self.reads.paced(
            lambda: self.reads.logs.range(log=self.log, first=after + 1, last=last)
        )
        await self.check()  # of another history, after a failover, are their seqs the same
        if not self.feed.following:
            raise Refused("unavailable")
        return chunk_of(entries, after=after, max_bytes=self.reads.limits.write_batch_bytes)
