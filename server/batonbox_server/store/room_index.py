"""Which rooms somebody is in, and what channels are called, beside the rooms in the organisation.

A room's own slot is the truth. Before it changes the organisation's learns what may become true
(`intend`), with a job; afterwards it is made what the room says (`settle`), by whoever made the
change or, if that node died, by any other.
"""

from __future__ import annotations

import unicodedata
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]

from batonbox_server.domain.model import RoomKind
from batonbox_server.errors import Refused
from batonbox_server.origin import acting
from batonbox_server.store.audit_plan import packed_act
from batonbox_server.store.by import AUDIT_ENTRIES, by_organisation, pack_for_lua
from batonbox_server.store.directory_port import Job
from batonbox_server.store.directory_records import job_map, pack
from batonbox_server.store.engine import Engine
from batonbox_server.store.inbox_calls import ok, words
from batonbox_server.store.keys import Keys
from batonbox_server.store.rooms_port import Channel, RoomState
from batonbox_server.store.scripts import Scripts

__all__ = ["Change", "RoomIndex", "folded"]

KIND: Final = "room"  # of its jobs
_PAGE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is about to be done to a room: whom it concerns, and the name it would take.

    `action` is the audit log's word, "" for what is nobody's act of administration; it is written
    down if afterwards `holds`: ("in" or "out", user), ("name", name), ("archived", "1" or "0").
    """

    room: str
    users: Sequence[str] = ()
    name: str = ""
    action: str = ""
    holds: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class _Seen:
    """Of a room, as of its row's `rev`, what the index holds: None is a direct one's `channel`."""

    channel: Channel | None
    inside: frozenset[str]
    rev: int = field(compare=False)


class RoomIndex:
    """The organisation's half of `store.rooms_port`; `most` bounds the rooms of one person.

    `put_out(room, user)` takes somebody out of a channel, as nobody's act.
    """

    def __init__(
        self,
        client: Engine,
        *,
        keys: Keys,
        put_out: Callable[[str, str], Awaitable[object]],
        most: int,
        audit_entries: int = AUDIT_ENTRIES,
        job_lease_s: float = 30.0,
    ) -> None:
        self._client = client
        self._org = keys.org
        self._keys = keys
        self._put_out = put_out
        self._most = most
        self._audit_entries = audit_entries
        self._lease_ms = round(1000 * job_lease_s)
        self._scripts = Scripts(client)

    async def intend(self, change: Change) -> Job:
        """Refused: `conflict` of the name, `bad_request` of somebody with too many rooms."""
        job = Job(uuid.uuid4().hex, KIND, change.room, self._data(change))
        reply = await self._scripts.org_room_intend(
            self._org,
            room=change.room,
            users=" ".join(change.users),
            name=folded(change.name),
            most=self._most,
            job=job.id,
            packed=pack(job_map(job)),
            lease_ms=self._lease_ms,
        )
        if reply[0] == b"conflict":
            raise Refused("conflict", f"There is a channel {change.name!r} already.")
        if reply[0] == b"too_many":
            user = reply[1].decode()
            raise Refused("bad_request", f"{user} is in {self._most} rooms, which is the most.")
        ok(reply)
        return job

    async def settle(self, job: Job, *, done: bool = True) -> None:
        """Make the index what the room says; the last look decides, and ends the job.

        Who was put into a channel while they were deactivated is taken out again. `done` False:
        nothing was changed, so that there is nothing to tell the nodes and to write down.
        """
        room, users = job.inbox, list(job.data["users"])
        seen = await self._look(room, users)
        while True:
            gone = await self._write(job, seen, users, tell=done)
            for user in gone:
                await self._put_out(room, user)
            before, seen = seen, await self._look(room, users)
            if seen == before:
                break
        took = done and _holds(job.data["holds"], seen)
        by = job.data["by"] if took else by_organisation(keep=self._audit_entries)
        await self._scripts.org_room_finish(self._org, job=job.id, by=by)

    async def of(self, user: str) -> frozenset[str]:
        """See `RoomStore.index_of`."""
        found = await self._client.ask("SMEMBERS", f"{self._org}:ru:{user}")
        return frozenset(words(list(found)))

    async def holds(self, user: str, room: str) -> bool:
        """Whether the room stands among this person's."""
        return bool(await self._client.ask("SISMEMBER", f"{self._org}:ru:{user}", room))

    async def channels(self) -> list[Channel]:
        """See `RoomStore.channels`."""
        found = await self._client.ask("HVALS", f"{self._org}:rooms")
        records = [_channel_from(msgpack.unpackb(raw)) for raw in found]
        return sorted(records, key=lambda channel: (folded(channel.name), channel.id))

    async def every(self, *, after: str, n: int) -> list[str]:
        """See `RoomStore.all_rooms`."""
        low = f"({after}" if after else "-"
        args = ("ZRANGEBYLEX", f"{self._org}:ra", low, "+", "LIMIT", 0, n)
        return words(list(await self._client.ask(*args)))

    async def _write(
        self, job: Job, seen: _Seen | None, users: Sequence[str], *, tell: bool
    ) -> list[str]:
        """Returns who is in the channel and may not be."""
        inside = seen.inside if seen else frozenset()
        shown = _channel_map(seen.channel) if seen and seen.channel else None
        (gone,) = ok(
            await self._scripts.org_room_settle(
                self._org,
                room=job.inbox,
                job=job.id,
                inside=" ".join(user for user in users if user in inside),
                outside=" ".join(user for user in users if user not in inside),
                there="1" if seen else "",
                record=pack_for_lua({**shown, "rev": seen.rev}) if seen and shown else b"",
                names=pack_for_lua(list(job.data["names"])),
                body=pack({"room": shown, "users": list(users)}) if tell else b"",
            )
        )
        return words(list(gone))

    async def _look(self, room: str, users: Sequence[str]) -> _Seen | None:
        reply = await self._scripts.room_look(self._keys.inbox(room), users=" ".join(users))
        if reply[0] == b"not_found":
            return None
        packed, inside = ok(reply)
        row = msgpack.unpackb(packed)
        return _Seen(_channel_of(row), frozenset(words(list(inside))), row["rev"])

    def _data(self, change: Change) -> dict[str, Any]:
        acts = []
        if change.action:
            detail = {change.holds[0]: change.holds[1], "name": change.name}
            act = packed_act(
                action=change.action,
                actor=acting.get().actor,
                target=change.room,
                detail={key: value for key, value in detail.items() if value},
            )
            acts.append(act)
        return {
            "users": list(change.users),
            "names": [folded(change.name)] if change.name else [],
            "by": by_organisation(keep=self._audit_entries, acts=acts),
            "holds": list(change.holds),
        }


