"""Every order of everything where that is possible, and random ones beyond."""

from __future__ import annotations

import pytest

from tests.simulation.small import explore, walk
from tests.simulation.small_mutations import SMALL

EVENTS, WALKS, MANY, CAUGHT_WITHIN = 4, 150, 5_000, 3_000


def test_every_order_of_an_event_and_a_failover() -> None:
    """Two nodes, two clients: thousands of states."""
    found = explore(1, states_max=100_000)
    assert found.wrong == []
    assert found.states > 1_000


def test_orders_of_four_events_and_a_failover() -> None:
    for seed in range(WALKS):
        assert walk(seed, EVENTS) == [], f"seed {seed}"


@pytest.mark.long
def test_many_orders_of_four_events_and_a_failover() -> None:
    for seed in range(WALKS, MANY):
        assert walk(seed, EVENTS) == [], f"seed {seed}"


@pytest.mark.parametrize("name", sorted(SMALL))
def test_a_missing_mechanism_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    SMALL[name](monkeypatch)
    assert any(walk(seed, EVENTS) for seed in range(CAUGHT_WITHIN))
