"""`python -m tests.bench.attacking PORT TOKEN INBOX`: attacks a server until it is terminated.

It takes what the load client leaves of their core: that one's own waiting is not the server's.
"""

from __future__ import annotations

import os
import sys

import uvloop

from batonbox.bench import raise_file_limit
from tests.chaos.attack import Attack, Sizes

__all__: list[str] = []

_SIZES = Sizes(stalled=50, strangers=1000, dripping=300, bombs=1, subscriptions=10_000)


async def attack(port: int, token: str, inbox: str) -> None:
    """Those who stall, then everything else again and again."""
    it = Attack(port, token, _SIZES, inbox)
    stalled = await it.stall()
    print("under way", flush=True)
    while stalled:
        await it.all()


if __name__ == "__main__":
    raise_file_limit()
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    port, token, inbox = sys.argv[1:]
    uvloop.run(attack(int(port), token, inbox))
