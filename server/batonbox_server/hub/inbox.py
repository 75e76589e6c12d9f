"""One inbox as a node shows it: who looks, from where, and what each of them is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final

from batonbox_server.errors import CODES, Refused
from batonbox_server.tasks import spawn
from batonbox_server.wire import Op

from .backlog import Chunk, SharedRead, SnapshotFrame, chunk_of
from .badges import Badges
from .feed import Reason
from .follower import Follower, Position, Reads
from .frames import Look, Mark, Moved, Published
from .notices import notices
from .viewer import Seat, Viewer
from .watching import Watching

__all__ = ["InboxFollower"]

_CHUNK_EVENTS: Final = 256
_SNAPSHOT_BEHIND_MAX: Final = 256
_SNAPSHOT_TRIES: Final = 5
_AGAIN_S: Final = 0.1


class InboxFollower(Follower):
    """Seats of local connections at one inbox, over one feed.

    `on_badges(self)` is called when badges may have moved; the hub then calls `push_badges`, at
    its own pace.
    """

    def __init__(
        self,
        reads: Reads,
        *,
        inbox: str,
        log: str,
        channel: str,
        on_badges: Callable[[InboxFollower], None],
        watching: Watching,
    ) -> None:
        super().__init__(reads, log=log, channel=channel)
        self.inbox = inbox
        self.badges = Badges()
        self.by_user: dict[str, set[Seat]] = {}
        self.listeners: dict[Seat, None] = {}
        self.idle_since_s = 0.0
        self._on_badges = on_badges
        self._watching = watching
        self._member_at: dict[str, int] = {}  # the log position at which membership was confirmed
        self._reading = False
        self._snapshots = SharedRead[SnapshotFrame](reads.tasks, fresh=self._still_serves)
        self._chunks = SharedRead[Chunk | None](reads.tasks, fresh=lambda _: True)

    # Seats

    async def enter(self, viewer: Viewer) -> Seat:
        """A seat that gets badges. Raises Refused: `forbidden`, `unavailable`."""
        if viewer.closed:
            raise Refused("unavailable")
        seat = viewer.seats.get(self.inbox)
        if seat is None:
            seat = viewer.seats[self.inbox] = Seat(viewer, self)
            self.by_user.setdefault(viewer.user, set()).add(seat)
            self.badges.want(viewer.user)
            self._read_marks()
        try:
            await self._known(seat)
        except Refused:
            if not seat.listening and seat.badge is None:
                self.leave(seat)
            raise
        self._on_badges(self)
        return seat

    def leave(self, seat: Seat) -> None:
        """Idempotent."""
        seat.gone = True
        seat.listening = False
        self._watching.left(seat)
        viewer = seat.viewer
        if viewer.seats.get(self.inbox) is seat:
            del viewer.seats[self.inbox]
        viewer.withdraw(self.inbox)
        viewer.marked.pop(seat, None)
        self.listeners.pop(seat, None)
        seats = self.by_user.get(viewer.user)
        if seats is not None:
            seats.discard(seat)
            if not seats:
                del self.by_user[viewer.user]
                self._member_at.pop(viewer.user, None)
                self.badges.forget(viewer.user)

    async def listen(self, seat: Seat, position: Position | None) -> str:
        """Deliver events: `resumed` behind `position`, or `snapshot`. Raises Refused."""
        self._silence(seat)
        if position is not None:
            reason = await self._mismatch(position, seat)
            self._must_sit(seat)
            if reason is None:
                # Marks are no events: those made while away stand in nothing that follows.
                self._tell_marks(seat)
                self._deliver_from(seat, position.seq)
                return "resumed"
            seat.viewer.send([Op.RESET, self.inbox, reason, []])
        await self._open_with_snapshot(seat)
        return "snapshot"

    def silence(self, seat: Seat) -> None:
        """Back to badges alone."""
        self._silence(seat)

    def catch_up(self, seat: Seat) -> None:
        """Called when a marked seat has nothing in reach: perhaps it fell off the ring."""
        behind = seat.listening and seat.chunk is None and seat.cursor < self.ring.base
        if behind and not seat.catching and self.feed.following:
            seat.catching = True
            spawn(self.reads.tasks, self._catch_up(seat), name=f"catch up {self.inbox}")

    # What the feed says

    async def base(self) -> Position:
        """The board is read together with the position, so that badges start exactly there."""
        board = await self.reads.paced(lambda: self.reads.logs.board(inbox=self.inbox))
        self.badges.restart(board.seq, unassigned=board.unassigned, keys=board.keys)
        return Position(board.epoch, board.seq, board.tip)

    def appended(self, event: Published) -> None:
        """See Follower."""
        meta = event.meta
        self.badges.apply(event.seq, meta)
        if meta["type"] == "member_removed" and not meta.get("role"):
            self._removed(meta["user"], event.seq)
            self._watching.removed(self.inbox, meta["user"])
        elif meta["type"] == "inbox_deleted":
            self.gone()
        else:
            self._notify(meta)

    def marked(self, mark: Mark) -> None:
        """See Follower."""
        self.badges.mark(mark)

    def told(self, message: Moved | Look) -> None:
        """See Follower."""
        if isinstance(message, Look):
            self._watching.heard(self.inbox, message)

    def missed(self) -> None:
        """See Follower."""
        self.badges.stale()
        self._read_marks()

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
        # Positions of another history confirm nothing: nobody gets more before marks are re-read.
        self._member_at.clear()
        void = []
        for seat in list(self.listeners):
            seat.chunk = None
            if common is None or seat.cursor > common:
                self._silence(seat)
                cids = [cid for actor, cid in lost if actor == seat.viewer.user]
                seat.viewer.send([Op.RESET, self.inbox, reason, cids])
                void.append(seat)
        if void:
            spawn(self.reads.tasks, self._reopen(void), name=f"reopen {self.inbox}")

    def settled(self) -> None:
        """See Follower."""
        super().settled()
        self._confirm()
        last = self.ring.last
        for seat in self.listeners:
            if seat.cursor < last or seat.chunk is not None:
                seat.viewer.mark(seat)
        self._read_marks()
        self._on_badges(self)

    def evict(self, seat: Seat, slug: str) -> None:
        """Nothing of this inbox reaches the seat any more, backlog included."""
        viewer = seat.viewer
        self.leave(seat)
        viewer.send([Op.RESET, self.inbox, "perm", []])
        viewer.send([Op.UNSUBD, self.inbox, CODES[slug].number])

    def push_badges(self) -> None:
        """Tell everybody whose totals or marks moved, absolutely."""
        changed = self.badges.changed
        for user, seats in self.by_user.items():
            totals = self.badges.totals(user)
            if totals is None:
                continue
            values = (totals.blue, totals.green, totals.unassigned)
            joined = self.badges.users[user].joined
            for seat in seats:
                if seat.badge != values and (joined or seat.listening):
                    seat.badge = values
                    seat.viewer.send_latest([Op.BADGE, self.inbox, *values, self.badges.seq])
                if user in changed and seat.listening:
                    self._tell_marks(seat)
        changed.clear()

    def _tell_marks(self, seat: Seat) -> None:
        marks = self.badges.marks_of(seat.viewer.user)
        seat.viewer.send_latest([Op.ME, self.inbox, marks])

    async def audit(self, user: str) -> bool | None:
        """Recount one user's badge in the engine; None: no verdict. A wrong one is re-read."""
        marks = await self.reads.paced(lambda: self.reads.logs.marks(inbox=self.inbox, user=user))
        verdict = self.badges.agrees(user, marks)
        if verdict is False:
            self.badges.needs.add(user)
            self._read_marks()
        return verdict

    # Membership

    def _confirm(self) -> None:
        for user in self.badges.installed:
            private = self.badges.users.get(user)
            if private is None:
                continue
            if private.role:
                self._member_at[user] = self.badges.seq
                continue
            for seat in list(self.by_user.get(user, ())):
                if seat.listening or seat.badge is not None:
                    self.evict(seat, "forbidden")
                else:
                    self.leave(seat)  # never told anything: whoever asked is refused
        self.badges.installed.clear()

    def _removed(self, user: str, seq: int) -> None:
        # Marks under way decide for those who are not confirmed yet: they know of a re-joining.
        if user in self._member_at and seq > self._member_at[user]:
            for seat in list(self.by_user.get(user, ())):
                self.evict(seat, "forbidden")

    async def _known(self, seat: Seat) -> None:
        await self.until(lambda: seat.gone or self.confirmed(seat.viewer.user))
        self._must_sit(seat)

    def confirmed(self, user: str) -> bool:
        """Whether the user is known to be a member at the feed's position."""
        return user in self._member_at

    def _must_sit(self, seat: Seat) -> None:
        if seat.gone:
            raise Refused("forbidden", "You are not a member of this inbox.")

    # Delivery

    def _deliver_from(self, seat: Seat, seq: int) -> None:
        seat.cursor = seq
        seat.listening = True
        self.listeners[seat] = None
        seat.viewer.mark(seat)

    def _silence(self, seat: Seat) -> None:
        seat.listening = False
        seat.chunk = None
        seat.viewer.marked.pop(seat, None)
        self.listeners.pop(seat, None)

    async def _mismatch(self, position: Position, seat: Seat) -> str | None:
        """Why the position cannot be continued, or None."""
        if position.seq < self.badges.users[seat.viewer.user].since_seq:
            return "perm"
        if position.epoch != self.feed.epoch:
            return "epoch"
        if self.feed.following and (tip := self.ring.tip_of(position.seq)) is not None:
            return None if tip == position.tip else "fork"
        return await self._mismatch_in_log(position)

    async def _mismatch_in_log(self, position: Position) -> str | None:
        head = await self.reads.paced(lambda: self.reads.logs.head(log=self.log, at=position.seq))
        if head.epoch != position.epoch:
            return "epoch"
        if position.seq > head.seq:
            return "fork"
        if position.seq == head.seq:
            return None if head.tip == position.tip else "fork"
        if head.tip_at:
            return None if head.tip_at == position.tip else "fork"
        entries = await self.reads.paced(
            lambda: self.reads.logs.range(
                log=self.log, first=position.seq + 1, last=position.seq + 1
            )
        )
        if not entries:
            return "trimmed"
        return None if entries[0].prev == position.tip else "fork"

    async def _open_with_snapshot(self, seat: Seat) -> None:
        for _ in range(_SNAPSHOT_TRIES):
            frame = await self._snapshots.get("", self._snapshot)
            await self._reached(seat, frame.seq)
            self._must_sit(seat)
            user = seat.viewer.user
            # An older one would be followed by events from before this membership.
            serves = frame.seq >= self.badges.users[user].since_seq
            at_tip = self.ring.tip_of(frame.seq) == frame.tip
            if serves and at_tip and frame.epoch == self.feed.epoch:
                me = self.badges.marks_of(user)
                seat.viewer.send_pieces(frame.pieces(seat.viewer.subprotocol, me))
                self._deliver_from(seat, frame.seq)
                return
            self._snapshots.forget()
        raise Refused("unavailable")

    async def _reached(self, seat: Seat, seq: int) -> None:
        def there() -> bool:
            return self.confirmed(seat.viewer.user) and self.feed.following and self.feed.hi >= seq

        await self.until(lambda: seat.gone or there())

    async def _snapshot(self) -> SnapshotFrame:
        snapshot = await self.reads.paced(lambda: self.reads.logs.snapshot(inbox=self.inbox))
        return SnapshotFrame(self.inbox, snapshot)

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
        if not seat.listening or seat.cursor != after:
            seat.viewer.mark(seat)
            return
        if chunk is not None:
            seat.chunk = (chunk.data(as_json=seat.viewer.as_json), chunk.last)
            seat.viewer.mark(seat)
            return
        self._silence(seat)
        seat.viewer.send([Op.RESET, self.inbox, "trimmed", []])
        await self._reopen([seat])

    async def _read_chunk(self, after: int) -> Chunk | None:
        entries = await self.reads.paced(
            lambda: self.reads.logs.range(log=self.log, first=after + 1, last=after + _CHUNK_EVENTS)
        )
        return chunk_of(entries, after=after, max_bytes=self.reads.limits.write_batch_bytes)

    # Marks and notices

    def _notify(self, meta: dict[str, Any]) -> None:
        for user, kind, data in notices(meta):
            private = self.badges.users.get(user)
            if private is None or not private.joined:
                continue
            for seat in self.by_user.get(user, ()):
                seat.viewer.send([Op.NOTIFY, kind, self.inbox, meta["conv"], data])

    def _read_marks(self) -> None:
        if self.badges.needs and not self._reading and not self.closed:
            self._reading = True
            spawn(self.reads.tasks, self._marks_reader(), name=f"marks {self.inbox}")

    async def _marks_reader(self) -> None:
        try:
            while self.badges.needs and not self.closed:
                some = sorted(self.badges.needs)[:32]
                await asyncio.gather(*(self._load(user) for user in some))
                self.settled()
                if self.badges.needs & set(some):
                    await asyncio.sleep(_AGAIN_S)
        finally:
            self._reading = False

    async def _load(self, user: str) -> None:
        number = self.badges.begin(user)
        try:
            marks = await self.reads.paced(
                lambda: self.reads.logs.marks(inbox=self.inbox, user=user)
            )
        except Refused as refused:
            if refused.slug == "not_found":
                self.gone()
            self.badges.failed(user, number)
            return
        self.badges.loaded(user, number, marks)
