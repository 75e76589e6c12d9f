"""One schedule: nodes, clients and faults under a seed, recorded as a torture run records itself.

The server's half (`asgi/`, `session/`, `hub/`) and the SDK are the real ones, on a loop with
virtual time; the engine is the model of `engine.py`. Everything random comes from the seed.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from dataclasses import dataclass, field
from typing import Any

from batonbox import _session as on
from batonbox._backoff import Backoff
from batonbox._client import Client
from batonbox._errors import ApiError, BatonboxError
from batonbox._wire import Op
from batonbox_server.torture.checking import Verdict, check_round
from batonbox_server.torture.record import (
    Call,
    Checked,
    Fault,
    Observed,
    Outcome,
    Record,
    Said,
)
from tests.simulation.engine import OUR
from tests.simulation.loop import run
from tests.simulation.network import ClientEnd, Delays, dial
from tests.simulation.node import Node, ShowingEngine

USERS = ("ann", "bob", "cy")
CONNECTIONS = (*USERS, "ann")  # ann has two
CUSTOMERS = ("+15550200", "+15550201")
FAULTS = ("cut", "cut", "channel", "restart", "engine", "failover", "membership", "drip")
COMMANDS = ("assign", "assign", "assign", "transfer", "return", "done", "undo", "reply", "reply",
            "note", "seen", "unread")  # fmt: skip
FENCED = frozenset({"transfer", "return", "done", "undo", "reply"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How big a schedule is."""

    nodes: int = 2
    customers: int = 6  # messages of customers
    commands: int = 8  # of each client
    faults: int = 4
    failovers: bool = True


