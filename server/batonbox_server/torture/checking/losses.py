"""Which calls of a round are in the history that is left, where a part of it was lost.

Whatever a lost part did is gone at once: the conversation is again what it was before.  A call that
was sent twice may have taken effect in both parts, and so has a twin that happened or did not.  Of
the log only this is taken: whether it holds what an answer said.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from batonbox_server.torture.checking.operations import Fate, History, Timed
from batonbox_server.torture.checking.rounds import Command, InboxRound
from batonbox_server.torture.checking.spec import Op
from batonbox_server.torture.record import Fault

__all__ = ["with_losses"]

_TWIN = -2  # ids of twins go down from here


def with_losses(box: InboxRound, told: list[History], faults: Sequence[Fault]) -> list[History]:
    """The histories, each call with its fate, and with what may have happened beside them.

    `faults` are those that may lose something.
    """
    assert box.end is not None
    left = {row["id"] for row in box.end.rows}
    fates = _fates(box)
    tries: dict[str, int] = defaultdict(int)
    for command in box.commands:
        tries[command.call.cid] = command.attempts
    for _, said in box.said:
        tries[said.provider_id] = said.brought
    # Which conversation a message came to that nobody was told of, only a row could tell.
    unplaced = [
        Timed(Op(_TWIN - n, "receive", kind="unknown"), one.began_ns, None, "", (), fate="either")
        for n, (_, one) in enumerate(box.said)
        if not one.places
    ]
    found = []
    for history in told:
        ops = [replace(timed, fate=fates.get(timed.cid, "either")) for timed in history.ops]
        ops += [
            twin
            for number, timed in enumerate(ops)
            for twin in _twin(timed, _TWIN - len(box.said) - number, tries[timed.cid], faults)
        ]
        if history.conv not in left:
            ops += unplaced
        found.append(replace(history, ops=ops))
    return found


def _twin(timed: Timed, name: int, tries: int, faults: Sequence[Fault]) -> Iterator[Timed]:
    """An effect of the call beside the one that it was answered for."""
    op = timed.op
    if op.kind == "unknown" and tries <= 1:
        return
    ended_ns = timed.ended_ns
    if tries > 1 or op.verb == "member_remove":  # a job puts out whom a failover brought back
        ended_ns = None
    elif not any(timed.overlaps(fault) for fault in faults):
        return  # else a node may have asked one engine, and then another
    other = op._replace(id=name, kind="unknown", new="", slug="", row=None)
    yield Timed(other, timed.began_ns, ended_ns, timed.cid, timed.records, fate="either")


def _fates(box: InboxRound) -> dict[str, Fate]:
    """By command id; `either` for all others."""
    real = {step.seq: step.tip for step in box.steps}
    return {c.call.cid: _fate(c, real, first=box.first) for c in box.commands if c.call.cid}


def _fate(command: Command, real: dict[int, str], *, first: int) -> Fate:
    told = command.outcome
    if told is None:
        return "either"
    if told.kind == "refused" or told.reply.get("noop"):
        return "none"
    if told.seq is None or told.tip is None or told.seq < first:
        return "either"
    return "kept" if real.get(told.seq) == told.tip else "lost"
