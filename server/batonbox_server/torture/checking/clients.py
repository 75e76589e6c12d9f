"""What clients saw: one history (I3), without gaps (I4), adding up (I5), and to the end (I15)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from batonbox_server.torture.checking.findings import Findings
from batonbox_server.torture.checking.rounds import InboxRound, Round
from batonbox_server.torture.record import Observed

STOPPED = range(4400, 4500)  # close codes after which a client does not come back by itself
RETRYABLE = frozenset({"100", "111", "130"})  # errors after which it subscribes again
SELF = "self"  # the reason of a client that went by itself, for good


@dataclass(slots=True)
class Follower:
    """A client's view of an inbox, folded: what it holds, and since when without a RESET."""

    client: str
    epoch: str = ""
    seq: int = -1  # -1: nothing is held
    tip: str = ""
    since: int = 0  # the record at which this lineage of it began
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    gone: bool = False
    reached_ns: int = 0
    lineage: list[tuple[int, int, str]] = field(default_factory=list)  # (record, seq, tip)

    def drop(self) -> None:
        """Hold nothing."""
        self.seq, self.tip = -1, ""
        self.rows.clear()
        self.lineage.clear()


def check_clients(
    box: InboxRound, whole: Round, findings: Findings, *, converge_ns: int
) -> dict[str, Follower]:
    """I3, I4, I5 and I15; returns where every client of the inbox ended."""
    history = _History(box, findings)
    followers = {}
    for client, seen in box.seen.items():
        follower = followers[client] = Follower(client)
        _resumed(box, follower)
        for number, what in seen:
            _follow(box, follower, number, what, findings, history)
        if not follower.gone and follower.seq >= 0:
            history.must_be_real(follower)
            _check_rows(box, follower, findings)
        _check_end(box, whole, follower, findings, converge_ns)
    history.forks(whole)
    return followers


def _resumed(box: InboxRound, follower: Follower) -> None:
    """A client that was at rest at the end of the round before goes on from there."""
    if box.start is None:
        return
    follower.epoch, (follower.seq, follower.tip) = box.start.epoch, box.start.head
    follower.rows = {row["id"]: row for row in box.start.rows}


def _follow(
    box: InboxRound,
    follower: Follower,
    number: int,
    what: Observed,
    findings: Findings,
    history: _History,
) -> None:
    match what.kind:
        case "snapshot":
            history.ended(follower)
            follower.drop()
            follower.epoch, follower.seq, follower.tip = what.epoch, what.seq, what.tip
            follower.rows = {row["id"]: row for row in what.rows or []}
            follower.since, follower.gone, follower.reached_ns = number, False, what.at_ns
            history.saw(follower, number, what)
        case "event":
            findings.expect(
                follower.seq >= 0 and what.seq == follower.seq + 1, "I4",
                f"{what.client} got {what.seq} of {box.inbox} after "
                + (str(follower.seq) if follower.seq >= 0 else "a reset, without a snapshot"),
                [number],
            )  # fmt: skip
            history.saw(follower, number, what, after=follower.tip if follower.seq >= 0 else "")
            follower.seq, follower.tip, follower.gone = what.seq, what.tip, False
            follower.reached_ns = what.at_ns
            if what.meta and "row" in what.meta:
                follower.rows[what.meta["row"]["id"]] = what.meta["row"]
        case "unsubscribed" if what.reason in RETRYABLE:
            # It asks again, where it stood or from the beginning, as it likes.
            history.ended(follower, told=True)
            follower.lineage.clear()
        case "reset" | "unsubscribed":
            history.ended(follower, told=True)
            follower.drop()
            follower.gone = what.kind == "unsubscribed" or what.reason == "perm"
        case "closed":
            reason = what.reason or ""
            if reason == SELF or (reason.isdigit() and int(reason) in STOPPED):
                follower.gone = True
        case "badge":
            pass  # see truth.py