class World:
    """Everything that takes part."""

    def __init__(self, seed: int, plan: Plan) -> None:
        self.rng = random.Random(seed)
        self.plan = plan
        self.inbox = "box"
        self.members = set(USERS)
        self.engine = ShowingEngine(self.inbox)
        self.engine_up = True
        self.loses, self.doubles = self.rng.choice((0.0, 0.1, 0.4)), self.rng.choice((0.0, 0.2))
        self.records: list[Record] = []
        self.tasks: set[asyncio.Task[Any]] = set()
        self.nodes = [Node(self, self.rng) for _ in range(plan.nodes)]
        self.engine.published = self._published
        self.clients = [Agent(self, user, i) for i, user in enumerate(CONNECTIONS)]
        self._numbers = 0

    def now_ns(self) -> int:
        """The schedule's clock."""
        return round(asyncio.get_running_loop().time() * 1e9)

    def number(self) -> int:
        """A number nobody has."""
        self._numbers += 1
        return self._numbers

    def note(self, record: Record) -> None:
        """Write something down."""
        self.records.append(record)

    def _published(self, data: bytes) -> None:
        for node in self.nodes:
            if node.alive:
                node.published(data)

    async def play(self) -> Verdict:
        """The whole schedule, and what there is to be said of it."""
        for user in USERS:
            self.engine.run("join", to=user)
        self.engine.replicate()
        for node in self.nodes:
            await node.start()
        await asyncio.gather(*(client.open() for client in self.clients))
        await asyncio.gather(
            self._customers(), self._faults(), *(client.act() for client in self.clients)
        )
        await self._until_quiet()
        for client in self.clients:
            await client.ask_what_is_left()
        self.note(self.engine.final(self.now_ns()))
        await asyncio.gather(*(client.close() for client in self.clients))
        await asyncio.gather(*(node.die() for node in self.nodes))
        return check_round(self.records, budget=20_000)

    async def _until_quiet(self) -> None:
        """Until every client is at the top and badges rest, or long enough that they should be."""
        for _ in range(28):
            await asyncio.sleep(0.5)
            if all(client.at_rest() for client in self.clients):
                break
        await asyncio.sleep(0.3)

    # What happens

    async def _customers(self) -> None:
        for _ in range(self.plan.customers):
            await asyncio.sleep(self.rng.uniform(0.0, 0.4))
            await self._say()

    async def _say(self) -> None:
        number, customer = self.number(), self.rng.choice(CUSTOMERS)
        began, text, heard, places = self.now_ns(), f"said {number}", None, []
        for _ in range(40):  # a carrier repeats what was not acknowledged
            await asyncio.sleep(self.rng.uniform(0.0, 0.01))
            if self.engine_up:
                told = self.engine.run(
                    "receive", conv=f"{self.inbox}.{number}", our=OUR,
                    customer=customer, provider_id=f"p{number}", text=text,
                )  # fmt: skip
                places = [(told["conv"], told["n"])]
                heard = self.now_ns()
                break
            await asyncio.sleep(0.2)
        self.note(Said(provider_id=f"p{number}", inbox=self.inbox, customer=customer,
                       began_ns=began, text=text, acknowledged_ns=heard,
                       places=places))  # fmt: skip

    async def _faults(self) -> None:
        for _ in range(self.plan.faults):
            await asyncio.sleep(self.rng.uniform(0.0, 0.8))
            kind = self.rng.choice(FAULTS)
            if kind == "failover" and not self.plan.failovers:
                continue
            began = self.now_ns()
            detail = await getattr(self, f"_{kind}")()
            self.note(Fault(kind=kind, target="", began_ns=began, ended_ns=self.now_ns(),
                            detail=detail or {}))  # fmt: skip

    async def _cut(self) -> None:
        sockets = [s for node in self.nodes for s in node.sockets if s.open]
        if sockets:
            self.rng.choice(sockets).cut()

    async def _drip(self) -> None:
        """The replica catches up; what follows is what a failover may lose."""
        self.engine.replicate()

    async def _channel(self) -> None:
        await self.rng.choice(self.nodes).lose_channel()

    async def _restart(self) -> None:
        await self.rng.choice(self.nodes).restart()

    async def _engine(self) -> None:
        await self._away(self.rng.uniform(0.1, 1.5))

    async def _away(self, for_s: float) -> None:
        self.engine_up = False
        for node in self.nodes:
            node.channel.whole = False
            node.channel.breaks += 1
            if node.alive:
                node.hub.lost()
        await asyncio.sleep(for_s)
        self.engine_up = True
        for node in self.nodes:
            node.channel.whole = True
            if node.alive:
                node.hub.up()

    async def _failover(self) -> dict[str, Any]:
        if self.rng.random() < 0.3:
            self.engine.replicate()  # a clean one loses nothing
        lost = self.engine.fail_over()
        await self._away(self.rng.uniform(0.0, 0.5))  # connections to the old primary break
        await self._directory_obeys()
        return {"may_lose": True, "lost": lost}

    async def _membership(self) -> None:
        user = self.rng.choice(USERS[1:])
        inside = user in self.engine.state.inbox.members
        began, number = self.now_ns(), self.number()
        while not self.engine_up:
            await asyncio.sleep(0.1)
        self.note(Call(id=number, client="admin", user="admin", node="", inbox=self.inbox, conv="",
                       verb="member_remove" if inside else "member_add", cid="",
                       args={"user": user}, began_ns=began))  # fmt: skip
        ahead = self.rng.random() < 0.5
        if ahead:
            self._grant(user, inside=not inside)
        self.engine.run("remove" if inside else "join", to=user)
        await asyncio.sleep(self.rng.uniform(0.0, 0.05))
        self.note(Outcome(id=number, kind="ok", ended_ns=self.now_ns()))
        if not ahead:
            self._grant(user, inside=not inside)

    def _grant(self, user: str, *, inside: bool) -> None:
        """The directory, which follows a log of its own, tells the nodes when it may."""
        (self.members.add if inside else self.members.discard)(user)
        loop = asyncio.get_running_loop()
        for node in self.nodes:
            if self.rng.random() < 0.5:
                loop.call_later(self.rng.uniform(0.0, 0.3), self._granted, node, user)
            else:
                self._granted(node, user)

    def _granted(self, node: Node, user: str) -> None:
        if node.alive:
            node.people.changed(user, inside=user in self.members)

    async def _directory_obeys(self) -> None:
        """A failover may have taken a membership back; jobs bring the inbox to what is wanted."""
        for user in USERS[1:]:
            inside = user in self.engine.state.inbox.members
            if inside != (user in self.members):
                self.engine.run("remove" if inside else "join", to=user)


