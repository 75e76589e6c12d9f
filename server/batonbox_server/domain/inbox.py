"""An inbox as a value: rows, memberships, private marks; the scripts' keys without an engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from batonbox_server.domain.model import (
    Availability,
    InboxOptions,
    Kind,
    Member,
    Prev,
    Row,
    Status,
)
from batonbox_server.domain.recount import board_key

MINUTE_MS: Final = 60_000


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
    reason: str = ""


@dataclass(slots=True)
class Inbox:
    """The state of one inbox. `seen` holds `"<conv>:<att>"` per user, `green` conversations.

    `acted`: since when an owner does nothing about a conversation. `away` and `offline` (since
    when, 0: not) are as the inbox was told; `told` has the position of each such word, by what it
    was about. `jobs` are the removed who still hold something. `words`: by (our,
    customer), when the customer last said STOP, negative: START. `trimmed`: how many of a
    conversation's oldest messages have left for the archive.
    """

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
    acted: dict[str, int] = field(default_factory=dict)
    options: InboxOptions = field(default_factory=InboxOptions)
    away: dict[str, Availability] = field(default_factory=dict)
    offline: dict[str, int] = field(default_factory=dict)
    told: dict[tuple[str, str], int] = field(default_factory=dict)
    jobs: list[str] = field(default_factory=list)
    words: dict[tuple[str, str], int] = field(default_factory=dict)
    trimmed: dict[str, int] = field(default_factory=dict)

    def owner_counts(self, row: Row) -> bool:
        """Whether the assignee's membership is older than the ownership it carries."""
        member = self.members.get(row.assignee)
        return member is not None and member.since_seq < token_seq(row.own_tok)

    def available(self, user: str) -> bool:
        """Whether something may be given to them without anybody's doing."""
        member = self.members.get(user)
        here = not self.away.get(user) and not self.offline.get(user)
        return member is not None and member.joined and here

    def absent(self, row: Row, at_ms: int) -> str:
        """Why the owner does not keep what needs an answer; "" they do."""
        if self.away.get(row.assignee) is Availability.RELEASE:
            return "away"
        since, grace = self.offline.get(row.assignee, 0), self.options.offline_min * MINUTE_MS
        gone_ms = at_ms - max(since, self.acted.get(row.id, 0))
        return "offline" if since and grace and gone_ms >= grace else ""

    def owed(self) -> list[Row]:
        """What owners leave unanswered and have not put aside."""
        return [
            row
            for row in self.rows.values()
            if row.status is Status.ASSIGNED and row.unanswered and not row.snoozed_until
        ]

    def silent_since(self, row: Row) -> int:
        """Since when the owner has left the customer without an answer."""
        return max(row.waiting_since, self.acted.get(row.id, 0))

    def gone_since(self) -> dict[str, int]:
        """Owners without a connection: since when, for the one of theirs that they left longest."""
        first: dict[str, int] = {}
        for row in self.owed():
            if self.offline.get(row.assignee):
                acted = self.acted.get(row.id, 0)
                first[row.assignee] = min(first.get(row.assignee, acted), acted)
        return {user: max(self.offline[user], acted) for user, acted in first.items()}

    def board(self) -> set[str]:
        """Keys of the unassigned with attention."""
        return {key for row in self.rows.values() if (key := board_key(row))}

    def has_seen(self, user: str, row: Row) -> bool:
        """Whether this user has seen the row's present attention mark."""
        return f"{row.id}:{row.att}" in self.seen.get(user, set())


def token_seq(token: str) -> int:
    """The log position in a mark or ownership token."""
    return int(token.partition(".")[0])
