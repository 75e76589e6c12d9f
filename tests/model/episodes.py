"""Little stories about availability, drawn at random and mixed with random commands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from batonbox_server.domain.model import Availability, ReopenTo, Role, Status
from batonbox_server.domain.transitions import Command
from tests.model.scenarios import Stage
from tests.model.world import World

__all__ = ["EPISODES", "PASSES_MS", "episode"]

# Time goes by: a moment, within the time to undo, beyond it, beyond each of the rules.
PASSES_MS: Final = (700, 4_321, 11_000, 70_123, 200_456, 400_789)
_MINUTE_MS: Final = 60_000
Story = Callable[[World, Stage, str, int], Awaitable[None]]


async def episode(world: World, a: int, b: int, c: int) -> None:
    """Somebody has a conversation, something about them changes, time or a message comes."""
    stage = Stage(world, f"s{a % 3}")
    await stage.receive()
    joined = sorted(user for user, member in world.model.members.items() if member.joined)
    if stage.row.status is Status.UNASSIGNED and joined:
        await stage.do("assign", joined[b % len(joined)])
    owner = stage.row.assignee
    if owner:
        await EPISODES[c % len(EPISODES)](world, stage, owner, b)
    await world.passes(PASSES_MS[a % len(PASSES_MS)])
    await (stage.receive() if b % 2 else world.run(Command(verb="due")))


async def sleeps(world: World, stage: Stage, owner: str, b: int) -> None:
    """Put aside, then perhaps away, gone, undone or woken."""
    until_ms = world.clock + (2_000, _MINUTE_MS, 5 * _MINUTE_MS)[b % 3]
    await stage.do("snooze", owner, at_ms=until_ms)
    after: list[Story | None] = [None, goes, leaves, leaves, undoes, wakes, answers]
    then = after[b // 3 % len(after)]
    if then is not None:
        await then(world, stage, owner, b)
    if b % 5 < 2:
        await world.passes(max(0, until_ms - world.clock) + 1_000)
        await world.run(Command(verb="due"))


async def goes(world: World, stage: Stage, owner: str, b: int) -> None:
    """Without a connection, for now or for long; the rule may be off."""
    await world.tell("options", offline_min=(0, 1, 5)[b % 3])
    await world.tell("offline", owner, at_ms=world.clock - (b % 4) * 2 * _MINUTE_MS - 1)


async def leaves(world: World, stage: Stage, owner: str, b: int) -> None:
    """Away, with and without release."""
    await world.tell("away", owner, mode=(Availability.RELEASE, Availability.AWAY)[b % 2])


async def comes(world: World, stage: Stage, owner: str, b: int) -> None:
    """Back again."""
    await world.tell("away", owner, mode=Availability.AVAILABLE)
    await world.tell("offline", owner, at_ms=0)


async def is_silent(world: World, stage: Stage, owner: str, b: int) -> None:
    """Does nothing, or only notes."""
    await world.tell("options", silent_min=(1, 3)[b % 2])
    if b % 3 == 0:
        await stage.do("note", owner)


async def finishes(world: World, stage: Stage, owner: str, b: int) -> None:
    """Done; the next message may come back to them."""
    rule = tuple(ReopenTo)[b % 2]
    await world.tell("options", reopen_to=rule)
    if b % 3 == 0:
        await comes(world, stage, owner, b)
    await stage.do("done", owner)
    if b % 5 == 0:
        await world.run(Command(verb="remove", to=owner))
    await stage.receive()
    if b % 5 == 0:
        role = Role.ADMIN if owner in ("adm", "boss") else Role.MEMBER
        await world.run(Command(verb="join", to=owner, role=role))


async def hands_out(world: World, stage: Stage, owner: str, b: int) -> None:
    """Returned, and given to a colleague by a member; done ones are not."""
    await world.tell("options", members_may_dispatch=b % 3 > 0)
    await stage.do("done" if b % 4 == 0 else "release", owner)
    await stage.do("assign", "ann", to="bob")


async def answers(world: World, stage: Stage, owner: str, b: int) -> None:
    """Replies."""
    await stage.do("reply", owner, seen="")


async def undoes(world: World, stage: Stage, owner: str, b: int) -> None:
    """Takes the claim back."""
    await stage.do("undo", owner)


async def wakes(world: World, stage: Stage, owner: str, b: int) -> None:
    """Ends the snooze."""
    await stage.do("wake", owner)


async def stops(world: World, stage: Stage, owner: str, b: int) -> None:
    """The customer opts out while something is to be sent, and mostly in again."""
    row = stage.row
    at = abs(world.model.words.get((row.our, row.customer), 0)) + 1
    await stage.do("reply", owner)
    n = stage.row.n
    if b % 3 and (row.id, n) in world.outbound:
        await stage.do("fail", "", n=n)
    await stage.receive("stop", at=at)
    await world.compare_leases()
    to = {"our": row.our, "customer": row.customer}
    await stage.do(("reply", "retry", "compose")[b % 3], owner, n=n, **to)
    if b % 4:
        await stage.receive("start", at=at + 1)
        await stage.do(("compose", "retry", "reply")[b % 3], owner, n=n, **to)


EPISODES: Final[tuple[Story, ...]] = (
    sleeps, goes, leaves, is_silent, finishes, hands_out, comes, sleeps, goes, finishes, stops,
    sleeps, sleeps,
)  # fmt: skip
