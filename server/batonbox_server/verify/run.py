"""The whole organisation, part by part."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, Protocol

import msgpack  # type: ignore[import-untyped]

from batonbox_server.domain.model import is_room
from batonbox_server.errors import Refused
from batonbox_server.store.archive_port import Archive
from batonbox_server.store.directory_port import OrgState
from batonbox_server.store.rooms_port import RoomStore
from batonbox_server.store.verifying import VerifyingReads

from .findings import Finding, Report
from .inboxes import Inboxes
from .keys import check_keys
from .organisation import check_organisation
from .rooms import Rooms

__all__ = ["Verification"]

_ROOMS: Final = 200


class Directory(Protocol):
    """What is read of it; see `store.directory_port`."""

    async def state(self) -> OrgState: ...


class Hooks(Protocol):
    """See `store.hook_port`."""

    async def hooks(self) -> dict[str, Any]: ...


class Verification:
    """Reads everything and changes nothing; `run` once. `at` is what it looks at now.

    `damaged()` tells what is wrong with the archive's own file, "" for nothing.
    """

    def __init__(
        self,
        reads: VerifyingReads,
        archive: Archive,
        *,
        directory: Directory,
        rooms: RoomStore,
        hooks: Hooks,
        damaged: Callable[[], Awaitable[str]],
    ) -> None:
        self.report = Report()
        self.at = "the organisation"
        self._reads = reads
        self._archive = archive
        self._directory = directory
        self._rooms = rooms
        self._hooks = hooks
        self._damaged = damaged

    async def run(self) -> Report:
        """The whole report. Raises Refused("unavailable") when the engine cannot be reached."""
        await check_organisation(self._reads, self.report)
        if told := await self._damaged():
            self.report.add([Finding("archive_file", "the archive", told, "a whole file")])
        inboxes = Inboxes(
            self._reads,
            self._archive,
            self.report,
            state=self._directory.state,
            hooks=self._hooks.hooks,
            busy=self._is_busy,
        )
        for inbox in (await self._directory.state()).inboxes.values():
            self.at = f"inbox {inbox.id}"
            if not inbox.deleted:
                await inboxes.check(inbox)
        rooms = Rooms(self._reads, self._archive, self.report, rooms=self._rooms)
        async for room in self._every_room():
            self.at = f"room {room}"
            try:
                await rooms.check(room)
            except Refused as refused:
                if refused.slug != "not_found":
                    raise
        self.at = "every key"
        try:
            await check_keys(self._reads, self.report, known=self._is_known)
        except Refused as refused:
            if refused.slug != "forbidden":
                raise
            self.report.skipped.append(refused.message)
        return self.report

    async def _every_room(self) -> AsyncIterator[str]:
        after = ""
        while some := await self._rooms.all_rooms(after=after, n=_ROOMS):
            for after in some:
                yield after

    async def _is_known(self, log: str) -> bool:
        if not is_room(log):
            return log in (await self._directory.state()).inboxes
        found = await self._reads.ask("ZSCORE", f"{self._reads.keys.org}:ra", log)
        return found is not None

    async def _is_busy(self, inbox: str) -> bool:
        """Whether a job of this inbox waits to be done."""
        async for found in self._reads.packed(f"{self._reads.keys.org}:jobs"):
            if any(msgpack.unpackb(raw)["inbox"] == inbox for _, raw in found):
                return True
        return False
