"""Schedules under seeds: I3, I4, I5, I11, I12, I13, I15 and one order of ownership after each."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import structlog

from tests.simulation.mutations import MUTATIONS, drop_events
from tests.simulation.world import Plan, play

FEW, MANY = 20, 3_000
SMALLER = Plan(customers=4, commands=5, faults=3)
CAUGHT_WITHIN = 1_500  # schedules


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """No log of what the faults do."""
    structlog.configure(processors=[_silence])
    yield
    structlog.reset_defaults()


def _silence(*_: object) -> dict[str, object]:
    raise structlog.DropEvent


def test_schedules_hold() -> None:
    checked: dict[str, int] = {}
    for seed in range(FEW):
        assert play(seed, SMALLER).wrong == [], f"seed {seed}"
        played = play(seed)
        assert played.wrong == [], f"seed {seed}"
        for invariant, n in played.verdict.checked.items():
            checked[invariant] = checked.get(invariant, 0) + n
    assert [name for name, n in checked.items() if n == 0] == ["I14"]


@pytest.mark.parametrize(("seed", "plan"), [(2, SMALLER), (2549, None), (2616, SMALLER)])
def test_what_was_wrong_once_holds(seed: int, plan: Plan | None) -> None:
    assert play(seed, plan).wrong == []


def test_a_seed_gives_the_same_schedule() -> None:
    """What happened in a schedule can be looked at again."""
    first, second = (play(7).verdict for _ in range(2))
    assert first == second


def test_a_client_helps_itself_over_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Should a node leave an event out, its client begins anew, and ends with the truth."""
    drop_events(monkeypatch)
    helped = 0
    for seed in range(FEW):
        played = play(seed, SMALLER)
        assert played.verdict.violations == [], f"seed {seed}"
        helped += len(played.resets)
    assert helped > 0


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_many_schedules_hold(capsys: pytest.CaptureFixture[str]) -> None:
    began_s = time.monotonic()
    for seed in range(MANY):
        played = play(1_000_000 + seed)
        assert played.wrong == [], f"seed {played.seed}"
    per_min = 60 * MANY / (time.monotonic() - began_s)
    with capsys.disabled():
        print(f"\n{MANY} schedules, {per_min:.0f} per minute")


@pytest.mark.parametrize("name", sorted(MUTATIONS))
def test_a_missing_mechanism_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    invariants, patch = MUTATIONS[name]
    patch(monkeypatch)
    for seed in range(CAUGHT_WITHIN):
        wrong = play(seed, SMALLER).wrong
        if any(found.split(":")[0] in invariants for found in wrong):
            return
    pytest.fail(f"{CAUGHT_WITHIN} schedules, and nothing was noticed")
