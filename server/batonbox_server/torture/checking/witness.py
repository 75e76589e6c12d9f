"""A linearizability check of the order that the server claims: its log.

The log's order agrees with real time (I7); here every command's outcome is compared with what the
sequential machine of `spec.py` says at its place: those that took effect at their event, those that
found nothing to do at the position of their answer, and those that were refused at some place that
their interval allows.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import Any

from batonbox_server.torture.checking.findings import Findings
from batonbox_server.torture.checking.operations import History, Timed
from batonbox_server.torture.checking.rounds import InboxRound, Step
from batonbox_server.torture.checking.spec import Prev, State, steps

INVARIANT = "linearizable (log)"
UNDOABLE = frozenset({"assigned", "transferred", "returned", "done"})


@dataclass(slots=True)
class _Line:
    """The states of one conversation along the log: `states[i]` holds from `seqs[i]` on."""

    seqs: list[int] = field(default_factory=lambda: [-1])
    states: list[State] = field(default_factory=lambda: [State()])

    def at(self, seq: int) -> State:
        """The state once `seq` has happened."""
        return self.states[bisect_right(self.seqs, seq) - 1]

    def between(self, low: int, high: int) -> list[State]:
        """All states from the one after `low` to the one after `high`."""
        first = bisect_right(self.seqs, low) - 1
        return self.states[first : bisect_right(self.seqs, high)]


@dataclass(slots=True)
class _Clock:
    """Which positions had surely been passed at an instant, and which surely not."""

    ended: list[tuple[int, int]]  # (end, highest seq of what had ended by then)
    begun: list[tuple[int, int]]  # (begin, lowest seq of what begins then or later)
    top: int

    def low(self, began_ns: int) -> int:
        """What begins at this instant stands behind this seq."""
        i = bisect_left(self.ended, (began_ns, -1))
        return self.ended[i - 1][1] if i else -1

    def high(self, ended_ns: int | None) -> int:
        """What ended at this instant stands before the one that began next."""
        if ended_ns is None:
            return self.top
        i = bisect_right(self.begun, (ended_ns, self.top + 1))
        return self.begun[i][1] - 1 if i < len(self.begun) else self.top


def check_witness(box: InboxRound, told: list[History], findings: Findings) -> None:
    """Every outcome is right at its place in the log; where a part of it was lost, of those that
    are left: what others were told may have been right in the part that was.
    """
    if box.end is None or (box.first > 1 and not _covered(box)):
        findings.unsure(INVARIANT, f"{box.inbox}: the log does not begin where the round does")
        return
    lines = _lines(box)
    effects: dict[tuple[str, str], Step] = {
        (step.meta.get("actor", ""), step.meta["cid"]): step
        for step in box.steps
        if step.meta.get("cid")
    }
    clock = _clock(box, effects)
    known = {step.seq: step for step in box.steps}  # of a log with holes, not the n-th is n
    for history in told:
        line = lines.get(history.conv, _Line())
        left = [timed for timed in history.ops if timed.fate == "kept"]
        for timed in left:
            _check_one(known, history, line, timed, effects, clock, findings)
        if len(left) < len(history.ops):
            findings.unsure(INVARIANT, f"{history.conv}: a part of its history is lost")


def _covered(box: InboxRound) -> bool:
    return box.same_epoch and box.start is not None and box.first <= box.start.head[0] + 1


def _lines(box: InboxRound) -> dict[str, _Line]:
    lines: dict[str, _Line] = {}
    start = box.start if box.same_epoch else None
    for was in start.rows if start else ():
        state = State(was["status"], was["assignee"], was["own_tok"], "any")
        lines[was["id"]] = _Line(states=[state])
    begins = start.head[0] if start else 0
    before: Step | None = None
    for step in box.steps:
        row = step.meta.get("row")
        if step.seq > begins and isinstance(row, dict) and "status" in row:
            line = lines.setdefault(row["id"], _Line())
            # Done of an unassigned conversation is a claim and done: its undo skips the claim.
            origin = line.states[-2] if _one_command(before, step) else line.states[-1]
            line.states.append(_state(step, row, line.states[-1], origin))
            line.seqs.append(step.seq)
        before = step
    return lines


def _one_command(before: Step | None, step: Step) -> bool:
    """Whether two neighbouring events are the claim and the done of one command."""
    if before is None or not step.meta.get("cid"):
        return False
    return all(before.meta.get(name) == step.meta.get(name) for name in ("cid", "actor", "conv"))


def _state(step: Step, row: dict[str, Any], before: State, was: State) -> State:
    """The state after an event, by the event's own row; `was` is what its undo goes back to."""
    token, kind = row["own_tok"], step.meta.get("type", "")
    if token == before.token:
        prev = None if kind == "composed" else before.prev
    elif kind in UNDOABLE and step.meta.get("cid"):
        prev = Prev(was.status, was.owner, step.meta["actor"], token)
    else:
        prev = None
    return State(row["status"], row["assignee"], token, prev)


def _clock(box: InboxRound, effects: dict[tuple[str, str], Step]) -> _Clock:
    ends, begins = [], []
    assert box.end is not None
    for command in box.commands:
        step = effects.get((command.call.user, command.call.cid))
        seq = step.seq if step else None
        if seq is None:
            continue
        begins.append((command.began_ns, seq))
        if command.ended_ns is not None:
            ends.append((command.ended_ns, seq))
    ends.sort()
    begins.sort()
    highest, lowest = -1, box.end.head[0] + 1
    for i, (at, seq) in enumerate(ends):
        highest = max(highest, seq)
        ends[i] = (at, highest)
    for i in range(len(begins) - 1, -1, -1):
        lowest = min(lowest, begins[i][1])
        begins[i] = (begins[i][0], lowest)
    return _Clock(ends, begins, box.end.head[0])


def _check_one(
    known: dict[int, Step],
    history: History,
    line: _Line,
    timed: Timed,
    effects: dict[tuple[str, str], Step],
    clock: _Clock,
    findings: Findings,
) -> None:
    op = timed.op
    if op.verb in ("receive", "member_remove") or op.kind == "unknown":
        return
    step = effects.get((op.user, timed.cid))
    if op.kind == "ok" and step is not None:
        before = line.at(step.seq - (2 if _one_command(known.get(step.seq - 1), step) else 1))
        after = line.at(step.seq)
        right = op.new in ("", after.token) and any(
            may[:2] == after[:2] for may in steps(before, op, history.users)
        )
        what = f"{before[:3]} became {after[:3]} at {step.seq}"
    else:
        states = line.between(clock.low(timed.began_ns), clock.high(timed.ended_ns))
        if op.kind == "ok" and timed.seq is not None:
            states = [line.at(timed.seq)]
        right = any(after[:3] == s[:3] for s in states for after in steps(s, op, history.users))
        what = f"{op.slug or 'nothing to do'} is right in none of {[s[:3] for s in states[:4]]}"
    findings.expect(
        right, INVARIANT, f"{op.verb} {timed.cid} of {op.user} about {history.conv}: {what}",
        timed.records,
    )  # fmt: skip
