"""A storm: everybody's connection breaks at once, everybody comes back and resumes."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from batonbox._backoff import Backoff
from batonbox._errors import ConnectionLost
from batonbox._tasks import cancel_all, spawn
from batonbox.bench.fan_out import Fan
from batonbox.bench.ground import Ground
from batonbox.bench.latency import paced
from batonbox.bench.lean import Refused
from batonbox.bench.meter import Meter, quiet
from batonbox.bench.opening import Turned, open_one
from batonbox.bench.plan import Result, percentiles
from batonbox.bench.remedies import of_ends, of_refusals, of_status
from batonbox.bench.subscriber import Audience, Subscriber

__all__ = ["storm"]

_RATE_PER_S: Final = 20.0
_BACK_S: Final = 60.0
_BACKOFF: Final = Backoff()


async def storm(ground: Ground) -> Result:
    """Events go on meanwhile: whoever comes back gets what was missed, once and in order."""
    plan, turned, audience = ground.plan, Turned(), Audience()
    count = plan.count("storm")
    plan.progress(f"storm: {count} subscribers lose their connection at once")
    await ground.subscribers(audience, count)
    (sender,) = await ground.commanders(1)
    fan = Fan(sender, audience, inbox=ground.inbox, conv=ground.conversations[0], run=plan.run)
    owner: set[asyncio.Task[None]] = set()
    try:
        spawn(owner, paced(fan, _RATE_PER_S, seconds=_BACK_S), name="bench-storm-events")
        await asyncio.sleep(plan.warm_up_s)
        with quiet():
            meter, back_s = Meter(), await _all_back(ground, audience, turned)
            busy = meter.busy
        caught_up = await audience.until({ground.inbox: fan.top}, timeout_s=_BACK_S)
        caught_up_s = meter.seconds
        await cancel_all(owner)
        await fan.settled()
        account, notes = audience.account({ground.inbox: fan.top}), of_ends(audience.members)
    finally:
        await cancel_all(owner)
        for link in (*audience.members, sender):
            link.close()
    figures = {
        "subscribers": count,
        "events_per_s": _RATE_PER_S,
        "all_back_s": round(max(back_s), 3),
        **({"all_caught_up_s": round(caught_up_s, 3)} if caught_up else {}),
        **percentiles(back_s, "back_"),
    }
    notes += of_status(turned.away) + of_refusals(sender.refused)
    return Result(workload="storm", figures=figures, account=account, client_busy=busy, notes=notes)


async def _all_back(ground: Ground, audience: Audience, turned: Turned) -> list[float]:
    """Cut everybody off, and bring everybody back; when each one was, in seconds."""
    before, began_s = audience.members, time.perf_counter()
    for member in before:
        member.cut()

    async def comes_back(number: int, was: Subscriber) -> tuple[Subscriber, float]:
        failures, after_s, spread_s = 0, 0.0, was.reconnect_s
        while True:
            await asyncio.sleep(_BACKOFF.delay_s(failures, spread_s=spread_s, after_s=after_s))
            try:
                link = await open_one(
                    lambda: ground.subscriber(number, audience, tallies=was.tallies)
                )
                return link, time.perf_counter() - began_s
            except ConnectionLost as lost:
                if isinstance(lost, Refused):
                    turned.add(lost.status)
                if time.perf_counter() - began_s > _BACK_S:
                    raise
                after_s, spread_s = lost.retry_after_s, 0.0
            failures += 1

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(comes_back(number, member))
                for number, member in enumerate(before)
            ]
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
    audience.members = [task.result()[0] for task in tasks]
    return [task.result()[1] for task in tasks]
