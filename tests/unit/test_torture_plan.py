"""The plan of a torture run is a function of its seed."""

from __future__ import annotations

import json

from batonbox_server.torture.plan import Plan, plan_of

WORKLOADS = ("race", "transfers", "replies", "notes", "inbound")
NEMESES = tuple(f"fault-{number}" for number in range(9))


def plan(seed: int, minutes: float = 10.0, nemeses: tuple[str, ...] = NEMESES) -> Plan:
    return plan_of(seed=seed, minutes=minutes, workloads=WORKLOADS, nemeses=nemeses)


def test_the_same_seed_makes_the_same_plan() -> None:
    assert plan(7) == plan(7)
    assert plan(7).rounds != plan(8).rounds


def test_it_lasts_about_as_long_as_asked() -> None:
    for minutes in (1.0, 5.0, 10.0):
        rounds = plan(3, minutes).rounds
        assert 0.5 * 60 * minutes < sum(one.seconds + 8 for one in rounds) <= 60 * minutes


def test_every_fault_has_a_turn_before_one_has_its_second() -> None:
    struck = [blow.nemesis for one in plan(5).rounds for blow in one.blows]
    assert set(struck[: len(NEMESES) + 1]) == set(NEMESES)


def test_faults_lie_within_the_load_and_differ_within_a_round() -> None:
    for one in plan(11).rounds:
        names = [blow.nemesis for blow in one.blows]
        assert names and len(set(names)) == len(names)
        for blow in one.blows:
            assert blow.at_s > 0 and blow.at_s + blow.for_s <= one.seconds - 1.0
        assert one.workloads and all(weight > 0 for weight in one.workloads.values())
        assert "race" in one.workloads or "inbound" in one.workloads


def test_a_short_run_has_one_round_and_a_run_without_faults_none_of_them() -> None:
    (one,) = plan(1, minutes=0.05).rounds
    assert one.seconds >= 4.0
    assert all(not one.blows for one in plan(1, nemeses=()).rounds)


def test_it_can_be_shown() -> None:
    whole = plan(2)
    assert json.loads(json.dumps(whole.shown()))["rounds"][0]["number"] == 1
    assert len(whole.lines()) == len(whole.rounds)
