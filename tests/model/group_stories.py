"""What random lives of a bot group hardly ever come to."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

from batonbox_server.store.engine import Engine
from batonbox_server.store.scripts import Scripts
from tests.model.group_world import Copy, GroupWorld

__all__ = ["stories"]


async def given(world: GroupWorld, copy: Copy) -> list[object]:
    """The copy is asked for something, and gives it; returns that word."""
    await world.say(copy)
    assert copy.share.ready_to_give, "nothing is asked back"
    said = copy.share.said()
    await world.say(copy)
    return said


async def a_word_that_gives_comes_again(world: GroupWorld) -> None:
    """When what it gave is its own again, in a later generation."""
    (one,) = world.copies
    two = await world.come()
    word = await given(world, one)
    await world.say(two)
    two.runs = False
    await world.expire(two)
    await world.say(one)
    three = await world.come()
    await world.ask(one, word)
    await world.say(three)


async def it_is_asked_in_the_middle(world: GroupWorld) -> None:
    """Of something in every conversation; another would begin what it is given."""
    (one,) = world.copies
    for _ in range(20):
        await world.write()
        await world.read_by(one)
        await world.begin_by(one)
    two = await world.come()
    await given(world, one)
    await world.say(two)
    assert two.share.lines, "what was idle is given"
    for _ in range(20):
        await world.read_by(two)
        await world.begin_by(two)
    while one.begun:
        world.finish_by(one)


async def it_speaks_of_another_history(world: GroupWorld) -> None:
    """It has handled what a failover lost, and does not know yet."""
    (one,) = world.copies
    await world.save()
    await world.write()
    await world.read_by(one)
    await world.begin_by(one)
    world.finish_by(one)
    await world.fail_over()
    await world.write()
    await world.say(one)


async def a_generation_is_given_twice(world: GroupWorld) -> None:
    """Before a failover, and to another copy after it; then a word of before comes late."""
    (one,) = world.copies
    await world.save()
    two = await world.come()
    await given(world, one)
    await world.say(two)
    await world.come()
    await world.say(two)
    word = two.share.said()
    world.copies = [one, two]
    await world.fail_over()
    four = await world.come()
    await given(world, one)
    await world.say(four)
    await world.ask(two, word)
    await world.say(two)


STORIES: list[Callable[[GroupWorld], Awaitable[None]]] = [
    a_word_that_gives_comes_again,
    it_is_asked_in_the_middle,
    it_speaks_of_another_history,
    a_generation_is_given_twice,
]


async def stories(client: Engine, scripts: Scripts) -> None:
    """Each in an inbox of its own; they come to rest, too."""
    for story in STORIES:
        world = GroupWorld(client, scripts, random.Random(1))
        await world.open()
        try:
            await story(world)
            await world.rest()
        except AssertionError as error:
            raise AssertionError(f"{story.__name__}: {error}") from error
