"""The race's judge notices each invariant's failure, and only those."""

from __future__ import annotations

from typing import Any

import pytest

from batonbox._race_report import Attempt, Report, Watch, judge
from tests.sdk.scripted import row


def attempt(agent: str, conv: str = "r.c1") -> Attempt:
    return Attempt(conv=conv, agent=agent, began_s=0.0)


def thread(conv: str = "r.c1", owner: str = "a1", tok: str = "2.t", *claims: str) -> dict[str, Any]:
    lines = [[n, n, 0, "assigned", by, "", "", None] for n, by in enumerate(claims or (owner,), 2)]
    first = [1, 1, 0, "received", "", "", "", {"text": "hi"}]
    state = row(conv, status="assigned", assignee=owner, own_tok=tok)
    return {"row": state, "messages": [first, *lines]}


def judged(
    *attempts: Attempt, told: dict[str, Any] | None = None, log: tuple[str, ...] = ("a1",)
) -> Report:
    watch = Watch()
    watch.claims["r.c1"] = list(log)
    return judge(list(attempts), {"r.c1": told or thread()}, watch, took_s=1.0, expected=1)


def test_one_winner_whom_every_loser_names_passes() -> None:
    report = judged(attempt("a1").won("2.t", 2), attempt("a2").lost("a1"), attempt("a3").lost("a1"))
    assert report.passed
    assert (report.conversations, report.attempts, report.winners) == (1, 3, 1)


@pytest.mark.parametrize(
    ("name", "report"),
    [
        ("double_owners", judged(attempt("a1").won("2.t", 2), attempt("a2").won("3.t", 3))),
        ("double_owners", judged(attempt("a1").won("2.t", 2), log=("a1", "a2"))),
        (
            "double_owners",
            judged(attempt("a1").won("2.t", 2), told=thread("r.c1", "a1", "2.t", "a1", "a2")),
        ),
        ("lost_claims", judged(attempt("a1").won("2.t", 2), told=thread("r.c1", "a2"))),
        ("lost_claims", judged(attempt("a1").won("9.t", 9))),
        ("unowned", judged(attempt("a2").lost("a1"))),
        ("wrong_names", judged(attempt("a1").won("2.t", 2), attempt("a2").lost("a3"))),
        ("wrong_names", judged(attempt("a1").won("2.t", 2), attempt("a2").lost(""))),
        ("log_mismatches", judged(attempt("a1").won("2.t", 2), log=("a3",))),
        ("failed_attempts", judged(attempt("a1").won("2.t", 2), attempt("a2").failed("why"))),
    ],
)
def test_a_broken_invariant_is_named_and_fails(name: str, report: Report) -> None:
    assert getattr(report, name) == 1
    assert not report.passed
    assert any(name.replace("_", " ") in line for line in report.broken)
    figures = report.as_map()
    assert {"conversations", "attempts", "winners", "double_owners", "attempts_per_s"} <= {*figures}
    assert {"p50_ms", "p99_ms"} <= {*figures}


def test_a_watcher_that_missed_events_leaves_the_judgement_to_the_threads() -> None:
    watch = Watch()
    watch.resyncs = 1
    won = attempt("a1").won("2.t", 2)
    assert judge([won], {"r.c1": thread()}, watch, took_s=1.0, expected=1).passed
