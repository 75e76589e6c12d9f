"""The rare paths on purpose: what random commands meet only with luck."""

from __future__ import annotations

import uuid
from typing import Any

from batonbox_server.domain.model import Availability, Role, Row
from batonbox_server.domain.transitions import Command
from tests.model.world import BODY, NUMBERS, World


class Stage:
    """One conversation of a world, and commands on it in few words."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.conv = f"{world.name}.{name}"

    @property
    def row(self) -> Row:
        """As the model has it."""
        return self.world.model.rows[self.conv]

    async def receive(self, word: str = "", at: int = 0, provider_id: str = "") -> None:
        """The customer writes, perhaps a keyword, perhaps what came before."""
        customer = f"+1{int(self.conv.encode().hex(), 16) % 10**10}"
        command = Command(
            verb="receive",
            conv=self.conv,
            our=NUMBERS[0],
            customer=customer,
            provider_id=provider_id or uuid.uuid4().hex,
            body=BODY,
            text="x",
            word=word,
            at=at,
        )
        await self.world.run(command)

    async def do(self, verb: str, actor: str, **fields: Any) -> None:
        """A command of `actor` under the present token, unless told otherwise."""
        given = {"own_tok": self.row.own_tok, "seen": "*", "body": BODY, **fields}
        await self.world.run(
            Command(verb=verb, conv=self.conv, actor=actor, cid=uuid.uuid4().hex, **given)
        )


async def undo_into_done_over_a_question(world: World) -> None:
    """Assigned out of Done, the customer writes, the assignment is taken back: refused."""
    stage = Stage(world, "a")
    await stage.receive()
    await stage.do("done", "ann")
    await stage.do("assign", "ann")
    await stage.receive()
    await stage.do("undo", "ann")


async def brought_twice(world: World) -> None:
    """The carrier has not heard that we have it; and an answer comes under yesterday's token."""
    stage = Stage(world, "twice")
    await stage.receive(provider_id="same")
    await stage.receive(provider_id="same")
    await stage.do("assign", "ann")
    before = stage.row.own_tok
    await stage.do("release", "ann")
    await stage.do("assign", "ann")
    await stage.do("reply", "ann", own_tok=before)


async def undo_by_somebody_else(world: World) -> None:
    """Only who did it may take it back."""
    stage = Stage(world, "b")
    await stage.receive()
    await stage.do("assign", "ann")
    await stage.do("undo", "bob")
    await stage.do("undo", "adm")
    await stage.do("undo", "ann")


async def looked_before_joining(world: World) -> None:
    """An admin looked from beside the inbox and joins: the queue is blue again."""
    stage = Stage(world, "c")
    await stage.receive()
    await stage.do("seen", "boss", seen=stage.row.att)
    await world.run(Command(verb="join", to="boss", role=Role.ADMIN))


async def looked_before_taking(world: World) -> None:
    """The same, but joining by taking a conversation."""
    await world.run(Command(verb="remove", to="boss", role=Role.ADMIN))
    stage = Stage(world, "d")
    await stage.receive()
    await stage.do("seen", "boss", seen=stage.row.att)
    await stage.do("assign", "boss")


async def left_and_came_back(world: World) -> None:
    """What a departed member held is nobody's, also after they are back."""
    stages = [Stage(world, f"e{i}") for i in range(105)]
    async with world.at_length():
        for stage in stages:
            await stage.receive()
            await stage.do("assign", "cy")
    token = stages[-1].row.own_tok
    await world.run(Command(verb="remove", to="cy"))
    await stages[-1].do("reply", "cy", own_tok=token)
    await world.run(Command(verb="join", to="cy"))
    await stages[-1].do("reply", "cy", own_tok=token)
    await stages[-2].receive()
    await stages[-3].do("assign", "bob")


async def late_look(world: World) -> None:
    """A mark for an older state of the conversation clears nothing."""
    stage = Stage(world, "f")
    await stage.receive()
    await stage.do("assign", "ann")
    old = stage.row.att
    await stage.receive()
    await stage.do("seen", "ann", seen=old)
    await stage.do("seen", "ann", seen=stage.row.att)
    await stage.do("unread", "ann")


async def put_back_and_handed_over(world: World) -> None:
    """Who returns it has seen it; who is handed it has not, whatever they read before."""
    stage = Stage(world, "g")
    await stage.receive()
    await stage.do("seen", "ann", seen=stage.row.att)
    await stage.do("assign", "ann")
    await stage.do("release", "ann")
    await stage.do("assign", "ann")
    await stage.do("transfer", "ann", to="bob")
    await stage.do("transfer", "adm", own_tok="1.00000000", to="adm")
    await stage.do("transfer", "adm", own_tok="", to="adm")
    await stage.do("transfer", "adm", to="adm")
    await stage.do("done", "adm", seen="1.00000000")
    await stage.do("done", "adm", seen=stage.row.in_seq)


async def opts_out(world: World) -> None:
    """STOP is confirmed once and disturbs nobody; nothing is written until START."""
    stage = Stage(world, "h")
    await stage.receive("stop", at=10)  # the first contact
    await stage.do("compose", "ann", our=NUMBERS[0], customer=stage.row.customer)
    await stage.receive("stop", at=11)
    await stage.receive("start", at=12)
    await stage.receive("start", at=13)  # a word like any other: they are not opted out
    await stage.do("assign", "ann")
    await stage.do("seen", "ann", seen=stage.row.att)
    await stage.do("reply", "ann")
    await stage.do("reply", "ann")
    await world.compare_leases()
    sent = stage.row.n - 1
    await stage.do("fail", "", n=sent)
    await stage.receive("stop", at=20)
    await stage.do("reply", "ann")
    await stage.do("retry", "ann", n=sent)
    await world.compare_leases()
    await stage.do("fail", "", n=sent + 1)  # now the confirmation is the next
    await world.compare_leases()
    await stage.receive("help")
    await stage.receive()
    await stage.receive("start", at=15)  # said before, come after
    await stage.receive("start", at=21)
    await stage.receive("stop", at=18)
    await stage.do("retry", "ann", n=sent)
    await stage.do("done", "ann")
    await stage.receive("stop", at=30)
    await stage.receive("start", at=31)


async def opts_out_asleep(world: World) -> None:
    """A keyword neither wakes nor releases, nor returns from Done."""
    stage = Stage(world, "i")
    await stage.receive()
    await stage.do("assign", "ann")
    await stage.do("snooze", "ann", at_ms=world.clock + 60_000)
    await stage.receive("stop", at=40)
    await world.tell("away", "ann", mode=Availability.RELEASE)
    await stage.receive("start", at=41)
    await stage.receive("stop", at=42)
    await stage.receive("help")
    await world.tell("away", "ann", mode=Availability.AVAILABLE)


SCENARIOS = (
    brought_twice,
    opts_out,
    opts_out_asleep,
    undo_into_done_over_a_question,
    undo_by_somebody_else,
    looked_before_joining,
    looked_before_taking,
    late_look,
    put_back_and_handed_over,
)
