"""Rooms on a real engine beside the same rooms as plain values: both must do the same."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]

from batonbox_server.domain.model import Kind, RoomKind, RoomRow
from batonbox_server.domain.replay import chain
from batonbox_server.domain.rooms import Room
from batonbox_server.domain.transitions import Refusal
from batonbox_server.errors import Refused
from batonbox_server.store.engine import Engine
from batonbox_server.store.scripts import Scripts
from tests.integration.rooms_harness import Rooms, body

USERS: Final = ("ann", "bob", "cat", "adm")
ADMIN: Final = "adm"
_TIP: Final = 17


@dataclass(frozen=True, slots=True)
class Act:
    """A command and its arguments; `twice`: sent again under its id, as after a lost answer."""

    verb: str
    room: int
    actor: str
    user: str = ""
    n: int = 0
    text: str = ""
    mentions: tuple[str, ...] = ()
    twice: bool = False


def drawn(rng: random.Random, steps: int) -> list[Act]:
    """A sequence of acts over three rooms: a direct one, a public and a private channel."""
    weighted = ["post"] * 6 + ["seen"] * 4 + ["edit", "delete", "unseen", "put", "take"] * 2
    weighted += ["join", "leave", "rename", "archive", "reopen"]
    return [
        Act(
            rng.choice(weighted),
            rng.randrange(3),
            rng.choice(("ann", "ann", "adm", "adm", "bob", "cat")),
            user=rng.choice(USERS),
            n=rng.randrange(8),
            text=f"t{step}",
            mentions=tuple(rng.sample(USERS, rng.choice((0, 0, 0, 1, 2)))),
            twice=rng.random() < 0.2,
        )
        for step in range(steps)
    ]


class World:
    """Three rooms; `run` does an act on both sides and compares everything afterwards."""

    def __init__(self, client: Engine, space: str, scripts: Scripts) -> None:
        self.rooms = Rooms(client, space)
        for store in (self.rooms.store, self.rooms.store._index, self.rooms.reads):
            store._scripts = scripts
        self.ids: list[str] = []
        self.plain: list[Room] = []
        self._acts = 0

    async def open(self) -> None:
        """Make them."""
        await self.rooms.open()
        self.ids = [
            await self.rooms.direct("ann", "adm"),
            await self.rooms.channel("open", "ann"),
            await self.rooms.channel("shut", "ann", "cat", private=True),
        ]
        rows = [
            (RoomRow(self.ids[0], RoomKind.DIRECT, people=("adm", "ann")), ("adm", "ann"), "ann"),
            (RoomRow(self.ids[1], RoomKind.PUBLIC, "open"), ("adm", "ann"), "adm"),
            (RoomRow(self.ids[2], RoomKind.PRIVATE, "shut"), ("adm", "ann", "cat"), "adm"),
        ]
        self.plain = [Room.made(*made) for made in rows]

    async def run(self, act: Act) -> None:
        """Raises AssertionError where the engine did something else."""
        self._acts += 1
        cid = f"c{self._acts}"
        before = self.plain[act.room]
        try:
            self.plain[act.room] = _decide(before, act)
            wanted = "ok"
        except Refusal as refusal:
            wanted = refusal.word
        for _ in range(2 if act.twice else 1):
            assert await self._done(act, cid) == wanted, (act, wanted)
        await self.compare(act.room)

    async def compare(self, which: int) -> None:
        """The room, its lines, its marks and its place in the index."""
        room, plain = self.ids[which], self.plain[which]
        state = await self.rooms.store.room_state(room=room)
        assert _bare(state.row) == _row_of(plain.row), room
        assert set(state.members) == set(plain.seats)
        lines = await self._raw_lines(room)
        assert lines == [(str(p.kind), p.actor, p.state, p.text) for p in plain.lines], room
        store = self.rooms.store
        numbers = range(1, len(plain.lines) + 1)
        kept = await asyncio.gather(*(store.versions(room=room, n=n) for n in numbers))
        assert [tuple(v.body["text"] for v in of) for of in kept] == [p.before for p in plain.lines]
        theirs = await asyncio.gather(*(store.rooms_of(user=user) for user in USERS))
        indexed = await asyncio.gather(*(store.index_of(user=user) for user in USERS))
        for user, rooms, index in zip(USERS, theirs, indexed, strict=True):
            mine, seat = rooms.get(room), plain.seats.get(user)
            assert (mine is None) is (seat is None), (room, user)
            assert (room in index) is (seat is not None)
            if mine is not None and seat is not None:
                counted = (mine.unread, mine.mentions)
                assert counted == (plain.unread(user), len(seat.mentions)), (room, user)
        await self._chained(room, state)

    async def _raw_lines(self, room: str) -> list[tuple[str, str, str, str]]:
        prefix = self.rooms.keys.inbox(room)
        raw = await self.rooms.client.execute("LRANGE", f"{prefix}:m:{room}", 0, -1)
        found = [msgpack.unpackb(line) for line in raw]
        assert [line[0] for line in found] == list(range(1, len(found) + 1))
        return [
            (m[3], m[4], m[6], m[7].get("text", "") if m[3] == Kind.POSTED else "") for m in found
        ]

    async def _chained(self, room: str, state: Any) -> None:
        """I1 and I2 of the room's log, and the row it ends in."""
        entries = await self.rooms.reads.range(
            log=self.rooms.keys.inbox(room), first=1, last=100_000
        )
        tip, row = "0" * 16, None
        for at, entry in enumerate(entries, 1):
            assert (entry.seq, entry.prev) == (at, tip), room
            tip = chain(tip, entry.frame[:-_TIP])
            row = msgpack.unpackb(entry.frame)[3].get("row", row)
        assert (tip, row) == (state.tip, state.row)

    async def _done(self, act: Act, cid: str) -> str:
        try:
            await self._call(act, cid)
        except Refused as refused:
            return refused.slug
        return "ok"

    async def _call(self, act: Act, cid: str) -> None:
        store, admin = self.rooms.store, act.actor == ADMIN
        who = {"room": self.ids[act.room], "actor": act.actor, "cid": cid}
        text = {"body": body(act.text), "preview": act.text, "mentions": act.mentions}
        member: Callable[..., Any] = (
            store.add_member if act.verb in {"put", "join"} else store.drop_member
        )
        match act.verb:
            case "post":
                await store.post(**who, **text)  # type: ignore[arg-type]
            case "edit":
                await store.edit(**who, n=act.n, **text)  # type: ignore[arg-type]
            case "delete":
                await store.delete(**who, n=act.n, admin=admin)
            case "seen":
                await store.room_seen(room=who["room"], actor=act.actor, read=act.n)
            case "unseen":
                await store.room_unread(**who)
            case "put" | "take":
                await member(**who, user=act.user, admin=admin)
            case "join" | "leave":
                await member(**who, user=act.actor, admin=admin)
            case "rename":
                await store.rename(**who, name=f"name{act.room}-{act.n}") if admin else _barred()
            case _:
                on = act.verb == "archive"
                await store.set_archived(**who, on=on) if admin else _barred()


