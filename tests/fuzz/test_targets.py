"""Bytes of strangers, made up by the thousand: refused or read, and never more than that."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import SEEDS, TARGETS, Target

QUICK, LONG = 150, 5_000


def mixed(name: str) -> st.SearchStrategy[bytes]:
    """Any bytes, and what is known with something changed in its middle."""
    seeds = SEEDS.get(name, ())
    anything = st.binary(max_size=400)
    if not seeds:
        return anything
    known = st.sampled_from(seeds)
    cut = st.integers(0, 400)
    spliced = st.builds(
        lambda seed, at, new, skip: seed[:at] + new + seed[at + skip :],
        known, cut, st.binary(max_size=20), st.integers(0, 8),
    )  # fmt: skip
    return st.one_of(known, spliced, spliced, anything)


def thrown(name: str, times: int) -> Callable[[], None]:
    """The target, under so many inputs."""
    target: Target = TARGETS[name]

    @settings(
        max_examples=times, deadline=None, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(data=mixed(name))
    def run(data: bytes) -> None:
        target(data)

    return run


@pytest.mark.parametrize("name", TARGETS)
def test_what_came_before_breaks_nothing(name: str) -> None:
    for seed in SEEDS.get(name, (b"",)):
        TARGETS[name](seed)


@pytest.mark.parametrize("name", TARGETS)
def test_made_up_bytes_break_nothing(name: str) -> None:
    thrown(name, QUICK)()


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", TARGETS)
def test_made_up_bytes_break_nothing_at_length(name: str) -> None:
    thrown(name, LONG)()
