"""One inbox as a node shows it: badges and marks of who looks, and what each of them is told."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from batonbox_server.errors import Refused
from batonbox_server.wire import Op

from .backlog import SnapshotFrame
from .badges import Badges, Totals
from .follower import Position, Reads
from .frames import Happened, Published
from .notices import notices
from .seated import OnMoved, SeatedFollower
from .viewer import Seat
from .watching import Watching

__all__ = ["InboxFollower"]


class InboxFollower(SeatedFollower):
    """An inbox: who has a seat gets its badge."""

    def __init__(
        self,
        reads: Reads,
        *,
        inbox: str,
        log: str,
        channel: str,
        on_moved: OnMoved,
        watching: Watching,
    ) -> None:
        self.badges = Badges()
        super().__init__(
            reads,
            self.badges,
            inbox=inbox,
            log=log,
            channel=channel,
            on_moved=on_moved,
            watching=watching,
        )

    async def base(self) -> Position:
        """The board is read together with the position, so that badges start exactly there."""
        board = await self.reads.paced(lambda: self.reads.logs.board(inbox=self.inbox))
        self.badges.restart(board.seq, unassigned=board.unassigned, keys=board.keys)
        return Position(board.epoch, board.seq, board.tip)

    async def read_marks(self, users: Sequence[str]) -> Mapping[str, Any]:
        """See SeatedFollower."""
        answers = await asyncio.gather(*map(self._read, users), return_exceptions=True)
        found = dict(zip(users, answers, strict=True))
        for answer in answers:
            if isinstance(answer, BaseException) and not _passes(answer):
                raise answer
        return {user: marks for user, marks in found.items() if not isinstance(marks, Refused)}

    async def snapshot(self) -> SnapshotFrame:
        """See SeatedFollower."""
        snapshot = await self.reads.paced(lambda: self.reads.logs.snapshot(inbox=self.inbox))
        return SnapshotFrame(self.inbox, snapshot)

    def appended(self, event: Published) -> None:
        """See Follower."""
        meta = event.happened
        self.badges.apply(event.seq, meta)
        if meta.type == "member_removed" and not meta.role:
            self.removed(meta.user, event.seq)
        elif meta.type == "inbox_deleted":
            self.gone()
        elif meta.row is not None:
            self._notify(meta)

    def greet(self, seat: Seat) -> None:
        """See SeatedFollower: at once, so that it goes out with the rest of the greeting."""
        values = self.badges.totals(seat.viewer.user)
        if values is not None:
            self._tell(seat, values)

    def push(self) -> bool:
        """See SeatedFollower."""
        changed = self.badges.changed
        for user, seats in self.by_user.items():
            values = self.badges.totals(user)
            if values is None:
                continue
            for seat in seats:
                if seat.badge != values:
                    self._tell(seat, values)
                if user in changed and seat.listening:
                    self.tell_marks(seat)
        changed.clear()
        return True

    def _tell(self, seat: Seat, values: Totals) -> None:
        if seat.listening or self.badges.users[seat.viewer.user].joined:
            seat.badge = values
            seat.viewer.send_latest([Op.BADGE, self.inbox, *values, self.badges.seq])

    async def audit(self, user: str) -> bool | None:
        """See SeatedFollower."""
        return self.badges.agrees(user, await self._read(user))

    async def _read(self, user: str) -> Any:
        return await self.reads.paced(lambda: self.reads.logs.marks(inbox=self.inbox, user=user))

    def _notify(self, meta: Happened) -> None:
        for user, kind, data in notices(meta):
            private = self.badges.users.get(user)
            if private is None or not private.joined:
                continue
            for seat in self.by_user.get(user, ()):
                seat.viewer.send([Op.NOTIFY, kind, self.inbox, meta.conv, data])


def _passes(error: BaseException) -> bool:
    """Whether it says no more than that one read failed."""
    return isinstance(error, Refused) and error.slug != "not_found"
