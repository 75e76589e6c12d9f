"""Rooms over an engine: one method per script, and the organisation's index around them."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]

from batonbox_server.domain.model import ROOM_SIGN, RoomKind, is_room
from batonbox_server.errors import Refused
from batonbox_server.store.by import AUDIT_ENTRIES, by_command, pack_for_lua
from batonbox_server.store.directory_port import Job
from batonbox_server.store.engine import Engine
from batonbox_server.store.inbox_calls import applied, digest_of, ok, standing_of
from batonbox_server.store.keys import Keys
from batonbox_server.store.port import Applied
from batonbox_server.store.room_index import Change, RoomIndex, state_of
from batonbox_server.store.rooms_port import Channel, RoomMarks, RoomOf, RoomState, Version
from batonbox_server.store.scripts import Scripts

__all__ = ["RedisRooms", "direct_room"]

_AT_ONCE: Final = 200
# Words of the scripts that are refusals under another name.
_SAID: Final = {
    b"direct": "A direct room has its two people and no name.",
    b"archived": "This channel is archived: an admin can open it again.",
    b"too_old": "This post is in the archive: it can be changed no more.",
    b"too_often": "This post was changed too often to be changed again.",
}
_NO_BODY: Final = bytes(msgpack.packb({"text": "", "mentions": []}))


class RedisRooms:
    """Implements `store.rooms_port.RoomStore`."""

    def __init__(
        self,
        client: Engine,
        *,
        keys: Keys,
        most: int = 1000,
        log_events: int = 10_000,
        audit_entries: int = AUDIT_ENTRIES,
        job_lease_s: float = 30.0,
    ) -> None:
        self._client = client
        self._keys = keys
        self._log_events = log_events
        self._audit_entries = audit_entries
        self._scripts = Scripts(client)
        self._index = RoomIndex(
            client,
            keys=keys,
            put_out=self._put_out,
            most=most,
            audit_entries=audit_entries,
            job_lease_s=job_lease_s,
        )

    def on_write(self, told: Callable[[str], None]) -> None:
        """As `InboxStore.on_write`."""
        self._scripts.on_write = told

    # What changes who is where, or what it is called

    async def open_direct(self, *, actor: str, user: str, cid: str) -> Applied:
        """See the port."""
        people = sorted({actor, user})
        room = direct_room(*people)
        if await self._settled(room, people):
            state = await self.room_state(room=room)
            return Applied(room, state.seq, state.tip, "", noop=True)
        return await self._around(
            Change(room=room, users=people),
            lambda: self._create(room, actor, cid, kind=RoomKind.DIRECT, name="", people=people),
        )

    async def create_channel(
        self, *, actor: str, cid: str, name: str, kind: RoomKind, members: Sequence[str]
    ) -> Applied:
        """See the port."""
        # By its command, so that a retry finds what it made.
        room = f"{ROOM_SIGN}c{_hash(actor, cid)}"
        people = sorted({actor, *members})
        return await self._around(
            Change(room=room, users=people, name=name, action="channel_created"),
            lambda: self._create(room, actor, cid, kind=kind, name=name, people=people),
        )

    async def add_member(
        self, *, room: str, user: str, actor: str, cid: str, admin: bool
    ) -> Applied:
        """See the port."""
        action = "" if user == actor and not admin else "channel_member_added"
        return await self._member(room, user, actor, cid, on=True, admin=admin, action=action)

    async def drop_member(
        self, *, room: str, user: str, actor: str, cid: str, admin: bool
    ) -> Applied:
        """See the port."""
        action = "" if user == actor else "channel_member_removed"
        return await self._member(room, user, actor, cid, on=False, admin=admin, action=action)

    async def rename(self, *, room: str, actor: str, cid: str, name: str) -> Applied:
        """See the port."""
        return await self._around(
            Change(room=room, name=name, action="channel_renamed", holds=("name", name)),
            lambda: self._command("room_change", room, actor, cid, admin=1, name=name, archived=""),
        )

    async def set_archived(self, *, room: str, actor: str, cid: str, on: bool) -> Applied:
        """See the port."""
        flag, action = ("1", "channel_archived") if on else ("0", "channel_reopened")
        return await self._around(
            Change(room=room, action=action, holds=("archived", flag)),
            lambda: self._command("room_change", room, actor, cid, admin=1, name="", archived=flag),
        )

    async def leave_all(self, *, user: str) -> None:
        """See the port."""
        for room in sorted(await self.index_of(user=user)):
            cid = secrets.token_hex(16)  # whoever left, came back and leaves again does leave
            try:
                await self._member(room, user, "", cid, on=False, admin=True, action="")
            except Refused as refused:
                if refused.slug == "unavailable":
                    raise

    async def run_job(self, job: Job) -> None:
        """See the port."""
        await self._index.settle(job)

    # Posts and marks

    async def post(
        self,
        *,
        room: str,
        actor: str,
        cid: str,
        body: bytes,
        preview: str,
        mentions: Sequence[str] = (),
    ) -> Applied:
        """See the port."""
        named = _packed(mentions)
        return await self._command(
            "post", room, actor, cid, body=body, preview=preview, mentions=named
        )

    async def edit(
        self,
        *,
        room: str,
        actor: str,
        cid: str,
        n: int,
        body: bytes,
        preview: str,
        mentions: Sequence[str] = (),
    ) -> Applied:
        """See the port."""
        named = _packed(mentions)
        return await self._edit(
            room, actor, cid, n=n, state="edited", body=body, preview=preview, mentions=named
        )

    async def delete(self, *, room: str, actor: str, cid: str, n: int, admin: bool) -> Applied:
        """See the port."""
        none = _packed(())
        return await self._edit(
            room,
            actor,
            cid,
            n=n,
            state="deleted",
            body=_NO_BODY,
            preview="",
            mentions=none,
            admin=int(admin),
        )

    async def versions(self, *, room: str, n: int) -> list[Version]:
        """See the port."""
        _must_be(room)
        raw = await self._client.ask("LRANGE", f"{self._keys.inbox(room)}:e:{n}", 0, -1)
        return [Version(*msgpack.unpackb(version)) for version in raw]

    async def room_seen(self, *, room: str, actor: str, read: int) -> bool:
        """See the port."""
        _must_be(room)
        reply = await self._scripts.room_seen(self._keys.inbox(room), actor=actor, read=read)
        return bool(ok(reply)[0])

    async def room_unread(self, *, room: str, actor: str, cid: str) -> Applied:
        """See the port."""
        return await self._command("room_unread", room, actor, cid)

    # Reads

    async def room_state(self, *, room: str) -> RoomState:
        """See the port."""
        _must_be(room)
        return state_of(await self._scripts.room_state(self._keys.inbox(room)))

    async def room_marks(self, *, room: str, user: str) -> RoomMarks:
        """See the port."""
        return (await self._mine(room, user))[0]

    async def room_marks_of(self, *, room: str, users: Sequence[str]) -> dict[str, RoomMarks]:
        """See the port."""
        _must_be(room)
        asked = self._scripts.room_marks_of(self._keys.inbox(room), users=" ".join(users))
        seq, tip, found = ok(await asked)
        return {user.decode(): _marks(seq, tip, *more) for user, *more in found}

    async def room_of(self, *, room: str, user: str) -> RoomOf | None:
        """See the port."""
        try:
            marks, row = await self._mine(room, user)
        except Refused as refused:
            if refused.slug != "not_found":
                raise
            return None
        if not marks.since_seq:
            return None
        return RoomOf(row, row["posts"] - marks.read, len(marks.mentions))

    async def rooms_of(self, *, user: str) -> dict[str, RoomOf]:
        """See the port."""
        rooms = sorted(await self.index_of(user=user))
        found: dict[str, RoomOf | None] = {}
        for first in range(0, len(rooms), _AT_ONCE):
            some = rooms[first : first + _AT_ONCE]
            theirs = await asyncio.gather(*(self.room_of(room=room, user=user) for room in some))
            found.update(zip(some, theirs, strict=True))
        return {room: mine for room, mine in found.items() if mine is not None}

    async def times_of(self, *, user: str) -> dict[str, int]:
        """See the port."""
        rooms, ask = sorted(await self.index_of(user=user)), self._client.ask
        found: dict[str, int] = {}
        for first in range(0, len(rooms), _AT_ONCE):
            some = rooms[first : first + _AT_ONCE]
            asked = [ask("HGET", f"{self._keys.inbox(room)}:c:{room}", "last_ms") for room in some]
            times = zip(some, await asyncio.gather(*asked), strict=True)
            found.update((room, int(raw)) for room, raw in times if raw is not None)
        return found

    async def index_of(self, *, user: str) -> frozenset[str]:
        """See the port."""
        return await self._index.of(user)

    async def channels(self) -> list[Channel]:
        """See the port."""
        return await self._index.channels()

    async def member_counts(self, rooms: Sequence[str]) -> dict[str, int]:
        """See the port."""
        ask, found = self._client.ask, dict[str, int]()
        for first in range(0, len(rooms), _AT_ONCE):
            some = rooms[first : first + _AT_ONCE]
            asked = [ask("HLEN", f"{self._keys.inbox(room)}:mem") for room in some]
            found.update(zip(some, await asyncio.gather(*asked), strict=True))
        return found

    async def all_rooms(self, *, after: str = "", n: int = 500) -> list[str]:
        """See the port."""
        return await self._index.every(after=after, n=n)

    # Inside

    async def _around(self, change: Change, work: Callable[[], Awaitable[Applied]]) -> Applied:
        """The change between intending it and settling what became of it."""
        job = await self._index.intend(change)
        try:
            done = await work()
        except Refused as refused:
            # Whether it took effect is not known: the job finds out.
            if refused.slug != "unavailable":
                await self._index.settle(job, done=False)
            raise
        await self._index.settle(job, done=not done.noop)
        return done

    async def _settled(self, room: str, people: Sequence[str]) -> bool:
        for user in people:
            if not await self._index.holds(user, room):
                return False
        reply = await self._scripts.room_state(self._keys.inbox(room))
        return bool(reply[0] == b"ok")

    async def _create(
        self, room: str, actor: str, cid: str, *, kind: RoomKind, name: str, people: Sequence[str]
    ) -> Applied:
        args = {"kind": str(kind), "name": name, "people": " ".join(people)}
        digest = digest_of("room_create", args)
        reply = await self._scripts.room_create(
            self._keys.inbox(room),
            by=self._by(actor, cid, digest),
            epoch=secrets.token_hex(8),
            keep=self._log_events,
            **args,
        )
        return applied(reply)

    async def _member(
        self, room: str, user: str, actor: str, cid: str, *, on: bool, admin: bool, action: str
    ) -> Applied:
        return await self._around(
            Change(room=room, users=[user], action=action, holds=("in" if on else "out", user)),
            lambda: self._command(
                "room_member", room, actor, cid, user=user, on=int(on), admin=int(admin)
            ),
        )

    async def _put_out(self, room: str, user: str) -> None:
        # By a command of its own: whoever left, came back and leaves again does leave.
        cid = secrets.token_hex(16)
        await self._command("room_member", room, "", cid, user=user, on=0, admin=1)

    async def _edit(
        self, room: str, actor: str, cid: str, *, admin: int = 0, **change: str | bytes | int
    ) -> Applied:
        return await self._command("edit", room, actor, cid, admin=admin, **change)

    async def _command(
        self, script: str, room: str, actor: str, cid: str, /, **args: str | bytes | int
    ) -> Applied:
        _must_be(room)
        # Whether an admin asks is no part of what is asked.
        asked = {key: value for key, value in args.items() if key != "admin"}
        by = self._by(actor, cid, digest_of(script, {"room": room, **asked}))
        reply = await getattr(self._scripts, script)(self._keys.inbox(room), by=by, **args)
        if reply[0] in _SAID:
            raise Refused("bad_request", _SAID[reply[0]])
        return applied(reply)

    def _by(self, actor: str, cid: str, digest: str) -> bytes:
        return by_command(actor=actor, cid=cid, digest=digest, keep=self._audit_entries)

    async def _mine(self, room: str, user: str) -> tuple[RoomMarks, dict[str, Any]]:
        _must_be(room)
        reply = ok(await self._scripts.room_marks(self._keys.inbox(room), user=user))
        *marks, row = reply
        return _marks(*marks), msgpack.unpackb(row)


def direct_room(*people: str) -> str:
    """The id of the room of these people, the same whoever asks."""
    return f"{ROOM_SIGN}d{_hash(*sorted(set(people)))}"


def _marks(
    seq: int, tip: bytes, mv: int, standing: bytes, read: int, named: list[bytes]
) -> RoomMarks:
    since = standing_of(standing.decode())[2] if standing else 0
    return RoomMarks(seq, tip.decode(), mv, since, read, tuple(map(int, named)))


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _packed(users: Sequence[str]) -> bytes:
    return pack_for_lua(list(dict.fromkeys(users)))


def _must_be(room: str) -> None:
    if not is_room(room):
        raise Refused("not_found", "There is no such room.")
