"""What a run found: for programs as one map, for people as lines."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from .checking import INVARIANTS, Verdict
from .plan import Plan
from .record import Call, Fault, Outcome, Record, Said

__all__ = ["Loss", "Report", "RoundReport", "round_report"]

_SHOWN: Final = 20  # violations on the screen
NO_FAULT: Final = "none"


@dataclass(slots=True)
class Loss:
    """Acknowledged writes under one fault (or two at once): how many, lost, and told of."""

    fault: str
    rounds: int = 0
    acknowledged: int = 0
    lost: int = 0
    reported: int = 0


@dataclass(slots=True)
class RoundReport:
    """One round: `lost_said` of the lost are customers' messages; `rest_s` None: somebody never
    got to the top.
    """

    number: int
    workloads: dict[str, int]
    faults: list[dict[str, Any]]
    skipped: list[str]
    calls: int
    acknowledged: int
    said: int
    lost: int
    lost_said: int
    reported: int
    checked: dict[str, int]
    undecided: dict[str, int]
    violations: list[dict[str, Any]]
    rest_s: float | None
    converged_ms: float

    @property
    def fault(self) -> str:
        """The row of the table of losses that it belongs to."""
        return " + ".join(sorted({fault["kind"] for fault in self.faults})) or NO_FAULT


@dataclass(slots=True)
class Report:
    """A whole run; `trouble`: why it could not be run to its end."""

    seed: int
    minutes: float
    topology: str
    dur: str
    nodes: int
    versions: dict[str, str]
    settings: dict[str, str]
    plan: Plan
    left_out: dict[str, str]
    rounds: list[RoundReport] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    trouble: str = ""
    began_ms: int = field(default_factory=lambda: round(1000 * time.time()))
    took_s: float = 0.0

    @property
    def verdict(self) -> str:
        """`clean`, `violations`, or `not run`."""
        if self.violations:
            return "violations"
        return "not run" if self.trouble or not self.rounds else "clean"

    @property
    def status(self) -> int:
        """The exit status: 0 clean, 1 violations, 2 could not run."""
        return {"clean": 0, "violations": 1, "not run": 2}[self.verdict]

    @property
    def violations(self) -> list[dict[str, Any]]:
        """Of all rounds."""
        return [{"round": r.number, **found} for r in self.rounds for found in r.violations]

    def losses(self) -> list[Loss]:
        """The table of acknowledged writes lost, by fault."""
        found: dict[str, Loss] = {}
        for one in self.rounds:
            loss = found.setdefault(one.fault, Loss(one.fault))
            loss.rounds += 1
            loss.acknowledged += one.acknowledged
            loss.lost += one.lost
            loss.reported += one.reported
        return sorted(found.values(), key=lambda loss: loss.fault)

    def invariants(self) -> dict[str, dict[str, int]]:
        """Per invariant: facts compared, violations, and what could not be decided."""
        checked, undecided = Counter[str](), Counter[str]()
        for one in self.rounds:
            checked.update(one.checked)
            undecided.update(one.undecided)
        wrong = Counter(str(found["invariant"]) for found in self.violations)
        return {
            name: {
                "checked": checked[name],
                "violations": wrong[name],
                "undecided": undecided[name],
            }
            for name in INVARIANTS
        }

    def as_map(self) -> dict[str, Any]:
        """For JSON."""
        rests = [one.rest_s for one in self.rounds if one.rest_s is not None]
        slowest = max((one.converged_ms for one in self.rounds), default=0.0)
        return {
            "verdict": self.verdict,
            "trouble": self.trouble,
            "seed": self.seed,
            "minutes": self.minutes,
            "topology": self.topology,
            "dur": self.dur,
            "nodes": self.nodes,
            "versions": self.versions,
            "engine_settings": self.settings,
            "began_ms": self.began_ms,
            "took_s": round(self.took_s, 1),
            "counts": self.counts,
            "invariants": self.invariants(),
            "violations": self.violations,
            "lost": [
                {"topology": self.topology, "dur": self.dur, **asdict(loss)}
                for loss in self.losses()
            ],
            "convergence_ms_max": round(slowest, 1),
            "rest_s_max": round(max(rests, default=0.0), 2),
            "never_at_rest": [one.number for one in self.rounds if one.rest_s is None],
            "rounds": [asdict(one) for one in self.rounds],
            "plan": self.plan.shown(),
            "left_out": self.left_out,
        }

    def lines(self) -> list[str]:
        """For people."""
        told = self.as_map()
        counts = ", ".join(f"{name} {count:,}" for name, count in self.counts.items())
        site = f"seed {self.seed}, {self.topology}, {self.nodes} nodes, dur {self.dur}"
        rounds = f"{len(self.rounds)} of {len(self.plan.rounds)} rounds in {self.took_s:.0f} s"
        slowest = f"{told['convergence_ms_max']:,.0f} ms"
        rest = f"{told['rest_s_max']:.1f} s at most"
        lines = [
            f"verdict      {self.verdict}" + (f": {self.trouble}" if self.trouble else ""),
            f"run          {site}, {rounds}",
            "versions     " + ", ".join(f"{n} {v}" for n, v in self.versions.items()),
            f"counts       {counts}",
            f"convergence  slowest client {slowest} after faults and load, at rest after {rest}",
            "",
            "invariant                      checked  violations  undecided",
        ]
        for name, found in self.invariants().items():
            lines.append(
                f"{name:<28} {found['checked']:>9,} {found['violations']:>11,}"
                f" {found['undecided']:>10,}"
            )
        lines += ["", f"{'fault':<44} rounds  acknowledged     lost  reported"]
        for loss in self.losses():
            lines.append(
                f"{loss.fault:<44} {loss.rounds:>6} {loss.acknowledged:>13,} {loss.lost:>8,}"
                f" {loss.reported:>9,}"
            )
        if self.left_out:
            lines += ["", "not struck here:"]
            lines += [f"  {name}: {why}" for name, why in self.left_out.items()]
        if self.violations:
            lines += ["", f"violations ({len(self.violations)}):"]
            lines += [
                f"  round {found['round']}, {found['invariant']}: {found['what']}"
                for found in self.violations[:_SHOWN]
            ]
            lines.append(f"run it again with --seed {self.seed} --minutes {self.minutes:g}")
        return lines


def round_report(
    number: int,
    workloads: dict[str, int],
    records: Sequence[Record],
    verdict: Verdict,
    *,
    rest_s: float | None,
    skipped: list[str],
) -> RoundReport:
    """One round's records and verdict, counted."""
    faults = [record for record in records if isinstance(record, Fault)]
    outcomes = [record for record in records if isinstance(record, Outcome)]
    said = [record for record in records if isinstance(record, Said)]
    lost = len(set(verdict.lost))
    return RoundReport(
        number=number,
        workloads=workloads,
        faults=[_fault(fault) for fault in faults],
        skipped=skipped,
        calls=sum(isinstance(record, Call) for record in records),
        acknowledged=_acknowledged(outcomes, said),
        said=len(said),
        lost=lost,
        lost_said=len({one.provider_id for one in said} & set(verdict.lost)),
        reported=lost - len(set(verdict.unreported)),
        checked=dict(verdict.checked),
        undecided={name: len(found) for name, found in verdict.undecided.items()},
        violations=[asdict(found) for found in verdict.violations],
        rest_s=None if rest_s is None else round(rest_s, 2),
        converged_ms=round(max(verdict.convergence_ns.values(), default=0) / 1e6, 1),
    )


def _acknowledged(outcomes: Iterable[Outcome], said: Iterable[Said]) -> int:
    written = sum(
        told.kind == "ok" and bool(told.seq and told.tip) and not told.reply.get("noop")
        for told in outcomes
    )
    return written + sum(one.acknowledged_ns is not None for one in said)


def _fault(fault: Fault) -> dict[str, Any]:
    took_s = round((fault.ended_ns - fault.began_ns) / 1e9, 1)
    return {"kind": fault.kind, "target": fault.target, "took_s": took_s, **fault.detail}
