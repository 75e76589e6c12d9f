"""Commands: Assign to Me and Return to Inbox in a closed loop; what servers and engine take."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from batonbox.bench import Commander, open_all
from batonbox.bench.commands import Worker
from batonbox.bench.meter import quiet, until

from .figures import Figures, Spent, spending
from .fixture import conv_of, user_of
from .processes import LOAD_CORE
from .targets import NAIVE, OURS, Target, opened, ours

__all__ = ["command_figures", "worker_figures"]

_CLIENTS: Final = (1, 50, 500)
_WORKERS: Final = (1, 2)
_PER_WORKERS: Final = 100
_WARM_UP_S: Final = 0.5
_LAST_S: Final = 30.0


class _Round:
    """What one round of one server took."""

    def __init__(self, spent: Spent, took_s: list[float]) -> None:
        self.spent = spent
        self.count = max(1, len(took_s))
        self.took_s = sorted(took_s) or [0.0]

    def values(self) -> dict[str, tuple[str, float]]:
        """By what they are: the unit, and the value."""
        spent, took_s = self.spent, self.took_s
        return {
            "rate": ("/s", self.count / spent.wall_s),
            "core": ("/s", self.count / max(1e-9, spent.server_s)),
            "server": ("us", 1e6 * spent.server_s / self.count),
            "engine": ("us", 1e6 * spent.engine_s / self.count),
            "share": ("%", 100 * spent.engine_s / spent.wall_s),
            "p50": ("ms", 1e3 * took_s[len(took_s) // 2]),
            "p99": ("ms", 1e3 * took_s[len(took_s) * 99 // 100]),
            "noise": ("%", 100 * spent.noise),
        }


async def command_figures(figures: Figures, *, quick: bool) -> None:
    """`commands.<server>.<clients>.<what>`: one in flight per client, each in its own inbox.

    `core`: commands per second of the server on a core; the engine is on the other, with the load.
    `server` and `engine`: CPU of one command; `share`: of a core, what the engine took.
    """
    rounds, seconds = (2, 1.0) if quick else (5, 2.0)
    cases = _CLIENTS[:2] if quick else _CLIENTS
    async with opened(OURS, NAIVE, inboxes=max(cases), engine_core=LOAD_CORE) as targets:
        for clients in cases:
            found: dict[str, list[_Round]] = {target.name: [] for target in targets}
            for number in range(rounds + 1):
                for target in targets:
                    one = await _round(target, clients, seconds)
                    if number:
                        found[target.name].append(one)
            for target in targets:
                _add(figures, f"commands.{target.name}.{clients}", found[target.name])


async def worker_figures(figures: Figures, *, quick: bool) -> None:
    """`workers.batonbox.<workers>.<what>`, as of `commands`: do more workers fill the engine?

    Nothing but the load is held to a core.
    """
    rounds, seconds = (2, 1.0) if quick else (5, 2.0)
    for workers in _WORKERS:
        async with ours(
            inboxes=_PER_WORKERS, core=None, engine_core=None, WORKERS=str(workers)
        ) as target:
            found = [await _round(target, _PER_WORKERS, seconds) for _ in range(rounds + 1)]
        _add(figures, f"workers.{target.name}.{workers}", found[1:])


def _add(figures: Figures, stem: str, rounds: list[_Round]) -> None:
    values = [one.values() for one in rounds]
    for name, (unit, _) in values[0].items():
        figures.add(f"{stem}.{name}", unit, [value[name][1] for value in values])


async def _round(target: Target, clients: int, seconds: float) -> _Round:
    async with _commanders(target, clients) as commanders:
        workers = [
            Worker(link, conv_of(number), run=uuid.uuid4().hex)
            for number, link in enumerate(commanders)
        ]
        with quiet():
            for worker in workers:
                worker.begin()
            await asyncio.sleep(_WARM_UP_S)
            for worker in workers:
                worker.took_s.clear()
            with spending(target) as spent:
                await asyncio.sleep(seconds)
                took_s = [took for worker in workers for took in worker.took_s]
            for worker in workers:
                worker.stop()
            await until(lambda: all(worker.idle for worker in workers), timeout_s=_LAST_S)
        failed = next((worker.failed for worker in workers if worker.failed is not None), None)
        if failed is not None:
            raise failed
        return _Round(spent, took_s)


@asynccontextmanager
async def _commanders(target: Target, count: int) -> AsyncIterator[list[Commander]]:
    async with AsyncExitStack() as stack:
        links = await open_all(
            lambda n: target.commander(user_of(n), path=target.command_path), count
        )
        for link in links:
            stack.callback(link.cut)
        yield links
