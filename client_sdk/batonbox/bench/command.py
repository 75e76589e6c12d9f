"""The command's arguments, and what it prints and writes."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

from batonbox._scratch import PER_AREA as INBOXES_MAX
from batonbox._transport import base_url, websocket_url
from batonbox.bench.plan import CLIENTS, WORKLOADS, Plan, Result
from batonbox.bench.report import table, verdict
from batonbox.bench.run import Outcome, run_bench

__all__ = ["configure", "fastest_loop", "measured"]

_STDOUT: Final = "-"


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments besides --url, --token and --timeout; --json takes a file here."""
    usual = ", ".join(f"{name} {count}" for name, count in CLIENTS.items())
    parser.add_argument(
        "--only",
        type=_workloads,
        default=WORKLOADS,
        metavar="NAMES",
        help=f"comma-separated, of: {', '.join(WORKLOADS)}",
    )
    parser.add_argument(
        "--clients", type=_count, default=0, metavar="N", help=f"connections (default: {usual})"
    )
    parser.add_argument(
        "--seconds", type=_seconds, default=5.0, metavar="S", help="of each workload (default: 5)"
    )
    parser.add_argument(
        "--window", type=_count, default=64, metavar="N", help="fan-out: events in the air"
    )
    parser.add_argument(
        "--inboxes", type=_inboxes, default=1, metavar="N", help="fan-out: spread over so many"
    )
    parser.add_argument(
        "--rate", type=_seconds, default=50.0, metavar="R", help="latency: events per second"
    )
    parser.add_argument(
        "--json", metavar="FILE", help=f"write all figures there; {_STDOUT}: print nothing else"
    )


async def measured(
    args: argparse.Namespace, *, show: Callable[[str], None], say: Callable[[str], None]
) -> bool:
    """Run it; False: events were lost, doubled or out of order."""
    quiet = args.json == _STDOUT
    plan = Plan(
        url=_http(base_url(args.url)),
        token=args.token,
        only=args.only,
        clients=args.clients,
        seconds=args.seconds,
        window=args.window,
        inboxes=args.inboxes,
        rate_per_s=args.rate,
        timeout_s=args.timeout,
        progress=say,
    )

    def began(outcome: Outcome) -> None:
        if not quiet:
            show(outcome.heading())

    def shown(result: Result) -> None:
        if not quiet:
            show(f"\n{table(result)}")

    outcome = await run_bench(plan, began=began, shown=shown)
    if quiet:
        show(json.dumps(outcome.as_map()))
        return outcome.right
    show(f"\n{verdict(outcome.results)}")
    if args.json:
        text = json.dumps(outcome.as_map(), indent=2)
        await asyncio.to_thread(Path(args.json).write_text, f"{text}\n", encoding="utf-8")
    return outcome.right


def fastest_loop() -> asyncio.AbstractEventLoop:
    """uvloop's where that is installed: what the client takes, the server cannot show."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _http(url: str) -> str:
    """Its HTTP calls go to the same address, whichever of the schemes was given."""
    websocket_url(url)
    return "http" + url.removeprefix("ws") if url.startswith("ws") else url


def _workloads(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    unknown = set(names) - set(WORKLOADS)
    if unknown:
        raise argparse.ArgumentTypeError(f"has to be of {', '.join(WORKLOADS)}")
    return names


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("has to be 1 or more")
    return value


def _inboxes(text: str) -> int:
    value = _count(text)
    if value > INBOXES_MAX:
        raise argparse.ArgumentTypeError(f"has to be {INBOXES_MAX} or less")
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError("has to be more than 0")
    return value
