"""The checkers of a torture run: legal rounds pass them, every single lie is noticed by name."""

from __future__ import annotations

import ast
import dataclasses
import random
from pathlib import Path

import pytest

from batonbox_server.torture import checking, record
from batonbox_server.torture.checking.judge import INVARIANTS, SEARCH
from batonbox_server.torture.checking.operations import Fate, History, Timed, histories
from batonbox_server.torture.checking.rounds import sort_out
from batonbox_server.torture.checking.search import search
from batonbox_server.torture.checking.spec import Op, State
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
    assert WITNESS in verdict.undecided and SEARCH not in verdict.undecided
    assert verdict.checked[SEARCH] > 0
    unfaulted = checking.check_round([*spoilt, told, records[-1]])
    assert "I13" in {v.invariant for v in unfaulted.violations}
    silent = checking.check_round([*spoilt, fault, records[-1]])
    assert silent.unreported == [call.cid]


def test_what_came_again_after_it_was_lost_may_stand_behind_what_began_later() -> None:
    """A client may send a command again; where its effect was lost, it has another, later one."""
    story = Story(5)
    records, log = (
        story.records,
        {step.tip for step in sort_out(story.records).inboxes["box"].steps},
    )
    done = [
        (i, r)
        for i, r in enumerate(records)
        if isinstance(r, record.Outcome)
        and r.kind == "ok"
        and r.tip in log
        and not r.reply.get("noop")
    ]
    i, lost = done[-1]
    assert isinstance(lost, record.Outcome)
    at = next(n for n, r in enumerate(records) if isinstance(r, record.Call) and r.id == lost.id)
    early = list(records)
    call = records[at]
    assert isinstance(call, record.Call)
    early[at] = dataclasses.replace(call, began_ns=1)
    early[i] = dataclasses.replace(lost, ended_ns=2)
    fault = record.Fault(kind="failover", target="engine", began_ns=1, ended_ns=2,
                         detail={"may_lose": True})  # fmt: skip
    assert "I7" in {
        v.invariant for v in checking.check_round([*early[:-1], fault, early[-1]]).violations
    }
    early[i] = dataclasses.replace(lost, ended_ns=2, tip="f" * 16)
    found = checking.check_round([*early[:-1], fault, early[-1]]).violations
    assert "I7" not in {v.invariant for v in found}


class TestLosses:
    """A conversation of which a part was lost, in the search."""

    def holds(self, *told: tuple[str, str, str, str, Fate]) -> bool | None:
        """(verb, user, token given, token told, fate), one after the other; then a look at the row,
        which has the last one's user and token."""
        ops = [Timed(Op(0, "receive"), 0, 1, "said", (), fate="kept")]
        for n, (verb, user, given, new, fate) in enumerate(told, 1):
            op = Op(n, verb, user, given=given, new=new)
            ops.append(Timed(op, 10 * n, 10 * n + 5, f"c{n}", (), fate=fate))
        _, user, _, token, _ = told[-1]
        last = Timed(Op(-1, "look", row=("assigned", user, token)), 999, 999, "", ())
        users = frozenset({"ann", "bob"})
        return search(History("box.1", State(), ops, users, last), budget=1_000).holds

    def test_what_was_lost_hinders_nobody(self) -> None:
        assert self.holds(
            ("assign", "ann", "", "t1", "lost"),
            ("reply", "ann", "t1", "t1", "lost"),
            ("assign", "bob", "", "t2", "kept"),
        )

    def test_two_who_won_are_two_unless_one_was_lost(self) -> None:
        ann, bob = ("assign", "ann", "", "t1"), ("assign", "bob", "", "t2")
        assert self.holds((*ann, "kept"), (*bob, "kept")) is False
        assert self.holds((*ann, "either"), (*bob, "kept")) is True
        assert self.holds((*ann, "kept"), (*bob, "lost")) is False

    def test_what_is_left_does_not_rest_on_what_was_lost(self) -> None:
        assert not self.holds(
            ("assign", "ann", "", "t1", "lost"), ("transfer", "ann", "t1", "t1", "kept")
        )

    def test_what_is_left_is_not_what_was_lost(self) -> None:
        assert self.holds(("assign", "ann", "", "t1", "lost")) is False

    def test_it_falls_back_to_what_it_was_and_not_further(self) -> None:
        first, second = ("assign", "ann", "", "t1"), ("done", "ann", "t1", "t2")
        third: tuple[str, str, str, str, Fate] = ("reply", "ann", "t1", "t1", "kept")
        assert self.holds((*first, "kept"), (*second, "lost"), third)
        assert self.holds((*first, "lost"), (*second, "lost"), third) is False


@pytest.mark.parametrize(
    ("began", "ended", "holds"), [(10, 15, True), (10, None, True), (30, 35, False)]
)
def test_what_may_have_happened_has_done_so_by_its_end_or_never(
    began: int, ended: int | None, holds: bool
) -> None:
    """Bob was refused because of Ann, whose command nobody answered."""
    row = ("assigned", "ann", "t1")
    maybe = Op(1, "assign", "ann", kind="unknown")
    refused = Op(2, "assign", "bob", kind="refused", slug="conflict", row=row)
    ops = [
        Timed(Op(0, "receive"), 0, 1, "said", ()),
        Timed(maybe, began, ended, "c1", (), fate="either"),
        Timed(refused, 20, 25, "c2", (), fate="none"),
    ]
    history = History("box.1", State(), ops, frozenset({"ann", "bob"}), None)
    assert search(history, budget=1_000).holds is holds


def test_what_may_have_happened_need_not() -> None:
    never = Op(1, "transfer", "ann", to="bob", kind="unknown")
    ops = [
        Timed(Op(0, "receive"), 0, 1, "said", ()),
        Timed(never, 10, 15, "c1", (), fate="either"),
        Timed(Op(2, "assign", "bob", new="t1"), 20, 25, "c2", ()),
    ]
    history = History("box.1", State(), ops, frozenset({"ann", "bob"}), None)
    assert search(history, budget=1_000).holds is True


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
