"""A node's websocket half on a real engine and a real port, and a client that speaks frames."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol

import msgpack  # type: ignore[import-untyped]
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from batonbox_server import wire
from batonbox_server.asgi.channel import EngineChannel
from batonbox_server.asgi.socket import CommandAdmission, SocketPump
from batonbox_server.domain.model import Role
from batonbox_server.errors import Refused
from batonbox_server.hub.hub import Hub
from batonbox_server.hub.hub import Limits as HubLimits
from batonbox_server.session.limits import SessionLimits
from batonbox_server.session.ports import OrgListener, Principal
from batonbox_server.store.connect import EngineClient
from batonbox_server.store.keys import Keys
from batonbox_server.store.redis import RedisStore
from batonbox_server.wire import Op
from tests.ports import on_port
from tests.support import eventually

BODY = bytes(msgpack.packb({"text": "hello"}))
OUR = "+15550100"


class People:
    """Identity and directory of a test: `tok-<user>` signs the user in."""

    def __init__(self) -> None:
        self.joined: dict[str, set[str]] = {}
        self.listeners: list[OrgListener] = []
        self.exp_ms = 0

    async def authenticate(self, token: str) -> Principal:
        if not token.startswith("tok-"):
            raise Refused("unauthorized")
        return Principal(token.removeprefix("tok-"), "member", exp_ms=self.exp_ms)

    def recognise(self, _: str) -> Principal | None:
        return None

    async def authenticate_session(self, secret: str) -> Principal:
        return await self.authenticate(secret)

    def state_for(self, user: str) -> dict[str, Any]:
        return {"user": user, "inboxes": sorted(self.inboxes_of(user))}

    def everybody(self) -> list[dict[str, Any]]:
        return []

    def inboxes_of(self, user: str) -> frozenset[str]:
        return frozenset(self.joined.get(user, ()))

    def joined_by(self, user: str) -> frozenset[str]:
        return self.inboxes_of(user)

    def listen(self, listener: OrgListener) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)


class Desk:
    """Commands and reads straight on the store."""

    def __init__(self, store: RedisStore) -> None:
        self.store = store

    async def run(self, principal: Principal, name: str, args: Any) -> dict[str, Any]:
        if name != "assign":
            raise RuntimeError("a fault whose text no client may see")
        done = await self.store.assign(conv=args.conv, actor=principal.user, cid=args.cid)
        return {"conv": done.conv, "seq": done.seq, "tip": done.tip, "own_tok": done.own_tok}

    async def page(
        self, principal: Principal, *, inbox: str, view: str, after: str, n: int
    ) -> dict[str, Any]:
        page = await self.store.page(inbox=inbox, actor=principal.user, view=view, after=after, n=n)
        return {"rows": page.rows, "next": page.next, "seq": page.seq, "tip": page.tip}

    async def history(
        self, principal: Principal, *, conv: str, before: int, n: int
    ) -> dict[str, Any]:
        thread = await self.store.history(conv=conv, actor=principal.user, before=before, n=n)
        return {
            "row": thread.row,
            "messages": thread.messages,
            "next": thread.next or None,
            "seq": thread.seq,
        }

    async def check(self, _: Principal, *, inbox: str, positions: Any) -> dict[str, Any]:
        return {"missing": await self.store.check(inbox=inbox, positions=positions)}

    async def seen(self, principal: Principal, *, conv: str, att: str) -> bool:
        return await self.store.seen(conv=conv, actor=principal.user, att=att)


class Node:
    """One server process's websocket half."""

    def __init__(
        self, _: str, client: EngineClient, keys: Keys, people: People, **more: Any
    ) -> None:
        self.people = people
        self.keys = keys
        self.store = RedisStore(client, keys=keys, log_events=more.pop("log_events", 10_000))
        self.channel = EngineChannel(client)
        desk = Desk(self.store)
        limits = SessionLimits(**more.pop("session", {}))
        self.hub = Hub(
            logs=self.store,
            channel=self.channel,
            log_of=keys.inbox,
            channel_of=keys.channel,
            limits=HubLimits(**{"check_interval_s": 1.0, "debug": True, **more.pop("hub", {})}),
            on_status=self._status,
        )
        self.pump = SocketPump(
            hub=self.hub,
            identity=people,
            commands=desk,
            reads=desk,
            directory=people,
            limits=limits,
            admission=CommandAdmission(limits),
            **more,
        )
        self.port = 0

    def _status(self, degraded: bool) -> None:
        self.pump.status(degraded)

    async def join(self, inbox: str, *users: str) -> None:
        """Create the inbox if need be and let users join."""
        await self.store.create_inbox(inbox=inbox)
        await self.store.add_number(inbox=inbox, number=OUR)
        for user in users:
            await self.store.join(inbox=inbox, user=user, role=Role.MEMBER, joined=True)
            self.people.joined.setdefault(user, set()).add(inbox)

    async def receive(self, inbox: str, customer: str = "+15550200") -> str:
        """A customer's message; returns the conversation."""
        received = await self.store.receive(
            inbox=inbox,
            our=OUR,
            customer=customer,
            provider_id=uuid.uuid4().hex,
            body=BODY,
            preview="hello",
        )
        return received.conv