def _barred() -> None:
    """Whoever is no admin is refused before the store is asked."""
    raise Refused("forbidden")


def _decide(room: Room, act: Act) -> Room:
    actor, admin = act.actor, act.actor == ADMIN
    decided: dict[str, Callable[[], Room]] = {
        "post": lambda: room.post(actor, act.text, act.mentions),
        "edit": lambda: room.edit(actor, act.n, act.text, act.mentions),
        "delete": lambda: room.delete(actor, act.n, admin=admin),
        "seen": lambda: room.seen(actor, act.n),
        "unseen": lambda: room.unseen(actor),
        "put": lambda: room.member(actor, act.user, on=True, admin=admin),
        "take": lambda: room.member(actor, act.user, on=False, admin=admin),
        "join": lambda: room.member(actor, actor, on=True, admin=admin),
        "leave": lambda: room.member(actor, actor, on=False, admin=admin),
        "rename": lambda: room.changed(actor, name=f"name{act.room}-{act.n}", admin=admin),
        "archive": lambda: room.changed(actor, archived=True, admin=admin),
        "reopen": lambda: room.changed(actor, archived=False, admin=admin),
    }
    if not admin and act.verb in {"rename", "archive", "reopen"}:
        raise Refusal("forbidden")
    return decided[act.verb]()


def _row_of(row: RoomRow) -> dict[str, Any]:
    shown = replace(row, archived=int(row.archived > 0))
    names = ("id", "kind", "name", "people", "archived", "n", "posts", "last_by", "preview")
    return {name: getattr(shown, name) for name in names} | {"people": list(row.people)}


def _bare(row: dict[str, Any]) -> dict[str, Any]:
    """Without what the log's clock and seqs decide."""
    shown = {name: value for name, value in row.items() if name not in {"rev", "last_ms"}}
    return shown | {"archived": int(row["archived"] > 0)}
