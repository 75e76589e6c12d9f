"""What a race found, judged against what the server says afterwards."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field
from typing import Any

import msgspec

from batonbox._events import Assigned, LogEvent, Resync
from batonbox._models import Message, Row
from batonbox._streams import EventStream

__all__ = ["Attempt", "Report", "Watch", "judge"]

CATCH_UP_S = 60.0


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One agent's wish for one conversation, and its end."""

    conv: str
    agent: str
    began_s: float
    took_s: float = 0.0
    retries: int = 0
    own_tok: str = ""
    seq: int = 0
    lost_to: str = ""
    failure: str = ""

    def won(self, own_tok: str, seq: int) -> Attempt:
        """Acknowledged: the server said it is mine."""
        self.own_tok, self.seq = own_tok, seq
        return self._ended()

    def lost(self, to: str) -> Attempt:
        """Refused: it belongs to somebody else."""
        self.lost_to = to or "nobody"
        return self._ended()

    def failed(self, why: str) -> Attempt:
        """Neither."""
        self.failure = why
        return self._ended()

    def _ended(self) -> Attempt:
        self.took_s = time.perf_counter() - self.began_s
        return self


class Watch:
    """Claims as the inbox's log tells them, followed live through every reconnect."""

    def __init__(self) -> None:
        self.claims: dict[str, list[str]] = defaultdict(list)
        self.resyncs = 0
        self._seq = 0
        self._moved = asyncio.Event()

    async def run(self, events: EventStream) -> None:
        """Take in events until cancelled."""
        async for event in events:
            if isinstance(event, Resync):
                self.resyncs += 1
            if isinstance(event, Assigned):
                self.claims[event.row.id].append(event.row.assignee)
            if isinstance(event, LogEvent):
                self._seq = event.seq
            self._moved.set()

    async def reach(self, seq: int) -> None:
        """Wait until position `seq`; after a Resync there is nothing to wait for."""
        async with asyncio.timeout(CATCH_UP_S):
            while self._seq < seq and not self.resyncs:
                self._moved.clear()
                await self._moved.wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Figures of a race; `broken` says which invariants did not hold."""

    conversations: int
    attempts: int
    winners: int
    double_owners: int
    lost_claims: int
    unowned: int
    wrong_names: int
    log_mismatches: int
    failed_attempts: int
    retries: int
    watcher_resyncs: int
    attempts_per_s: float
    p50_ms: float
    p99_ms: float
    seconds: float
    broken: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether every invariant held."""
        return not self.broken

    def as_map(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "passed": self.passed}


def judge(
    attempts: list[Attempt],
    threads: dict[str, dict[str, Any]],
    watch: Watch,
    *,
    took_s: float,
    expected: int,
) -> Report:
    """Hold what was acknowledged against what can be read back."""
    winners: dict[str, list[Attempt]] = defaultdict(list)
    for attempt in attempts:
        if attempt.own_tok:
            winners[attempt.conv].append(attempt)
    logged = {conv: _claims_in(thread) for conv, thread in threads.items()}
    counts = {
        "double_owners": sum(
            len(winners[c]) > 1 or len(logged[c]) > 1 or len(watch.claims[c]) > 1 for c in threads
        ),
        "lost_claims": sum(
            not _holds(won, threads[conv]) for conv in threads for won in winners[conv]
        ),
        "unowned": expected - sum(bool(winners[conv]) for conv in threads),
        "wrong_names": sum(_misnamed(a, winners[a.conv]) for a in attempts if a.lost_to),
        "log_mismatches": sum(
            _mismatch(winners[conv], logged[conv], watch, conv) for conv in threads
        ),
        "failed_attempts": sum(bool(a.failure) for a in attempts),
    }
    times_ms = sorted(a.took_s * 1000 for a in attempts) or [0.0]
    return Report(
        conversations=len(threads),
        attempts=len(attempts),
        winners=sum(len(won) for won in winners.values()),
        retries=sum(a.retries for a in attempts),
        watcher_resyncs=watch.resyncs,
        attempts_per_s=round(len(attempts) / took_s, 1) if took_s else 0.0,
        p50_ms=round(times_ms[len(times_ms) // 2], 2),
        p99_ms=round(times_ms[min(len(times_ms) - 1, len(times_ms) * 99 // 100)], 2),
        seconds=round(took_s, 2),
        broken=_broken(counts, attempts),
        **counts,
    )


def _claims_in(thread: dict[str, Any]) -> list[str]:
    """Who took the conversation, according to its own lines."""
    lines = [msgspec.convert(message, Message) for message in thread["messages"]]
    return [line.actor for line in lines if line.kind == "assigned"]


def _holds(won: Attempt, thread: dict[str, Any]) -> bool:
    row = msgspec.convert(thread["row"], Row)
    return (row.assignee, row.own_tok) == (won.agent, won.own_tok)


def _misnamed(attempt: Attempt, winners: list[Attempt]) -> bool:
    return attempt.lost_to not in {won.agent for won in winners}


def _mismatch(winners: list[Attempt], logged: list[str], watch: Watch, conv: str) -> bool:
    expected = [won.agent for won in winners]
    seen = watch.claims[conv]
    return logged != expected or (not watch.resyncs and seen != expected)


def _broken(counts: dict[str, int], attempts: list[Attempt]) -> list[str]:
    broken = [f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count]
    reasons = Counter(a.failure for a in attempts if a.failure).most_common(3)
    return broken + [f"{count} times: {why}" for why, count in reasons]
