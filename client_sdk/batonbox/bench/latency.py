"""Latency at a load that the server can take: from a command's write to each subscriber."""

from __future__ import annotations

import asyncio
import time

from batonbox.bench.fan_out import Fan
from batonbox.bench.ground import Ground
from batonbox.bench.meter import Meter, quiet
from batonbox.bench.opening import Turned
from batonbox.bench.plan import Result, percentiles
from batonbox.bench.remedies import of_ends, of_refusals, of_status
from batonbox.bench.server import cpu_each, usage
from batonbox.bench.subscriber import Audience

__all__ = ["latency", "paced"]


async def latency(ground: Ground) -> Result:
    """p50, p99 and max over all deliveries; the client's reading of all sockets is in them."""
    plan, turned, audience = ground.plan, Turned(), Audience(timed=True)
    count = plan.count("latency")
    plan.progress(f"latency: {plan.rate_per_s:g} events/s to {count} subscribers")
    members = await ground.subscribers(audience, count, turned=turned)
    (sender,) = await ground.commanders(1)
    fan = Fan(sender, audience, inbox=ground.inbox, conv=ground.conversations[0], run=plan.run)
    try:
        with quiet():
            await paced(fan, plan.rate_per_s, seconds=plan.warm_up_s)
            del audience.took_s[:]
            fan.took_s.clear()
            before = await usage(ground.http)
            meter, sent, total = Meter(), fan.sent, audience.total
            await paced(fan, plan.rate_per_s, seconds=plan.seconds)
            rate, busy = (fan.sent - sent) / meter.seconds, meter.busy
            after, deliveries = await usage(ground.http), audience.total - total
        await fan.settled()
        account, notes = audience.account({ground.inbox: fan.top}), of_ends(members)
    finally:
        for link in (*members, sender):
            link.close()
    figures = {
        "subscribers": count,
        "events_per_s": round(rate, 1),
        **cpu_each(before, after, deliveries),
        **percentiles(list(audience.took_s), "delivery_"),
        **percentiles(fan.took_s, "command_"),
    }
    notes += of_refusals(sender.refused) + of_status(turned.away)
    return Result(
        workload="latency", figures=figures, account=account, client_busy=busy, notes=notes
    )


async def paced(fan: Fan, rate_per_s: float, *, seconds: float) -> None:
    """Events by the clock, whether the ones before have arrived or not."""
    began_s = time.perf_counter()
    for number in range(1, round(rate_per_s * seconds) + 1):
        if fan.sender.ended:
            return
        fan.send()
        await asyncio.sleep(max(0.0, began_s + number / rate_per_s - time.perf_counter()))
