"""What callers were told: real time (I7), once (I8), under the token (I9), and kept (I13)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from batonbox_server.torture.checking.findings import Findings
from batonbox_server.torture.checking.rounds import Command, InboxRound, Round, Step

# The events of one command, beside the one it is named by: a claim within done, a join before it.
DOES = {
    "assign": "assigned", "transfer": "transferred", "return": "returned", "done": "done",
    "undo": "undone", "reply": "replied", "note": "noted", "compose": "composed",
    "snooze": "snoozed", "wake": "woken", "retry": "delivery_changed",
}  # fmt: skip
FENCED = frozenset({"transfer", "return", "done", "undo", "reply", "snooze", "wake"})


def check_commands(box: InboxRound, whole: Round, findings: Findings) -> None:
    """I7, I8, I9 and I13 of one inbox."""
    if box.end is None:
        return
    by_cid = _effects(box)
    _check_once(box, by_cid, findings)
    _check_fences(box, by_cid, findings)
    _check_kept(box, by_cid, whole, findings)
    _check_real_time(box, by_cid, findings)
    _check_said(box, whole, findings)


def _effects(box: InboxRound) -> dict[tuple[str, str], list[Step]]:
    found: dict[tuple[str, str], list[Step]] = defaultdict(list)
    for step in box.steps:
        if step.meta.get("cid"):
            found[step.meta.get("actor", ""), step.meta["cid"]].append(step)
    return found


def _check_once(
    box: InboxRound, by_cid: dict[tuple[str, str], list[Step]], findings: Findings
) -> None:
    """I8: one effect of each kind per command, and none of a command that was refused."""
    commands = {(c.call.user, c.call.cid): c for c in box.commands if c.call.cid}
    for who, steps in by_cid.items():
        kinds = [step.meta.get("type") for step in steps]
        command = commands.get(who)
        records = command.records if command else [box.end_record]
        findings.expect(
            len(kinds) == len(set(kinds)), "I8",
            f"{who[1]} of {who[0]} took effect as {kinds} at {[s.seq for s in steps]}", records,
        )  # fmt: skip
        if command is None:
            continue
        refused = command.outcome is not None and command.outcome.kind == "refused"
        at = [step.seq for step in steps]
        findings.expect(
            not refused, "I8", f"{who[1]} of {who[0]} was refused and took effect at {at}", records
        )


def _check_fences(
    box: InboxRound, by_cid: dict[tuple[str, str], list[Step]], findings: Findings
) -> None:
    """I9: the token that was given was the row's at the instant of the change."""
    tokens: dict[str, str] = {}
    if box.start is not None and box.same_epoch and box.first <= box.start.head[0] + 1:
        start = box.start
        tokens = {row["id"]: row["own_tok"] for row in start.rows}
    begins = box.start.head[0] if tokens and box.start else 0
    givens = {(c.call.user, c.call.cid): c for c in box.commands if c.call.verb in FENCED}
    first = {steps[0].seq: who for who, steps in by_cid.items()}
    for step in box.steps:
        raw = step.meta.get("row")
        if step.seq <= begins or not isinstance(raw, dict) or "own_tok" not in raw:
            continue
        command = givens.get(first.get(step.seq, ("", "")))
        given = command.call.args.get("own_tok") if command else None
        had = tokens.get(raw["id"])
        if command and given and had is not None:
            findings.expect(
                given == had, "I9",
                f"{command.call.verb} {command.call.cid} was accepted under {given} at {step.seq} "
                f"of {box.inbox}, when the token was {had}", command.records,
            )  # fmt: skip
        tokens[raw["id"]] = raw["own_tok"]


def _answers(box: InboxRound) -> Iterator[tuple[Command, int, str]]:
    """Acknowledged commands with the position of their answers, while the log can tell."""
    for command in box.commands:
        told = command.outcome
        if told is not None and told.kind == "ok" and told.seq is not None and told.tip is not None:
            yield command, told.seq, told.tip


def _check_kept(
    box: InboxRound, by_cid: dict[tuple[str, str], list[Step]], whole: Round, findings: Findings
) -> None:
    """I13: what was acknowledged is in the log, or its writer was told that it is lost."""
    real = {step.seq: step for step in box.steps}
    assert box.end is not None
    for command, seq, tip in _answers(box):
        if seq < box.first:
            continue
        call, step = command.call, real.get(seq)
        effects = by_cid.get((call.user, call.cid), [])
        nothing = bool(command.outcome and command.outcome.reply.get("noop"))
        if step is not None and step.tip == tip:
            named = call.verb not in DOES or nothing or not call.cid or step in effects
            findings.expect(
                named, "I13",
                f"{call.verb} {call.cid} was acknowledged at {seq} of {box.inbox}, which is "
                f"{step.meta.get('type')} {step.meta.get('cid', '')}", command.records,
            )  # fmt: skip
            continue
        if nothing and whole.may_lose:
            continue  # it wrote nothing: what it found has a writer of its own
        findings.noted.lost.append(call.cid)
        findings.compared("I13")
        if call.user not in box.end.members and whole.may_lose:
            continue  # whoever may not see the inbox is told nothing of it
        if not _was_told(box, command, seq):
            findings.noted.unreported.append(call.cid)
            findings.wrong(
                "I13",
                f"{call.verb} {call.cid} was acknowledged at {(seq, tip)} of {box.inbox}, is not "
                "in the log, and nobody was told", command.records,
            )  # fmt: skip
        elif not whole.may_lose:
            findings.wrong(
                "I13", f"{call.verb} {call.cid} is lost, though no fault may lose any",
                command.records,
            )  # fmt: skip


