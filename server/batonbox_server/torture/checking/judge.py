"""All checks of one round."""

from __future__ import annotations

from collections.abc import Sequence

from batonbox_server.domain.model import is_room
from batonbox_server.torture.checking.clients import check_clients
from batonbox_server.torture.checking.commands import check_commands
from batonbox_server.torture.checking.findings import Findings
from batonbox_server.torture.checking.logs import check_log
from batonbox_server.torture.checking.losses import with_losses
from batonbox_server.torture.checking.members import check_members
from batonbox_server.torture.checking.operations import histories
from batonbox_server.torture.checking.rounds import InboxRound, Round, sort_out
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
_LOSSY = 4  # what a search within a quarter of the budget does not find there it hardly ever finds
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
            _linearizable(box, whole, findings, budget)
    check_memory(whole, findings)
    return findings.verdict()


def _linearizable(box: InboxRound, whole: Round, findings: Findings, budget: int) -> None:
    """Both checkers."""
    told = histories(box)
    if whole.may_lose and _saw_a_fork(box):
        told = with_losses(box, told, whole.losing)
        budget //= _LOSSY
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
    """Whether anybody was told of a history that the log does not hold (any more)."""
    real = {step.seq: step for step in box.steps}
    for command in box.commands:
        told = command.outcome
        if told is None:
            continue
        if told.tip and told.seq and told.seq >= box.first:
            step = real.get(told.seq)
            if step is None or step.tip != told.tip:
                return True
        if told.cur and int(told.cur.get("rev", 0)) >= box.first:
            step = real.get(int(told.cur["rev"]))
            row = step.meta.get("row") if step else None
            if not row or row.get("own_tok") != told.cur.get("own_tok"):
                return True
    return any(
        what.kind == "reset" and what.reason in ("fork", "epoch")
        for seen in box.seen.values()
        for _, what in seen
    )