def folded(name: str) -> str:
    """What two channels may not share: their names but for case, blanks and forms of letters."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def state_of(reply: list[Any]) -> RoomState:
    """The answer of room_state.lua."""
    epoch, seq, tip, row, flat = ok(reply)
    pairs = zip(words(flat[::2]), words(flat[1::2]), strict=True)
    members = {user: int(value.rpartition(":")[2]) for user, value in pairs}
    return RoomState(epoch.decode(), seq, tip.decode(), msgpack.unpackb(row), members)


def _holds(wanted: Sequence[str], seen: _Seen | None) -> bool:
    channel = seen.channel if seen else None
    match wanted:
        case ("in", user):
            return seen is not None and user in seen.inside
        case ("out", user):
            return seen is not None and user not in seen.inside
        case ("name", name):
            return channel is not None and channel.name == name
        case ("archived", on):
            return channel is not None and bool(channel.archived) == (on == "1")
    return seen is not None


def _channel_of(row: Mapping[str, Any]) -> Channel | None:
    if row["kind"] == RoomKind.DIRECT:
        return None
    return Channel(row["id"], row["name"], RoomKind(row["kind"]), row["archived"])


def _channel_map(channel: Channel) -> dict[str, Any]:
    return {
        "id": channel.id,
        "name": channel.name,
        "kind": str(channel.kind),
        "archived": channel.archived,
        "folded": folded(channel.name),
    }


def _channel_from(found: Mapping[str, Any]) -> Channel:
    return Channel(found["id"], found["name"], RoomKind(found["kind"]), found["archived"])
