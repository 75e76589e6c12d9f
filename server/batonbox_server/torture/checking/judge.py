"""All checks of one round."""

from __future__ import annotations

from collections.abc import Sequence

from batonbox_server.domain.model import is_room
from batonbox_server.torture.checking.clients import check_clients
from batonbox_server.torture.checking.commands import check_commands
from batonbox_server.torture.checking.findings import Findings
from batonbox_server.torture.checking.logs import check_log
from batonbox_server.torture.checking.members import check_members
from batonbox_server.torture.checking.operations import histories
from batonbox_server.torture.checking.rounds import InboxRound, sort_out
from batonbox_server.torture.checking.search import search
from batonbox_server.torture.checking.truth import (
    check_badges,
    check_indexes,
    check_memory,
    check_rows,
)
from batonbox_server.torture.checking.verdict import Verdict
from batonbox_server.torture.checking.witness import INVARIANT as WITNESS
from batonbox_server.torture.checking.witness import check_witness
from batonbox_server.torture.record import Record

SEARCH = "linearizable (search)"
INVARIANTS = (*(f"I{n}" for n in range(1, 16)), WITNESS, SEARCH)


def check_round(
    records: Sequence[Record], *, budget: int = 200_000, converge_s: float = 10.0
) -> Verdict:
    """Judge a round: `records`, which may begin with the `Final`s of the round before.

    `budget`: how many configurations the search may look at per conversation; where it does not
    suffice the conversation is undecided. `converge_s`: how long after the last fault and the last
    command a client may take to the top.
    """
    whole, findings = sort_out(records), Findings()
    for invariant in INVARIANTS:
        findings.compared(invariant, 0)
    for box in whole.inboxes.values():
        if box.end is None:
            findings.unsure("I1", f"{box.inbox}: nobody read its truth")
            continue
        replayed = check_log(box, findings)
        followers = check_clients(box, whole, findings, converge_ns=int(converge_s * 1e9))
        check_members(box, whole, findings)
        check_rows(box, replayed, findings)
        check_indexes(box, findings)
        check_badges(box, whole, followers, findings)
        check_commands(box, whole, findings)
        if not is_room(box.inbox):
            _linearizable(box, findings, budget)
    check_memory(whole, findings)
    return findings.verdict()


def _linearizable(box: InboxRound, findings: Findings, budget: int) -> None:
    """Both checkers; a history of which a part is lost has no one order, and is told as such."""
    lost, forked = set(findings.noted.lost), _saw_a_fork(box)
    told = []
    for history in histories(box):
        if forked or any(timed.cid in lost for timed in history.ops):
            findings.unsure(SEARCH, f"{history.conv}: a part of its history is lost")
            findings.unsure(WITNESS, f"{history.conv}: a part of its history is lost")
        else:
            told.append(history)
    check_witness(box, told, findings)
    for history in told:
        found = search(history, budget=budget)
        if found.holds is None:
            findings.unsure(SEARCH, f"{history.conv}: more than {budget} configurations")
            continue
        stuck = found.stuck
        what = f"{stuck.op.verb} {stuck.cid} of {stuck.op.user}: {stuck.op.kind}" if stuck else ""
        findings.expect(
            found.holds, SEARCH, f"no order explains what happened to {history.conv}, up to {what}",
            stuck.records if stuck else (),
        )  # fmt: skip


def _saw_a_fork(box: InboxRound) -> bool:
    """Whether any answer names a position that the log does not hold."""
    real = {(step.seq, step.tip) for step in box.steps}
    for command in box.commands:
        told = command.outcome
        if told is None or told.kind != "ok" or not told.tip or told.seq is None:
            continue
        if told.seq >= box.first and (told.seq, told.tip) not in real:
            return True
    return False
