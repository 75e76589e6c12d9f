"""Every order of everything, in a model that is small enough for it."""

from __future__ import annotations

import pytest

from tests.simulation.exploring import States, Wrong, branches, explore, members
from tests.simulation.small_mutations import SMALL
from tests.simulation.whole import Search

# Events and failovers; what a mutation does wrong shows in the first that is large enough for it.
SIZES = [(1, 1), (2, 1), (2, 2), (3, 1), (4, 1)]


def test_every_order_of_four_events_and_a_failover() -> None:
    """Two nodes, two clients."""
    found = explore(events=4, failovers=1)
    assert found.logs == 25
    assert found.nodes > 100_000
    assert found.pairs > 4_000_000


def test_every_order_of_two_events_and_two_failovers() -> None:
    assert explore(events=2, failovers=2).pairs > 30_000


@pytest.mark.long
def test_every_order_of_three_events_and_two_failovers() -> None:
    assert explore(events=3, failovers=2).pairs > 1_000_000


@pytest.mark.parametrize("name", sorted(SMALL))
def test_a_missing_mechanism_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    SMALL[name](monkeypatch)
    assert any(is_wrong(events, failovers) for events, failovers in SIZES)


def is_wrong(events: int, failovers: int) -> bool:
    """Whether the search finds anything."""
    try:
        explore(events, failovers)
    except Wrong:
        return True
    return False


def in_parts(events: int, failovers: int) -> set[object] | str:
    """What nodes, and clients at them, come to beside the log; or what is wrong."""
    states, found = States(), set[object]()
    try:
        for beside, reached in branches(states, events, failovers):
            for n, clients in reached.items():
                node = states.nodes[n]
                found.add((beside.log, node))
                found.update((beside.log, node, states.clients[c]) for c in members(clients))
    except Wrong as wrong:
        return str(wrong)[:2]
    return found


def at_once(events: int, failovers: int) -> set[object] | str:
    """The same, by the plain search."""
    found = set[object]()
    try:
        for now in Search(events, failovers).reached():
            found.update((now.log, node) for node in now.nodes)
            for client, at in zip(now.clients, now.at, strict=True):
                found.add((now.log, now.nodes[at], client))
    except Wrong as wrong:
        return str(wrong)[:2]
    return found


def test_the_parts_are_the_whole() -> None:
    """The plain search, of over a hundred thousand states, comes to nothing else."""
    assert in_parts(1, 1) == at_once(1, 1)


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(SMALL))
def test_the_parts_are_the_whole_without_a_mechanism(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    SMALL[name](monkeypatch)
    assert in_parts(1, 1) == at_once(1, 1)
