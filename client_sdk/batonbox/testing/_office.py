"""Who may do what, as the server decides it, for bots without a network.

A test plays the same bot against this and against the server, and compares what is seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from batonbox._models import Row
from batonbox.testing._box import Box, Refused, owner_only, same_token

__all__ = ["VERBS", "carry_out", "receive", "wake_due"]

UNDO_MS = 10_000
SNOOZE_MAX_MS = 366 * 86_400_000
_CONDITIONS = frozenset({"cid", "dur", "own_tok", "seen"})


def carry_out(box: Box, user: str, command: str, args: Mapping[str, Any]) -> dict[str, Any]:
    """A command; OK's map. Raises Refused."""
    if user not in box.members:
        raise Refused("forbidden")
    asked = (command, {k: v for k, v in args.items() if k not in _CONDITIONS})
    known = box.replies.get((user, str(args["cid"])))
    if known is not None:
        if known[0] != asked:
            raise Refused("idempotency_mismatch")
        return known[1]
    seq = box.seq
    row = VERBS[command](box, user, args)
    answer = {"conv": row.id, "inbox": box.id, "seq": box.seq, "tip": box.tip}
    answer |= {"own_tok": row.own_tok, "att": row.att, "n": row.n}
    answer |= {"noop": True} if box.seq == seq else {}
    box.replies[user, str(args["cid"])] = (asked, answer)
    if command in {"reply", "compose"}:
        box.delivered(row)
    return answer


def receive(box: Box, customer: str, text: str) -> str:
    """A customer's message; returns the conversation."""
    row = box.known_or_new(customer)
    before = row if row.rev else None
    if row.status == "done":
        row = box.moved(row, "unassigned", "")
    mark = box.mark("in" + text)
    row = replace(
        row,
        att=mark,
        in_seq=mark,
        waiting_since=row.waiting_since if row.unanswered else box.now_ms(),
        unanswered=row.unanswered + 1,
        preview=text,
        snoozed_until=0,
    )
    box.record("received", before, row, "", {"text": text, "media": []})
    return row.id


def wake_due(box: Box) -> None:
    """End the snoozes that are due, the first one first."""
    asleep = sorted((r.snoozed_until, r.id) for r in box.rows.values() if r.snoozed_until)
    for until_ms, conv in asleep:
        if until_ms <= box.now_ms():
            row = box.rows[conv]
            new = replace(row, snoozed_until=0, att=box.mark("att" + conv))
            body = {"to": row.assignee, "reason": "due"}
            box.record("woken", row, new, "", body, reason="due")


def _assign(box: Box, user: str, args: Mapping[str, Any]) -> Row:
    owner = str(args.get("to") or user)
    if owner != user and box.members[user] != "admin":
        raise Refused("forbidden")
    if owner not in box.members:
        raise Refused("target_not_member")
    row = box.row(args)
    if row.status == "assigned":
        if row.assignee == owner:
            return row
        raise Refused("conflict", cur=row)
    new = box.moved(row, "assigned", owner)
    if owner != user:
        new = replace(new, att=box.mark("att" + owner))
    return box.undoable("assigned", row, new, user, {"to": owner}, cid=args["cid"])


def _transfer(box: Box, user: str, args: Mapping[str, Any]) -> Row:
    row, to = box.row(args), str(args["to"])
    box.fence(row, user, args)
    if row.assignee == to:
        return row
    if to not in box.members:
        raise Refused("target_not_member")
    new = replace(box.moved(row, "assigned", to), att=box.mark("att" + to))
    note = {"note": args["note"]} if args.get("note") else {}
    return box.undoable("transferred", row, new, user, {"to": to, **note}, cid=args["cid"])


def _release(box: Box, user: str, args: Mapping[str, Any]) -> Row:
    row = box.row(args)
    box.fence(row, user, args)
    new = replace(box.moved(row, "unassigned", ""), att=box.mark("att" + user))
    return box.undoable("returned", row, new, user, {"to": ""}, cid=args["cid"])


