"""The truth about an inbox, read from the engine behind the nodes' backs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]

from batonbox_server.errors import BatonboxError, EngineUnavailable
from batonbox_server.store.engine import Engine
from batonbox_server.store.keys import Keys
from batonbox_server.store.redis import RedisStore

from .record import Entry, Position
from .record import Final as Truth

__all__ = ["Reader"]

_PAGE: Final = 500
_TRIES: Final = 20
_PAUSE_S: Final = 0.25
_READER: Final = "admin"  # every admin stands in every inbox, and sees all of it
_LISTS: Final = ("un", "op", "done")


class Reader:
    """Reads what the engine holds, of the key space that the run has for itself."""

    def __init__(self, client: Engine, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._store = RedisStore(client, keys=keys)

    async def head(self, inbox: str) -> Position | None:
        """The end of its log; None while the engine does not say."""
        try:
            head = await self._store.head(log=self._keys.inbox(inbox))
        except BatonboxError:
            return None
        return (head.seq, head.tip) if head.epoch else None

    async def waiting(self, inbox: str) -> int | None:
        """How many conversations have something to send; None while the engine does not say."""
        try:
            return int(await self._execute(inbox, "ZCARD", "out"))
        except BatonboxError:
            return None

    async def truth(self, inbox: str, users: Sequence[str]) -> Truth:
        """Everything, as of one position. Raises EngineUnavailable: it cannot be read at rest."""
        for _ in range(_TRIES):
            try:
                found = await self._read(inbox, users)
                if await self.head(inbox) == found.head:
                    return found
            except BatonboxError:
                pass
            await asyncio.sleep(_PAUSE_S)
        raise EngineUnavailable(f"{inbox} did not come to rest; its truth cannot be read.")

    async def members(self, inbox: str) -> dict[str, dict[str, Any]] | None:
        """{user: {role, joined, since_seq}}; None while the engine does not say."""
        try:
            return await self._members(inbox)
        except BatonboxError:
            return None

    async def totals(self, inbox: str, user: str) -> tuple[int, int, int]:
        """Badge of a member as the engine counts: blue, green, unassigned. Raises Refused."""
        marks = await self._store.marks(inbox=inbox, user=user)
        unassigned = int(await self._execute(inbox, "ZCARD", "un"))
        return marks.blue, len(marks.green), unassigned

    async def _read(self, inbox: str, users: Sequence[str]) -> Truth:
        head = await self._store.head(log=self._keys.inbox(inbox))
        members = await self._members(inbox)
        people = sorted({*users, *members})
        marks = {user: await self._marks(inbox, user) for user in people}
        lists = {name: await self._scores(inbox, name) for name in _LISTS}
        lists["unm"] = dict.fromkeys(await self._set(inbox, "unm"), 0)
        for user in people:
            lists[f"as:{user}"] = await self._scores(inbox, f"as:{user}")
            lists[f"gm:{user}"] = dict.fromkeys(marks[user]["green"], 0)
        rows = await self._rows(inbox)
        return Truth(
            inbox=inbox,
            epoch=head.epoch,
            head=(head.seq, head.tip),
            log=await self._log(inbox, head.seq),
            rows=rows,
            at_ns=time.monotonic_ns(),
            threads={row["id"]: await self._thread(inbox, row["id"]) for row in rows},
            marks=marks,
            totals={user: await self.totals(inbox, user) for user in members},
            members=members,
            indexes={name: found for name, found in lists.items() if found},
            outbox=await self._outbox(inbox),
        )

    async def _log(self, inbox: str, last: int) -> list[Entry]:
        log, found = self._keys.inbox(inbox), []
        for first in range(1, last + 1, _PAGE):
            upto = min(first + _PAGE - 1, last)
            entries = await self._store.range(log=log, first=first, last=upto)
            found += [Entry(seq=e.seq, prev=e.prev, frame=e.frame) for e in entries]
        return found

    async def _rows(self, inbox: str) -> list[dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        after = ""
        while True:
            page = await self._store.page(
                inbox=inbox, actor=_READER, view="walk", after=after, n=200
            )
            found |= {row["id"]: row for row in page.rows}
            after = page.next
            if not after:
                return list(found.values())

    async def _thread(self, inbox: str, conv: str) -> list[Any]:
        lines = await self._execute(inbox, "LRANGE", f"m:{conv}", 0, -1)
        return [msgpack.unpackb(line) for line in lines]

    async def _members(self, inbox: str) -> dict[str, dict[str, Any]]:
        info = await self._store.inbox_info(inbox=inbox)
        if info is None:
            return {}
        return {
            user: {"role": str(role), "joined": joined, "since_seq": since}
            for user, (role, joined, since) in info.members.items()
        }

    async def _marks(self, inbox: str, user: str) -> dict[str, list[str]]:
        seen, green = await self._set(inbox, f"su:{user}"), await self._set(inbox, f"gm:{user}")
        return {"seen": seen, "green": green}

    async def _outbox(self, inbox: str) -> dict[str, list[int]]:
        found = {}
        for conv in await self._execute(inbox, "ZRANGE", "out", 0, -1):
            line = await self._execute(inbox, "LRANGE", f"out:{conv.decode()}", 0, -1)
            found[conv.decode()] = [int(n) for n in line]
        return found

    async def _scores(self, inbox: str, name: str) -> dict[str, int]:
        flat = await self._execute(inbox, "ZRANGE", name, 0, -1, "WITHSCORES")
        pairs = zip(flat[::2], flat[1::2], strict=True)
        return {member.decode(): int(float(score)) for member, score in pairs}

    async def _set(self, inbox: str, name: str) -> list[str]:
        members = await self._execute(inbox, "SMEMBERS", name)
        return sorted(member.decode() for member in members)

    async def _execute(self, inbox: str, command: str, key: str, *args: str | int) -> Any:
        return await self._client.ask(command, f"{self._keys.inbox(inbox)}:{key}", *args)
