"""What leaves for the archive while something happens to it: little stories, and single moves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from batonbox_server.domain.model import Row
from tests.model.archived_world import ArchivedWorld
from tests.model.scenarios import Stage

__all__ = ["MOVES", "rare_paths"]

Move = Callable[[ArchivedWorld, Row, int], Awaitable[None]]


async def _stage(world: ArchivedWorld, name: str) -> Stage:
    """A conversation that is there; ids of those that were erased do not come again."""
    lives = 0
    while (stage := Stage(world, f"{name}.{lives}")).conv in set(world.lines) - set(
        world.model.rows
    ):
        lives += 1
    if stage.conv not in world.model.rows:
        await stage.receive()
    return stage


async def fails_meanwhile(world: ArchivedWorld, row: Row, pick: int) -> None:
    """A message fails, is archived, and perhaps sent again before or after it has left."""
    stage = await _stage(world, f"f{pick % 2}")
    owner = stage.row.assignee or "ann"
    await stage.do("compose", owner, our=stage.row.our, customer=stage.row.customer)
    n = stage.row.n
    if (stage.conv, n) not in world.outbound:
        return
    await stage.do("fail", "", n=n)
    await world.reads_lines(stage.row, 15)
    while pick % 3 == 0 and world.outs:
        await world.lets_go(row, 0)
    await stage.do("retry", owner, n=n)
    if pick % 2 and (stage.conv, n) not in world.model.failed:
        await stage.do("fail", "", n=n)
    while world.outs:
        await world.lets_go(row, 0)


async def ends_and_leaves(world: ArchivedWorld, row: Row, pick: int) -> None:
    """Done, away, and then one of the things that concern it."""
    stage = await _stage(world, f"e{pick % 3}")
    if stage.conv in world.held:
        await world.holds(stage.row, 0)  # else nothing of it would leave any more
    await stage.do("done", "adm")
    await world.reads_row(stage.row, 0)
    then = pick // 3 % 7
    if then == 0:
        await world.holds(stage.row, 0)
    if then == 1:
        await stage.do("note", "ann")
    await world.evicts(row, 0)
    if stage.conv in world.away and then in (2, 3):
        await world.erases(stage.row, stage.row.n - 1 - (then == 3))
    elif then == 4:
        await stage.receive()
    elif then == 5:
        await stage.do("seen", "bob", seen="1.00000000")
    elif then == 6:
        await stage.do("unread", "bob")


MOVES: Final[dict[str, Move]] = {
    "reads_lines": ArchivedWorld.reads_lines,
    "lets_go": ArchivedWorld.lets_go,
    "reads_row": ArchivedWorld.reads_row,
    "evicts": ArchivedWorld.evicts,
    "comes_back": ArchivedWorld.comes_back,
    "holds": ArchivedWorld.holds,
    "erases": ArchivedWorld.erases,
    "hears_late": ArchivedWorld.hears_late,
    "fails_meanwhile": fails_meanwhile,
    "ends_and_leaves": ends_and_leaves,
}


async def rare_paths(world: ArchivedWorld) -> None:
    """What random moves meet only with luck."""
    await _long_one(world)
    for pick in range(6):
        await fails_meanwhile(world, next(iter(world.model.rows.values())), pick)
        await world.compare()
    await _late_receipt(world)
    await _erased_before_it_leaves(world)
    await _row_before_its_lines(world)
    await _erased_and_asked_for(world)
    await _erased_while_unread(world)
    await _held(world)
    for pick in range(21):
        await ends_and_leaves(world, next(iter(world.model.rows.values())), pick)
        await world.compare()
    for pick in range(12):
        await world.comes_back(next(iter(world.model.rows.values())), pick)
        await world.compare()


async def _long_one(world: ArchivedWorld) -> None:
    """Enough lines to be counted, and then no more."""
    stage = Stage(world, "long")
    for _ in range(16):
        await stage.receive()
    await world.reads_lines(stage.row, 15)
    await world.lets_go(stage.row, 0)
    await world.compare()


async def _late_receipt(world: ArchivedWorld) -> None:
    """The first of two failed messages has left; the carrier delivers it all the same."""
    stage = await _stage(world, "late")
    await stage.do("assign", "ann")
    for _ in range(2):
        await stage.do("reply", "ann")
        await stage.do("fail", "", n=stage.row.n)
    while world.model.trimmed.get(stage.conv, 0) < stage.row.n - 1:
        await world.reads_lines(stage.row, 16)
        await world.lets_go(stage.row, 0)
    await world.hears_late(stage.row, 0)
    await world.compare_history(stage.row, 2)
    await world.compare()


async def _erased_before_it_leaves(world: ArchivedWorld) -> None:
    """Its row was read before a part of it was erased."""
    stage = await _stage(world, "part")
    await stage.do("done", "adm")
    await world.reads_row(stage.row, 0)
    await world.erases(stage.row, 1)
    await world.evicts(stage.row, 0)
    await world.compare()


async def _row_before_its_lines(world: ArchivedWorld) -> None:
    """Done, and its lines are in the engine still."""
    stage = await _stage(world, "early")
    await stage.do("done", "adm")
    await world.reads_row(stage.row, 1)


async def _erased_and_asked_for(world: ArchivedWorld) -> None:
    """Erased wholly, and whoever did so died before the archive heard of it."""
    stage = await _stage(world, "gone")
    await stage.receive()
    await stage.do("done", "adm")
    await world.reads_row(stage.row, 0)
    await world.evicts(stage.row, 0)
    assert stage.row.n % 3 == 1  # so that the archive has it still
    await world.erases(stage.row, stage.row.n - 1)
    await world.comes_back(world.model.rows[f"{world.name}.long"], _place(world, stage.conv))
    await world.compare()


async def _erased_while_unread(world: ArchivedWorld) -> None:
    """Somebody's, with something new in it, loses its oldest message."""
    stage = await _stage(world, "unread")
    await stage.do("assign", "ann")
    await stage.receive()
    await world.reads_lines(stage.row, 3)
    await world.lets_go(stage.row, 0)
    await world.erases(stage.row, 0)
    assert world.purged[stage.conv] == 1
    await world.compare()


async def _held(world: ArchivedWorld) -> None:
    """Away, held before it is erased, and let go of."""
    stage = await _stage(world, "held")
    await stage.do("done", "adm")
    await world.reads_row(stage.row, 0)
    await world.evicts(stage.row, 0)
    assert stage.conv in world.away
    await world.holds(stage.row, 0)
    await world.reads_row(stage.row, 1)
    await world.erases(stage.row, stage.row.n - 1)
    await world.compare_history(stage.row, 2)
    await world.compare()
    await world.holds(stage.row, 0)
    await world.erases(stage.row, stage.row.n - 1)
    assert stage.conv not in world.model.rows
    await world.compare()


def _place(world: ArchivedWorld, conv: str) -> int:
    return sorted(world.lines).index(conv)
