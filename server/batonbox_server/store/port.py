"""What the service may ask of the store, and what the store owes it.

Duties, for every mutation:

* It is atomic, decided against the state at one instant, and ordered with every other mutation of
  the same inbox: revocation of a membership included.
* It appends its events to the inbox's log with contiguous seqs and chained tips before it returns.
* Sent again with the same actor, `cid` and arguments it has no second effect and returns the first
  result; with other arguments it raises `Refused("idempotency_mismatch")`.
* It either takes effect as a whole or not at all, and raises `Refused` with the reason.

`Refused("unavailable")` means: not applied, or unknown; the same `cid` may be sent again.
Bodies are MessagePack values the store never looks into.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from batonbox_server.domain.model import Delivery, Role


@dataclass(frozen=True, slots=True)
class Applied:
    """A command's success: its position in the log, the token and the mark it left behind."""

    conv: str
    seq: int
    tip: str
    own_tok: str
    att: str = ""
    n: int = 0
    noop: bool = False


@dataclass(frozen=True, slots=True)
class Received:
    """An inbound message's place; `duplicate` when this provider id was already here."""

    conv: str
    n: int
    seq: int
    duplicate: bool


@dataclass(frozen=True, slots=True)
class PageOf:
    """Rows (public maps) and the cursor behind the last *scanned* one; `next` "" at the end."""

    rows: list[dict[str, Any]]
    next: str
    seq: int
    tip: str


@dataclass(frozen=True, slots=True)
class Thread:
    """Messages in ascending order, each in the order of `wire.MESSAGE_FIELDS`; `next` 0: no older.

    `next` is the `before` that continues.
    """

    messages: list[list[Any]]
    next: int
    seq: int
    row: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An inbox at `seq`: newest open rows, counts {unassigned, open, done}."""

    epoch: str
    seq: int
    tip: str
    counts: dict[str, int]
    rows: list[dict[str, Any]]
    next: str


@dataclass(frozen=True, slots=True)
class Head:
    """A log's end; `tip_at` is the tip of the entry asked for, "" when it is gone or never was."""

    epoch: str
    seq: int
    tip: str
    tip_at: str
    oldest: int


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry of a log: `prev` is the tip before it, `frame` the final EV bytes.

    `at_ms`: when it was written, where it was asked for (0: not).
    """

    seq: int
    prev: str
    frame: bytes
    at_ms: int = 0


@dataclass(frozen=True, slots=True)
class Board:
    """The unassigned with attention at `seq`: keys `"<conv>:<att>"`."""

    epoch: str
    seq: int
    tip: str
    unassigned: int
    keys: list[str]


@dataclass(frozen=True, slots=True)
class Marks:
    """One user's private state at `seq` and mark version `mv`.

    `seen` tells which of the two `keys` is: those of the board the user has seen, or has not;
    whichever is shorter.  `green` are conversations assigned to the user with something unseen,
    `blue` is how many of the board the user has not seen.
    `role` is "" for no member at all.
    """

    seq: int
    tip: str
    mv: int
    role: str
    joined: bool
    since_seq: int
    seen: bool
    keys: list[str]
    green: list[str]
    blue: int


@dataclass(frozen=True, slots=True)
class OutboxItem:
    """A leased outbound message: `attempt` counts from 1."""

    conv: str
    n: int
    our: str
    customer: str
    attempt: int
    seq: int
    body: Any


@dataclass(frozen=True, slots=True)
class Settled:
    """The event's seq, 0: no change; how many messages of the conversation wait behind it."""

    seq: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Removed:
    """What a removal did at once, and how many conversations the job still has to return."""

    seq: int
    returned: int
    remaining: int


@dataclass(frozen=True, slots=True)
class InboxInfo:
    """An inbox as the store itself knows it."""

    id: str
    epoch: str
    seq: int
    members: dict[str, tuple[Role, bool, int]] = field(default_factory=dict)
    numbers: list[str] = field(default_factory=list)


