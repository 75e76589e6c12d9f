"""When people are told of what moved."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from batonbox_server.hub.pushing import Pushes
from batonbox_server.hub.seated import SeatedFollower
from tests.support import eventually


class Moving:
    """Something that moves; it remembers when it was pushed."""

    def __init__(self) -> None:
        self.pushed_at_s = 0.0
        self.pushed: list[float] = []

    def push(self) -> bool:
        self.pushed.append(asyncio.get_running_loop().time())
        return True


def moves(pushes: Pushes, *them: Moving) -> float:
    """Each of them moves now; returns when that is."""
    for one in them:
        pushes.moved(cast(SeatedFollower, one))
    return asyncio.get_running_loop().time()


async def test_what_moves_all_the_time_is_told_at_the_pace_and_last_of_all() -> None:
    pushes, busy = Pushes(interval_s=0.1), Moving()
    began_s = moved_s = moves(pushes, busy)
    while moved_s - began_s < 0.35:
        moved_s = moves(pushes, busy)
        await asyncio.sleep(0)
    await eventually(lambda: busy.pushed[-1] >= moved_s)
    gaps = [later - sooner for sooner, later in zip(busy.pushed, busy.pushed[1:], strict=False)]
    assert 3 <= len(busy.pushed) <= 5
    assert min(gaps) >= 0.09
    pushes.close()


async def test_what_was_quiet_does_not_wait_for_what_is_busy() -> None:
    pushes, busy, quiet = Pushes(interval_s=5.0), Moving(), Moving()
    moves(pushes, busy)
    await eventually(lambda: busy.pushed)
    moves(pushes, busy)
    began_s = moves(pushes, quiet)
    await eventually(lambda: quiet.pushed, timeout_s=2)
    assert quiet.pushed[0] - began_s < 2
    assert len(busy.pushed) == 1
    pushes.close()


async def test_nothing_is_told_any_more_after_the_end() -> None:
    pushes, one = Pushes(interval_s=0.0), Moving()
    moves(pushes, one)
    timer = pushes._timer
    pushes.close()
    assert timer is not None
    assert timer.cancelled()
    assert one.pushed == []


async def test_a_loop_whose_timers_that_are_due_tell_no_time_is_no_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As uvloop: what rounds to no time at all is called soon, by a handle of another kind."""
    loop = asyncio.get_running_loop()
    pushes, some, later = Pushes(interval_s=0.0), [Moving(), Moving()], loop.call_at

    def call_at(when_s: float, callback: Any, *args: Any, **more: Any) -> Any:
        if callback == pushes._push:
            return loop.call_soon(callback)
        return later(when_s, callback, *args, **more)

    monkeypatch.setattr(loop, "call_at", call_at)
    moves(pushes, *some)
    await eventually(lambda: all(one.pushed for one in some))
    pushes.close()
