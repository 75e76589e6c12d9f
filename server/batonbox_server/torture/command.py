"""`batonbox-server torture`: break what can be broken, and say whether promises were kept."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from batonbox_server.cli_base import failing_with, log_to_stderr, say_aside
from batonbox_server.cli_base import run as run_loop

if TYPE_CHECKING:
    from .report import Report

__all__ = ["torture_command"]

_NOT_RUN: Final = 2


@click.command("torture")
@click.option(
    "--minutes",
    type=click.FloatRange(0.05, 24 * 60),
    default=10.0,
    show_default=True,
    help="How long, about.",
)
@click.option("--seed", type=int, help="Which plan; a run says its own. [default: a random one]")
@click.option(
    "--topology",
    type=click.Choice(["standalone", "sentinel", "cluster"]),
    default="standalone",
    show_default=True,
    help="Engines to start for it.",
)
@click.option("--nodes", type=click.IntRange(1, 8), default=2, show_default=True)
@click.option(
    "--url", default="", help="An engine of yours instead: it is loaded, in a key space of its own."
)
@click.option(
    "--allow",
    default=None,
    help="Faults, comma-separated; `list` lists them. [default: all, with --url those that touch"
    " only nodes and their clients]",
)
@click.option(
    "--dur",
    type=click.Choice(["memory", "replica", "fsync"]),
    default="memory",
    show_default=True,
    help="How durable commands ask to be.",
)
@click.option(
    "--json",
    "as_json",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the verdict there; - prints it instead of the report.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the records of rounds with violations, and the logs of nodes, there.",
)
@click.option("--keep", is_flag=True, help="Keep the records of all rounds.")
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
def torture_command(
    minutes: float, seed: int | None, topology: str, nodes: int, url: str, allow: str | None,
    dur: str, as_json: Path | None, out: Path | None, keep: bool, quiet: bool,
) -> None:  # fmt: skip
    """Load a site, strike it with faults, and check every promise. It makes that site.

    Exit status: 0 all promises kept, 1 violations, 2 could not run. See docs/torture.md.
    """
    from .driver import Options, run  # other commands start without all of this

    if allow == "list":
        _list()
        return
    options = Options(
        minutes=minutes,
        seed=random.SystemRandom().randrange(10**6) if seed is None else seed,
        topology=topology,
        nodes=nodes,
        url=url,
        allow=_names(allow),
        dur=dur,
        out=out,
        keep=keep,
    )
    folder = Path(tempfile.mkdtemp(prefix="bb-torture-"))
    log_to_stderr("error")
    try:
        with failing_with(_NOT_RUN):
            say = _hush if quiet else say_aside
            report = run_loop(lambda: _until_told(run(options, folder, say=say)))
    except (KeyboardInterrupt, asyncio.CancelledError):
        say_aside("interrupted; everything that was started has been ended")
        sys.exit(_NOT_RUN)
    finally:
        if out is not None:
            _keep_logs(folder, out)
        shutil.rmtree(folder, ignore_errors=True)
    _tell(report, as_json)
    sys.exit(report.status)


async def _until_told(running: Coroutine[Any, Any, Report]) -> Report:
    """Run it; SIGTERM ends it in good order, as Ctrl-C does."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await running


def _names(allow: str | None) -> tuple[str, ...] | None:
    if allow is None:
        return None
    from .nemeses import NEMESES

    names = tuple(name.strip() for name in allow.split(",") if name.strip())
    unknown = [name for name in names if name not in NEMESES]
    if unknown:
        raise click.UsageError(f"--allow: no such fault: {', '.join(unknown)}; `list` lists them.")
    return names


def _list() -> None:
    from .nemeses import NEMESES

    for name, nemesis in NEMESES.items():
        where = ", ".join(sorted(nemesis.topologies))
        whose = "the run's engines only, or by --allow" if nemesis.own_engine else "any engine"
        click.echo(f"{name:<20} {where} ({whose})")


def _tell(report: Report, as_json: Path | None) -> None:
    text = json.dumps(report.as_map())
    if as_json is not None and str(as_json) == "-":
        click.echo(text)
        return
    if as_json is not None:
        as_json.write_text(text + "\n", encoding="utf-8")
    click.echo("\n".join(report.lines()))


def _keep_logs(folder: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for log in folder.glob("*.log"):
        shutil.copy(log, out)


def _hush(_: str) -> None:
    pass
