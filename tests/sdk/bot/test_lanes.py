"""Jobs of one key in order, those of others at the same time, within bounds."""

from __future__ import annotations

import asyncio
import random
from functools import partial

import pytest

from batonbox._tasks import spawn
from batonbox.bot._lanes import Lanes
from tests.sdk.bot.made import turns


@pytest.mark.parametrize("seed", range(5))
async def test_each_lane_is_in_order_whatever_its_jobs_wait_for(seed: int) -> None:
    draw = random.Random(seed)
    lanes, ended, at_once = Lanes(concurrency=8, waiting_max=1000), [], [0, 0]

    async def job(key: int, number: int) -> None:
        at_once[0] += 1
        at_once[1] = max(at_once)
        for _ in range(draw.randrange(30)):
            await asyncio.sleep(0)
        ended.append((key, number))
        at_once[0] -= 1

    for number in range(50):
        for key in range(10):
            lanes.put(key, partial(job, key, number))
    await lanes.idle()
    assert len(ended) == 500
    for key in range(10):
        assert [number for of, number in ended if of == key] == list(range(50))
    assert at_once == [0, 8]


async def test_a_busy_lane_does_not_keep_the_others_waiting() -> None:
    lanes, began = Lanes(concurrency=1, waiting_max=1000), []

    async def job(key: str) -> None:
        began.append(key)
        await asyncio.sleep(0)

    for _ in range(3):
        lanes.put("busy", partial(job, "busy"))
    lanes.put("other", partial(job, "other"))
    await lanes.idle()
    assert began == ["busy", "other", "busy", "busy"]


async def test_room_waits_while_too_many_wait() -> None:
    lanes, go_on = Lanes(concurrency=1, waiting_max=2), asyncio.Event()

    async def job() -> None:
        await go_on.wait()

    for key in range(3):
        await asyncio.wait_for(lanes.room(), 20)
        lanes.put(key, job)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(lanes.room())
        await turns()
        assert not waiting.done()
        go_on.set()
    await lanes.idle()


async def test_what_has_not_begun_never_does_once_it_is_closed() -> None:
    lanes, go_on, ran = Lanes(concurrency=2, waiting_max=1000), asyncio.Event(), []

    async def job(name: str) -> None:
        await go_on.wait()
        ran.append(name)

    for key in ("a", "b", "c"):
        lanes.put(key, partial(job, key))
        lanes.put(key, partial(job, f"{key}2"))
    await turns()
    lanes.close()
    lanes.put("d", partial(job, "d"))
    assert (lanes.begun, lanes.busy("a"), lanes.busy("c")) == (2, True, False)
    go_on.set()
    await asyncio.wait_for(lanes.idle(), 20)
    assert sorted(ran) == ["a", "b"]


async def test_what_is_cut_has_ended() -> None:
    lanes, ended = Lanes(concurrency=2, waiting_max=1000), []

    async def job() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(1)

    lanes.put("a", job)
    lanes.put("b", job)
    await turns()
    await lanes.cut()
    assert len(ended) == 2
    await asyncio.wait_for(lanes.idle(), 20)


async def test_what_stands_aside_leaves_its_place_and_comes_back_in_its_turn() -> None:
    lanes, order, going = Lanes(concurrency=1, waiting_max=3), [], asyncio.Event()
    back = {key: asyncio.Event() for key in ("a", "b")}

    async def leaving(key: str) -> None:
        order.append(f"{key} leaves")
        await lanes.aside(back[key].wait())
        order.append(f"{key} is back")

    async def job(key: str) -> None:
        order.append(key)
        await going.wait()

    lanes.put("a", partial(leaving, "a"))
    lanes.put("a", partial(job, "a2"))
    lanes.put("b", partial(leaving, "b"))
    await turns()
    assert order == ["a leaves", "b leaves"]
    await asyncio.wait_for(lanes.idle(), 20)
    tasks: set[asyncio.Task[None]] = set()
    room = spawn(tasks, lanes.room(), name="room")  # "a2" waits, "a" and "b" stand aside
    await turns()
    assert not room.done()
    lanes.put("c", partial(job, "c"))
    lanes.put("d", partial(job, "d"))
    back["a"].set()
    await turns()
    assert order[2:] == ["c"]
    going.set()
    await turns()
    assert order[3:] == ["a is back", "d", "a2"]
    assert room.done()
    assert lanes.begun == 1
    await lanes.cut()
    await asyncio.wait_for(lanes.ended(), 20)
    assert "b is back" not in order