class InboxStore(Protocol):
    """Conversations, marks, logs and the outbox of every inbox."""

    async def create_inbox(self, *, inbox: str) -> bool:
        """Make the inbox's log with a random epoch; False when it exists."""

    async def delete_inbox(self, *, inbox: str) -> bool:
        """Take everybody's access at once, then erase in batches; True when all is gone."""

    async def inbox_info(self, *, inbox: str) -> InboxInfo | None:
        """Members and numbers, or None."""

    async def join(self, *, inbox: str, user: str, role: Role, joined: bool) -> int:
        """Add or change a membership; a fresh join sees the whole queue as blue. Returns seq."""

    async def remove(self, *, inbox: str, user: str, role: Role | None) -> Removed:
        """Remove from the inbox (an admin stays, un-joined, with `role`) and return up to 100."""

    async def add_number(self, *, inbox: str, number: str, at: int = 0) -> int:
        """The number now delivers here, as the directory wanted at its position `at`.

        Nothing happens when a later position has spoken about this number: it is returned, else 0.
        """

    async def drop_number(self, *, inbox: str, number: str, at: int = 0) -> int:
        """The number no longer delivers here, history stays; otherwise as `add_number`."""

    async def receive(
        self,
        *,
        inbox: str,
        our: str,
        customer: str,
        provider_id: str,
        body: bytes,
        preview: str,
        turn: int = 0,
    ) -> Received:
        """Append an inbound message; get-or-create and dedupe in the same step.

        Refused("number_not_routed") is final for this message and every turn up to `turn`, so that
        another inbox may be asked (`DirectoryStore.pin`); with turn 0 nothing is remembered, and
        an inbox that is not there is `not_found`.
        """

    async def assign(self, *, conv: str, actor: str, cid: str, to: str = "") -> Applied:
        """At most one of N concurrent callers wins; the others meet `conflict` with the row."""

    async def transfer(
        self, *, conv: str, actor: str, cid: str, own_tok: str, to: str, note: str = ""
    ) -> Applied:
        """Hand over; `to` the actor by an admin is the take-over."""

    async def release(self, *, conv: str, actor: str, cid: str, own_tok: str) -> Applied:
        """Return to Inbox."""

    async def done(
        self, *, conv: str, actor: str, cid: str, own_tok: str, seen: str | None
    ) -> Applied:
        """Mark as Done; a `seen` that is not the row's in_seq is `new_activity`."""

    async def undo(self, *, conv: str, actor: str, cid: str, own_tok: str) -> Applied:
        """Back to the status and owner before the actor's last change."""

    async def reply(
        self,
        *,
        conv: str,
        actor: str,
        cid: str,
        own_tok: str,
        body: bytes,
        preview: str,
        seen: str = "",
    ) -> Applied:
        """Append the owner's message and its outbox entry in one step; `n` is its number."""

    async def retry(self, *, conv: str, actor: str, cid: str, n: int) -> Applied:
        """Queue the failed message now, behind whatever of its conversation is already queued."""

    async def note(
        self, *, conv: str, actor: str, cid: str, body: bytes, mentions: Sequence[str] = ()
    ) -> Applied:
        """Append an internal note."""

    async def compose(
        self,
        *,
        inbox: str,
        actor: str,
        cid: str,
        our: str,
        customer: str,
        body: bytes,
        preview: str,
    ) -> Applied:
        """Claim or create, and send, in one step; owned by somebody else: nothing is sent."""

    async def seen(self, *, conv: str, actor: str, att: str) -> bool:
        """Mark as seen if `att` is still the row's; False when it had no effect."""

    async def unread(self, *, conv: str, actor: str, cid: str) -> Applied:
        """Remove the actor's mark."""

    async def snapshot(self, *, inbox: str, n: int = 200) -> Snapshot:
        """One instant of the inbox, for everybody."""

    async def page(
        self, *, inbox: str, actor: str, view: str, after: str = "", n: int = 50
    ) -> PageOf:
        """Rows of a view, newest first (`walk`: every row, oldest first)."""

    async def history(self, *, conv: str, actor: str, before: int = 0, n: int = 50) -> Thread:
        """The row and its messages below number `before`."""

    async def head(self, *, log: str, at: int = 0) -> Head:
        """The end of a log (`log` = its key prefix), and the tip of entry `at`."""

    async def range(self, *, log: str, first: int, last: int) -> list[LogEntry]:
        """Entries `first`..`last`, as far as the log still has them."""

    async def board(self, *, inbox: str) -> Board:
        """The shared half of every badge."""

    async def marks(self, *, inbox: str, user: str) -> Marks:
        """The private half of one user's badge."""

    async def check(self, *, inbox: str, positions: Sequence[tuple[int, str]]) -> list[list[Any]]:
        """The (seq, tip) pairs that the log does not hold."""

    async def lease_outbox(self, *, inbox: str, lease_ms: int, n: int = 16) -> list[OutboxItem]:
        """Due messages, longest due first, at most one of a conversation; each for `lease_ms`.

        Messages of one conversation are leased in the order in which they were queued, and one only
        after the one before it has ended (`sent`, in whatever state): not while that is leased to
        anybody, postponed, or due again.  A conversation held up so takes no place among the `n`.
        """

    async def sent(
        self, *, conv: str, n: int, state: Delivery, carrier_id: str = "", reason: str = ""
    ) -> Settled:
        """Record what the carrier said about a message; the next of its conversation is due."""

    async def postpone(self, *, conv: str, n: int, attempt: int, after_ms: int) -> None:
        """Give the lease of this attempt back; due again after `after_ms`, if not leased anew."""

    async def receipt(
        self, *, inbox: str, carrier_id: str, state: Delivery, reason: str
    ) -> Settled | None:
        """A delivery receipt by the carrier's id; None when the id is unknown here."""

    async def due(self, *, inbox: str) -> int:
        """Run the inbox's due jobs (removals in batches); returns how many are left."""
