"""The only place where states change. The Lua scripts mirror it; a model test compares the two.

`decide(inbox, command, stamps)` changes the given inbox and returns the facts in log order, or
raises Refusal and changes nothing, except that a conversation whose owner has left goes back first.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Final

from batonbox_server.domain.inbox import Fact, Inbox, Stamps, token_seq
from batonbox_server.domain.model import (
    UNDO_WINDOW_MS,
    Availability,
    InboxOptions,
    Kind,
    Member,
    Prev,
    Role,
    Row,
    Status,
)
from batonbox_server.domain.opting import blocked_since

UN, AS, DONE = Status.UNASSIGNED, Status.ASSIGNED, Status.DONE

# Which (before, after) an event of each kind may show; None: the conversation did not exist.
EDGES: Final[dict[Kind, frozenset[tuple[Status | None, Status]]]] = {
    Kind.RECEIVED: frozenset({(None, UN), (UN, UN), (AS, AS), (DONE, UN), (DONE, AS)})
    | {(None, DONE), (DONE, DONE)},  # a keyword
    Kind.ASSIGNED: frozenset({(UN, AS), (DONE, AS)}),
    Kind.TRANSFERRED: frozenset({(AS, AS)}),
    Kind.RETURNED: frozenset({(AS, UN)}),
    Kind.DONE: frozenset({(AS, DONE)}),
    Kind.UNDONE: frozenset({(AS, UN), (AS, AS), (AS, DONE), (UN, AS), (DONE, AS), (DONE, UN)}),
    Kind.REPLIED: frozenset({(AS, AS)}),
    Kind.COMPOSED: frozenset({(None, AS), (UN, AS), (DONE, AS), (AS, AS)}),
    Kind.ANSWERED: frozenset({(UN, UN), (AS, AS), (DONE, DONE)}),
    Kind.NOTED: frozenset({(UN, UN), (AS, AS), (DONE, DONE)}),
    Kind.SNOOZED: frozenset({(AS, AS)}),
    Kind.WOKEN: frozenset({(AS, AS)}),
    Kind.DELIVERY_CHANGED: frozenset({(UN, UN), (AS, AS), (DONE, DONE)}),
    Kind.PURGED: frozenset({(UN, UN), (AS, AS), (DONE, DONE)}),
}


class Refusal(Exception):
    """The command is refused with this word of the error table."""

    def __init__(self, word: str) -> None:
        self.word = word
        super().__init__(word)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A verb and its arguments; which of them count depends on the verb.

    `at_ms` is until when to snooze, since when somebody is gone, or what the log's clock says;
    `at` the position of a word about availability or options, or the time of a keyword, `word`.
    """

    verb: str
    conv: str = ""
    actor: str = ""
    cid: str = ""
    own_tok: str = ""
    to: str = ""
    seen: str = ""
    text: str = ""
    our: str = ""
    customer: str = ""
    provider_id: str = ""
    body: bytes = b""
    n: int = 0
    role: Role = Role.MEMBER
    joined: bool = True
    at_ms: int = 0
    at: int = 0
    word: str = ""
    mode: Availability = Availability.AVAILABLE
    options: InboxOptions = field(default_factory=InboxOptions)