def _done(box: Box, user: str, args: Mapping[str, Any]) -> Row:
    row = origin = box.row(args)
    if row.status == "assigned":
        box.fence(row, user, args)
    else:
        same_token(row, args)
    if args.get("seen") not in {"*", row.in_seq}:
        raise Refused("new_activity", cur=row)
    if row.status == "done":
        return row
    if row.status == "unassigned":
        claimed = box.moved(row, "assigned", user)
        row = box.record("assigned", row, claimed, user, {"to": user}, cid=args["cid"])
    return box.undoable("done", row, box.finished(row), user, {"to": ""}, origin, cid=args["cid"])


def _undo(box: Box, user: str, args: Mapping[str, Any]) -> Row:
    row = box.row(args)
    if args.get("own_tok") != row.own_tok:
        raise Refused("stale_token", cur=row)
    back = box.back.get(row.id)
    if back is None or back.actor != user or back.token != row.own_tok:
        raise Refused("not_undoable", cur=row)
    was = back.was
    late = box.now_ms() - back.at_ms > UNDO_MS
    if late or (was.status == "done" and row.unanswered):
        raise Refused("not_undoable", cur=row)
    if was.status == "done":
        new = box.finished(row)
    else:
        new = box.moved(row, was.status, was.assignee)
        new = replace(new, att=box.mark("att" + user))
    if row.status == "done":
        new = replace(new, unanswered=was.unanswered, waiting_since=was.waiting_since)
    return box.record("undone", row, new, user, {"to": new.assignee}, cid=args["cid"])


def _snooze(box: Box, user: str, args: Mapping[str, Any]) -> Row:
    row, until_ms = box.row(args), int(args["until_ms"])
    owner_only(row, user, args)
    if not box.now_ms() < until_ms <= box.now_ms() + SNOOZE_MAX_MS:
        raise Refused("bad_request", "until_ms: a time within the next year", cur=row)
    new = replace(row, snoozed_until=until_ms)
    body = {"to": user, "until_ms": until_ms}
    return box.record("snoozed", row, new, user, body, cid=args["cid"])


def _wake(box: Box, user: str, args: Mapping[str, Any]) -> Row:
    row = box.row(args)
    owner_only(row, user, args)
    if not row.snoozed_until:
        return row
    new, body = replace(row, snoozed_until=0), {"to": user, "reason": "owner"}
    return box.record("woken", row, new, user, body, cid=args["cid"], reason="owner")


def _reply(box: Box, user: str, args: Mapping[str, Any]) -> Row:
    row = box.row(args)
    owner_only(row, user, args)
    new = replace(row, unanswered=0, waiting_since=0, preview=args["text"])
    return box.record("replied", row, new, user, _words(args), cid=args["cid"], state="queued")


def _compose(box: Box, user: str, args: Mapping[str, Any]) -> Row:
    row = box.known_or_new(str(args["to"]))
    if row.status == "assigned" and row.assignee != user:
        raise Refused("conflict", cur=row)
    new = row if row.status == "assigned" else box.moved(row, "assigned", user)
    box.back.pop(row.id, None)
    new = replace(new, unanswered=0, waiting_since=0, preview=args["text"])
    return box.record(
        "composed",
        row if row.rev else None,
        new,
        user,
        _words(args),
        cid=args["cid"],
        state="queued",
    )


def _note(box: Box, user: str, args: Mapping[str, Any]) -> Row:
    row, named = box.row(args), list(args.get("mentions") or ())
    if not box.members.keys() >= set(named):
        raise Refused("target_not_member")
    body = {"text": args["text"], "mentions": named}
    return box.record("noted", row, row, user, body, cid=args["cid"], mentions=named)


def _unread(box: Box, _: str, args: Mapping[str, Any]) -> Row:
    return box.row(args)


VERBS: dict[str, Callable[[Box, str, Mapping[str, Any]], Row]] = {
    "assign": _assign,
    "transfer": _transfer,
    "return": _release,
    "done": _done,
    "undo": _undo,
    "snooze": _snooze,
    "wake": _wake,
    "reply": _reply,
    "compose": _compose,
    "note": _note,
    "unread": _unread,
}


def _words(args: Mapping[str, Any]) -> dict[str, Any]:
    return {"text": args["text"], "media": list(args.get("media") or ())}
