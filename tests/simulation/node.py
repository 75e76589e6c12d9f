"""A node of the simulation: the real hub and websocket half over the model engine."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from batonbox_server.asgi.socket import CommandAdmission, SocketPump
from batonbox_server.domain.transitions import Refusal
from batonbox_server.errors import CODES, EngineUnavailable, Refused
from batonbox_server.hub.hub import Hub, Limits
from batonbox_server.hub.port import EVENTS
from batonbox_server.session.limits import SessionLimits
from batonbox_server.session.ports import OrgListener, Principal
from batonbox_server.turn import pass_turn
from tests.simulation.engine import Engine, public
from tests.simulation.network import Delays, Socket

if TYPE_CHECKING:
    from tests.simulation.world import World

T = TypeVar("T")
LIMITS = Limits(check_interval_s=2.0, badge_interval_s=0.05, engine_timeout_s=2.0, debug=True)
SESSION = SessionLimits(commands_per_s=10_000.0, commands_burst=100_000, commands_in_flight=64)
VERBS = {"return": "release"}
FIELDS = {
    "assign": ("conv", "to"),
    "transfer": ("conv", "own_tok", "to"),
    "return": ("conv", "own_tok"),
    "done": ("conv", "own_tok", "seen"),
    "undo": ("conv", "own_tok"),
    "reply": ("conv", "own_tok", "text", "seen"),
    "note": ("conv", "text"),
    "unread": ("conv",),
}


class Link:
    """A node's way to the engine: reads and commands take time, and fail while it is away."""

    def __init__(self, world: World, delays: Delays) -> None:
        self._world, self._delays = world, delays

    async def ask(self, act: Callable[[Engine], T]) -> T:
        """Act on the engine at some moment; hear of it at a later one."""
        await asyncio.sleep(self._delays.draw_s())
        if not self._world.engine_up:
            raise Refused("unavailable")
        found = act(self._world.engine)
        await asyncio.sleep(self._delays.draw_s())
        return found


class Logs:
    """`hub.port.Logs`, of the one log there is."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def head(self, *, at: int = 0, **_: Any) -> Any:
        return await self._link.ask(lambda engine: engine.head(at))

    async def range(self, *, first: int, last: int, **_: Any) -> Any:
        return await self._link.ask(lambda engine: engine.range(first, last))

    async def board(self, **_: Any) -> Any:
        return await self._link.ask(Engine.board)

    async def marks(self, *, user: str, **_: Any) -> Any:
        return await self._link.ask(lambda engine: engine.marks(user))

    async def snapshot(self, **_: Any) -> Any:
        return await self._link.ask(Engine.snapshot)


class Channel:
    """`hub.port.Channel`: messages are late, lost, doubled and out of order."""

    def __init__(self, world: World, link: Link) -> None:
        self._world, self._link = world, link
        self.subscribed: set[str] = set()
        self.whole = True
        self.breaks = 0  # what is under way then does not arrive any more

    async def subscribe(self, channel: str) -> None:
        """See the port."""
        try:
            await self._link.ask(lambda _: self.subscribed.add(channel))
        except Refused as refused:
            raise EngineUnavailable(str(refused)) from refused

    async def unsubscribe(self, channel: str) -> None:
        """See the port."""
        self.subscribed.discard(channel)

    async def publish(self, channel: str, data: bytes) -> None:
        """See the port; who looks at what is no part of the simulation."""


class Desk:
    """`session.ports.Commands` and `Reads`."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def run(self, principal: Principal, name: str, args: Any) -> dict[str, Any]:
        """See the port."""
        fields = {field: getattr(args, field, None) or "" for field in FIELDS[name]}
        if name == "done":
            fields["seen"] = fields["seen"] or "*"

        def act(engine: Engine) -> dict[str, Any]:
            pass_turn()
            verb = VERBS.get(name, name)
            return engine.run(verb, actor=principal.user, cid=args.cid, **fields)

        try:
            return await self._link.ask(act)
        except Shown as shown:
            raise Refused(shown.word, cur=shown.cur) from shown

    async def history(self, principal: Principal, *, conv: str, **_: Any) -> dict[str, Any]:
        """See the port: the row alone."""

        def act(engine: Engine) -> dict[str, Any]:
            if principal.user not in engine.state.inbox.members:
                raise Refused("forbidden")
            row = engine.state.inbox.rows.get(conv)
            if row is None:
                raise Refused("not_found")
            seq = engine.state.inbox.seq
            return {"row": public(row), "messages": [], "next": None, "seq": seq}

        return await self._link.ask(act)

    async def page(self, *_: Any, **__: Any) -> dict[str, Any]:
        """See the port."""
        raise Refused("not_found")

    async def check(
        self, principal: Principal, *, inbox: str, positions: Sequence[tuple[int, str]]
    ) -> dict[str, Any]:
        """See the port."""
        assert principal.user and inbox

        def act(engine: Engine) -> dict[str, Any]:
            missing = [[seq, tip] for seq, tip in positions if engine.head(seq).tip_at != tip]
            return {"missing": missing}

        return await self._link.ask(act)

    async def seen(self, principal: Principal, *, conv: str, att: str) -> bool:
        """See the port."""
        try:
            await self._link.ask(
                lambda engine: engine.run("seen", actor=principal.user, conv=conv, seen=att)
            )
        except Shown:
            return False
        return True


