"""The checkers of a torture run: legal rounds pass them, every single lie is noticed by name."""

from __future__ import annotations

import ast
import dataclasses
import random
from pathlib import Path

import pytest

from batonbox_server.torture import checking, record
from batonbox_server.torture.checking.judge import INVARIANTS, SEARCH
from batonbox_server.torture.checking.operations import histories
from batonbox_server.torture.checking.rounds import sort_out
from batonbox_server.torture.checking.search import search
from batonbox_server.torture.checking.witness import INVARIANT as WITNESS
from tests.simulation.histories import Story
from tests.simulation.spoils import SPOILS

SEEDS = range(24)


@pytest.fixture(scope="module")
def stories() -> list[list[record.Record]]:
    """Legal rounds."""
    return [Story(seed).records for seed in SEEDS]


def test_legal_rounds_are_clean(stories: list[list[record.Record]]) -> None:
    checked = dict.fromkeys(INVARIANTS, 0)
    for seed, records in enumerate(stories):
        verdict = checking.check_round(records)
        assert verdict.violations == [], seed
        assert verdict.undecided == {}, seed
        assert verdict.lost == []
        for invariant, n in verdict.checked.items():
            checked[invariant] += n
    assert [name for name, n in checked.items() if n == 0] == ["I14"]  # nobody was sampled


@pytest.mark.parametrize("name", sorted(SPOILS))
def test_a_lie_is_noticed(name: str, stories: list[list[record.Record]]) -> None:
    expected, spoil = SPOILS[name]
    told = 0
    for seed, records in enumerate(stories):
        spoilt = spoil(records, random.Random(seed))
        if spoilt is None:
            continue
        told += 1
        verdict = checking.check_round(spoilt)
        noticed = {violation.invariant for violation in verdict.violations}
        assert noticed & expected, (seed, noticed, expected)
    assert told >= 6, f"only {told} rounds have what this lie is about"


@pytest.mark.parametrize("name", ["two_won_the_race", "the_owner_was_refused"])
def test_the_search_alone_notices(name: str, stories: list[list[record.Record]]) -> None:
    """More often than not: what overlaps may have an order in which even a lie is right."""
    _, spoil = SPOILS[name]
    told, noticed = 0, 0
    for seed, records in enumerate(stories):
        spoilt = spoil(records, random.Random(seed))
        if spoilt is not None:
            told += 1
            found = checking.check_round(spoilt).violations
            noticed += SEARCH in {violation.invariant for violation in found}
    assert noticed > told / 2, (noticed, told)


def test_a_round_goes_on_where_the_last_one_ended() -> None:
    """The truth of a round is where the next one starts; what was before is not asked for again."""
    story = Story(3)
    first = story.records
    story.timed.clear()
    for number in range(100, 140):
        story._step(number)
    story._rest()
    verdict = checking.check_round([first[-1], *story.records])
    assert verdict.violations == []
    assert verdict.checked["I7"] > 0


def test_the_search_explains_every_legal_history() -> None:
    for seed in SEEDS:
        for history in histories(sort_out(Story(seed).records).inboxes["box"]):
            assert search(history, budget=100_000).holds is True


def test_a_search_that_gives_up_says_so() -> None:
    box = sort_out(Story(1).records).inboxes["box"]
    assert search(histories(box)[0], budget=3).holds is None
    verdict = checking.check_round(Story(1).records, budget=3)
    assert verdict.violations == []
    assert SEARCH in verdict.undecided


def test_what_was_lost_and_told_is_no_violation_after_a_fault_that_may_lose() -> None:
    records = Story(5).records
    i = next(
        i
        for i, r in enumerate(records)
        if isinstance(r, record.Outcome) and r.kind == "ok" and r.seq and r.seq > 10
    )
    lost = records[i]
    assert isinstance(lost, record.Outcome)
    call = next(r for r in records if isinstance(r, record.Call) and r.id == lost.id)
    gone = [(lost.seq or 0, "f" * 16)]
    told = record.Checked(client=call.client, inbox="box", at_ns=1, asked=gone, missing=gone)
    fault = record.Fault(kind="failover", target="engine", began_ns=1, ended_ns=2,
                         detail={"may_lose": True})  # fmt: skip
    spoilt = [*records[:i], dataclasses.replace(lost, tip="f" * 16), *records[i + 1 : -1]]
    verdict = checking.check_round([*spoilt, told, fault, records[-1]])
    assert [v for v in verdict.violations if v.invariant == "I13"] == []
    assert verdict.lost == [call.cid]
    assert SEARCH in verdict.undecided and WITNESS in verdict.undecided
    unfaulted = checking.check_round([*spoilt, told, records[-1]])
    assert "I13" in {v.invariant for v in unfaulted.violations}
    silent = checking.check_round([*spoilt, fault, records[-1]])
    assert silent.unreported == [call.cid]


def test_records_survive_the_disk(tmp_path: Path, stories: list[list[record.Record]]) -> None:
    path = tmp_path / "run.jsonl"
    record.write(path, stories[0])
    assert list(record.read(path)) == stories[0]
    assert list(record.read(path, first=len(stories[0]) - 1)) == stories[0][-1:]
    with path.open("a") as file:
        file.write('{"is": "call"}\n')
    with pytest.raises(ValueError, match=f"line {len(stories[0]) + 1}: not a record"):
        list(record.read(path))


def test_checkers_import_nothing_but_the_domain() -> None:
    """Whoever judges the server does not use it."""
    folder = Path(checking.__file__).parent
    allowed = ("batonbox_server.domain.", "batonbox_server.torture.record",
               "batonbox_server.torture.checking.")  # fmt: skip
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("batonbox_"):
                assert (node.module or "").startswith(allowed), (path.name, node.module)
