"""A whole run: the site, the rounds of its plan, the verdict of each, and a report."""

from __future__ import annotations

import asyncio
import platform
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from redis.exceptions import RedisError

from batonbox_server import __version__
from batonbox_server.errors import BatonboxError
from batonbox_server.tasks import cancel_all, spawn

from .checking import Verdict, Violation, check_round
from .ledger import Ledger
from .nemeses import NEMESES, OldFile
from .plan import Plan, Round, plan_of
from .record import write
from .report import Report, round_report
from .rounds import Played, play
from .site import Grounds, prepared
from .stage import Stage
from .workloads import WORKLOADS

__all__ = ["Options", "run"]

_PATIENCE: Final = 2.0  # times the minutes asked for: no round begins later than that
_LEAST_S: Final = 60.0
_TOLD_EVERY_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was asked for; `allow` None: what is allowed on such an engine by itself.

    `out`: where records of rounds with violations are kept; None: nowhere.
    """

    minutes: float
    seed: int
    topology: str = "standalone"
    nodes: int = 2
    url: str = ""
    allow: tuple[str, ...] | None = None
    dur: str = "memory"
    out: Path | None = None
    keep: bool = False


def allowed(options: Options, stage: Stage) -> tuple[list[str], dict[str, str]]:
    """The nemeses of this run, and why the others are left out."""
    chosen, left_out = [], {}
    for name, nemesis in NEMESES.items():
        why = nemesis.impossible(stage)
        if options.allow is not None:
            why = why or ("" if name in options.allow else "not in --allow")
        elif options.url and nemesis.own_engine:
            why = why or "touches your engine; name it with --allow if it may"
        if why:
            left_out[name] = why
        else:
            chosen.append(name)
    return chosen, left_out


async def run(options: Options, folder: Path, *, say: Callable[[str], None]) -> Report:
    """Run it in `folder`; `say` gets lines of progress.

    Raises Unready, EngineUnsuitable, EngineUnavailable: the site could not be started.
    """
    began_s = time.monotonic()
    say(f"starting {options.topology if not options.url else 'nodes'} ...")
    async with prepared(
        folder,
        topology=options.topology,
        url=options.url,
        nodes=options.nodes,
        settings={},
    ) as grounds:
        names, left_out = allowed(options, grounds.stage)
        plan = plan_of(
            seed=options.seed, minutes=options.minutes, workloads=list(WORKLOADS), nemeses=names
        )
        report = _report(options, grounds, plan, left_out)
        for line in plan.lines():
            say(line)
        until_s = began_s + max(_LEAST_S, _PATIENCE * 60 * options.minutes)
        try:
            await _rounds(options, grounds, report, until_s=until_s, say=say)
        except BatonboxError as error:
            report.trouble = str(error)
        report.took_s = time.monotonic() - began_s
    return report


def _report(options: Options, grounds: Grounds, plan: Plan, left_out: dict[str, str]) -> Report:
    site = grounds.stage.site
    return Report(
        seed=options.seed,
        minutes=options.minutes,
        topology=site.topology,
        dur=options.dur,
        nodes=options.nodes,
        versions={
            "batonbox": __version__,
            "engine": grounds.engine,
            "python": platform.python_version(),
        },
        settings=dict(site.settings),
        plan=plan,
        left_out=left_out,
    )


async def _rounds(
    options: Options,
    grounds: Grounds,
    report: Report,
    *,
    until_s: float,
    say: Callable[[str], None],
) -> None:
    ledger = Ledger()
    for one in report.plan.rounds:
        if time.monotonic() > until_s:
            report.left_out[f"rounds from {one.number} on"] = "the time was over"
            break
        progress = _Progress(one, len(report.plan.rounds), ledger)
        async with progress.told(say):
            try:
                played = await play(one, grounds, ledger, dur=options.dur, told=progress.under_way)
            except RedisError as error:
                _unreadable(options, one, ledger, report, error)
                return
            except BaseException:
                _keep(options, one, ledger)
                raise
            progress.under_way("judging")
            await _judge(options, one, ledger, played, report)
        report.counts = dict(ledger.counts)
        found = report.rounds[-1]
        say(
            f"round {one.number}: {len(found.violations)} violations, {found.acknowledged}"
            f" acknowledged, {found.lost} lost, at the top after {found.converged_ms:.0f} ms"
        )
        if not found.violations:
            await _clear(one, grounds)


async def _judge(
    options: Options, one: Round, ledger: Ledger, played: Played, report: Report
) -> None:
    records = ledger.records
    verdict = await asyncio.to_thread(check_round, records)
    if options.dur != "memory" and not any(blow.nemesis == OldFile.name for blow in one.blows):
        what = f"acknowledged with dur {options.dur}, and lost"
        verdict.violations += [Violation("I13", f"{name} was {what}") for name in verdict.lost]
    report.rounds.append(
        round_report(
            one.number,
            one.workloads,
            records,
            verdict,
            rest_s=played.rest_s,
            skipped=played.skipped,
        )
    )
    if not verdict.clean or options.keep:
        _keep(options, one, ledger)


def _unreadable(
    options: Options, one: Round, ledger: Ledger, report: Report, error: RedisError
) -> None:
    """Our own scripts fail at what the engine holds: nothing after that can be judged."""
    what = f"the engine cannot be read by our scripts any more: {error}"
    verdict = Verdict([Violation("I10", what)])
    report.rounds.append(
        round_report(one.number, one.workloads, ledger.records, verdict, rest_s=None, skipped=[])
    )
    report.trouble = what
    _keep(options, one, ledger)


def _keep(options: Options, one: Round, ledger: Ledger) -> None:
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        write(options.out / f"round-{one.number:03}.jsonl", ledger.records)


async def _clear(one: Round, grounds: Grounds) -> None:
    """A round without findings leaves nothing in the engine: a long run does not fill it."""
    found = await grounds.office.call("GET", "/v1/admin/inboxes")
    for inbox in found["items"]:
        if str(inbox["id"]).startswith(f"r{one.number}x"):
            await grounds.office.call("DELETE", f"/v1/admin/inboxes/{inbox['id']}")


class _Progress:
    """A line per second."""

    def __init__(self, one: Round, of: int, ledger: Ledger) -> None:
        self._round, self._of, self._ledger = one, of, ledger
        self._what = ""
        self._began_s = time.monotonic()

    def under_way(self, what: str) -> None:
        """What is being done now."""
        self._what = what

    @asynccontextmanager
    async def told(self, say: Callable[[str], None]) -> AsyncIterator[None]:
        """While the block runs."""
        tasks: set[asyncio.Task[Any]] = set()
        spawn(tasks, self._tell(say), name="torture-progress")
        try:
            yield
        finally:
            await cancel_all(tasks)

    async def _tell(self, say: Callable[[str], None]) -> None:
        while True:
            await asyncio.sleep(_TOLD_EVERY_S)
            counts = self._ledger.counts
            passed_s = time.monotonic() - self._began_s
            ended = ", ".join(f"{counts[name]:,} {name}" for name in ("ok", "refused", "unknown"))
            say(
                f"[{self._round.number}/{self._of} {passed_s:4.0f} s] {self._what}:"
                f" {counts['calls']:,} commands ({ended}),"
                f" {counts['acknowledged']:,} messages, {counts['seen']:,} events seen"
            )