class Shown(Exception):
    """A refusal with the row as it was at that moment."""

    def __init__(self, word: str, cur: dict[str, Any] | None) -> None:
        self.word, self.cur = word, cur
        super().__init__(word)


class ShowingEngine(Engine):
    """Refusals show the row, as the scripts' do."""

    def run(self, verb: str, *, actor: str = "", cid: str = "", **more: Any) -> dict[str, Any]:
        try:
            return super().run(verb, actor=actor, cid=cid, **more)
        except Refusal as refusal:
            row = self.state.inbox.rows.get(more.get("conv", ""))
            told = refusal.word in ("conflict", "not_owner", "stale_token", "token_required")
            cur = public(row) if row is not None and told else None
            word = refusal.word if refusal.word in CODES else "bad_request"
            raise Shown(word, cur) from refusal


class People:
    """`session.ports.Identity` and `Directory` of one node, told of changes in its own time."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.joined = {user: {world.inbox} for user in world.members}
        self.listeners: list[OrgListener] = []

    async def authenticate(self, token: str) -> Principal:
        return Principal(token, "member")

    def recognise(self, token: str) -> Principal | None:
        return Principal(token, "member")

    async def authenticate_session(self, secret: str) -> Principal:
        return await self.authenticate(secret)

    def state_for(self, user: str) -> dict[str, Any]:
        named = [{"id": inbox, "name": inbox} for inbox in sorted(self.inboxes_of(user))]
        me = {"id": user, "name": user, "role": "member"}
        return {"organisation": {}, "user": me, "inboxes": named}

    def everybody(self) -> list[dict[str, Any]]:
        return []

    def inboxes_of(self, user: str) -> frozenset[str]:
        return frozenset(self.joined.get(user, ()))

    def joined_by(self, user: str) -> frozenset[str]:
        return self.inboxes_of(user)

    def listen(self, listener: OrgListener) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    def changed(self, user: str, *, inside: bool) -> None:
        """The organisation's log says something else of the user's memberships."""
        self.joined[user] = {self._world.inbox} if inside else set()
        for listener in self.listeners:
            listener.grants_changed(user)


class Node:
    """One server process; `restart` kills it, and another takes its place."""

    def __init__(self, world: World, rng: random.Random) -> None:
        self._world, self._rng = world, rng
        self._delays = Delays(rng)
        self.alive = False
        self.sockets: list[Socket] = []
        self._made()

    def _made(self) -> None:
        link = Link(self._world, self._delays)
        self.channel = Channel(self._world, link)
        self.people = People(self._world)
        desk = Desk(link)
        self.hub = Hub(
            logs=Logs(link),
            channel=self.channel,
            log_of=lambda inbox: f"log:{inbox}",
            channel_of=lambda log: f"{log}:ev",
            limits=LIMITS,
            on_status=self._status,
        )
        self.pump = SocketPump(
            hub=self.hub,
            identity=self.people,
            commands=desk,
            reads=desk,
            directory=self.people,
            limits=SESSION,
            admission=CommandAdmission(SESSION),
        )

    def _status(self, degraded: bool) -> None:
        self.pump.status(degraded)

    async def start(self) -> None:
        """Serve."""
        await self.hub.start()
        await self.pump.start()
        self.alive = True

    async def die(self) -> None:
        """As kill -9 ends it: nothing is said to anybody."""
        self.alive = False
        for socket in self.sockets:
            socket.cut()
        self.sockets.clear()
        await self.pump.close()
        await self.hub.close()

    async def restart(self) -> None:
        """Another process in its place."""
        await self.die()
        await asyncio.sleep(self._rng.uniform(0.0, 1.0))
        self._made()
        await self.start()

    def published(self, data: bytes) -> None:
        """What the engine says on the log's channel, as far as it gets here."""
        channel, hub = self.channel, self.hub
        if not channel.whole or not channel.subscribed:
            return
        # Of marks only a connection that breaks loses any: no position tells of one.
        if data[:1] == EVENTS and self._rng.random() < self._world.loses:
            return
        loop = asyncio.get_running_loop()
        for _ in range(2 if self._rng.random() < self._world.doubles else 1):
            loop.call_later(self._delays.draw_s(), self._heard, hub, channel.breaks, data)

    def _heard(self, hub: Hub, breaks: int, data: bytes) -> None:
        channel = self.channel
        if self.alive and hub is self.hub and channel.whole and channel.breaks == breaks:
            for name in channel.subscribed:
                hub.heard(name.encode(), data)

    async def lose_channel(self) -> None:
        """The connection that listens breaks, and is whole again."""
        channel = self.channel
        if not channel.whole or not self.alive:
            return
        channel.whole = False
        channel.breaks += 1
        self.hub.lost()
        await asyncio.sleep(self._rng.uniform(0.0, 1.0))
        channel.whole = True
        if channel is self.channel and self.alive:
            self.hub.up()
