"""What one round writes down, in memory: bounded, numbered, and shared where it is the same."""

from __future__ import annotations

import hashlib
import time
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]

from .record import Call, Fault, Observed, Outcome, OutcomeKind, Record, Said

__all__ = ["RECORDS_MOST", "Ledger"]

# What is said, seen and answered in a round; then its load ends early.
RECORDS_MOST: Final = 300_000


class Ledger:
    """The records of the present round, and the counts of all."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.counts = dict.fromkeys(
            (
                "calls",
                "ok",
                "refused",
                "unknown",
                "said",
                "acknowledged",
                "again",
                "seen",
                "resets",
            ),
            0,
        )
        self._calls = 0
        self._shared: dict[tuple[str, str], tuple[dict[str, Any], str]] = {}

    @property
    def full(self) -> bool:
        """Whether the round has to end."""
        return len(self.records) >= RECORDS_MOST

    def begin(self) -> None:
        """A new round; what was written down is let go of."""
        self.records = []
        self._shared = {}

    def add(self, record: Record) -> None:
        """Write it down."""
        self.records.append(record)
        match record:
            case Observed(kind="event" | "snapshot"):
                self.counts["seen"] += 1
            case Observed(kind="reset"):
                self.counts["resets"] += 1
            case Said(acknowledged_ns=at_ns, places=places):
                self.counts["said"] += 1
                self.counts["acknowledged"] += at_ns is not None
                self.counts["again"] += len(places[1:])

    def call(self, **fields: Any) -> Call:
        """A command is about to be sent."""
        self._calls += 1
        call = Call(id=self._calls, began_ns=time.monotonic_ns(), **fields)
        self.counts["calls"] += 1
        self.add(call)
        return call

    def outcome(self, call: Call, kind: OutcomeKind, **fields: Any) -> Outcome:
        """And this is how it ended."""
        outcome = Outcome(id=call.id, kind=kind, ended_ns=time.monotonic_ns(), **fields)
        self.counts[kind] += 1
        self.add(outcome)
        return outcome

    def told(self, inbox: str, tip: str, meta: dict[str, Any], body: Any) -> tuple[Any, str]:
        """An event's meta and the hash of its body; one object for all who saw the same."""
        known = self._shared.get((inbox, tip))
        if known is None:
            known = self._shared[inbox, tip] = (meta, body_hash(body))
            return known
        digest = body_hash(body)
        return known if known == (meta, digest) else (meta, digest)

    def faults(self) -> list[Fault]:
        """Of this round."""
        return [record for record in self.records if isinstance(record, Fault)]


def body_hash(body: Any) -> str:
    """Of a decoded body."""
    return hashlib.sha1(msgpack.packb(body), usedforsecurity=False).hexdigest()[:16]
