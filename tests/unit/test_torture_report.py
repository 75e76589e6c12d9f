"""What a torture run tells, from records and verdicts."""

from __future__ import annotations

import json
from typing import Any

from batonbox_server.torture.checking import Verdict, Violation
from batonbox_server.torture.plan import plan_of
from batonbox_server.torture.record import Call, Fault, Outcome, Record, Said
from batonbox_server.torture.report import Report, RoundReport, round_report


def call(number: int) -> Call:
    return Call(
        id=number, client="c", user="u", node="n", verb="note", inbox="i", conv="i.1",
        cid=f"cid{number}", args={}, began_ns=number,
    )  # fmt: skip


def said(number: int, acknowledged_ns: int | None) -> Said:
    return Said(
        provider_id=f"p{number}", inbox="i", customer="+1", began_ns=1, text=f"p{number}",
        acknowledged_ns=acknowledged_ns,
    )  # fmt: skip


def records(*kinds: str) -> list[Record]:
    """Four calls: one acknowledged, one without an effect, one refused, one unknown."""
    return [
        *(call(number) for number in range(4)),
        Outcome(id=0, kind="ok", ended_ns=9, seq=1, tip="t"),
        Outcome(id=1, kind="ok", ended_ns=9, seq=1, tip="t", reply={"noop": True}),
        Outcome(id=2, kind="refused", ended_ns=9, slug="conflict"),
        Outcome(id=3, kind="unknown", ended_ns=9),
        said(1, 5),
        said(2, None),
        *(Fault(kind=k, target="x", began_ns=0, ended_ns=2_000_000_000) for k in kinds),
    ]


def one(number: int, verdict: Verdict, *kinds: str, rest_s: float | None = 1.0) -> RoundReport:
    return round_report(number, {"race": 1}, records(*kinds), verdict, rest_s=rest_s, skipped=[])


def report(*rounds: RoundReport, **more: Any) -> Report:
    plan = plan_of(seed=4, minutes=1, workloads=("race",), nemeses=("node-kill",))
    return Report(
        seed=4, minutes=1, topology="standalone", dur="memory", nodes=2, versions={"batonbox": "0"},
        settings={}, plan=plan, left_out={"failover": "needs sentinel"}, rounds=list(rounds),
        **more,
    )  # fmt: skip


CLEAN = Verdict(checked={"I1": 10}, convergence_ns={"c": 2_500_000})
WRONG = Verdict([Violation("I4", "a gap", [3])], {"I1": 5, "I4": 1}, {"I7": ["?"]})


def test_a_clean_run_says_so_and_ends_with_status_0() -> None:
    told = report(one(1, CLEAN, "node-kill"), one(2, CLEAN))
    assert (told.verdict, told.status) == ("clean", 0)
    shown = json.loads(json.dumps(told.as_map()))
    assert shown["invariants"]["I1"] == {"checked": 20, "violations": 0, "undecided": 0}
    assert shown["convergence_ms_max"] == 2.5
    assert told.lines()[0].split() == ["verdict", "clean"]


def test_what_counts_as_acknowledged() -> None:
    assert one(1, CLEAN).acknowledged == 2  # a command with an effect, a message with its 2xx


def test_violations_are_told_with_their_round_and_how_to_repeat_them() -> None:
    told = report(one(1, CLEAN), one(2, WRONG, "node-kill"))
    assert (told.verdict, told.status) == ("violations", 1)
    assert told.violations == [{"round": 2, "invariant": "I4", "what": "a gap", "records": [3]}]
    assert told.invariants()["I4"]["violations"] == 1
    assert told.invariants()["I7"]["undecided"] == 1
    text = "\n".join(told.lines())
    assert "round 2, I4: a gap" in text and "--seed 4" in text


def test_a_run_that_could_not_end_is_not_clean() -> None:
    assert report().status == 2
    told = report(one(1, CLEAN), trouble="node1 did not start")
    assert (told.verdict, told.status) == ("not run", 2)
    assert "node1 did not start" in told.lines()[0]
    assert report(one(1, WRONG), trouble="x").status == 1


def test_losses_are_counted_by_fault() -> None:
    lossy = Verdict(lost=["a", "b", "c"], unreported=["c"])
    told = report(
        one(1, lossy, "old-file"), one(2, CLEAN, "old-file"), one(3, CLEAN, "b", "a"), one(4, CLEAN)
    )
    found = {row["fault"]: row for row in told.as_map()["lost"]}
    assert found["old-file"] == {
        "topology": "standalone", "dur": "memory", "fault": "old-file",
        "rounds": 2, "acknowledged": 4, "lost": 3, "reported": 2,
    }  # fmt: skip
    assert one(5, Verdict(lost=["a", "p1"])).lost_said == 1
    assert found["a + b"]["rounds"] == 1 and found["none"]["lost"] == 0


def test_a_client_that_never_got_to_the_top_is_named() -> None:
    assert report(one(1, CLEAN, rest_s=None)).as_map()["never_at_rest"] == [1]
