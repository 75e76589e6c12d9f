"""What a log alone shows: contiguous (I1), chained (I2), and no illegal step of ownership (I6)."""

from __future__ import annotations

from batonbox_server.domain.model import Event, Row, is_room
from batonbox_server.domain.replay import Replay, chain
from batonbox_server.torture.checking.findings import Findings
from batonbox_server.torture.checking.rounds import InboxRound

NO_TIP = "0" * 16


def check_log(box: InboxRound, findings: Findings) -> dict[str, Row]:
    """I1, I2 and I6; returns the rows as the log leaves them, of conversations it mentions."""
    final, numbers = box.end, [box.end_record]
    if final is None:
        return {}
    for seq in box.unread:
        findings.wrong("I2", f"{box.inbox}: the entry {seq} is no frame", numbers)
    tip, seq = _before(box)
    for step in box.steps:
        entry = step.entry
        findings.expect(
            step.seq == entry.seq == seq + 1, "I1",
            f"{box.inbox}: {entry.seq} (its frame says {step.seq}) follows {seq}", numbers,
        )  # fmt: skip
        findings.expect(
            entry.prev == tip and chain(entry.prev, entry.core) == step.tip, "I2",
            f"{box.inbox}: the tip of {entry.seq} does not hash what is before it", numbers,
        )  # fmt: skip
        seq, tip = entry.seq, step.tip
    findings.expect(
        (seq, tip) == tuple(final.head), "I2",
        f"{box.inbox}: the log ends at {(seq, tip)}, its head says {tuple(final.head)}", numbers,
    )  # fmt: skip
    _check_start(box, findings)
    return {} if is_room(box.inbox) else _check_steps(box, findings)


def _before(box: InboxRound) -> tuple[str, int]:
    """The position before the oldest kept entry."""
    if not box.steps:
        assert box.end is not None
        return box.end.head[1], box.end.head[0]
    first = box.steps[0].entry
    return (NO_TIP, 0) if first.seq == 1 else (first.prev, first.seq - 1)


def _check_start(box: InboxRound, findings: Findings) -> None:
    """The history goes on from where the round before left it, unless something was lost."""
    if not box.same_epoch or box.start is None:
        return
    seq, tip = box.start.head
    if seq < box.first:
        return
    known = {step.seq: step.tip for step in box.steps}
    if known.get(seq) != tip:
        findings.noted.lost.append(f"{box.inbox}: what the round before ended with, {seq}")


def _check_steps(box: InboxRound, findings: Findings) -> dict[str, Row]:
    """Replay; of a log that was trimmed, a conversation is judged from where it is first met."""
    replay = Replay(partial=box.first > 1)
    for step in box.steps:
        replay.seq = step.seq - 1  # gaps are I1's
        try:
            replay.apply(Event(box.inbox, step.seq, step.meta, step.body, step.tip))
        except (KeyError, TypeError, ValueError) as error:
            replay.wrong.append(f"I6: {step.seq} is no event: {error!r}")
        findings.compared("I6")
    for wrong in replay.wrong:
        findings.wrong("I6", f"{box.inbox}: {wrong}", [box.end_record])
    return replay.rows
