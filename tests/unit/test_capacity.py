"""The capacity model: more of anything never needs less, and it says what was measured."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner

from batonbox_server.capacity import BUSY_MOST, Costs, Demand, cost_table, planned
from batonbox_server.capacity_simulation import simulate
from batonbox_server.cli import main

TEAM = Demand(
    members=500,
    online=500,
    inboxes=20,
    listeners=25,
    messages_per_s=20,
    messages_per_day=300_000,
    conversations=100_000,
)
# What nobody may need less of where somebody asks for more.
NEEDS = (
    "workers",
    "engine_share",
    "engine_memory_bytes",
    "engine_disk_bytes",
    "network_bytes_per_s",
    "events_per_s",
)


@pytest.mark.parametrize(
    "name",
    [
        "members",
        "online",
        "listeners",
        "messages_per_s",
        "messages_per_day",
        "memberships",
        "replies",
        "conversations",
        "messages_per_conversation",
    ],
)
def test_more_of_anything_never_needs_less(name: str) -> None:
    before = planned(TEAM)
    for factor in (1.1, 2, 5, 17, 60):
        value = getattr(TEAM, name)
        after = planned(replace(TEAM, **{name: type(value)(value * factor)}))
        for need in NEEDS:
            assert getattr(after, need) >= getattr(before, need), (name, factor, need)
        before = after


def test_more_inboxes_at_the_same_load_cost_the_engine_more() -> None:
    shares = [planned(replace(TEAM, inboxes=n)).engine_share for n in (1, 20, 300, 4_000)]
    assert shares == sorted(shares)


def test_a_dearer_thing_never_needs_less() -> None:
    before = planned(TEAM)
    for name, value, unit, _ in cost_table():
        if unit != "1/s":
            after = planned(TEAM, replace(Costs(), **{name: 3 * value}))
            for need in NEEDS:
                assert getattr(after, need) >= getattr(before, need), (name, need)


def test_one_worker_fewer_would_be_too_busy() -> None:
    plan = planned(replace(TEAM, messages_per_s=800))
    assert plan.workers > 2
    assert plan.worker_share <= BUSY_MOST
    divisible = (plan.worker_share - plan.worker_fixed_share) * plan.workers
    assert divisible / (plan.workers - 1) + plan.worker_fixed_share > BUSY_MOST


def test_what_no_number_of_workers_serves_is_said() -> None:
    plan = planned(replace(TEAM, messages_per_s=1e6))
    assert not plan.feasible


def test_nothing_at_all_still_needs_a_worker() -> None:
    none = Demand(members=1, online=0, inboxes=1, listeners=0, messages_per_s=0, messages_per_day=0)
    plan = planned(none)
    assert (plan.workers, plan.engine_shards, plan.feasible) == (1, 1, True)


def test_the_simulation_is_as_busy_as_the_plan_says() -> None:
    plan = planned(TEAM)
    found = simulate(TEAM, plan, storm=False, seed=3)
    assert found.worker_share == pytest.approx(plan.worker_share, rel=0.15)
    assert found.storm_s == found.storm_p99_ms == found.refused == 0


def test_the_same_seed_gives_the_same_answer() -> None:
    demand = replace(TEAM, messages_per_s=1)
    plan = planned(demand)
    assert simulate(demand, plan, seed=5) == simulate(demand, plan, seed=5)
    assert simulate(demand, plan, seed=5) != simulate(demand, plan, seed=6)


def test_a_busier_worker_keeps_people_waiting() -> None:
    dear = replace(Costs(), worker_delivery_us=400.0)
    one = replace(planned(TEAM, dear), workers=1)
    full = TEAM.messages_per_s / one.worker_share / planned(TEAM, dear).workers
    waits = []
    for share in (0.1, 0.5, 0.8):
        demand = replace(TEAM, messages_per_s=full * share)
        waits.append(simulate(demand, one, costs=dear, storm=False).p99_ms)
    assert waits == sorted(waits)
    assert waits[-1] > 2 * waits[0]


def test_a_storm_takes_as_long_as_its_handshakes() -> None:
    demand = replace(TEAM, members=8_000, online=8_000)
    plan = planned(demand)
    found = simulate(demand, replace(plan, workers=1))
    assert found.refused > 0
    assert found.storm_s >= 0.8 * demand.online / Costs().handshakes_per_s


def told(*given: str) -> Any:
    """The command's JSON."""
    result = CliRunner().invoke(main, ["plan", "--json", *given])
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def test_the_command_derives_what_is_left_out() -> None:
    found = told("--members", "90", "--inboxes", "9", "--messages-per-day", "86400", "--peak", "4")
    assert found["demand"]["online"] == 90
    assert found["demand"]["listeners"] == 10
    assert found["demand"]["messages_per_s"] == 4
    assert found["plan"]["workers"] == 1
    assert found["simulated"] is None
    back = told("--members", "90", "--messages-per-s", "4", "--peak", "4", "--simulate")
    assert back["demand"]["messages_per_day"] == 86_400
    assert back["simulated"]["p99_ms"] >= back["simulated"]["p50_ms"] > 0


def test_the_command_speaks_to_people() -> None:
    given = ["plan", "--members", "50", "--messages-per-day", "5000", "--simulate"]
    result = CliRunner().invoke(main, given)
    assert result.exit_code == 0, result.output
    for word in ("workers   1", "engine", "full first", "in a storm of 5 s", "measured on"):
        assert word in result.output
    # The two do not contradict each other: one is the workers' part, the other has people's too.
    assert "knocking at once: 0.1 s until all are admitted" in result.output


def test_the_command_wants_some_load() -> None:
    result = CliRunner().invoke(main, ["plan", "--members", "50"])
    assert result.exit_code == 2
    assert "--messages-per-day" in result.output
