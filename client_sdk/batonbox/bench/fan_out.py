"""Fan-out, saturated: as many events as the window allows, each to every subscriber."""

from __future__ import annotations

import asyncio
import time
from statistics import median
from typing import Final

from batonbox._errors import ConnectionLost, RateLimited
from batonbox._wire import Frame
from batonbox.bench.commander import Commander, failure
from batonbox.bench.digest import Digests, stamp
from batonbox.bench.floor import floor_per_s
from batonbox.bench.ground import Ground
from batonbox.bench.meter import Meter, quiet, until
from batonbox.bench.opening import Turned, open_all
from batonbox.bench.plan import Result
from batonbox.bench.remedies import of_ends, of_refusals, of_status
from batonbox.bench.server import cpu_each, usage
from batonbox.bench.subscriber import Audience, Subscriber
from batonbox.bench.tally import Account

__all__ = ["Fan", "fan_out"]

EVENT_BYTES: Final = 200
_SLICES: Final = 5
_SENDERS: Final = 16
_LAST_S: Final = 15.0
_AGAIN_S: Final = 0.1


class Fan:
    """One inbox: a commander whose notes go to an audience, at most `window` in the air.

    In the air is what has been sent and not yet been received by everybody.  Nobody else may write
    to this inbox meanwhile.
    """

    def __init__(
        self, sender: Commander, audience: Audience, *, inbox: str, conv: str, run: str
    ) -> None:
        self.sender: Commander = sender
        self.audience: Audience = audience
        self.inbox: str = inbox
        self.conv: str = conv
        self.sent: int = 0
        self.refused = self.top = 0
        self.window: int = 0
        self.took_s: list[float] = []
        self._run = run
        # Nearly: a snapshot may be older than the log. The first answer tells exactly.
        self._base = audience.slowest(inbox)
        self._taken = 0
        self._text = "x" * EVENT_BYTES

    def begin(self, window: int) -> None:
        """Keep the window full until `end`."""
        self.window = window
        self.audience.reached = self._fill
        self._fill()

    def end(self) -> None:
        """Send nothing more."""
        self.window = 0
        self.audience.threshold = float("inf")

    def send(self) -> None:
        """One event."""
        now_s = time.perf_counter()
        cid = stamp(f"{self._run}.{self.sent}", now_s)
        self.sent += 1

        def then(frame: Frame) -> None:
            self.took_s.append(time.perf_counter() - now_s)
            error = failure(frame)
            if error is not None:
                self.refused += 1
                wait_s = error.retry_after_s if isinstance(error, RateLimited) else _AGAIN_S
                asyncio.get_running_loop().call_later(wait_s, self._fill)
            else:
                self._taken += 1
                self.top = int(frame[2]["seq"])
                self._base = self.top - self._taken

        self.sender.command("note", {"conv": self.conv, "text": self._text, "cid": cid}, then)

    async def settled(self) -> bool:
        """Wait until all is answered and everybody has everything; raises ConnectionLost."""
        await until(lambda: not self.sender.in_flight, timeout_s=_LAST_S)
        if self.sender.ended:
            raise ConnectionLost(self.sender.ended)
        return await self.audience.until({self.inbox: self.top}, timeout_s=_LAST_S)

    def _fill(self) -> None:
        if not self.window:
            return
        audience = self.audience
        in_air = self._top() - audience.slowest(self.inbox)
        for _ in range(self.window - in_air):
            self.send()
        # Looking at everybody costs: once a quarter of the window has come, or all of it.
        most = len(audience.members) * max(1, self.window // 4)
        audience.threshold = audience.total + min(most, audience.behind(self.inbox, self._top()))

    def _top(self) -> int:
        """The number that the newest of our events has, once the server has taken them all."""
        return self._base + self.sent - self.refused


async def fan_out(ground: Ground) -> Result:
    """Deliveries per second with the window always full, spread over the plan's inboxes."""
    plan, turned = ground.plan, Turned()
    count, spread = plan.count("fanout"), min(plan.inboxes, plan.count("fanout"))
    over = f", {spread} inboxes" if spread > 1 else ""
    plan.progress(f"fan-out: {count} subscribers{over}, window {plan.window}")
    fans = await _fans(ground, count // spread, turned)
    members = [member for fan in fans for member in fan.audience.members]
    senders = list({fan.sender: None for fan in fans})
    try:
        with quiet():
            for fan in fans:
                fan.begin(max(1, plan.window // spread))
            await asyncio.sleep(plan.warm_up_s)
            first, before, meter = _Seen(fans), await usage(ground.http), Meter()
            part_s = plan.seconds / _SLICES
            rates = [await _slice(fans, part_s) for _ in range(_SLICES)]
            seconds, busy = meter.seconds, meter.busy
            last, after = _Seen(fans), await usage(ground.http)
            for fan in fans:
                fan.end()
        account = Account()
        for fan in fans:
            await fan.settled()
            account += fan.audience.account({fan.inbox: fan.top})
        notes = of_ends(members)
    finally:
        for link in (*members, *senders):
            link.close()
    deliveries = last.total - first.total
    per_message = deliveries / max(1, last.messages - first.messages)
    ceiling = await floor_per_s(
        len(members), per_message=round(per_message), event_bytes=EVENT_BYTES
    )
    figures = {
        "subscribers": len(members),
        "inboxes": spread,
        "window": plan.window,
        "deliveries_per_s": round(median(rates)),
        "slowest_slice_per_s": round(min(rates)),
        "fastest_slice_per_s": round(max(rates)),
        **cpu_each(before, after, deliveries),
        "events_per_s": round((last.sent - first.sent) / seconds, 1),
        "events_per_message": round(per_message, 1),
        "client_ceiling_per_s": round(ceiling),
    }
    for sender in senders:
        notes += of_refusals(sender.refused)
    return Result(
        workload="fanout",
        figures=figures,
        account=account,
        client_busy=busy,
        notes=notes + of_status(turned.away),
    )


async def _fans(ground: Ground, listeners: int, turned: Turned) -> list[Fan]:
    """One per inbox; they share the connections that write."""
    inboxes = list(ground.homes)[: ground.plan.count("fanout")]
    digests = Digests()
    audiences = [Audience(digests=digests) for _ in inboxes]

    def make(number: int) -> Subscriber:
        at = number % len(inboxes)
        return ground.subscriber(number, audiences[at], inbox=inboxes[at])

    for member in await open_all(make, listeners * len(inboxes), turned=turned):
        member.audience.members.append(member)
    senders = await ground.commanders(min(_SENDERS, len(inboxes)), inboxes=inboxes)
    return [
        Fan(
            senders[number % len(senders)],
            audience,
            inbox=inbox,
            conv=ground.homes[inbox],
            run=f"{ground.plan.run}.{number}",
        )
        for number, (inbox, audience) in enumerate(zip(inboxes, audiences, strict=True))
    ]


class _Seen:
    """What has been counted so far."""

    def __init__(self, fans: list[Fan]) -> None:
        self.total = sum(fan.audience.total for fan in fans)
        self.messages = sum(fan.audience.messages for fan in fans)
        self.sent = sum(fan.sent for fan in fans)


async def _slice(fans: list[Fan], seconds: float) -> float:
    before, began_s = _Seen(fans).total, time.perf_counter()
    await asyncio.sleep(seconds)
    return (_Seen(fans).total - before) / (time.perf_counter() - began_s)
