"""The one table of metrics; labelled children are held, not looked up per event."""

from __future__ import annotations

from functools import cache
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from .services import Readiness

__all__ = ["CONTENT_TYPE", "REGISTRY", "exposition", "observe_request"]

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
REGISTRY: Final = CollectorRegistry()
# process_cpu_seconds_total, process_resident_memory_bytes, ...: where the system has a /proc.
ProcessCollector(registry=REGISTRY)

_requests: Final = Counter(
    "batonbox_http_requests",
    "HTTP requests by route and status",
    ["method", "route", "status"],
    registry=REGISTRY,
)
_seconds: Final = Histogram(
    "batonbox_http_request_seconds", "Time to answer an HTTP request", ["route"], registry=REGISTRY
)
_engine_up: Final = Gauge("batonbox_engine_up", "1: the engine answers", registry=REGISTRY)
_degraded: Final = Gauge("batonbox_feeds_degraded", "1: the channel is broken", registry=REGISTRY)
_draining: Final = Gauge("batonbox_draining", "1: shutting down", registry=REGISTRY)
_COUNTS: Final = {
    name: Gauge(f"batonbox_{name}", text, registry=REGISTRY)
    for name, text in (
        ("connections", "Open websockets"),
        ("feeds", "Logs followed by this node"),
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
        ("shed_requests", "Requests that were turned away so far, for there being too much to do"),
        ("badge_mismatches", "Badges that differed from the recount: must stay 0"),
    )
}


@cache
def _children(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    return _requests.labels(method, route, str(status)), _seconds.labels(route)


def observe_request(*, method: str, route: str, status: int, seconds: float) -> None:
    """Count a request; `route` is a path template of ours, so that the labels are bounded."""
    counter, histogram = _children(method, route, status)
    counter.inc()
    histogram.observe(seconds)


def exposition(readiness: Readiness) -> bytes:
    """Everything in the text format."""
    _engine_up.set(bool(readiness.engine()["up"]))
    _degraded.set(readiness.degraded())
    _draining.set(readiness.draining)
    for name, value in readiness.counts().items():
        _COUNTS[name].set(value)
    return generate_latest(REGISTRY)
