"""The hub: every log this node follows, and every connection that looks at one."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from typing import Any, Final

import structlog

from batonbox_server.errors import Refused
from batonbox_server.tasks import cancel_all, spawn

from .flushing import Flush
from .follower import Follower, Limits, Position, Reads
from .followers import Followers
from .frames import Look, Moved, Published
from .inbox import InboxFollower
from .port import Channel, Logs, RoomReads
from .pushing import Pushes
from .room import RoomFollower
from .rooms import Rooms
from .seated import SeatedFollower
from .viewer import Viewer
from .watching import Watching

__all__ = ["Hub", "Limits", "Position", "Viewer"]

_log = structlog.get_logger(__name__)
_RECHECK_S: Final = 1.0
_CHECKS_AT_ONCE: Final = 64
OnEvent = Callable[[int, dict[str, Any], Any], None]
OnMoved = Callable[[Moved], None]


class _Followed(Follower):
    """A log followed for the node itself."""

    def __init__(
        self,
        reads: Reads,
        *,
        log: str,
        channel: str,
        on_event: OnEvent,
        on_reset: Callable[[], None],
        on_moved: OnMoved,
    ) -> None:
        super().__init__(reads, log=log, channel=channel)
        self._on_moved = on_moved
        self._on_event = on_event
        self._on_reset = on_reset

    def appended(self, event: Published) -> None:
        self._on_event(event.seq, event.meta, event.body)

    def told(self, message: Moved | Look) -> None:
        if isinstance(message, Moved):
            self._on_moved(message)

    def rebased(self, *_: object) -> None:
        self._on_reset()


class Hub:
    """One per node.  The owner wires the channel's callbacks to `heard`, `lost` and `up`.

    `log_of(inbox)` and `channel_of(log)` spell the keys; `is_room` tells rooms' ids from inboxes'.
    `on_status(degraded)` is called when the channel breaks and when it is back.
    """

    def __init__(
        self,
        *,
        logs: Logs,
        channel: Channel,
        log_of: Callable[[str], str],
        channel_of: Callable[[str], str],
        limits: Limits,
        on_status: Callable[[bool], None] = lambda _: None,
        rooms: RoomReads | None = None,
        is_room: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self.degraded = False
        self.audits = 0
        self.mismatches = 0
        self.flush = Flush(limits.write_batch_bytes)
        self._reads = Reads(logs, channel, limits, self.flush)
        self._channel_of = channel_of
        self._limits = limits
        self._on_status = on_status
        self._watching = Watching(channel.publish, self._reads.tasks)
        self.followers = Followers(self._reads, self._make, log_of=log_of, channel_of=channel_of)
        self._room_reads = rooms
        self._is_room = is_room
        self.rooms = Rooms(self._reads, rooms, self.followers) if rooms is not None else None
        self._check_now = asyncio.Event()
        self._pushes = Pushes(interval_s=limits.badge_interval_s)

    async def start(self) -> None:
        """Begin the periodic comparison of feeds and logs."""
        spawn(self._reads.tasks, self._check_regularly(), name="feed-checks")

    async def close(self) -> None:
        """End every task; connections are the owner's to close."""
        self._pushes.close()
        self._watching.close()
        for follower in self.followers.all.values():
            follower.closed = True
        await cancel_all(self._reads.tasks)

    # The channel's callbacks

    def heard(self, channel: bytes, data: bytes) -> None:
        """A message; unknown channels are ignored."""
        follower = self.followers.all.get(channel)
        if follower is not None and not follower.closed:
            follower.heard(data)

    def lost(self) -> None:
        """The channel broke: messages may have been missed from here on."""
        self.degraded = True
        self._on_status(True)

    def up(self) -> None:
        """Everything is subscribed again."""
        if self.degraded:
            self.degraded = False
            for follower in self.followers.all.values():
                follower.missed()
            self._on_status(False)
        self._check_now.set()

    # For the node

    async def follow(
        self, log: str, on_event: OnEvent, on_reset: Callable[[], None], on_moved: OnMoved
    ) -> None:
        """Follow a log that is no inbox's, from its end; `on_reset` asks to (re)load its state.

        `on_moved` is told who came and went, which may be missed.
        It is called once before this returns; events with a seq up to the loaded state's are to
        be ignored.  Raises Refused: `not_found`, `unavailable`.
        """
        follower = _Followed(
            self._reads,
            log=log,
            channel=self._channel_of(log),
            on_event=on_event,
            on_reset=on_reset,
            on_moved=on_moved,
        )
        self.followers.all[follower.channel.encode()] = follower
        await follower.open()
        on_reset()

    def rooms_changed(self, users: Iterable[str] | None) -> None:
        """The index of rooms may say something else of these, None: of everybody."""
        if self.rooms is not None and users is None:
            self.rooms.reset()
        elif self.rooms is not None and users is not None:
            self.rooms.changed(users)

    # For connections

    def came(self, viewer: Viewer) -> None:
        """Tell the connection of its rooms, and of whatever happens in them."""
        if self.rooms is not None:
            self.rooms.came(viewer)

    def attached(self, viewer: Viewer, inbox: str) -> bool:
        """`attach` where nothing has to be read for it; False: nothing was done."""
        follower = self.followers.ready(inbox)
        return follower is not None and follower.seated(viewer)

    async def attach(self, viewer: Viewer, inbox: str) -> None:
        """Level `badge`. Raises Refused: `forbidden`, `not_found`, `unavailable`."""
        follower = await self.followers.get(inbox)
        await follower.enter(viewer)

    async def subscribe(self, viewer: Viewer, inbox: str, position: Position | None) -> str:
        """Level `list`: `resumed` or `snapshot`; what is to be sent has been queued."""
        follower = await self.followers.get(inbox)
        seat = await follower.enter(viewer)
        return await follower.listen(seat, position)

    def unsubscribe(self, viewer: Viewer, inbox: str) -> None:
        """Back to level `badge`; of a room: to none."""
        seat = viewer.seats.get(inbox)
        if seat is not None:
            seat.follower.silence(seat)

    async def look(self, viewer: Viewer, conv: str | None, *, typing: bool) -> None:
        """The connection looks at a conversation of an inbox it may see (None: at none).

        Raises Refused as `attach`; then it looks at none.
        """
        viewer.looks += 1
        turn, seat = viewer.looks, None
        try:
            if conv is not None:
                inbox = conv.partition(".")[0]
                if self._is_room(inbox) and conv != inbox:
                    raise Refused("not_found")
                follower = await self.followers.get(inbox)
                seat = await follower.enter(viewer)
        finally:
            if viewer.looks == turn:  # else it has said something else meanwhile
                if seat is not None and conv is not None and not seat.gone:
                    self._watching.look(seat, conv, typing=typing)
                else:
                    self._watching.away(viewer)

    def evict(self, viewer: Viewer, inbox: str) -> None:
        """Take the inbox away at once, whatever its log says."""
        seat = viewer.seats.get(inbox)
        if seat is not None:
            seat.follower.evict(seat, "forbidden")

    def detach(self, viewer: Viewer) -> None:
        """The connection is gone, and takes no seat any more."""
        viewer.closed = True
        if self.rooms is not None:
            self.rooms.went(viewer)
        for seat in list(viewer.seats.values()):
            seat.follower.leave(seat)

    async def reached(self, inbox: str, seq: int) -> int:
        """Wait, bounded, until this node's feed of the inbox is at `seq`; how many look at it.

        Raises Refused("unavailable") when it does not get there.
        """
        follower = self.followers.find(inbox)
        if not isinstance(follower, InboxFollower) or not follower.by_user:
            return 0
        feed = follower.feed
        await follower.until(lambda: follower.closed or (feed.following and feed.hi >= seq))
        return sum(len(seats) for seats in follower.by_user.values())

    def listening(self, viewer: Viewer) -> int:
        """How many subscriptions above level `badge` the connection has."""
        return sum(seat.listening for seat in viewer.seats.values())

    def viewers(self) -> dict[str, int]:
        """Clients of this node above level `badge`, by inbox."""
        return {
            follower.inbox: len(follower.delivery.seats)
            for follower in self.followers.all.values()
            if isinstance(follower, InboxFollower) and follower.delivery.seats
        }

    @property
    def counts(self) -> dict[str, int]:
        """For metrics: followed logs, gaps that were back-filled, badges recounted and wrong."""
        return {
            "feeds": len(self.followers.all),
            "feed_gaps": sum(follower.feed.gaps for follower in self.followers.all.values()),
            "badge_audits": self.audits,
            "badge_mismatches": self.mismatches,
        }

    def _make(self, inbox: str, log: str, channel: str) -> SeatedFollower:
        if self.rooms is not None and self._room_reads is not None and self._is_room(inbox):
            return RoomFollower(
                self._reads,
                self._room_reads,
                inbox=inbox,
                log=log,
                channel=channel,
                on_moved=self._pushes.moved,
                on_gone=self.rooms.read,
                watching=self._watching,
            )
        return InboxFollower(
            self._reads,
            inbox=inbox,
            log=log,
            channel=channel,
            on_moved=self._pushes.moved,
            watching=self._watching,
        )

    # Regular work: one task and one timer per node

    async def _check_regularly(self) -> None:
        while True:
            pause_s = self._limits.check_interval_s * random.uniform(0.8, 1.2)  # noqa: S311
            try:
                async with asyncio.timeout(pause_s):
                    await self._check_now.wait()
            except TimeoutError:
                pass
            self._check_now.clear()
            followers = list(self.followers.all.items())
            answered: list[bool] = []
            for first in range(0, len(followers), _CHECKS_AT_ONCE):
                some = followers[first : first + _CHECKS_AT_ONCE]
                answered += await asyncio.gather(*(self._check(f) for _, f in some))
            if not all(answered):
                self._check_soon()
            await self._audit()
            for key, follower in followers:
                await self.followers.close_idle(key, follower)

    async def _audit(self) -> None:
        """Recount totals drawn by lot: a mismatch is a bug, and a metric that must stay 0."""
        used = [follower for follower in self.followers.seated() if follower.used]
        for kind in (InboxFollower, RoomFollower):
            drawn = [follower for follower in used if isinstance(follower, kind)]
            if drawn:
                await self._recount(random.choice(drawn))  # noqa: S311

    async def _recount(self, follower: SeatedFollower) -> None:
        shown = follower.audited()
        if not shown:
            return
        user = random.choice(shown)  # noqa: S311
        try:
            verdict = await follower.audit(user)
        except Refused:
            return
        if verdict is not None:
            self.audits += 1
        if verdict is False:
            self.mismatches += 1
            follower.reread(user)
            _log.error("badge_mismatch", inbox=follower.inbox, user=user)

    async def _check(self, follower: Follower) -> bool:
        try:
            await follower.check()
        except Refused:
            return False
        return True

    def _check_soon(self) -> None:
        # The engine did not answer; a reconnect of the channel asks by itself, this is for when
        # only the reads failed.
        asyncio.get_running_loop().call_later(_RECHECK_S, self._check_now.set)
