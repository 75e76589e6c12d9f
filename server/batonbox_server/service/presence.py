"""Who is there, over all nodes: what this node says of it, what it knows, what inboxes are told.

Somebody is there while any living node has a connection of theirs, or had one within `linger_s`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import structlog

from batonbox_server.domain.model import Availability, Presence
from batonbox_server.errors import BatonboxError, Refused
from batonbox_server.store.directory_port import Job
from batonbox_server.store.live_port import Beat, LiveStore, Mark, People
from batonbox_server.store.port import InboxStore
from batonbox_server.tasks import cancel_all, spawn

from .administration import Administration
from .directory import LiveDirectory

__all__ = ["LivePresence", "job_of"]

_log = structlog.get_logger(__name__)
_EVERY_S: Final = 0.25  # colleagues are told at most so often
_REPORTED_MOST: Final = 500  # people of one report
_MET_MOST: Final = 200
_AT_ONCE: Final = 16  # people whose inboxes are told side by side
_WAITING_MOST: Final = 20_000
_AGAIN_S: Final = 0.5


class LivePresence:
    """The node's copy of everybody's presence, and its own part in it.

    `came` and `went` are called by the sockets, `says` and `heard` by the node's reports, `told` by
    the organisation's channel. `on_change(states)` tells the connections, `hurry()` asks for a
    report; both are set by whoever puts the node together.
    """

    def __init__(
        self,
        store: LiveStore,
        inboxes: InboxStore,
        directory: LiveDirectory,
        administration: Administration,
        *,
        linger_s: float,
    ) -> None:
        self._store = store
        self._inboxes = inboxes
        self._directory = directory
        self._administration = administration
        self._linger_s = linger_s
        self.on_change: Callable[[dict[str, str]], None] = lambda _: None
        self.hurry: Callable[[], None] = lambda: None
        self._here: set[str] = set()  # connected to this node, or just gone
        self._said: set[str] = set()  # what the store has of it
        self._doubted = False  # whether it has: something was missed, or lost
        self._leaving: dict[str, asyncio.TimerHandle] = {}
        self._draining = False
        self._version = -1
        self._marks: dict[str, Mark] = {}
        self._shown: dict[str, str] = {}  # what connections were told, but for the offline
        self._touched: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._told_at_s = 0.0
        self._reading: asyncio.Task[Any] | None = None
        self._waiting: deque[Job] = deque()  # changes that inboxes are about to learn of
        self._working: asyncio.Task[Any] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        administration.handlers["presence"] = self._mark_inboxes
        self._unlisten = directory.listen(self)

    async def start(self) -> None:
        """Read what is known; raises Refused("unavailable")."""
        await self._read()
        self._tell()

    async def aclose(self) -> None:
        """Tell nobody anything any more."""
        self._unlisten()
        for timer in (*self._leaving.values(), *([self._timer] if self._timer else ())):
            timer.cancel()
        await cancel_all(self._tasks)

    def drain(self) -> None:
        """This node is about to end: nobody is declared gone for leaving it, they move elsewhere.

        Whoever does not come to another node goes when this one's lease ends.
        """
        self._draining = True

    # What is so

    def of(self, user: str) -> Presence:
        """What colleagues see."""
        found = self._directory.users.get(user)
        if found is None or not found.active:
            return Presence.OFFLINE
        if found.away is not Availability.AVAILABLE:
            return Presence.AWAY
        mark = self._marks.get(user)
        there = user in self._here or (mark is not None and not mark.since_ms)
        return Presence.ONLINE if there else Presence.OFFLINE

    def shown(self) -> dict[str, str]:
        """Of everybody who is not offline, as it was told last: what changed since is told yet."""
        return self._shown

    # This node's own people

    def came(self, user: str) -> None:
        """They have a connection here now."""
        timer = self._leaving.pop(user, None)
        if timer is not None:
            timer.cancel()
        if user not in self._here:
            self._here.add(user)
            self._touch(user)
            self.hurry()

    def went(self, user: str) -> None:
        """They have none here any more."""
        if user in self._here and user not in self._leaving and not self._draining:
            loop = asyncio.get_running_loop()
            self._leaving[user] = loop.call_later(self._linger_s, self._gone, user)

    def _gone(self, user: str) -> None:
        del self._leaving[user]
        if not self._draining:
            self._here.discard(user)
            self._touch(user)
            self.hurry()

    def says(self) -> People:
        """What the next report has to say."""
        met = [u.id for u in self._directory.users.values() if u.active and u.id not in self._marks]
        return People(
            tuple(sorted(self._here - self._said)[:_REPORTED_MOST]),
            tuple(sorted(self._said - self._here)[:_REPORTED_MOST]),
            tuple(met[:_MET_MOST]),
        )

    async def heard(self, node: str, people: People, beat: Beat) -> bool:
        """The report's answer; True when there is more to say. Raises Refused("unavailable")."""
        self._said |= set(people.came)
        self._said -= set(people.went)
        self.told(beat.was, beat.version, beat.marks)
        if self._doubted or beat.mine != len(self._said):
            # It took us for dead meanwhile, or has lost something: say the difference again.
            self._said = set(await self._store.members(node))
            self._doubted = False
        # More than fit are done as jobs that fall due.
        room = _WAITING_MOST - len(self._waiting)
        self._waiting += [job_of(user, mark) for user, mark in beat.marks.items()][:room]
        if self._waiting and (self._working is None or self._working.done()):
            self._working = spawn(self._tasks, self._work(), name="presence-marks")
        return beat.more or self._said != self._here

    # What all nodes know

    def told(self, was: int, version: int, marks: dict[str, Mark]) -> None:
        """Changes from one version of the whole to another; a gap is read."""
        if was == self._version:
            self._version = version
            for user, mark in marks.items():
                self._marks[user] = mark
                self._touch(user)
        elif version != self._version:
            self._doubted = True
            self._read_soon()

    def _read_soon(self) -> None:
        if self._reading is None or self._reading.done():
            self._reading = spawn(self._tasks, self._read_again(), name="presence-read")

    async def _read_again(self) -> None:
        while True:
            try:
                await self._read()
                return
            except BatonboxError as error:
                _log.warning("presence_unread", error=str(error))
                await asyncio.sleep(_AGAIN_S)

    async def _read(self) -> None:
        while True:
            before = self._version
            version, marks = await self._store.presence()
            if self._version == before:
                break  # nothing overtook the reading
        self._version = version
        for user in self._marks.keys() | marks.keys():
            if self._marks.get(user) != marks.get(user):
                self._touch(user)
        self._marks = marks

    # Telling connections, at most four times a second

    def _touch(self, user: str) -> None:
        self._touched.add(user)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            at_s = max(loop.time(), self._told_at_s + _EVERY_S)
            self._timer = loop.call_at(at_s, self._tell)

    def _tell(self) -> None:
        self._timer = None
        self._told_at_s = asyncio.get_running_loop().time()
        touched, self._touched = self._touched, set()
        states: dict[str, str] = {}
        for user in touched:
            state = str(self.of(user))
            if state == self._shown.get(user, str(Presence.OFFLINE)):
                continue
            states[user] = self._shown[user] = state
            if state == Presence.OFFLINE:
                del self._shown[user]
        if states:
            self.on_change(states)

    # Told by the directory (session.ports.OrgListener)

    def org_frame(self, _: frozenset[str] | None, kind: str, data: dict[str, Any]) -> None:
        """Somebody is away, back, deactivated or gone."""
        if kind in {"user", "user_gone"}:
            self._touch(data["id"])

    def grants_changed(self, user: str) -> None:
        """Memberships are the inboxes' affair: joining applies the mark."""

    def revoked(self, *, user: str, token: str, close: int) -> None:
        """Their connections close, which is told by the sockets."""

    # Telling inboxes

    async def _work(self) -> None:
        while self._waiting:
            some = [self._waiting.popleft() for _ in range(min(_AT_ONCE, len(self._waiting)))]
            await asyncio.gather(*(self._administration.run_job(job) for job in some))

    async def _mark_inboxes(self, job: Job) -> None:
        user, data = job.data["user"], job.data
        found = self._directory.users.get(user)
        if found is None or found.bot:
            return
        mark = Mark(data["version"], data["since_ms"])
        for inbox in sorted(self._directory.joined_by(user)):
            try:
                await self._inboxes.set_offline(
                    inbox=inbox, user=user, version=mark.version, since_ms=mark.since_ms
                )
            except Refused as refused:
                if refused.slug != "not_found":
                    raise


def job_of(user: str, mark: Mark) -> Job:
    """The job that the store left for this change (lua/lib/presence.lua)."""
    data = {"user": user, "version": mark.version, "since_ms": mark.since_ms}
    return Job(f"presence-{mark.version}", "presence", "", data)