@dataclass
class Agent:
    """A person with the SDK, who watches an inbox and does things about it."""

    world: World
    user: str
    index: int
    ended: bool = False
    badge: tuple[int, int, int] | None = None
    goes_to: Node | None = None  # None: to any
    subscribed: int = 0  # how often
    end: ClientEnd | None = None
    acknowledged: list[tuple[int, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        world = self.world
        self.delays = Delays(world.rng)
        self.codec = "json" if self.index == 2 else "msgpack"
        self.client = Client(
            "http://node.example.com",
            self.user,
            backoff=Backoff(base_s=0.05, cap_s=0.5),
            codec=self.codec,  # type: ignore[arg-type]
        )
        self.client._connection._opener = self._open
        inflow = self.client._in
        self._happened = inflow._happened
        inflow._happened = self._watched  # type: ignore[method-assign]

    @property
    def name(self) -> str:
        """As records name it."""
        return f"c{self.index}-{self.user}"

    async def open(self) -> None:
        """Connect and follow."""
        await self.client.__aenter__()
        self._following = asyncio.get_running_loop().create_task(self._follow())
        while self.client.position(self.world.inbox) is None:
            await asyncio.sleep(0.01)

    async def close(self) -> None:
        """End everything."""
        self.ended = True
        self._following.cancel()
        await asyncio.gather(self._following, return_exceptions=True)
        await self.client.aclose()

    async def _open(self, _: str, *, codec: str, **__: Any) -> Any:
        node = self.goes_to or self.world.rng.choice(self.world.nodes)
        self.end = await dial(node, self.delays, codec=codec)
        return self.end

    async def _follow(self) -> None:
        while not self.ended:
            try:
                async with self.client.events(inbox=self.world.inbox) as stream:
                    async for _ in stream:
                        pass
            except BatonboxError:
                await asyncio.sleep(0.2)

    # What it sees

    def _watched(self, happening: on.Happening) -> None:
        self._happened(happening)
        inbox = self.world.inbox
        followed = self.client._in.session.follows.get(inbox)
        epoch = followed.position.epoch if followed else ""
        match happening:
            case on.Applied(seq=seq, tip=tip, meta=meta, body=body):
                self._saw("event", epoch, seq, tip, meta=meta, body_hash=repr(body))
            case on.Snapped(position=position, rows=rows):
                self._saw("snapshot", position.epoch, position.seq, position.tip, rows=rows)
            case on.Reset(reason=reason, lost=lost):
                self._saw("reset", epoch, 0, "", reason=reason, lost=list(lost))
            case on.Subscribed():
                self.subscribed += 1
            case on.Unsubscribed(code=code):
                self._saw("unsubscribed", epoch, 0, "", reason=str(code))
            case on.Received(op=Op.BADGE, frame=[_, _, blue, green, unassigned, seq, *_]):
                self.badge = (blue, green, unassigned)
                self._saw("badge", epoch, seq, "", badge=self.badge)

    def _saw(self, kind: Any, epoch: str, seq: int, tip: str, **more: Any) -> None:
        self.world.note(Observed(
            client=self.name, user=self.user, inbox=self.world.inbox, epoch=epoch, kind=kind,
            seq=seq, tip=tip, at_ns=self.world.now_ns(), **more,
        ))  # fmt: skip

    def at_rest(self) -> bool:
        """Whether nothing is to come any more, as far as a look from outside can tell."""
        world = self.world
        inbox = world.engine.state.inbox
        if self.user not in inbox.members:
            return self.client.position(world.inbox) is None
        position = self.client.position(world.inbox)
        marks = world.engine.marks(self.user)
        told = (marks.blue, len(marks.green), world.engine.board().unassigned)
        return (
            position is not None
            and (position.seq, position.tip) == (inbox.seq, world.engine.state.tip)
            and self.badge == told
        )

    # What it does

    async def act(self) -> None:
        """Its commands, one after the other, sometimes without waiting for the answer."""
        pending = []
        for _ in range(self.world.plan.commands):
            await asyncio.sleep(self.world.rng.uniform(0.0, 0.3))
            doing = asyncio.get_running_loop().create_task(self._one())
            pending.append(doing)
            if self.world.rng.random() < 0.6:
                await doing
        await asyncio.gather(*pending)

    async def _one(self) -> None:
        rng = self.world.rng
        rows = [row for row in self.world.engine.state.inbox.rows if self.client.row(row)]
        if not rows:
            return
        conv = rng.choice(rows)
        row = self.client.row(conv)
        if row is None:
            return
        verb = rng.choice(COMMANDS)
        if verb == "seen":
            self.client.send_seen(conv, row.att)
            return
        args: dict[str, Any] = {"conv": conv}
        if verb in FENCED:
            args["own_tok"] = row.own_tok
        if verb == "transfer":
            args["to"] = rng.choice(USERS)
        if verb in ("reply", "note"):
            args["text"] = f"text {self.world.number()}"
        if verb == "done":
            args["seen"] = row.in_seq
        await self._call(verb, conv, args)

    async def _call(self, verb: str, conv: str, args: dict[str, Any]) -> None:
        world, number = self.world, self.world.number()
        cid = f"cid{number}"
        world.note(Call(id=number, client=self.name, user=self.user, node="", verb=verb,
                        inbox=world.inbox, conv=conv, cid=cid,
                        args={k: v for k, v in args.items() if k != "conv"},
                        began_ns=world.now_ns()))  # fmt: skip
        more: dict[str, Any] = {}
        try:
            reply = await self.client.call(verb, args, key=cid, timeout_s=4.0)
            more = {"kind": "ok", "seq": reply["seq"], "tip": reply["tip"], "reply": reply}
            self.acknowledged.append((reply["seq"], reply["tip"]))
        except ApiError as error:
            cur = error.cur
            shown = (
                {"id": cur.id, "status": cur.status, "assignee": cur.assignee,
                 "own_tok": cur.own_tok, "rev": cur.rev}
                if cur is not None else None
            )  # fmt: skip
            more = {"kind": "refused", "slug": error.slug, "cur": shown}
        except BatonboxError:
            more = {"kind": "unknown"}
        world.note(Outcome(id=number, ended_ns=world.now_ns(), **more))

    async def ask_what_is_left(self) -> None:
        """CHECK, as a client does that wants to know what became of what it was told."""
        if not self.acknowledged or self.user not in self.world.engine.state.inbox.members:
            return
        asked = self.acknowledged[-256:]
        with contextlib.suppress(BatonboxError):
            request = self.client._in.request(Op.CHECK, self.world.inbox, [list(p) for p in asked])
            answer = await self.client._answer(request, 5.0)
            missing = [(seq, tip) for seq, tip in answer["missing"]]
            at_ns, inbox = self.world.now_ns(), self.world.inbox
            self.world.note(
                Checked(client=self.name, inbox=inbox, at_ns=at_ns, asked=asked, missing=missing)
            )


@dataclass(frozen=True, slots=True)
class Played:
    """A schedule's end: what was found, and what broke in the code itself."""

    seed: int
    verdict: Verdict
    resets: list[str]
    crashes: list[str]

    @property
    def wrong(self) -> list[str]:
        """Everything that must not be."""
        found = [f"{v.invariant}: {v.what}" for v in self.verdict.violations]
        found += [f"I4: a client had to help itself: {reason}" for reason in self.resets]
        return found + self.crashes


def play(seed: int, plan: Plan | None = None) -> Played:
    """Run one schedule to its end."""
    random.seed(seed)  # pauses and jitter of the product draw from it
    made: list[World] = []

    async def whole() -> Verdict:
        made.append(World(seed, plan or Plan()))
        return await made[0].play()

    verdict, crashes = run(whole)
    helped = [
        record.reason or ""
        for record in made[0].records
        if isinstance(record, Observed)
        and record.kind == "reset"
        and record.reason in ("gap", "snapshot")
    ]
    return Played(seed, verdict, helped, crashes)
