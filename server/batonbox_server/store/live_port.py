"""What the nodes say of themselves and of who is there, and how much waits in an inbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

__all__ = ["Beat", "LiveStore", "Mark", "NodeReport", "Overview", "People"]


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


@dataclass(frozen=True, slots=True)
class Mark:
    """Since when somebody has no connection to any node (epoch ms), 0: they have one.

    `version` orders the marks of a person: it rises with each change of it, and fences late ones.
    """

    version: int
    since_ms: int


@dataclass(frozen=True, slots=True)
class People:
    """What changed in who is connected to a node; a repetition changes nothing.

    `met` are users who may never have been connected anywhere: they are offline from now on.
    """

    came: tuple[str, ...] = ()
    went: tuple[str, ...] = ()
    met: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Beat:
    """The answer to a report: every node that stands, and who came and went anywhere.

    `marks` are the changes that this report brought, from version `was` to `version` of the whole.
    `mine`: so many people the store has for this node. `more`: there is more to do, report again.
    """

    nodes: list[NodeReport]
    was: int
    version: int
    mine: int
    marks: dict[str, Mark]
    more: bool


class LiveStore(Protocol):
    """Nothing here is history: a node that stops reporting is forgotten."""

    async def report(self, report: NodeReport, people: People) -> Beat:
        """Stand for six seconds, with these people; nodes that stopped saying so are given up.

        The people of a dead node go when its lease ends, provided that another node has stood since
        it still spoke; if none has (the only server was restarted, the store was away), once some
        node has stood for twenty seconds: meanwhile they come back. Each change of a person leaves
        a durable job of kind `presence` and is told on the organisation's channel
        (`hub.port.PRESENCE`), in the same step.
        """

    async def leave(self, node: str) -> None:
        """Stand no more. Its people stay until its lease ends, as if it had died: they move."""

    async def members(self, node: str) -> frozenset[str]:
        """The people whom the store has for a node."""

    async def presence(self) -> tuple[int, dict[str, Mark]]:
        """The version of the whole, and everybody who was ever connected or met."""

    async def marks(self, users: list[str]) -> Mapping[str, Mark]:
        """Of those of these users who are known."""

    async def overview(self, *, inbox: str) -> Overview | None:
        """None without such an inbox."""
