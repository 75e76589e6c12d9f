"""The capacity model counts whatever costs something, as often as it happens, and no more."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest
from click.testing import CliRunner

from batonbox_server.capacity import BUSY_MOST, Costs, Demand, followed, planned
from batonbox_server.cli import main

FREE = Costs(**{field.name: 0.0 for field in fields(Costs)})
FREE = replace(FREE, handshakes_per_s=500.0, worker_handshake_us=1.0)
# 15 events a second: 2 messages, 4 replies of three, 1 change. Each inbox has 30 seats.
TEAM = Demand(
    members=100,
    online=100,
    inboxes=10,
    listeners=10,
    messages_per_s=2,
    messages_per_day=1000,
    memberships=3,
    replies=2,
    conversations=500,
    messages_per_conversation=4,
)


@pytest.mark.parametrize(
    ("name", "times"),
    [
        ("intake", 2),
        ("open", 2),
        ("reply", 4),
        ("change", 1),
        ("heard", 15),
        ("delivery", 150),
        ("badge", 90),
        ("look", 21),
        ("idle", 1),
    ],
)
def test_a_worker_does_each_thing_so_often_a_second(name: str, times: int) -> None:
    plan = planned(TEAM, replace(FREE, **{f"worker_{name}_us": 1000.0}))
    assert (plan.workers, plan.bottleneck) == (1, "workers")
    assert plan.worker_share == pytest.approx(times / 1000)


@pytest.mark.parametrize(
    ("name", "times"),
    [
        ("intake", 2),
        ("open", 2),
        ("reply", 4),
        ("change", 1),
        ("publish", 15),
        ("look", 21),
        ("idle", 1),
    ],
)
def test_the_engine_does_each_thing_so_often_a_second(name: str, times: int) -> None:
    plan = planned(TEAM, replace(FREE, **{f"engine_{name}_us": 1000.0}))
    assert (plan.workers, plan.bottleneck) == (1, "engine")
    assert plan.engine_share == pytest.approx(times / 1000)


@pytest.mark.parametrize(
    ("name", "bytes_"),
    [
        ("engine_bytes", 1),
        ("conversation_bytes", 500),
        ("message_bytes", 500 * 11),
        ("event_bytes", 500 * 4 * 7.5),
        ("audit_bytes", 500 * 4 / 2 + 300),
        ("provider_bytes", 7 * 1000),
    ],
)
def test_the_engine_keeps_so_many_of_each(name: str, bytes_: float) -> None:
    plan = planned(TEAM, replace(FREE, **{name: 1.0}))
    assert plan.engine_memory_bytes == bytes_
    assert plan.engine_memory_advised_bytes == round(1.5 * bytes_)
    assert plan.engine_disk_bytes == 3 * bytes_


def test_the_engine_keeps_the_answer_of_every_reply_for_a_day() -> None:
    assert planned(TEAM, replace(FREE, reply_bytes=1.0)).engine_memory_bytes >= 2 * 1000


@pytest.mark.parametrize(
    ("name", "bytes_"),
    [("worker_bytes", 1), ("connection_bytes", 100), ("event_bytes", 1000 * 7.5)],
)
def test_a_worker_keeps_connections_and_rings(name: str, bytes_: float) -> None:
    assert planned(TEAM, replace(FREE, **{name: 1.0})).worker_memory_bytes == bytes_


def test_logs_and_rings_are_bounded() -> None:
    many = replace(TEAM, conversations=10**7, messages_per_day=1e7)
    plan = planned(many, replace(FREE, event_bytes=1.0))
    assert plan.engine_memory_bytes == 10 * 10_000
    assert plan.worker_memory_bytes == 10 * 4096


def test_what_is_done_stays_so_many_days() -> None:
    demand = replace(TEAM, conversations=None, done_days=8)
    assert demand.kept == 1000 / 4 * 8


@pytest.mark.parametrize(("name", "times"), [("event_bytes", 150), ("badge_bytes", 90)])
def test_what_goes_over_the_network(name: str, times: int) -> None:
    plan = planned(TEAM, replace(FREE, **{name: 1.0}))
    assert plan.network_bytes_per_s == plan.worker_network_bytes_per_s == times


def test_each_worker_follows_what_its_connections_look_at() -> None:
    assert (followed(1, 1), followed(1, 4), followed(2, 4)) == (1, 0.25, 1 - 0.75**2)
    # Four workers, since two messages a second take two seconds of a core.
    dear = replace(FREE, worker_intake_us=1e6)
    plan = planned(TEAM, replace(dear, engine_publish_us=1000.0))
    assert (plan.workers, plan.worker_connections, plan.worker_share) == (4, 25, 0.5)
    assert plan.engine_share == pytest.approx(15 * 4 * followed(30, 4) / 1000)
    network = planned(TEAM, replace(dear, event_bytes=1.0))
    assert network.worker_network_bytes_per_s == network.network_bytes_per_s / 4


def test_an_engine_that_is_too_busy_is_several() -> None:
    plan = planned(TEAM, replace(FREE, engine_intake_us=1e6))
    assert (plan.engine_share, plan.engine_shards, plan.bottleneck) == (2.0, 4, "engine")
    assert plan.engine_share / plan.engine_shards <= BUSY_MOST


def test_a_storm_is_over_once_all_workers_have_admitted_everybody() -> None:
    dear = replace(FREE, worker_intake_us=1e6)
    assert planned(TEAM, dear).storm_s == 100 / (4 * 500)
    # A handshake that takes long is the limit, on four fifths of a core.
    slow = planned(TEAM, replace(dear, worker_handshake_us=8000.0))
    assert slow.storm_s == pytest.approx(100 / (4 * 100))


def asked(*given: str) -> Any:
    """The command's output for more than any number of workers serves."""
    result = CliRunner().invoke(
        main, ["plan", "--members", "50", "--messages-per-s", "1e6", *given]
    )
    assert result.exit_code == 0, result.output
    return result.output


def test_what_no_number_of_workers_serves_is_said_and_not_simulated() -> None:
    lines = asked("--simulate").splitlines()
    assert lines[0].startswith("No number of workers is enough")
    assert not any(line.startswith(("workers", "simulated")) for line in lines)
    told = json.loads(asked("--simulate", "--json"))
    assert (told["plan"]["feasible"], told["simulated"]) == (False, None)
