"""Rooms straight on the store, over an organisation that exists."""

from __future__ import annotations

import uuid
from typing import Any

import msgpack  # type: ignore[import-untyped]

from batonbox_server.domain.model import RoomKind
from batonbox_server.store.directory import RedisDirectory
from batonbox_server.store.engine import Engine
from batonbox_server.store.keys import Keys
from batonbox_server.store.port import Applied
from batonbox_server.store.redis import RedisStore
from batonbox_server.store.rooms import RedisRooms


def cid() -> str:
    """A fresh command id."""
    return uuid.uuid4().hex


def body(text: str) -> bytes:
    """Of a post."""
    return bytes(msgpack.packb({"text": text, "mentions": []}))


class Rooms:
    """The store of rooms, and what tests do with it; `adm` is the admin."""

    def __init__(self, client: Engine, space: str) -> None:
        self.client, self.keys = client, Keys(space)
        self.store = RedisRooms(client, keys=self.keys, most=50, job_lease_s=0)
        self.reads = RedisStore(client, keys=self.keys)
        self.organisation = RedisDirectory(
            client, keys=self.keys, carrier="loopback", log_events=10_000, job_lease_s=0
        )

    async def open(self) -> None:
        """Make the organisation."""
        await self.organisation.open()

    async def channel(self, name: str, *members: str, private: bool = False) -> str:
        """Its id."""
        kind = RoomKind.PRIVATE if private else RoomKind.PUBLIC
        made = await self.store.create_channel(
            actor="adm", cid=cid(), name=name, kind=kind, members=members
        )
        return made.conv

    async def direct(self, one: str, other: str) -> str:
        """Its id."""
        return (await self.store.open_direct(actor=one, user=other, cid=cid())).conv

    async def post(self, room: str, actor: str, text: str = "hi", *mentions: str) -> Applied:
        """Under a fresh command id."""
        return await self.store.post(
            room=room, actor=actor, cid=cid(), body=body(text), preview=text, mentions=mentions
        )

    async def put(self, room: str, user: str) -> Applied:
        """The admin puts somebody in."""
        return await self.store.add_member(room=room, user=user, actor="adm", cid=cid(), admin=True)

    async def take(self, room: str, user: str) -> Applied:
        """The admin takes somebody out."""
        return await self.store.drop_member(
            room=room, user=user, actor="adm", cid=cid(), admin=True
        )

    async def unread(self, room: str, user: str) -> tuple[int, int]:
        """Posts and mentions that somebody has not seen."""
        mine = (await self.store.rooms_of(user=user))[room]
        return mine.unread, mine.mentions

    async def lines(self, room: str, user: str) -> list[tuple[str, str, str, str]]:
        """(kind, actor, state, text) of the thread, as somebody in it reads it."""
        thread = await self.reads.history(conv=room, actor=user, n=200)
        return [(m[3], m[4], m[6], m[7].get("text", "")) for m in thread.messages]

    async def finish_jobs(self) -> int:
        """What a node that died left; how many jobs that were."""
        jobs = await self.organisation.lease_jobs()
        for job in jobs:
            await self.store.run_job(job)
        return len(jobs)

    async def events(self, log: str) -> list[dict[str, Any]]:
        """The meta of every event of a log."""
        entries = await self.reads.range(log=log, first=1, last=10_000)
        return [msgpack.unpackb(entry.frame)[3] for entry in entries]
