"""What the nodes say of themselves, and how much waits in an inbox."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

__all__ = ["LiveStore", "NodeReport", "Overview"]


@dataclass(frozen=True, slots=True)
class NodeReport:
    """One node: its connections by user, clients looking at an inbox, and changes per second."""

    id: str
    build: str
    up_s: int
    connections: int
    changes_per_s: float
    users: dict[str, int] = field(default_factory=dict)
    viewers: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Overview:
    """One inbox now; `oldest_ms` is since when the longest waiting customer waits, 0 for none.

    `held` counts conversations by who has them.
    """

    unassigned: int
    oldest_ms: int
    held: dict[str, int]


class LiveStore(Protocol):
    """Nothing here is history: a node that stops reporting is forgotten."""

    async def report(self, report: NodeReport, *, lease_ms: int) -> list[NodeReport]:
        """Stand for `lease_ms`; everybody who stands, this node included."""

    async def leave(self, node: str) -> None:
        """Stand no more."""

    async def overview(self, *, inbox: str) -> Overview | None:
        """None without such an inbox."""
