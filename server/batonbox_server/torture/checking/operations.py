"""Calls of a round as operations on one conversation, with the interval in which each happened."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from batonbox_server.torture.checking.rounds import Command, InboxRound
from batonbox_server.torture.checking.spec import OWNERSHIP, Op, State, op_row
from batonbox_server.torture.record import Fault

Fate = Literal["kept", "lost", "either", "none"]


@dataclass(frozen=True, slots=True)
class Timed:
    """An operation between `began_ns` and `ended_ns` (None: it may happen at any later time).

    `fate`: what it wrote is in the history that is left, or in a part that was lost, or either;
    `none`: it wrote nothing.
    """

    op: Op
    began_ns: int
    ended_ns: int | None
    cid: str
    records: tuple[int, ...]
    seq: int | None = None  # the position in the answer; only the witness looks at it
    fate: Fate = "kept"

    def overlaps(self, fault: Fault) -> bool:
        """Whether it was under way while the fault went on."""
        ended_ns = self.ended_ns or fault.ended_ns
        return self.began_ns <= fault.ended_ns and ended_ns >= fault.began_ns


@dataclass(frozen=True, slots=True)
class History:
    """What happened to one conversation, and what it was before."""

    conv: str
    start: State
    ops: list[Timed]
    users: frozenset[str]
    last: Timed | None  # the look at the row at rest


def histories(box: InboxRound) -> list[History]:
    """One per conversation that anybody did something about."""
    final, customers = box.end, _customers(box)
    users = frozenset(c.call.user for c in box.commands) | frozenset(final.members if final else ())
    admins = _admins(box)
    by_conv: dict[str, list[Timed]] = defaultdict(list)
    removals: list[Timed] = []
    for number, command in enumerate(box.commands):
        timed = _timed(number, command, admins)
        if command.call.verb == "member_remove":
            removals.append(timed)
        elif command.call.verb in OWNERSHIP:
            conv = command.conv or customers.get(str(command.call.args.get("to", "")), "")
            if conv:
                by_conv[conv].append(timed)
    for index, (record, said) in enumerate(box.said, start=len(box.commands)):
        # Where it went to first was lost, if it came again and went elsewhere.
        convs = list(dict.fromkeys(conv for conv, _ in said.places))
        convs = convs or [customers.get(said.customer, "")]
        for n, conv in enumerate(convs):
            ended_ns = None if n else said.acknowledged_ns
            op = Op(index, "receive", kind="unknown" if ended_ns is None else "ok")
            if conv:
                by_conv[conv].append(
                    Timed(op, said.began_ns, ended_ns, said.provider_id, (record,))
                )
    rows = {row["id"]: row for row in final.rows} if final else {}
    starts = _starts(box)
    return [
        History(conv, starts.get(conv, State()), ops + removals, users, _last(box, rows.get(conv)))
        for conv, ops in sorted(by_conv.items())
    ]


def _timed(number: int, command: Command, admins: frozenset[str]) -> Timed:
    call, told = command.call, command.outcome
    to = call.args.get("user") if call.verb == "member_remove" else call.args.get("to")
    own = call.verb == "assign" and to == call.user
    if own or call.verb not in ("assign", "transfer", "member_remove"):
        to = ""
    op = Op(
        number,
        call.verb,
        call.user,
        str(to or ""),
        str(call.args.get("own_tok") or ""),
        told.kind if told else "unknown",
        (told.slug or "") if told else "",
        str(told.reply.get("own_tok", "")) if told and told.kind == "ok" else "",
        op_row(told.cur) if told else None,
        call.user in admins,
    )
    seq = told.seq if told else None
    return Timed(op, command.began_ns, command.ended_ns, call.cid, tuple(command.records), seq)


def _customers(box: InboxRound) -> dict[str, str]:
    """Which conversation a customer's number has; {} where several of our numbers share one."""
    known: dict[str, str] = {}
    for row in [*(box.start.rows if box.start else ()), *(box.end.rows if box.end else ())]:
        if known.setdefault(row["customer"], row["id"]) != row["id"]:
            known[row["customer"]] = ""
    return known


def _admins(box: InboxRound) -> frozenset[str]:
    """Who may have been an admin at some time of the round."""
    found = {
        user
        for final in (box.start, box.end)
        if final is not None
        for user, member in final.members.items()
        if member.get("role") == "admin"
    }
    found |= {
        str(c.call.args.get("user"))
        for c in box.commands
        if c.call.verb == "member_add" and c.call.args.get("role") == "admin"
    }
    return frozenset(found)


def _starts(box: InboxRound) -> dict[str, State]:
    rows: Mapping[str, dict[str, Any]] = (
        {row["id"]: row for row in box.start.rows} if box.start else {}
    )
    return {
        conv: State(row["status"], row["assignee"], row["own_tok"], "any")
        for conv, row in rows.items()
    }


def _last(box: InboxRound, row: dict[str, Any] | None) -> Timed | None:
    if row is None or box.end is None:
        return None
    op = Op(-1, "look", row=op_row(row))
    return Timed(op, box.end.at_ns, box.end.at_ns, "the row at rest", (box.end_record,))
