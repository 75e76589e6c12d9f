"""The window of the fan-out: never more in the air, never stuck, however unevenly people read."""

from __future__ import annotations

import asyncio
import random
from typing import Any, cast

import pytest

from batonbox._wire import Op
from batonbox.bench import Audience, Commander, Subscriber, Tally
from batonbox.bench.fan_out import Fan

BEGIN = 10


class Server:
    """Numbers what is sent, and lets each reader have it in pieces; refuses some of it."""

    def __init__(self, *, readers: int, refuses: float, rng: random.Random) -> None:
        self.top, self.sent, self.in_flight, self.ended = BEGIN, 0, 0, ""
        self.refused, self._refuses, self._rng = 0, refuses, rng
        self.members = [Reader(BEGIN - rng.randint(0, 9)) for _ in range(readers)]

    def command(self, name: str, args: dict[str, Any], then: Any) -> None:
        assert (name, args["conv"]) == ("note", "sales.c1")
        self.sent += 1
        if self._rng.random() < self._refuses:
            self.refused += 1
            answer = [int(Op.ERR), 1, 111, "rate_limited", "slowly", 1]
        else:
            self.top += 1
            answer = [int(Op.OK), 1, {"seq": self.top}]
        asyncio.get_running_loop().call_soon(then, answer)


class Reader:
    """As far as an audience looks at a subscriber; its snapshot may be older than the log."""

    def __init__(self, begin: int) -> None:
        self.tallies = {"sales": Tally()}
        self.tallies["sales"].start("e", begin, "")


@pytest.mark.parametrize("window", [1, 3, 64])
@pytest.mark.parametrize("refuses", [0.0, 0.2])
@pytest.mark.parametrize("seed", range(3))
async def test_the_window_is_kept_full_and_never_exceeded(
    window: int, refuses: float, seed: int
) -> None:
    rng = random.Random(seed)
    server, audience = Server(readers=6, refuses=refuses, rng=rng), Audience()
    audience.members = cast(list[Subscriber], server.members)
    fan = Fan(cast(Commander, server), audience, inbox="sales", conv="sales.c1", run="r")
    fan.begin(window)
    async with asyncio.timeout(20):
        while server.top < BEGIN + 8 * window:
            await asyncio.sleep(0)
            reader = rng.choice(server.members[: rng.randint(1, 6)])
            tally = reader.tallies["sales"]
            last = rng.randint(tally.next, max(tally.next, server.top))
            if last > server.top:
                continue
            audience.total += last + 1 - tally.next
            tally.take(tally.next, last, "")
            if audience.total >= audience.threshold:
                audience.reached()
            slowest = min(r.tallies["sales"].next - 1 for r in server.members)
            assert server.top - max(BEGIN, slowest) <= window
    fan.end()
