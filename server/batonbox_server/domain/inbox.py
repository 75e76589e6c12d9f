"""An inbox as a value: rows, memberships, private marks; the scripts' keys without an engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from batonbox_server.domain.model import Kind, Member, Prev, Row, Status


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the log gives the event at `seq`: the tip before it, and its time."""

    prev_tip: str
    at_ms: int


Stamps = Callable[[int], Stamp]


@dataclass(frozen=True, slots=True)
class Fact:
    """One event as the domain decides it; `unseen`: is it in its owner's green set afterwards?"""

    seq: int
    kind: Kind
    actor: str = ""
    before: Row | None = None
    row: Row | None = None
    unseen: bool = False
    user: str = ""


@dataclass(slots=True)
class Inbox:
    """The state of one inbox. `seen` holds `"<conv>:<att>"` per user, `green` conversations."""

    seq: int = 0
    members: dict[str, Member] = field(default_factory=dict)
    numbers: set[str] = field(default_factory=set)
    rows: dict[str, Row] = field(default_factory=dict)
    prev: dict[str, Prev] = field(default_factory=dict)
    pairs: dict[tuple[str, str], str] = field(default_factory=dict)
    providers: dict[str, str] = field(default_factory=dict)
    seen: dict[str, set[str]] = field(default_factory=dict)
    green: dict[str, set[str]] = field(default_factory=dict)
    failed: set[tuple[str, int]] = field(default_factory=set)

    def owner_counts(self, row: Row) -> bool:
        """Whether the assignee's membership is older than the ownership it carries."""
        member = self.members.get(row.assignee)
        return member is not None and member.since_seq < token_seq(row.own_tok)

    def board(self) -> set[str]:
        """Keys of the unassigned with attention."""
        return {
            f"{row.id}:{row.att}"
            for row in self.rows.values()
            if row.status is Status.UNASSIGNED and row.att
        }

    def has_seen(self, user: str, row: Row) -> bool:
        """Whether this user has seen the row's present attention mark."""
        return f"{row.id}:{row.att}" in self.seen.get(user, set())


def token_seq(token: str) -> int:
    """The log position in a mark or ownership token."""
    return int(token.partition(".")[0])
