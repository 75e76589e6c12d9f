"""Rooms at two nodes of one organisation, and sockets of their people."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]

from batonbox_server.domain.model import Role
from batonbox_server.hub.room import RoomFollower
from batonbox_server.store.directory_port import User
from batonbox_server.wire import JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL, Op
from tests.served import Served, served
from tests.support import eventually

from .socket_harness import Peer, dial

Told = dict[str, tuple[int, int, int, int]]  # room -> rev, posts, unread, mentions
_CODECS: Final = (MSGPACK_SUBPROTOCOL, JSON_SUBPROTOCOL)


class Talker:
    """A socket of one person: what it was told of rooms, and what it asks."""

    def __init__(self, peer: Peer, user: str) -> None:
        self.peer = peer
        self.user = user
        self._requests = itertools.count(1)

    @property
    def rooms(self) -> Told:
        """What stands after every ROOMS and ROOM so far."""
        told: Told = {}
        for frame in self.peer.frames:
            if frame[0] == Op.ROOMS:
                told = {row["id"]: _told(row, *more) for row, *more in frame[1]}
            elif frame[0] == Op.ROOM and frame[2] is None:
                told.pop(frame[1], None)
            elif frame[0] == Op.ROOM:
                told[frame[1]] = _told(*frame[2:5])
        return told

    def waits(self, room: str) -> tuple[int, int]:
        """(unread, mentions) of a room as told; (-1, -1) when it is none of theirs."""
        told = self.rooms.get(room)
        return told[2:] if told else (-1, -1)

    def notices(self, room: str) -> list[tuple[str, str]]:
        """(kind, by) of every NOTIFY about a room."""
        return [(f[1], f[4]["by"]) for f in self.peer.all(Op.NOTIFY) if f[2] == f[3] == room]

    async def ask(self, op: Op, *more: Any) -> list[Any]:
        """A request's answer, OK or ERR."""
        request = next(self._requests)
        await self.peer.send([op, request, *more])

        def answers() -> list[Any]:
            both = (*self.peer.all(Op.OK), *self.peer.all(Op.ERR))
            return [frame for frame in both if frame[1] == request]

        await eventually(answers)
        return list(answers()[0])

    async def act(self, command: str, **args: Any) -> dict[str, Any]:
        """A command that succeeds."""
        answer = await self.ask(Op.CMD, command, {"cid": uuid.uuid4().hex, **args})
        assert answer[0] == Op.OK, answer
        return dict(answer[2])

    async def try_act(self, command: str, **args: Any) -> dict[str, Any]:
        """A command that may be refused: nothing then."""
        answer = await self.ask(Op.CMD, command, {"cid": uuid.uuid4().hex, **args})
        return dict(answer[2]) if answer[0] == Op.OK else {}

    async def post(self, room: str, text: str = "hi", *mentions: str) -> int:
        """The seq of the post."""
        return int((await self.act("post", conv=room, text=text, mentions=[*mentions]))["seq"])

    async def post_surely(self, room: str, text: str) -> int:
        """The seq of a post that is sent again, as the same command, until the engine is back."""
        args = {"cid": uuid.uuid4().hex, "conv": room, "text": text, "mentions": []}
        for _ in range(200):
            answer = await self.ask(Op.CMD, "post", args)
            if answer[0] == Op.OK:
                return int(answer[2]["seq"])
            assert answer[3] == "unavailable", answer
            await asyncio.sleep(0.05)
        raise AssertionError("the engine never came back")

    async def listen(self, room: str, *position: Any, level: str = "list") -> list[Any]:
        """Subscribe; what became of it: [room, how, code]."""
        answer = await self.ask(Op.SUB, [[room, level, *position]])
        assert answer[0] == Op.OK, answer
        return list(answer[2]["subs"][0])

    async def has(self, room: str, unread: int, mentions: int = 0) -> None:
        """Until it was told so."""
        await eventually(
            lambda: self.waits(room) == (unread, mentions),
            what=f"{self.user} is told ({unread}, {mentions}), and not {self.waits(room)}",
        )


class Talk:
    """Two nodes; every second socket is at the other, and speaks the other codec."""

    def __init__(self, sites: tuple[Served, Served]) -> None:
        self.sites = sites
        self.rooms = sites[0].node.room_store
        self._stack = AsyncExitStack()

    @asynccontextmanager
    async def sockets(self) -> AsyncIterator[None]:
        """Close at the end what is opened within."""
        async with AsyncExitStack() as self._stack:
            yield

    async def person(self, role: Role = Role.MEMBER) -> str:
        """Somebody new."""
        name = f"p{uuid.uuid4().hex[:8]}"
        await self.sites[0].node.administration.create_user(User(name, name, role))
        await self.sites[1].node.directory.refresh()
        return name

    async def people(self, count: int) -> list[str]:
        """Several of them."""
        return [await self.person() for _ in range(count)]

    async def talker(self, user: str, at: int = 0) -> Talker:
        """A signed-in socket at a node, that has been told its rooms."""
        site = self.sites[at]
        peer = await dial(site, _CODECS[at])
        self._stack.push_async_callback(peer.end)
        await peer.send([Op.HELLO, await site.token(user), "test/1"])
        await peer.got(Op.ROOMS)
        return Talker(peer, user)

    async def channel(self, *members: str, private: bool = False) -> str:
        """Made by the admin, who is in it too."""
        name, body = f"c {uuid.uuid4().hex[:8]}", {"private": private, "members": [*members]}
        answer = await self.sites[0].call("admin", "POST", "/v1/rooms", {"name": name, **body})
        assert answer.is_success, answer.text
        return str(answer.json()["conv"])

    async def admin(self, room: str, verb: str, **body: Any) -> dict[str, Any]:
        """A command of the admin's, who has no socket."""
        answer = await self.sites[0].call("admin", "POST", f"/v1/rooms/{room}/{verb}", body)
        assert answer.is_success, answer.text
        return dict(answer.json())

    async def posted(self, room: str, user: str, count: int, text: str = "hi") -> None:
        """So many posts, straight in the store."""
        body = bytes(msgpack.packb({"text": text, "mentions": []}))
        for number in range(count):
            cid, preview = f"{room}{text}{number}", f"{text} {number}"
            await self.rooms.post(room=room, actor=user, cid=cid, body=body, preview=preview)

    async def truth(self, user: str) -> Told:
        """The engine's word."""
        found = await self.rooms.rooms_of(user=user)
        return {name: _told(one.row, one.unread, one.mentions) for name, one in found.items()}

    async def agrees(self, who: Talker) -> None:
        """Until what somebody was told is the engine's word, which may still move."""
        for _ in range(500):
            if who.rooms == await self.truth(who.user):
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"{who.user}: {who.rooms} is not {await self.truth(who.user)}")

    def follower(self, room: str, at: int = 0) -> RoomFollower | None:
        """A node's view of a room."""
        found = self.sites[at].node.hub.followers.find(room)
        return found if isinstance(found, RoomFollower) else None


@asynccontextmanager
async def talking(engine_url: str, **settings: Any) -> AsyncIterator[Talk]:
    """Two nodes with the demo organisation."""
    space = f"t{uuid.uuid4().hex[:12]}:"
    given = {"job_lease_s": 0.5, "check_interval_s": 0.5, **settings}
    async with (
        served(engine_url, space, **given) as one,
        served(engine_url, space, empty=True, **given) as other,
    ):
        yield Talk((one, other))


def _told(row: dict[str, Any], unread: int, mentions: int) -> tuple[int, int, int, int]:
    return row["rev"], row["posts"], unread, mentions
