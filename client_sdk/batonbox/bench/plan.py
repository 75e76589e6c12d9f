"""What to run against which server, and what came of it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from batonbox.bench.tally import Account

__all__ = ["WORKLOADS", "Plan", "Result", "percentiles"]

WORKLOADS: Final = ("fanout", "latency", "idle", "handshakes", "commands", "storm")
# How many connections (of commands: conversations) a workload takes unless told otherwise.
CLIENTS: Final = {
    "fanout": 1000,
    "latency": 500,
    "idle": 1000,
    "handshakes": 64,
    "commands": 64,
    "storm": 500,
}
# Above this share of one core the figure says as much about the client as about the server.
BOUND: Final = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A run; `clients` 0: each workload's own number. `inboxes`: over which fan-out is spread."""

    url: str
    token: str
    only: tuple[str, ...] = WORKLOADS
    clients: int = 0
    seconds: float = 5.0
    window: int = 64
    inboxes: int = 1
    rate_per_s: float = 50.0
    timeout_s: float = 10.0
    progress: Callable[[str], None]
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:10])

    @property
    def warm_up_s(self) -> float:
        """What comes before anything is counted."""
        return min(1.0, self.seconds / 3)

    def count(self, workload: str) -> int:
        """Connections (of commands: conversations) of a workload."""
        return self.clients or CLIENTS[workload]


@dataclass(slots=True, kw_only=True)
class Result:
    """Figures of one workload, in the order in which they are shown.

    `client_busy`: the share of one core that this client took; `notes` say what to know, and what
    to raise where the server's limits were met.
    """

    workload: str
    figures: dict[str, float] = field(default_factory=dict)
    account: Account | None = None
    client_busy: float = 0.0
    notes: list[str] = field(default_factory=list)

    @property
    def right(self) -> bool:
        """Whether nothing was lost, doubled or out of order."""
        return self.account is None or self.account.right

    @property
    def client_bound(self) -> bool:
        """Whether the server might do more than this client can take."""
        return self.client_busy >= BOUND

    def as_map(self) -> dict[str, Any]:
        """For JSON."""
        account = self.account
        judged = {
            name: getattr(account, name)
            for name in ("delivered", "lost", "doubled", "disordered", "resets", "closed")
            if account is not None
        }
        busy = {"client_busy": round(self.client_busy, 3), "client_bound": self.client_bound}
        return {**self.figures, **judged, **busy, "right": self.right, "notes": self.notes}


def percentiles(took_s: list[float], name: str = "") -> dict[str, float]:
    """p50, p99 and max in ms; nothing of nothing."""
    if not took_s:
        return {}
    ordered = sorted(took_s)
    at = {"p50": len(ordered) // 2, "p99": len(ordered) * 99 // 100, "max": len(ordered) - 1}
    return {f"{name}{label}_ms": round(1000 * ordered[n], 2) for label, n in at.items()}
