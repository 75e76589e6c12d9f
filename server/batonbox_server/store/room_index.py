"""Which rooms somebody is in, and what channels are called, beside the rooms in the organisation.

A room's own slot is the truth. Before it changes the organisation's learns what may become true
(`intend`), with a job; afterwards it is made what the room says (`settle`), by whoever made the
change or, if that node died, by any other.
"""

from __future__ import annotations

import unicodedata
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]

from batonbox_server.domain.model import RoomKind
from batonbox_server.errors import Refused
from batonbox_server.origin import acting
from batonbox_server.store.audit_plan import packed_act
from batonbox_server.store.by import AUDIT_ENTRIES, by_organisation, pack_for_lua
from batonbox_server.store.connect import EngineClient
from batonbox_server.store.directory_port import Job
from batonbox_server.store.directory_records import job_map, pack
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


class RoomIndex:
    """The organisation's half of `store.rooms_port`; `most` bounds the rooms of one person."""

    def __init__(
        self,
        client: EngineClient,
        *,
        keys: Keys,
        most: int,
        audit_entries: int = AUDIT_ENTRIES,
        job_lease_s: float = 30.0,
    ) -> None:
        self._client = client
        self._org = keys.org
        self._keys = keys
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

        `done` False: nothing was changed, so that there is nothing to write down.
        """
        room, users = job.inbox, list(job.data["users"])
        state = await self._room(room)
        while True:
            await self._write(room, state, users, job.data["names"])
            before, state = _seen(state, users), await self._room(room)
            if _seen(state, users) == before:
                break
        took = done and _holds(job.data["holds"], state)
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
        self, room: str, state: RoomState | None, users: Sequence[str], names: Sequence[str]
    ) -> None:
        members: Mapping[str, int] = state.members if state else {}
        channel = _channel_of(state)
        shown = _channel_map(channel) if channel else None
        ok(
            await self._scripts.org_room_settle(
                self._org,
                room=room,
                inside=" ".join(user for user in users if user in members),
                outside=" ".join(user for user in users if user not in members),
                record=pack_for_lua(shown) if shown else b"",
                own=folded(channel.name) if channel else "",
                names=pack_for_lua(list(names)),
                body=pack({"room": shown, "users": list(users)}),
            )
        )

    async def _room(self, room: str) -> RoomState | None:
        reply = await self._scripts.room_state(self._keys.inbox(room))
        return None if reply[0] == b"not_found" else state_of(reply)

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


def _seen(state: RoomState | None, users: Sequence[str]) -> object:
    """Of a room what the index holds."""
    if state is None:
        return None
    return _channel_of(state), [user in state.members for user in users]


def _holds(wanted: Sequence[str], state: RoomState | None) -> bool:
    if state is None:
        return False
    match wanted:
        case ("in", user):
            return user in state.members
        case ("out", user):
            return user not in state.members
        case ("name", name):
            return bool(state.row["name"] == name)
        case ("archived", on):
            return bool(state.row["archived"]) == (on == "1")
    return True


def _channel_of(state: RoomState | None) -> Channel | None:
    if state is None or state.row["kind"] == RoomKind.DIRECT:
        return None
    row = state.row
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