@asynccontextmanager
async def running(node: Node) -> AsyncIterator[Node]:
    """Serve on a free port."""
    await node.channel.connect(node.hub)
    await node.hub.start()
    await node.pump.start()
    async with on_port(node.pump) as node.port:
        try:
            yield node
        finally:
            await node.pump.close()
            await node.hub.close()
            await node.channel.aclose()


class Peer:
    """A client that keeps every frame it got."""

    def __init__(self, ws: ClientConnection, subprotocol: str) -> None:
        self.ws = ws
        self.subprotocol = subprotocol
        self.frames: list[list[Any]] = []
        self.reading = asyncio.get_running_loop().create_task(self._read())

    async def send(self, *frames: list[Any]) -> None:
        data = wire.join([wire.encode(f, self.subprotocol) for f in frames], self.subprotocol)
        as_text = self.subprotocol == wire.JSON_SUBPROTOCOL
        await self.ws.send(data.decode() if as_text else data)

    def all(self, op: Op) -> list[list[Any]]:
        return [frame for frame in self.frames if frame[0] == op]

    async def got(self, op: Op, **at: Any) -> list[Any]:
        """The first frame of `op` whose elements are as given (`_1=..` is element 1)."""
        wanted = {int(name[1:]): value for name, value in at.items()}

        def found() -> list[list[Any]]:
            return [f for f in self.all(op) if all(f[i] == v for i, v in wanted.items())]

        await eventually(found)
        return found()[0]

    @property
    def badge(self) -> list[int]:
        """The last BADGE: blue, green, unassigned; -1 before the first."""
        badges = self.all(Op.BADGE)
        return badges[-1][2:5] if badges else [-1, -1, -1]

    def events(self, inbox: str) -> list[tuple[int, str]]:
        """(seq, tip) of the inbox's events, in the order they came."""
        return [(frame[2], frame[5]) for frame in self.all(Op.EV) if frame[1] == inbox]

    async def closed(self) -> int | None:
        """The close code, once it is closed."""
        await asyncio.wait_for(self.ws.wait_closed(), 10)
        return self.ws.close_code

    async def end(self) -> None:
        await self.ws.close()
        await self.reading

    async def _read(self) -> None:
        try:
            async for message in self.ws:
                self.frames += wire.decode(message, self.subprotocol)
        except ConnectionClosed:
            pass  # tests ask for the code


class Listening(Protocol):
    """What serves websockets on a port of this machine."""

    port: int


async def dial(node: Listening, subprotocol: str = wire.MSGPACK_SUBPROTOCOL, **more: Any) -> Peer:
    """A connection that has not said HELLO."""
    ws = await connect(
        f"ws://127.0.0.1:{node.port}/v1/ws",
        subprotocols=[Subprotocol(subprotocol)],
        compression=None,
        max_size=None,
        **more,
    )
    return Peer(ws, subprotocol)


async def sign_in(node: Node, user: str, subprotocol: str = wire.MSGPACK_SUBPROTOCOL) -> Peer:
    """A signed-in connection."""
    peer = await dial(node, subprotocol)
    await peer.send([Op.HELLO, f"tok-{user}", "test/1"])
    await peer.got(Op.WELCOME)
    return peer
