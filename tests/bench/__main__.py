"""`python -m tests.bench [--quick] [--only PART,...] [--out FILE]`: figures of this machine.

Servers and their engines on one core, the load on the other; CPU from /proc schedstat of every
thread; a warm-up and five rounds, medians; loss, doubles and order counted. Ratios within a run
are what counts. Writes FILE.json, FILE.md and FILE-*.svg.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog
import uvloop

from batonbox.bench import raise_file_limit

from .figures import Figures
from .machine import machine
from .plots import plotted
from .processes import LOAD_CORE
from .report import Run, text

# Part -> module and function; a part is imported when it is measured.
PARTS: Final = {
    "scripts": "scripts.script_figures",
    "commands": "turns.command_figures",
    "workers": "turns.worker_figures",
    "fanout": "fans.fan_out_figures",
    "latency": "fans.latency_figures",
    "handshakes": "links.handshake_figures",
    "idle": "links.idle_figures",
    "storms": "links.storm_figures",
    "typing": "typing.typing_figures",
    "growth": "growth.growth_figures",
    "capacity": "capacity.capacity_figures",
    "page": "page.page_figures",
    "archive": "archive.archive_figures",
    "search": "search.search_figures",
    "overload": "overload.overload_figures",
}
# They need this process on both cores.
_EVERYWHERE: Final = frozenset({"page", "archive", "search", "capacity", "growth", "scripts"})
_ROWS: Final = frozenset({"capacity", "growth", "typing"})  # parts that return theirs


def main() -> None:
    """Parse, measure part by part, write after each."""
    parser = argparse.ArgumentParser(prog="tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer cases, two rounds")
    parser.add_argument("--only", type=_parts, default=list(PARTS), metavar="PART,...")
    parser.add_argument("--out", type=Path, help="default: build/bench/<date>")
    given = parser.parse_args()
    raise_file_limit()
    quiet = structlog.make_filtering_bound_logger(logging.ERROR)
    structlog.configure(wrapper_class=quiet)
    out = given.out or Path("build/bench") / time.strftime("%Y-%m-%d-%H%M%S")
    out.parent.mkdir(parents=True, exist_ok=True)
    run: dict[str, Any] = {"date": time.strftime("%Y-%m-%d %H:%M"), "quick": given.quick}
    run |= {"machine": machine(), "seconds": {}, "failed": [], "figures": []}
    for part in given.only:
        print(f"{part} ...", flush=True)
        began_s = time.perf_counter()
        try:
            run["figures"] += _measured(part, quick=given.quick).rows
        except Exception:  # what the other parts found is not lost with one
            run["failed"].append(part)
            traceback.print_exc()
        run["seconds"][part] = round(time.perf_counter() - began_s)
        Path(f"{out}.json").write_text(json.dumps(run, indent=1) + "\n")
        print(text([Run(run)], only=part), flush=True)
    found = [Run(run)]
    Path(f"{out}.md").write_text(text(found) + "\n")
    print(text(found, only="targets"))
    print(f"wrote {out}.json, {out}.md {' '.join(map(str, plotted(run, out)))}")
    if run["failed"]:
        sys.exit(f"failed: {', '.join(run['failed'])}")


def _measured(part: str, *, quick: bool) -> Figures:
    module, _, name = PARTS[part].partition(".")
    measure = getattr(importlib.import_module(f"tests.bench.{module}"), name)
    cores = os.sched_getaffinity(0)
    if part not in _EVERYWHERE:
        os.sched_setaffinity(0, {LOAD_CORE})
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_figures(part, partial(measure, quick=quick)))
    finally:
        os.sched_setaffinity(0, cores)


async def _figures(part: str, measure: Callable[..., Awaitable[Any]]) -> Figures:
    figures = Figures()
    if part in _ROWS:
        figures.extend(await measure())
    else:
        await measure(figures)
    return figures


def _parts(given: str) -> list[str]:
    names = [name.strip() for name in given.split(",")]
    if unknown := set(names) - set(PARTS):
        told = f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}"
        raise argparse.ArgumentTypeError(told)
    return names


if __name__ == "__main__":
    main()
