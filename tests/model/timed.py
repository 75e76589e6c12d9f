"""Availability and timers on purpose: each rule where it just holds, and where it just does not."""

from __future__ import annotations

from batonbox_server.domain.model import Availability, ReopenTo, Role
from batonbox_server.domain.transitions import Command
from tests.model.scenarios import Stage, left_and_came_back
from tests.model.world import World

__all__ = ["LONG", "TIMED"]

MINUTE_MS = 60_000
RELEASE, AWAY, BACK = Availability.RELEASE, Availability.AWAY, Availability.AVAILABLE


async def due(world: World) -> None:
    """A node looks what is due."""
    await world.run(Command(verb="due"))


async def owned(world: World, name: str, owner: str = "ann") -> Stage:
    """A conversation with an open question that somebody has."""
    stage = Stage(world, name)
    await stage.receive()
    await stage.do("assign", owner)
    return stage


async def wakes_in_its_time(world: World) -> None:
    """Only the owner puts aside; it wakes by time, once, and is green; nothing else does."""
    stage = await owned(world, "t1")
    await stage.do("snooze", "bob", at_ms=world.clock + MINUTE_MS)
    await stage.do("snooze", "adm", at_ms=world.clock + MINUTE_MS)
    await stage.do("snooze", "ann", at_ms=world.clock + MINUTE_MS, own_tok="1.00000000")
    for wrong in (0, world.clock, world.clock + 366 * 1440 * MINUTE_MS + 1):
        await stage.do("snooze", "ann", at_ms=wrong)
    await stage.do("snooze", "ann", at_ms=world.clock + 366 * 1440 * MINUTE_MS)
    await stage.do("snooze", "ann", at_ms=world.clock + MINUTE_MS)
    await stage.do("reply", "ann")
    await due(world)
    await world.passes(MINUTE_MS)
    await due(world)
    assert "ann" in world.model.green
    assert stage.conv in world.model.green["ann"]
    await due(world)
    await stage.do("wake", "ann")


async def woken_by_hand_and_by_the_customer(world: World) -> None:
    """By its owner it is as it was; by the customer it is unread."""
    stage = await owned(world, "t2")
    await stage.do("snooze", "ann", at_ms=world.clock + MINUTE_MS)
    await stage.do("wake", "bob")
    await stage.do("wake", "ann", own_tok="1.00000000")
    await stage.do("wake", "ann")
    await stage.do("snooze", "ann", at_ms=world.clock + MINUTE_MS)
    await stage.receive()
    await world.passes(2 * MINUTE_MS)
    await due(world)


async def moves_wake(world: World) -> None:
    """Every change of the owner ends it; a claim is undone after it all the same."""
    stage = await owned(world, "t3")
    await stage.do("snooze", "ann", at_ms=world.clock + MINUTE_MS)
    await stage.do("undo", "ann")
    await stage.do("assign", "ann")
    await stage.do("snooze", "ann", at_ms=world.clock + MINUTE_MS)
    await stage.do("transfer", "ann", to="bob")
    await stage.do("snooze", "bob", at_ms=world.clock + MINUTE_MS)
    await stage.do("release", "bob")
    await stage.do("assign", "bob")
    await stage.do("snooze", "bob", at_ms=world.clock + MINUTE_MS)
    await stage.do("done", "bob")
    await world.passes(2 * MINUTE_MS)
    await due(world)


async def woken_in_vain(world: World) -> None:
    """Whoever is away with release, or gone for long, does not get it back."""
    await world.tell("options", offline_min=5)
    for i, (mode, gone_ms) in enumerate(
        ((RELEASE, 0), (AWAY, 0), (BACK, 6 * MINUTE_MS), (BACK, MINUTE_MS))
    ):
        stage = await owned(world, f"t4{i}")
        await world.passes(10 * MINUTE_MS)
        await stage.do("snooze", "ann", at_ms=world.clock + 7 * MINUTE_MS)
        await world.tell("away", "ann", mode=mode)
        await world.passes(7 * MINUTE_MS)
        if gone_ms:
            await world.tell("offline", "ann", at_ms=world.clock - gone_ms)
        await due(world)
    await world.tell("offline", "ann", at_ms=0)


async def writes_to_somebody_away(world: World) -> None:
    """With release the next message is everybody's; a word that comes late changes nothing."""
    stage = await owned(world, "t5")
    await world.tell("away", "ann", mode=AWAY)
    await stage.receive()
    await world.tell("away", "ann", mode=RELEASE)
    late = Command(verb="away", to="ann", mode=BACK, at=world.word - 1)
    await world.run(late)
    await due(world)
    await stage.receive()
    await stage.do("assign", "ann")
    await world.tell("away", "ann", mode=BACK)
    await stage.receive()


async def writes_to_somebody_gone(world: World) -> None:
    """After the grace, which begins anew with what the owner does; off is off."""
    stage = await owned(world, "t6")
    await world.tell("options", offline_min=5)
    await world.tell("offline", "ann", at_ms=world.clock)
    await world.passes(4 * MINUTE_MS)
    await stage.do("note", "ann")
    await world.passes(2 * MINUTE_MS)
    await stage.receive()
    await stage.do("note", "bob")
    await world.tell("options", offline_min=0)
    await world.passes(9 * MINUTE_MS)
    await stage.receive()
    await due(world)
    await world.tell("options", offline_min=5)
    late = Command(verb="options", at=world.word - 1)
    await world.run(late)
    late = Command(verb="offline", to="ann", at_ms=0, at=world.word - 3)
    await world.run(late)
    await stage.receive()
    await world.tell("offline", "ann", at_ms=0)


