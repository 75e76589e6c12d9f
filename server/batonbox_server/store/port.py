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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from msgspec import Struct

from batonbox_server.domain.model import Availability, InboxOptions, Role
from batonbox_server.store.outbox_port import OutboxStore


class Applied(Struct, frozen=True):
    """A command's success: its position in the log, the token and the mark it left behind.

    `warnings`: what does not stand in its way, but the caller should know: `away` or `offline`, of
    whoever got the conversation. `joins`: by it an admin joins the inbox, or had before.
    """

    conv: str
    seq: int
    tip: str
    own_tok: str
    att: str = ""
    n: int = 0
    noop: bool = False
    warnings: tuple[str, ...] = ()
    joins: bool = False


@dataclass(frozen=True, slots=True)
class Received:
    """An inbound message's place; `duplicate` when this provider id was already here.

    `answered`: an automatic answer is queued behind it.
    """

    conv: str
    n: int
    seq: int
    duplicate: bool
    answered: bool = False


class Keyword(NamedTuple):
    """What a message says about opting out: `stop`, `start` or `help`, and the body of the answer.

    `at` orders the words of one customer to one number (`WordsStore.said`), 0 for `help`;
    an `answer` of b"" is none.
    """

    word: str
    at: int
    answer: bytes


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


class LogEntry(Struct, frozen=True, gc=False):
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
class Removed:
    """What a removal did at once, and how many conversations the job still has to return.

    `later`: it did nothing, the membership began at this later position of the organisation's log.
    """

    seq: int
    returned: int
    remaining: int
    later: int = 0


@dataclass(frozen=True, slots=True)
class InboxInfo:
    """An inbox as the store itself knows it; `away` has those whom it was told about."""

    id: str
    epoch: str
    seq: int
    members: dict[str, tuple[Role, bool, int]] = field(default_factory=dict)
    numbers: list[str] = field(default_factory=list)
    options: InboxOptions = field(default_factory=InboxOptions)
    away: dict[str, Availability] = field(default_factory=dict)


class InboxStore(OutboxStore, Protocol):
    """Conversations, marks, logs and the outbox of every inbox."""

    async def create_inbox(self, *, inbox: str) -> bool:
        """Make the inbox's log with a random epoch; False when it exists."""

    async def delete_inbox(self, *, inbox: str) -> bool:
        """Take everybody's access at once, then erase in batches; True when all is gone."""

    async def is_held(self, *, inbox: str) -> bool:
        """Whether anything in it is held; `delete_inbox` is Refused("conflict") meanwhile."""

    async def inbox_info(self, *, inbox: str) -> InboxInfo | None:
        """Members, numbers, options and who is away; or None."""

    async def join(self, *, inbox: str, user: str, role: Role, joined: bool, at: int = 0) -> int:
        """Add or change a membership; a fresh join sees the whole queue as blue. Returns seq.

        `at`: the position of the organisation's log as of which this is wanted.
        """

    async def remove(
        self, *, inbox: str, user: str, role: Role | None, at: int | None = None
    ) -> Removed:
        """Remove from the inbox (an admin stays, un-joined, with `role`) and return up to 100.

        `at`: the position of the organisation's log at which this was wanted. Nothing happens to a
        membership that a later one began; None: whichever it is.
        """

    async def add_number(
        self, *, inbox: str, number: str, at: int = 0, brought: bool = True
    ) -> int | None:
        """The number now delivers here, as the directory wanted at its position `at`.

        Nothing happens when a later position has spoken about this number: it is returned, else 0.
        Without having `brought` what its customers said (`take_words`) the number is only confirmed
        where it is; None: it is not here, and comes only with that.
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
        keyword: Keyword | None = None,
    ) -> Received:
        """Append an inbound message; get-or-create and dedupe in the same step.

        `keyword` `stop`, and `start` while the customer is opted out, are appended and touch
        neither status nor anybody's badge; what they say about being written to holds from this
        step on. Their answer is queued in it too, `stop`'s once per opting out.

        Refused("number_not_routed") is final for this message and every turn up to `turn`, so that
        another inbox may be asked (`DirectoryStore.pin`); with turn 0 nothing is remembered, and
        an inbox that is not there is `not_found`.
        """

    async def take_words(self, *, inbox: str, our: str, said: Mapping[str, int]) -> None:
        """Learn what customers said elsewhere: by customer, `at`, negative of a `start`.

        What is known here to be later stays. Nothing happens when the inbox is not there.
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

    async def snooze(
        self, *, conv: str, actor: str, cid: str, own_tok: str, until_ms: int
    ) -> Applied:
        """Put one's own aside until `until_ms`, at most 366 days ahead; a message wakes it."""

    async def wake(self, *, conv: str, actor: str, cid: str, own_tok: str) -> Applied:
        """End the snooze of one's own now."""

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
        """Append the owner's message and its outbox entry in one step; `n` is its number.

        This, `compose` and `retry` are `recipient_opted_out` while the customer is.
        """

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

    async def tops(
        self, inboxes: Sequence[str], *, actor: str, view: str, below_ms: int | None
    ) -> dict[str, float]:
        """What no row of a view below a time is above: a `last_ms` by inbox that may have any.

        Infinity where only the archive could tell. Nobody's rights are asked for: show none of it.
        """

    async def history(self, *, conv: str, actor: str, before: int = 0, n: int = 50) -> Thread:
        """The row and its messages below number `before`; of failed ones also why."""

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

    async def set_options(self, *, inbox: str, options: InboxOptions, at: int) -> int:
        """The rules of the inbox are these, as the directory wanted at its position `at`.

        Nothing happens when a later position has spoken: it is returned, else 0.
        """

    async def set_away(self, *, inbox: str, user: str, mode: Availability, at: int) -> int:
        """What the user set of their availability; otherwise as `set_options`."""

    async def set_offline(self, *, inbox: str, user: str, version: int, since_ms: int) -> int:
        """Since when the user has no connection (0: they have one).

        `version` rises with each of their comings and goings. Nothing happens when a later one has
        spoken: it is returned, else 0.
        """

    async def due(self, *, inbox: str) -> int:
        """Do what fell due by time, in one batch; returns how much is due still (0: nothing).

        Removals go on, what was put aside wakes, and what silent owners and those without a
        connection leave unanswered goes back to everybody.
        """
