"""Commands per second of one process on a cluster: our client beside redis-py's.

`python -m tests.bench.cluster_client` starts a cluster of 3 + 3, and prints a table for ADR 19.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from redis.asyncio.cluster import RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from batonbox_server.store.address import Address
from batonbox_server.store.cluster import ClusterClient
from batonbox_server.store.library import Library
from batonbox_server.torture.sites.cluster import ClusterSite

SECONDS, ROUNDS = 2.0, 3
LIBRARY = Library(
    "batonbox_bench",
    b"#!lua name=batonbox_bench\n"
    b"redis.register_function('bench', function(KEYS, ARGV)\n"
    b"return redis.call('INCRBY', KEYS[1] .. ':n', ARGV[1]) end)\n",
)
Call = Callable[[str], Awaitable[Any]]


async def rate(call: Call, callers: int) -> tuple[float, float]:
    """Calls per second, and microseconds of this process's CPU for each."""
    end_s, done = time.monotonic() + SECONDS, 0

    async def caller(number: int) -> None:
        nonlocal done
        while time.monotonic() < end_s:
            await call(f"bench{{{number % 64}}}")
            done += 1

    began_s, cpu_s = time.monotonic(), time.process_time()
    await asyncio.gather(*map(caller, range(callers)))
    took_s = time.monotonic() - began_s
    return done / took_s, (time.process_time() - cpu_s) / done * 1e6


async def main() -> None:
    """Both in turn, each several times; the best of each."""
    with tempfile.TemporaryDirectory() as folder:
        site = ClusterSite(Path(folder))
        try:
            await site.start()
            ours = ClusterClient(Address.parse(site.url))
            ours.know({LIBRARY})
            await ours.connect()
            engine = site.engines[0]
            theirs: Any = RedisCluster(
                host="127.0.0.1", port=engine.port, password=engine.password,
                retry=Retry(NoBackoff(), 0), reinitialize_steps=0, max_connections=512,
            )  # fmt: skip
            calls: dict[str, Call] = {
                "ours": lambda key: ours.evaluate("bench", key, (1,)),
                "redis-py": lambda key: theirs.fcall("bench", 1, key, 1),
            }
            for callers in (1, 50, 500):
                found = {name: [await rate(call, callers) for _ in range(ROUNDS)]
                         for name, call in calls.items()}  # fmt: skip
                for name, rates in found.items():
                    per_s, cpu_us = max(rates)
                    print(f"{callers} callers, {name}: {per_s:,.0f}/s, {cpu_us:.0f} µs CPU each")
            await theirs.aclose()
            await ours.aclose()
        finally:
            await site.stop()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
