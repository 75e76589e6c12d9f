"""One inbox in memory: rows, lines, a log with positions, and what all verbs share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from batonbox._models import Row

__all__ = ["Box", "Refused", "owner_only", "same_token"]

NO_TIP = "0" * 16


class Refused(Exception):
    """By this word of the error table; `cur` is the conversation as it is."""

    def __init__(self, slug: str, message: str = "", *, cur: Row | None = None) -> None:
        self.slug, self.message, self.cur = slug, message, cur
        super().__init__(slug)


@dataclass(slots=True)
class Back:
    """Where an undo leads: what was before, whose act it was, when, and the token since."""

    was: Row
    actor: str
    at_ms: int
    token: str


@dataclass(slots=True, eq=False)
class Box:
    """`members`: user to role; `told(box)` is called for each new entry of the log."""

    id: str
    number: str
    members: dict[str, str]
    now_ms: Callable[[], int]
    told: Callable[[Box], None]
    rows: dict[str, Row] = field(default_factory=dict)
    lines: dict[str, list[list[Any]]] = field(default_factory=dict)
    events: list[tuple[int, dict[str, Any], Any, str]] = field(default_factory=list)
    back: dict[str, Back] = field(default_factory=dict)
    replies: dict[tuple[str, str], tuple[Any, dict[str, Any]]] = field(default_factory=dict)
    seq: int = 0
    tip: str = NO_TIP
    epoch: str = "tester"

    def row(self, args: Mapping[str, Any]) -> Row:
        """The conversation that is meant; raises Refused."""
        row = self.rows.get(str(args["conv"]))
        if row is None:
            raise Refused("not_found")
        return row

    def known_or_new(self, customer: str) -> Row:
        """The customer's, or one that begins."""
        for row in self.rows.values():
            if row.customer == customer:
                return row
        conv = f"{self.id}.c{len(self.rows) + 1}"
        return Row(id=conv, our=self.number, customer=customer, status="done")

    def moved(self, row: Row, status: str, assignee: str) -> Row:
        """The change that all moves have in common."""
        self.back.pop(row.id, None)
        last = row.assignee if row.status == "assigned" else row.last_assignee
        token = self.mark("own" + row.id + assignee)
        return replace(
            row,
            status=status,
            assignee=assignee,
            own_tok=token,
            last_assignee=last,
            snoozed_until=0,
        )

    def finished(self, row: Row) -> Row:
        """Done: nothing waits."""
        return replace(self.moved(row, "done", ""), att="", unanswered=0, waiting_since=0)

    def undoable(
        self,
        kind: str,
        row: Row,
        new: Row,
        user: str,
        body: dict[str, Any],
        origin: Row | None = None,
        *,
        cid: str = "",
    ) -> Row:
        """Record it, and remember the way back."""
        new = self.record(kind, row, new, user, body, cid=cid)
        self.back[row.id] = Back(origin or row, user, self.now_ms(), new.own_tok)
        return new

    def fence(self, row: Row, user: str, args: Mapping[str, Any]) -> None:
        """Only the owner, or an admin with the present token, changes an ownership."""
        mine = row.assignee == user
        if row.status != "assigned" or not (mine or self.members[user] == "admin"):
            raise Refused("not_owner", cur=row)
        if not mine and not args.get("own_tok"):
            raise Refused("bad_request", "own_tok: needed of somebody else's", cur=row)
        same_token(row, args)

    def record(
        self,
        kind: str,
        before: Row | None,
        row: Row,
        actor: str,
        body: Any,
        *,
        cid: str = "",
        **more: Any,
    ) -> Row:
        """A new line, and its event."""
        n = row.n + 1
        row = replace(row, n=n, rev=self.seq + 1, last_ms=self.now_ms())
        state = str(more.get("state", ""))
        line = [n, row.rev, row.last_ms, kind, actor, cid, state, body, ""]
        self.lines.setdefault(row.id, []).append(line)
        self.log(kind, before, row, actor, body, n=n, cid=cid, **more)
        return row

    def log(
        self,
        kind: str,
        before: Row | None,
        row: Row,
        actor: str,
        body: Any,
        **more: Any,
    ) -> None:
        """An event, told to everybody."""
        self.rows[row.id] = row
        self.seq, self.tip = self.seq + 1, _digest(f"{self.tip}{kind}{row.id}")
        meta = {"type": kind, "actor": actor, "conv": row.id, "unseen": False, "row": row, **more}
        if before is not None:
            was = {"status": before.status, "assignee": before.assignee, "att": before.att}
            meta["before"] = was
        self.events.append((self.seq, meta, body, self.tip))
        self.told(self)

    def delivered(self, row: Row) -> None:
        """What left for the customer is there at once."""
        for state in ("sent", "delivered"):
            self.lines[row.id][row.n - 1][6] = state
            self.log("delivery_changed", row, row, "", None, n=row.n, cid="", state=state)

    def mark(self, salt: str) -> str:
        """A mark of the next event."""
        return f"{self.seq + 1}.{_digest(self.tip + salt)[:8]}"


def owner_only(row: Row, user: str, args: Mapping[str, Any]) -> None:
    """What not even an admin does to others' conversations."""
    if row.status != "assigned" or row.assignee != user:
        raise Refused("not_owner", cur=row)
    same_token(row, args)


def same_token(row: Row, args: Mapping[str, Any]) -> None:
    """A token that is given must be the present one."""
    if args.get("own_tok") not in {None, "", row.own_tok}:
        raise Refused("stale_token", cur=row)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
