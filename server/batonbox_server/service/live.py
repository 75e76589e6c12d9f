"""The live view: who is connected, how much happens, who waits; over all nodes."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import structlog

from batonbox_server.errors import BatonboxError
from batonbox_server.store.live_port import Beat, LiveStore, NodeReport, Overview, People
from batonbox_server.tasks import cancel_all, spawn

from .directory import LiveDirectory

__all__ = ["Attendance", "Connections", "Live", "View"]

_log = structlog.get_logger(__name__)
_EVERY_S: Final = 2.0
_GATHER_S: Final = 0.1  # what came and went so close together is reported together
_REPORTS: Final = 100  # one after the other, while there is more to say
_WINDOW: Final = 5  # reports over which the rate is taken: ten seconds
_USERS_TOLD: Final = 5_000
_AT_ONCE: Final = 32
# One reading serves every page that asks within this time.
_FRESH_S: Final = 1.0


class Connections(Protocol):
    """Who is connected to this node."""

    def present(self) -> Mapping[str, int]:
        """Connections by user."""


class Attendance(Protocol):
    """What reports say of people, and who wants the answers; see `service.presence`."""

    def says(self) -> People:
        """What the next report has to say."""

    async def heard(self, node: str, people: People, beat: Beat) -> bool:
        """The report's answer; True when there is more to say."""


@dataclass(frozen=True, slots=True)
class View:
    """One reading: `inboxes` by id."""

    at_ms: int
    nodes: list[NodeReport]
    inboxes: dict[str, Overview]


class Live:
    """Every node reports itself; any node answers for all.

    `changed` is called with every write to a log. `viewers` counts clients by the inbox they see.
    """

    def __init__(
        self,
        store: LiveStore,
        directory: LiveDirectory,
        connections: Connections,
        attendance: Attendance,
        *,
        viewers: Callable[[], dict[str, int]],
        build: str,
    ) -> None:
        self._store = store
        self._directory = directory
        self._connections = connections
        self._attendance = attendance
        self._viewers = viewers
        self._build = build
        self.node = f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(2)}"
        self._began_s = time.monotonic()
        self._changes = 0
        self._marks = deque([(self._began_s, 0)], maxlen=_WINDOW + 1)
        self._hurried = asyncio.Event()
        self._reporting = asyncio.Lock()
        self._reading: asyncio.Task[View] | None = None
        self._read_s = 0.0
        self._nodes = 1
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self) -> None:
        """Begin to report."""
        spawn(self._tasks, self._run(), name="live-report")

    async def aclose(self) -> None:
        """Report no more, and say so."""
        await cancel_all(self._tasks)
        try:
            async with asyncio.timeout(1.0):
                await self._store.leave(self.node)
        except (BatonboxError, TimeoutError):
            return  # the engine is gone: the lease ends by itself

    def hurry(self) -> None:
        """There is something to report now."""
        self._hurried.set()

    def sharers(self) -> int:
        """How many nodes there were at the last report, this one among them: they share sweeps."""
        return self._nodes

    def changed(self) -> None:
        """Something was written to an inbox through this node."""
        self._changes += 1

    async def view(self) -> View:
        """What is so now, or was within the last second. Raises Refused("unavailable")."""
        reading = self._reading
        if reading is None or (reading.done() and time.monotonic() - self._read_s > _FRESH_S):
            reading = self._reading = spawn(self._tasks, self._read(), name="live-read")
        return await asyncio.shield(reading)

    async def _run(self) -> None:
        while True:
            try:
                await self._report()
            except BatonboxError as error:
                _log.warning("live_report_failed", error=str(error))
            except Exception:  # without reports this node's people would be taken for gone
                _log.exception("live_report_failed")
            await self._pause()
            if time.monotonic() - self._marks[-1][0] >= _EVERY_S:
                self._marks.append((time.monotonic(), self._changes))

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(_EVERY_S):
                await self._hurried.wait()
        except TimeoutError:
            return
        await asyncio.sleep(_GATHER_S)

    async def _report(self) -> list[NodeReport]:
        async with self._reporting:
            for _ in range(_REPORTS):
                self._hurried.clear()
                people = self._attendance.says()
                beat = await self._store.report(self._own(), people)
                self._nodes = max(1, len(beat.nodes))
                if not await self._attendance.heard(self.node, people, beat):
                    break
            return beat.nodes

    def _own(self) -> NodeReport:
        users = Counter(self._connections.present())
        return NodeReport(
            id=self.node,
            build=self._build,
            up_s=round(time.monotonic() - self._began_s),
            connections=users.total(),
            changes_per_s=self._rate(),
            users=dict(users.most_common(_USERS_TOLD)),
            viewers=self._viewers(),
        )

    def _rate(self) -> float:
        since_s, before = self._marks[0]
        return round((self._changes - before) / max(1.0, time.monotonic() - since_s), 2)

    async def _read(self) -> View:
        try:
            nodes = await self._report()
            names, room = sorted(self._directory.inboxes), asyncio.Semaphore(_AT_ONCE)

            async def look(name: str) -> Overview | None:
                async with room:
                    return await self._store.overview(inbox=name)

            found = await asyncio.gather(*map(look, names))
            inboxes = {n: one for n, one in zip(names, found, strict=True) if one is not None}
            return View(int(time.time() * 1000), nodes, inboxes)
        finally:
            self._read_s = time.monotonic()
