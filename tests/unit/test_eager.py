"""A coroutine that goes on without a task until it has to wait a second time."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import Any

import pytest
from structlog.testing import capture_logs

from batonbox_server.asgi import eager
from batonbox_server.tasks import cancel_all

here: ContextVar[str] = ContextVar("here", default="outside")


@pytest.fixture
def owner() -> set[asyncio.Task[Any]]:
    """Of the tasks that take over."""
    return set()


async def test_it_begins_at_once_and_goes_on_with_the_answer_without_a_task(
    owner: set[asyncio.Task[Any]],
) -> None:
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    seen: list[str] = []

    async def work() -> None:
        here.set("inside")
        seen.append("begun")
        seen.append(await answer)
        seen.append(here.get())

    eager.run(work(), owner, name="work")
    assert seen == ["begun"]
    assert here.get() == "outside"
    answer.set_result("answered")
    assert seen == ["begun"]  # those who answer many tell them all first
    await asyncio.sleep(0)
    assert seen == ["begun", "answered", "inside"]
    assert not owner


async def test_an_error_is_raised_where_it_waits_and_a_crash_is_logged(
    owner: set[asyncio.Task[Any]],
) -> None:
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def work() -> None:
        with pytest.raises(OSError, match="away"):
            await answer
        raise KeyError("a fault")

    with capture_logs() as logs:
        eager.run(work(), owner, name="work")
        answer.set_exception(OSError("away"))
        await asyncio.sleep(0)
    assert [(entry["event"], entry["task"]) for entry in logs] == [("task_crashed", "work")]


async def test_what_it_raises_before_it_waits_is_raised_there(
    owner: set[asyncio.Task[Any]],
) -> None:
    async def work() -> None:
        raise KeyError("a fault")

    with pytest.raises(KeyError):
        eager.run(work(), owner, name="work")


async def test_a_task_takes_over_when_it_waits_again(owner: set[asyncio.Task[Any]]) -> None:
    loop = asyncio.get_running_loop()
    first, second = loop.create_future(), loop.create_future()
    seen: list[Any] = []

    async def work() -> None:
        here.set("inside")
        await first
        seen.append(await second)
        seen.append(here.get())

    eager.run(work(), owner, name="work")
    first.set_result(None)
    await asyncio.sleep(0)
    (task,) = owner
    assert task.get_name() == "work"
    second.set_result("again")
    await task
    assert seen == ["again", "inside"]


async def test_a_timeout_that_begins_before_the_task_does_ends_it(
    owner: set[asyncio.Task[Any]],
) -> None:
    loop = asyncio.get_running_loop()
    first, never = loop.create_future(), loop.create_future()
    seen: list[str] = []

    async def work() -> None:
        await first
        try:
            async with asyncio.timeout(0.01):
                await never
        except TimeoutError:
            seen.append("late")
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0  # the timeout took back what it had asked for

    eager.run(work(), owner, name="work")
    first.set_result(None)
    await asyncio.sleep(0)
    (task,) = owner
    await task
    assert seen == ["late"]


async def test_a_group_that_begins_before_the_task_does_ends_with_it(
    owner: set[asyncio.Task[Any]],
) -> None:
    loop = asyncio.get_running_loop()
    first, never = loop.create_future(), loop.create_future()
    seen: list[str] = []

    async def fails() -> None:
        raise OSError("away")

    async def work() -> None:
        await first
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(fails())
                await never
        except* OSError:
            seen.append("failed")

    eager.run(work(), owner, name="work")
    first.set_result(None)
    await asyncio.sleep(0)
    (task,) = owner
    await task
    assert seen == ["failed"]


async def test_nobody_else_is_taken_for_the_current_task(owner: set[asyncio.Task[Any]]) -> None:
    first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    seen: list[Any] = []

    async def work() -> None:
        await first
        seen.append(asyncio.current_task())
        await asyncio.sleep(3600)

    mine = asyncio.current_task()
    eager.run(work(), owner, name="work")
    asyncio.get_running_loop().call_soon(lambda: seen.append(asyncio.current_task()))
    first.set_result(None)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(seen) == 2
    assert None in seen  # what the loop calls has none
    assert mine not in seen
    assert asyncio.current_task() is mine
    await cancel_all(owner)
    assert not owner