async def gone_owners_lose_what_waits(world: World) -> None:
    """Not what is answered or put aside; what they are handed waits for as long again."""
    waits, answered, aside = [await owned(world, f"t7{i}") for i in range(3)]
    await answered.do("reply", "ann")
    await world.tell("options", offline_min=1)
    await aside.do("snooze", "ann", at_ms=world.clock + 99 * MINUTE_MS)
    await world.tell("offline", "ann", at_ms=world.clock - 5 * MINUTE_MS)
    await due(world)
    await world.passes(MINUTE_MS - 20)
    await due(world)
    await world.passes(MINUTE_MS)
    await due(world)
    await waits.do("assign", "bob")
    await waits.do("transfer", "bob", to="ann")
    await due(world)
    await world.passes(MINUTE_MS)
    await due(world)
    await answered.do("done", "ann")
    await aside.do("done", "ann")
    await world.tell("offline", "ann", at_ms=0)


async def silent_owners_lose_what_waits(world: World) -> None:
    """Their notes and sleep count as doing something, a colleague's note does not."""
    stages = [await owned(world, f"t8{i}", "bob") for i in range(4)]
    await stages[0].do("reply", "bob")
    await world.passes(30_000)
    await stages[1].do("note", "bob")
    await stages[2].do("note", "ann")
    await stages[3].do("snooze", "bob", at_ms=world.clock + 20_000)
    await due(world)
    await world.tell("options", silent_min=1)
    await world.passes(40_000)
    await due(world)
    await world.passes(20_000)
    await due(world)
    await world.passes(40_000)
    await due(world)
    await world.tell("options", silent_min=0)


async def back_to_the_last_owner(world: World) -> None:
    """If they are available, and have joined."""
    await world.tell("options", reopen_to=ReopenTo.LAST_ASSIGNEE)
    stage = await owned(world, "t9", "bob")
    await stage.do("done", "bob")
    await stage.receive()
    await stage.do("undo", "bob")
    for verb, said in (("away", {"mode": AWAY}), ("offline", {"at_ms": world.clock})):
        await stage.do("done", "bob")
        await world.tell(verb, "bob", **said)
        await stage.receive()
        await world.tell("away", "bob", mode=BACK)
        await world.tell("offline", "bob", at_ms=0)
        await stage.do("assign", "bob")
    await stage.do("done", "bob")
    await world.run(Command(verb="remove", to="bob"))
    await stage.receive()
    await world.run(Command(verb="join", to="bob"))
    other = Stage(world, "tA")
    await other.receive()
    await other.do("assign", "boss")
    await other.do("done", "boss")
    await world.run(Command(verb="remove", to="boss", role=Role.ADMIN))
    await other.receive()
    await world.tell("options", reopen_to=ReopenTo.QUEUE)
    await stage.do("assign", "bob")
    await stage.do("done", "bob")
    await stage.receive()


async def members_hand_out(world: World) -> None:
    """Where the inbox lets them, what nobody has and is not done, to who has joined."""
    stage = Stage(world, "tB")
    await stage.receive()
    await stage.do("assign", "ann", to="bob")
    await world.tell("options", members_may_dispatch=True)
    await stage.do("assign", "ann", to="boss")
    await stage.do("assign", "boss", to="bob")
    await stage.do("release", "bob")
    await stage.do("assign", "ann", to="bob")
    await stage.do("assign", "ann", to="cy")
    await stage.do("done", "bob")
    await stage.do("assign", "ann", to="bob")
    await stage.do("assign", "adm", to="bob")
    await world.tell("options", members_may_dispatch=False)


async def a_batch_is_a_hundred(world: World) -> None:
    """The rest is for the next look; so is what somebody who left still holds."""
    await world.run(Command(verb="join", to="cy"))
    await world.run(Command(verb="join", to="bob"))
    await due(world)
    async with world.at_length():
        stages = [await owned(world, f"u{i}", "cy") for i in range(103)]
    await world.tell("options", silent_min=1)
    await world.passes(MINUTE_MS)
    await due(world)
    await due(world)
    await world.tell("options", silent_min=0)
    async with world.at_length():
        for stage in stages:
            await stage.do("assign", "cy")
        for i in range(103):
            await owned(world, f"v{i}", "bob")
    # One removal goes on in this look; what the other left is silent, and nobody's.
    await world.run(Command(verb="remove", to="cy"))
    await world.run(Command(verb="remove", to="bob"))
    await world.tell("options", silent_min=1)
    await world.passes(MINUTE_MS)
    await due(world)
    await due(world)
    await world.tell("options", silent_min=0)


TIMED = (
    wakes_in_its_time,
    woken_by_hand_and_by_the_customer,
    moves_wake,
    woken_in_vain,
    writes_to_somebody_away,
    writes_to_somebody_gone,
    gone_owners_lose_what_waits,
    silent_owners_lose_what_waits,
    back_to_the_last_owner,
    members_hand_out,
)
# Takes its time, and is for what nothing else has found.
LONG = (left_and_came_back, a_batch_is_a_hundred)
