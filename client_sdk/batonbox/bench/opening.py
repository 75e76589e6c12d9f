"""Opening many connections: a few at once, again when the server asks to wait."""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from batonbox._backoff import Backoff
from batonbox._errors import ConnectionLost
from batonbox.bench.lean import Lean, Refused

__all__ = ["AT_ONCE", "OPEN_S", "Turned", "open_all", "open_one", "raise_file_limit"]

AT_ONCE = 64
OPEN_S = 10.0

_BACKOFF = Backoff(base_s=0.1, cap_s=5.0)

L = TypeVar("L", bound=Lean)


class Turned:
    """How often the server asked to come back later, by HTTP status."""

    def __init__(self) -> None:
        self.away: dict[int, int] = {}

    def add(self, status: int) -> None:
        """Once more."""
        self.away[status] = self.away.get(status, 0) + 1


async def open_one(make: Callable[[], L], *, timeout_s: float = OPEN_S) -> L:
    """Connect once and wait until it is ready.

    Raises Refused (again later), ConnectionLost, or what the server refused for good with.
    """
    loop = asyncio.get_running_loop()
    link = make()
    address = link.address
    try:
        async with asyncio.timeout(timeout_s):
            await loop.create_connection(lambda: link, address.host, address.port, ssl=address.tls)
            await link.ready
    except TimeoutError:
        _drop(link)
        raise ConnectionLost(f"no answer from {address.netloc} in {timeout_s:g} s") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConnectionLost(f"cannot connect to {address.netloc}: {reason}") from None
    except BaseException:
        _drop(link)
        raise
    return link


async def open_all(
    make: Callable[[int], L],
    count: int,
    *,
    at_once: int = AT_ONCE,
    patience_s: float = 120.0,
    turned: Turned | None = None,
) -> list[L]:
    """`make(0)` to `make(count - 1)`, all ready; raises as `open_one` once patience is over."""
    turned = turned or Turned()
    give_up_s = time.perf_counter() + patience_s
    links: list[L | None] = [None] * count
    numbers = iter(range(count))

    async def worker() -> None:
        for number in numbers:
            links[number] = await _patiently(partial(make, number), give_up_s, turned)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(at_once, count)):
                group.create_task(worker())
    except BaseExceptionGroup as failed:
        for link in links:
            if link is not None:
                link.cut()
        raise failed.exceptions[0] from None
    return [link for link in links if link is not None]


def raise_file_limit() -> int:
    """As many open files as this process may have; returns the number."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (ValueError, OSError):  # macOS says "unlimited" and takes less
        pass
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


async def _patiently(make: Callable[[], L], give_up_s: float, turned: Turned) -> L:
    failures = 0
    while True:
        try:
            return await open_one(make)
        except ConnectionLost as lost:
            if isinstance(lost, Refused):
                turned.add(lost.status)
            wait_s = _BACKOFF.delay_s(failures, after_s=lost.retry_after_s)
            if time.perf_counter() + wait_s > give_up_s:
                raise
        failures += 1
        await asyncio.sleep(wait_s)


def _drop(link: Lean) -> None:
    if hasattr(link, "transport"):
        link.cut()
