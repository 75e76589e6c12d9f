"""Distributions as they are counted, and as they are exposed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from batonbox_server.asgi import metrics
from batonbox_server.asgi.services import Readiness
from batonbox_server.measured import Distribution


def test_a_value_stands_in_the_bucket_that_ends_at_it_or_above() -> None:
    it = Distribution((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 2.0, 9.0):
        it.add("x", value)
    assert it.counts == {"x": [2, 2, 1]}
    assert it.sums == {"x": 14.0}


def test_buckets_are_exposed_cumulated_with_their_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    it = Distribution((0.001, 1.0))
    for value in (0.0005, 0.5, 0.25, 7.0):
        it.add("assign", value)
    monkeypatch.setattr(
        metrics, "_DISTRIBUTIONS", (("batonbox_script_seconds", "text", "script", it),)
    )
    lines = _exposed()
    name = 'batonbox_script_seconds_bucket{le="%s",script="assign"} %s'
    for le, count in (("0.001", "1.0"), ("1.0", "3.0"), ("+Inf", "4.0")):
        assert name % (le, count) in lines
    assert 'batonbox_script_seconds_count{script="assign"} 4.0' in lines
    assert 'batonbox_script_seconds_sum{script="assign"} 7.7505' in lines


def _exposed() -> list[str]:
    readiness: Any = SimpleNamespace(
        engine=lambda: {"up": True}, degraded=lambda: False, draining=False, counts=dict
    )
    return metrics.exposition(cast(Readiness, readiness)).decode().splitlines()
