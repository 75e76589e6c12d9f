"""Metrics of several workers in one answer, as a real registry writes them."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from batonbox_server.workers.merged import merged


def exposition(requests: int, connections: float) -> bytes:
    """Of one worker."""
    registry = CollectorRegistry()
    Counter("requests", "Answered", ["path"], registry=registry).labels('/a "b" {c} d').inc(
        requests
    )
    Gauge("connections", "Open", registry=registry).set(connections)
    Histogram("seconds", "Time", buckets=(1.0,), registry=registry).observe(0.5)
    return generate_latest(registry)


def test_every_sample_has_its_worker_and_every_family_is_once() -> None:
    text = merged({"0": exposition(3, 1e9), "1": exposition(4, 2), "2": b""})
    families = {family.name: family for family in text_string_to_metric_families(text.decode())}
    assert text.count(b"# TYPE connections gauge") == 1
    found = {
        (sample.name, sample.labels["worker"]): sample.value
        for name in ("requests", "connections")
        for sample in families[name].samples
        if not sample.name.endswith("_created")
    }
    assert found == {
        ("requests_total", "0"): 3,
        ("requests_total", "1"): 4,
        ("connections", "0"): 1e9,
        ("connections", "1"): 2,
    }
    paths = {s.labels["path"] for s in families["requests"].samples}
    assert paths == {'/a "b" {c} d'}
    buckets = [s.labels for s in families["seconds"].samples if s.name == "seconds_bucket"]
    assert buckets == [{"worker": w, "le": le} for w in ("0", "1") for le in ("1.0", "+Inf")]