class Step:
    """One command under way: working row of one conversation, facts so far."""

    def __init__(self, inbox: Inbox, stamps: Stamps, command: Command) -> None:
        self.inbox, self.command = inbox, command
        self._stamps = stamps
        self.facts: list[Fact] = []

    @property
    def at_ms(self) -> int:
        """The time of the event about to be recorded."""
        return self._stamps(self.inbox.seq + 1).at_ms

    def mark(self, salt: str | bytes) -> str:
        """A mark of the next event."""
        raw = salt.encode() if isinstance(salt, str) else salt
        tip = self._stamps(self.inbox.seq + 1).prev_tip.encode()
        digest = hashlib.sha1(tip + raw, usedforsecurity=False).hexdigest()
        return f"{self.inbox.seq + 1}.{digest[:8]}"

    def record(
        self,
        kind: Kind,
        before: Row | None,
        row: Row,
        *,
        actor: str,
        unseen: bool,
        reason: str = "",
    ) -> Row:
        """Log the change from `before` to `row` and make it the inbox's state."""
        inbox = self.inbox
        at_ms, inbox.seq = self.at_ms, inbox.seq + 1
        opted_out = blocked_since(inbox, row)
        row = replace(row, n=row.n + 1, rev=inbox.seq, last_ms=at_ms, opted_out=opted_out)
        if before is not None and before.status is AS:
            inbox.green.setdefault(before.assignee, set()).discard(row.id)
        if row.status is AS:
            green = inbox.green.setdefault(row.assignee, set())
            (green.add if unseen else green.discard)(row.id)
        inbox.rows[row.id] = row
        self.facts.append(Fact(inbox.seq, kind, actor, before, row, unseen, reason=reason))
        return row

    def log(self, kind: Kind, *, actor: str = "", user: str = "") -> None:
        """Log something that concerns no conversation."""
        self.inbox.seq += 1
        self.facts.append(Fact(self.inbox.seq, kind, actor, user=user))

    # Moves: each mints a new ownership token, forgets the way back and wakes

    def shift(self, row: Row, status: Status, assignee: str, salt: str) -> Row:
        """The change of (status, assignee) common to every move."""
        last = row.assignee if row.status is AS else row.last_assignee
        self.inbox.prev.pop(row.id, None)
        token = self.mark("own" + salt)
        self.inbox.acted[row.id] = self.at_ms if status is AS else 0
        return replace(
            row,
            status=status,
            assignee=assignee,
            own_tok=token,
            last_assignee=last,
            snoozed_until=0,
        )

    def to_unassigned(self, row: Row, actor: str, salt: str) -> Row:
        """Into the queue: attention for everybody but the human who put it there."""
        row = replace(self.shift(row, UN, "", salt), att=self.mark("att" + salt))
        if actor in self.inbox.members:
            self.inbox.seen.setdefault(actor, set()).add(f"{row.id}:{row.att}")
        return row

    def to_assigned(self, row: Row, user: str, salt: str, *, handed: bool) -> tuple[Row, bool]:
        """To `user`; returns whether it is unseen for them: always when somebody hands it over."""
        unseen = handed or bool(row.att and not self.inbox.has_seen(user, row))
        if handed:
            row = replace(row, att=self.mark("att" + salt))
        return self.shift(row, AS, user, salt), unseen

    def to_done(self, row: Row, salt: str) -> Row:
        """Finished: nothing waits, nothing is unread."""
        return replace(self.shift(row, DONE, "", salt), att="", unanswered=0, waiting_since=0)

    def undoable(self, row: Row, was: Row) -> None:
        """Remember the way back, at the time of the event about to be recorded."""
        self.inbox.prev[row.id] = Prev(
            was.status,
            was.assignee,
            self.command.actor,
            row.own_tok,
            self.at_ms,
            was.waiting_since,
            was.unanswered,
        )

    # What commands ask first

    def standing(self) -> Member:
        """The actor's membership, or a refusal."""
        member = self.inbox.members.get(self.command.actor)
        if member is None:
            raise Refusal("forbidden")
        return member

    def row(self) -> Row:
        """The conversation, returned first if its owner no longer counts."""
        row = self.inbox.rows.get(self.command.conv)
        if row is None:
            raise Refusal("not_found")
        return self.released(row)

    def released(self, row: Row) -> Row:
        """The row after a departed owner's conversation went back to the queue."""
        if row.status is not AS or self.inbox.owner_counts(row):
            return row
        return self.given_back(row, "membership")

    def given_back(self, row: Row, reason: str) -> Row:
        """The row after it went back to the queue, as nobody's act."""
        back = self.to_unassigned(row, "", row.id)
        return self.record(Kind.RETURNED, row, back, actor="", unseen=False, reason=reason)

    def fence(self, row: Row, me: Member) -> None:
        """Only the owner, or an admin with the present token, changes an ownership."""
        command = self.command
        if row.status is not AS or (row.assignee != command.actor and me.role is not Role.ADMIN):
            raise Refusal("not_owner")
        if row.assignee != command.actor and not command.own_tok:
            raise Refusal("token_required")
        self.same_token(row)

    def owner_only(self, row: Row) -> None:
        """What not even an admin does to others' conversations."""
        if row.status is not AS or row.assignee != self.command.actor:
            raise Refusal("not_owner")
        self.same_token(row)

    def same_token(self, row: Row) -> None:
        """A token that is given must be the present one."""
        if self.command.own_tok and self.command.own_tok != row.own_tok:
            raise Refusal("stale_token")

    def join(self, user: str, member: Member, actor: str) -> None:
        """A fresh join: the whole queue is blue for them again."""
        self.inbox.members[user] = member
        self.inbox.seen.pop(user, None)
        self.inbox.green.pop(user, None)
        self.log(Kind.MEMBER_JOINED, actor=actor, user=user)

    def join_admin(self, me: Member) -> None:
        """An admin joins the inbox where they take a conversation."""
        if not me.joined:
            self.join(self.command.actor, replace(me, joined=True), self.command.actor)

    @property
    def salt(self) -> str:
        """What tells this command's marks from those of another at the same position."""
        return self.command.conv + self.command.actor + self.command.cid


def legal(kind: Kind, before: Row | None, after: Row) -> bool:
    """Whether an event may show this change: the edge, the actor's right, the token's turn."""
    edge = (before.status if before else None, after.status)
    if kind not in EDGES or edge not in EDGES[kind]:
        return False
    if before is None:
        return True
    moved = (before.status, before.assignee) != (after.status, after.assignee)
    return moved == (before.own_tok != after.own_tok) and (kind is not Kind.TRANSFERRED or moved)


def undo_allowed(inbox: Inbox, row: Row, prev: Prev, now_ms: int) -> bool:
    """Within the window, and never to somebody who left nor into Done over an open question."""
    if now_ms - prev.at_ms > UNDO_WINDOW_MS:
        return False
    if prev.status is AS:
        member = inbox.members.get(prev.assignee)
        return member is not None and member.since_seq < token_seq(prev.tok)
    return prev.status is not DONE or row.unanswered == 0