def _was_told(box: InboxRound, command: Command, seq: int) -> bool:
    """By a RESET that names the cid, or in an answer to CHECK."""
    seen = box.seen.get(command.call.client, [])
    if any(command.call.cid in what.lost for _, what in seen):
        return True
    return any(
        place[0] == seq
        for _, checked in box.checked
        if checked.client == command.call.client
        for place in checked.missing
    )


def _check_real_time(
    box: InboxRound, by_cid: dict[tuple[str, str], list[Step]], findings: Findings
) -> None:
    """I7: what ended before another began stands before it; also where nobody heard the end."""
    real = {step.seq: step.tip for step in box.steps}
    spans: list[tuple[int, int | None, int, bool, Command]] = []
    for command in box.commands:
        steps = by_cid.get((command.call.user, command.call.cid), [])
        if steps:
            told = command.outcome
            lost = command.ok and told and (told.seq or 0) >= box.first
            lost = lost and told and real.get(told.seq or 0) != told.tip
            # It is there by a later attempt, whose end nobody has heard of.
            ended_ns = None if lost else command.ended_ns
            spans.append((command.began_ns, ended_ns, steps[-1].seq, True, command))
        elif command.ok and command.outcome and command.outcome.seq:
            place = command.outcome.seq
            if real.get(place) == command.outcome.tip:
                spans.append((command.began_ns, command.ended_ns, place, False, command))
    ended = sorted((s for s in spans if s[1] is not None), key=lambda s: s[1] or 0)
    latest: tuple[int, Command | None] = (0, None)
    i = 0
    for began, _, seq, effect, command in sorted(spans, key=lambda s: s[0]):
        while i < len(ended) and (ended[i][1] or 0) < began:
            if ended[i][2] > latest[0]:
                latest = (ended[i][2], ended[i][4])
            i += 1
        before = latest[1]
        findings.expect(
            seq > latest[0] if effect else seq >= latest[0], "I7",
            f"{command.call.cid} began after {before.call.cid if before else ''} had ended, but "
            f"stands at {seq} of {box.inbox}, not behind {latest[0]}",
            command.records + (before.records if before else []),
        )  # fmt: skip


def _check_said(box: InboxRound, whole: Round, findings: Findings) -> None:
    """I8 and I13 of customers' messages: each is in the log once, if the carrier got its 2xx."""
    texts: dict[str, list[int]] = defaultdict(list)
    convs: dict[str, str] = {}
    for step in box.steps:
        if step.meta.get("type") == "received":
            texts[_text(step.body)].append(step.seq)
            convs[_text(step.body)] = str(step.meta.get("conv"))
    forked = any(what.kind == "reset" for seen in box.seen.values() for _, what in seen)
    for number, said in box.said:
        at = texts.get(said.text, [])
        findings.expect(
            len(at) <= 1,
            "I8",
            f"the message {said.provider_id} is in {box.inbox} at {at}",
            [number],
        )
        findings.expect(
            len(set(said.places)) <= 1 or whole.may_lose,
            "I8",
            f"the message {said.provider_id} came more than once, and went to {said.places}",
            [number],
        )
        if said.acknowledged_ns is None:
            continue
        findings.expect(
            not at or not said.places or (said.places[-1][0] == convs[said.text]) or whole.may_lose,
            "I13",
            f"{said.provider_id} is in {convs.get(said.text)}, its carrier heard {said.places}",
            [number],
        )
        if at or _may_be_trimmed(box):
            continue
        findings.noted.lost.append(said.provider_id)
        if not forked:  # whoever has not seen it cannot be told
            findings.noted.unreported.append(said.provider_id)
        if not whole.may_lose:
            findings.wrong(
                "I13", f"the message {said.provider_id} got its 2xx and is not in {box.inbox}",
                [number],
            )  # fmt: skip


def _may_be_trimmed(box: InboxRound) -> bool:
    """Whether what this round wrote may have left the log already."""
    start = box.start.head[0] if box.start and box.same_epoch else 0
    return box.first > start + 1


def _text(body: Any) -> str:
    return str(body.get("text", "")) if isinstance(body, dict) else ""
