"""The layout of an organisation's data in the engine, by number, and the way to the present.

Layout 2 has indexes of what owners owe and of how full threads are. A log on its way may be read
and written by servers of both layouts: a migration only adds. Where it has come to stands in the
log itself, so that whoever goes on does so where another stopped.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Final

from batonbox_server.errors import EngineUnsuitable, Refused
from batonbox_server.store.engine import Engine
from batonbox_server.store.keys import Keys
from batonbox_server.store.scripts import Scripts

__all__ = ["LAYOUT", "Layout", "LayoutStatus"]

LAYOUT: Final = 2
_STEP: Final = 200  # conversations
_LEASE_MS: Final = 30_000
_BUSY: Final = "Another process brings the data to the present layout just now; wait for it."
_NEWER: Final = (
    "The data has layout {found}, which a newer batonbox-server made; this one knows {known}."
    " Update this server, or restore a backup that is older than the update."
)


@dataclass(frozen=True, slots=True)
class LayoutStatus:
    """`layout`: what all logs have; `known`: what this server makes; `behind`: logs to migrate."""

    layout: int
    known: int
    behind: int


class Layout:
    """Compares, and migrates. `logs()` gives the id of every inbox and room."""

    def __init__(
        self,
        client: Engine,
        *,
        keys: Keys,
        logs: Callable[[], AsyncIterator[str]],
        known: int = LAYOUT,
    ) -> None:
        self._client = client
        self._keys = keys
        self._logs = logs
        self._known = known
        self._scripts = Scripts(client)
        self._holder = secrets.token_hex(8)

    async def refuse_newer(self) -> None:
        """Raises EngineUnsuitable of data from a newer server; before anything is read of it."""
        found = int(await self._client.ask("GET", f"{self._keys.org}:layout") or 0)
        if found > self._known:
            raise EngineUnsuitable(_NEWER.format(found=found, known=self._known))

    async def is_behind(self) -> bool:
        """Whether there is something to migrate; new data begins with the present layout."""
        return await self._stored() < self._known

    async def status(self) -> LayoutStatus:
        """Looks at every log. Raises Refused("unavailable")."""
        behind = 0
        async for log in self._logs():
            behind += await self._is_behind(log)
        return LayoutStatus(await self._stored(), self._known, behind)

    async def migrate(self, *, rest: bool = True) -> int:
        """Bring every log to the present layout: how many were behind. May be stopped at any time.

        `rest`: as long as it works, it rests. Raises Refused: `conflict` while another does it,
        `unavailable`.
        """
        done = 0
        async for log in self._logs():
            await self._lease()
            if await self._is_behind(log):
                await self._one(log, rest=rest)
                done += 1
        await self._lease()
        await self._client.ask("SET", f"{self._keys.org}:layout", self._known)
        await self._client.ask("DEL", f"{self._keys.org}:migrating")
        return done

    async def _one(self, log: str, *, rest: bool) -> None:
        now_s = asyncio.get_running_loop().time
        while True:
            began_s = now_s()
            reply = await self._scripts.migrate(self._keys.inbox(log), n=_STEP)
            if reply[0] != b"ok" or not reply[1]:
                return
            await self._lease()
            await asyncio.sleep(now_s() - began_s if rest else 0)

    async def _is_behind(self, log: str) -> bool:
        asked = (f"{self._keys.inbox(log)}:meta", "epoch", "schema", "kept", "deleted")
        epoch, schema, kept, deleted = await self._client.ask("HMGET", *asked)
        if epoch is None or deleted is not None:
            return False
        return int(schema or 1) < 2 or (kept != b"all" and not log.startswith("~"))

    async def _stored(self) -> int:
        name = f"{self._keys.org}:layout"
        found = await self._client.ask("GET", name)
        if found is None:
            # What is older than this number has logs of inboxes; new data has none.
            fresh = not await self._any_log()
            if not fresh:
                return 1
            await self._client.ask("SET", name, self._known, "NX")
            found = await self._client.ask("GET", name)
        return int(found)

    async def _any_log(self) -> bool:
        async for _ in self._logs():
            return True
        return False

    async def _lease(self) -> None:
        name = f"{self._keys.org}:migrating"
        held: Any = await self._client.ask("SET", name, self._holder, "NX", "PX", _LEASE_MS)
        if held is None and await self._client.ask("GET", name) != self._holder.encode():
            raise Refused("conflict", _BUSY)
        await self._client.ask("PEXPIRE", name, _LEASE_MS)