class _History:
    """All that was seen of one inbox, and what its log says."""

    def __init__(self, box: InboxRound, findings: Findings) -> None:
        self.box, self.findings = box, findings
        self.before: dict[tuple[str, int, str], str] = {}  # (epoch, seq, tip) -> the tip before
        self.bodies: dict[tuple[str, int, str], tuple[str | None, Any]] = {}
        self.real: dict[int, str] = {}
        self.untrue: list[tuple[str, int, int]] = []  # (client, record, seq), told in time
        if box.end is not None:
            self.real = {step.seq: step.tip for step in box.steps}
            self.real[box.end.head[0]] = box.end.head[1]
            if box.steps:
                self.real.setdefault(box.first - 1, box.steps[0].entry.prev)
            for step in box.steps:
                self.before[box.end.epoch, step.seq, step.tip] = step.entry.prev

    def saw(self, follower: Follower, number: int, what: Observed, *, after: str = "") -> None:
        """Equal positions have equal pasts and equal contents, whoever saw them."""
        place = (follower.epoch, what.seq, what.tip)
        follower.lineage.append((number, what.seq, what.tip))
        if what.kind != "event":
            return
        if after:
            known = self.before.setdefault(place, after)
            self.findings.expect(
                known == after, "I3",
                f"{what.client} is at {place[1:]} of {self.box.inbox}, but came from another past",
                [number],
            )  # fmt: skip
        content = (what.body_hash, what.meta)
        self.findings.expect(
            self.bodies.setdefault(place, content) == content, "I3",
            f"{what.client} got other contents at {place[1:]} of {self.box.inbox} than others did",
            [number],
        )  # fmt: skip

    def must_be_real(self, follower: Follower) -> None:
        """What a client holds at the end is what the log holds."""
        final = self.box.end
        if final is None:
            return
        self.findings.expect(
            follower.epoch == final.epoch, "I3",
            f"{follower.client} is in the epoch {follower.epoch} of {self.box.inbox}, "
            f"which is in {final.epoch}", [follower.since],
        )  # fmt: skip
        for number, seq, tip in follower.lineage:
            if seq >= self.box.first - 1:
                self.findings.expect(
                    self.real.get(seq) == tip, "I3",
                    f"{follower.client} holds {(seq, tip)} of {self.box.inbox}, "
                    f"the log has {self.real.get(seq)}", [number],
                )  # fmt: skip

    def ended(self, follower: Follower, *, told: bool = False) -> None:
        """A lineage was let go of; what of it is not in the log was a fork."""
        final = self.box.end
        if final is None or follower.epoch != final.epoch:
            return
        for number, seq, tip in follower.lineage:
            if seq >= self.box.first - 1 and self.real.get(seq) != tip:
                self.untrue.append((follower.client, number, seq))
                if not told:
                    self.findings.wrong(
                        "I3",
                        f"{follower.client} was not told that {seq} of {self.box.inbox} is gone",
                        [number],
                    )
                return

    def forks(self, whole: Round) -> None:
        """Forks need a fault that may lose what was acknowledged."""
        for client, number, seq in self.untrue:
            self.findings.expect(
                whole.may_lose, "I3",
                f"{client} saw {seq} of {self.box.inbox} in a history that is gone, "
                "though no fault may lose any", [number],
            )  # fmt: skip


def _check_rows(box: InboxRound, follower: Follower, findings: Findings) -> None:
    """I5: the snapshot with all events is the truth, for the rows the client was told of."""
    if box.end is None or follower.seq != box.end.head[0]:
        return
    truth = {row["id"]: row for row in box.end.rows}
    for conv, row in follower.rows.items():
        findings.expect(
            truth.get(conv) == row, "I5",
            f"{follower.client} holds {conv} as {_differs(row, truth.get(conv))}", [follower.since],
        )  # fmt: skip


def _differs(row: dict[str, Any], truth: dict[str, Any] | None) -> str:
    if truth is None:
        return "a row that is not there"
    fields = [name for name in row | truth if row.get(name) != truth.get(name)]
    return ", ".join(f"{name}={row.get(name)!r}, not {truth.get(name)!r}" for name in fields)


def _check_end(
    box: InboxRound, whole: Round, follower: Follower, findings: Findings, converge_ns: int
) -> None:
    """I15: at the top, and soon enough after the last fault and the last command."""
    final, seen = box.end, box.seen[follower.client]
    if final is None or follower.gone or not seen:
        return
    if final.members and whole.users.get(follower.client) not in final.members:
        return
    top = (follower.seq, follower.tip) == tuple(final.head)
    findings.expect(
        top, "I15",
        f"{follower.client} ended at {follower.seq} of {box.inbox}, whose top is {final.head[0]}",
        [seen[-1][0]],
    )  # fmt: skip
    busy = [said.acknowledged_ns or said.began_ns for _, said in box.said]
    busy += [command.ended_ns or command.began_ns for command in box.commands]
    from_ns = max([whole.calm_ns, *busy, _by_itself_ns(box)])
    late_ns = follower.reached_ns - from_ns
    if top:
        took = findings.noted.convergence_ns
        took[follower.client] = max(took.get(follower.client, 0), late_ns)
        findings.expect(
            late_ns <= converge_ns, "I15",
            f"{follower.client} was at the top of {box.inbox} {late_ns / 1e9:.1f} s late",
            [seen[-1][0]],
        )  # fmt: skip


def _by_itself_ns(box: InboxRound) -> int:
    """When the last event came, if it is nobody's act (a receipt, a timer); as first seen."""
    final = box.end
    if final is None or not box.steps or box.steps[-1].meta.get("actor"):
        return 0
    place = tuple(final.head)
    return min(
        (what.at_ns for seen in box.seen.values() for _, what in seen
         if (what.seq, what.tip) == place),
        default=0,
    )  # fmt: skip
