"""The one table of metrics; labelled children are held, not looked up per event."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterator
from functools import cache
from math import inf
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from batonbox_server import measured

from .services import Readiness

__all__ = ["CONTENT_TYPE", "REGISTRY", "described", "exposition", "observe_request"]

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
REGISTRY: Final = CollectorRegistry()
# process_cpu_seconds_total, process_resident_memory_bytes, ...: where the system has a /proc.
ProcessCollector(registry=REGISTRY)

_LABELS: Final[dict[str, tuple[str, ...]]] = {
    "batonbox_http_requests": ("method", "route", "status"),
    "batonbox_http_request_seconds": ("route",),
}
_requests: Final = Counter(
    "batonbox_http_requests",
    "HTTP requests by route and status",
    _LABELS["batonbox_http_requests"],
    registry=REGISTRY,
)
_seconds: Final = Histogram(
    "batonbox_http_request_seconds",
    "Time to answer an HTTP request",
    _LABELS["batonbox_http_request_seconds"],
    registry=REGISTRY,
)
_engine_up: Final = Gauge("batonbox_engine_up", "1: the engine answers", registry=REGISTRY)
_degraded: Final = Gauge("batonbox_feeds_degraded", "1: the channel is broken", registry=REGISTRY)
_draining: Final = Gauge("batonbox_draining", "1: shutting down", registry=REGISTRY)
_COUNTS: Final = {
    name: Gauge(f"batonbox_{name}", text, registry=REGISTRY)
    for name, text in (
        ("connections", "Open websockets"),
        ("feeds", "Logs followed by this node"),
        ("channel_ok", "1: what this node publishes comes back to it"),
        ("channel_seconds", "From publishing until it was heard, the last time"),
        ("channel_failures", "How often it was not heard in time"),
        ("feed_gaps", "Gaps of followed logs that were read from the engine"),
        ("badge_audits", "Badges recounted in the engine and compared"),
        ("archive_stuck", "1: nothing can be moved to the archive; see /readyz"),
        ("archive_lines", "Messages in the archive, as of some minutes ago"),
        ("archive_rows", "Conversations in the archive, as of some minutes ago"),
        ("archive_bytes", "What the archive takes, as of some minutes ago"),
        ("archive_lines_moved", "Messages that this node has moved to the archive"),
        ("archive_rows_moved", "Conversations that this node has moved to the archive"),
        ("archive_waiting", "Conversations that should leave the engine and did not yet"),
        ("archive_held", "Conversations and rooms that are held"),
        ("durable_confirmed", "Writes that replicas or the disk were known to have"),
        ("durable_unconfirmed", "Writes of which that was not known in time"),
        ("engine_memory_used", "Bytes that the engine's data takes"),
        ("engine_memory_bound", "Bytes that it should not exceed; 0: no bound"),
        ("search_complete", "1: this node's search index has read everything"),
        ("search_behind", "Log entries that the search index has to read yet"),
        ("search_conversations_read", "Conversations that the search index has read"),
        ("search_conversations", "Conversations that there are to read, as far as is known"),
        (
            "load_level",
            "0: calm, 1: most new connections are turned away, 2: requests, too",
        ),
        ("loop_lag_seconds", "How late the loop is, at least, in its last few turns"),
        ("engine_oldest_command_seconds", "How long the oldest command waits for its reply"),
        ("handshakes_pending", "Websockets that have not signed in yet"),
        ("connections_max", "Open websockets, at most"),
        ("shed_connections", "Connections that were turned away so far, for being too many"),
        ("http_cut", "Connections of HTTP that were cut, for a request or an answer that stood"),
        ("shed_requests", "Requests that were turned away so far, for there being too much to do"),
        ("badge_mismatches", "Badges that differed from the recount: must stay 0"),
    )
}

_DISTRIBUTIONS: Final[tuple[tuple[str, str, str, measured.Distribution], ...]] = (
    (
        "batonbox_script_seconds",
        "From handing a script to the engine until its answer",
        "script",
        measured.SCRIPT_S,
    ),
    (
        "batonbox_command_seconds",
        "From reading a websocket's command until its answer is written",
        "command",
        measured.COMMAND_S,
    ),
    (
        "batonbox_client_lag_events",
        "Events of an inbox that a client had not applied when it answered PING",
        "",
        measured.CLIENT_LAG,
    ),
)
_TALLIES: Final[tuple[tuple[str, str, str, Tally[str]], ...]] = (
    (
        "batonbox_feed_breaks",
        "Feeds that were no prefix of their log any more: fork, epoch, trimmed, gone",
        "reason",
        measured.FEED_BREAKS,
    ),
    (
        "batonbox_resumes",
        "Subscriptions that began: resumed, snapshot, or why a position was of no use",
        "kind",
        measured.RESUMES,
    ),
    ("batonbox_resets", "RESET frames that were sent", "reason", measured.RESETS),
)


class _Measured(Collector):
    """What `measured` has counted."""

    def collect(self) -> Iterator[Metric]:
        """See Collector."""
        for name, text, label, distribution in _DISTRIBUTIONS:
            labels = [label] if label else []
            family = HistogramMetricFamily(name, text, labels=labels)
            for key, counts in list(distribution.counts.items()):
                buckets, so_far = [], 0
                for bound, count in zip((*distribution.bounds, inf), counts, strict=True):
                    so_far += count
                    buckets.append((_bound(bound), float(so_far)))
                family.add_metric([key] if label else [], buckets, distribution.sums[key])
            yield family
        for name, text, label, tally in _TALLIES:
            counted = CounterMetricFamily(name, text, labels=[label])
            for key, count in list(tally.items()):
                counted.add_metric([key], count)
            yield counted


def _bound(value: float) -> str:
    return "+Inf" if value == inf else repr(value)


REGISTRY.register(_Measured())


@cache
def _children(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    return _requests.labels(method, route, str(status)), _seconds.labels(route)


def observe_request(*, method: str, route: str, status: int, seconds: float) -> None:
    """Count a request; `route` is a path template of ours, so that the labels are bounded."""
    counter, histogram = _children(method, route, status)
    counter.inc()
    histogram.observe(seconds)


def described() -> Iterator[tuple[str, str, tuple[str, ...], str]]:
    """Name, kind, labels and meaning of each; without the process's own, which systems vary in."""
    measured_by = {name: (label,) for name, _, label, _ in (*_DISTRIBUTIONS, *_TALLIES) if label}
    labels = _LABELS | measured_by
    for family in REGISTRY.collect():
        if family.name.startswith("batonbox_"):
            yield family.name, family.type, labels.get(family.name, ()), family.documentation


def exposition(readiness: Readiness) -> bytes:
    """Everything in the text format."""
    _engine_up.set(bool(readiness.engine()["up"]))
    _degraded.set(readiness.degraded())
    _draining.set(readiness.draining)
    for name, value in readiness.counts().items():
        _COUNTS[name].set(value)
    return generate_latest(REGISTRY)
