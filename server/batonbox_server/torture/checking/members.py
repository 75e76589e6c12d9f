"""I12: nothing of an inbox reaches a user after the seq that removed them, until they are back."""

from __future__ import annotations

from bisect import bisect_right

from batonbox_server.torture.checking.findings import Findings
from batonbox_server.torture.checking.rounds import InboxRound, Round

OUTSIDE, UNKNOWN, INSIDE = 0, -1, 1


class Standing:
    """Who stood in an inbox at which seq, as the log says."""

    def __init__(self, box: InboxRound) -> None:
        self._turns: dict[str, list[tuple[int, int]]] = {}
        complete = box.first == 1
        self._before = OUTSIDE if complete else UNKNOWN
        start = box.start if not complete and box.same_epoch else None
        if start is not None and start.head[0] >= box.first - 1:
            for user in start.members:
                self._turns[user] = [(start.head[0], INSIDE)]
        for step in box.steps:
            kind, user = step.meta.get("type"), str(step.meta.get("user", ""))
            if kind == "member_joined":
                self._turns.setdefault(user, []).append((step.seq, INSIDE))
            elif kind == "member_removed":  # an admin stays, and sees
                stays = step.meta.get("role") == "admin"
                turn = (step.seq, INSIDE if stays else OUTSIDE)
                self._turns.setdefault(user, []).append(turn)
        for turns in self._turns.values():
            turns.sort()

    def before(self, user: str, seq: int) -> int:
        """How the user stood when the event `seq` came: what `seq` itself says counts after it."""
        turns = self._turns.get(user, [])
        i = bisect_right(turns, (seq - 1, 2))
        return turns[i - 1][1] if i else self._before

    def after(self, user: str, seq: int) -> int:
        """How the user stood once `seq` had happened."""
        return self.before(user, seq + 1)


def check_members(box: InboxRound, whole: Round, findings: Findings) -> None:
    """Every event and snapshot that a client got was one its user might see."""
    if box.end is None:
        return
    standing = Standing(box)
    real = {(step.seq, step.tip) for step in box.steps}
    for client, seen in box.seen.items():
        user = whole.users.get(client, "")
        for number, what in seen:
            if what.kind not in ("event", "snapshot") or (what.seq, what.tip) not in real:
                continue
            joins = what.kind == "event" and (what.meta or {}).get("user") == user
            at = standing.after if what.kind == "snapshot" or joins else standing.before
            if at(user, what.seq) == UNKNOWN:
                continue
            findings.expect(
                INSIDE in (at(user, what.seq), standing.before(user, what.seq) if joins else 0),
                "I12",
                f"{client} ({user}) got the {what.kind} {what.seq} of {box.inbox}, "
                "after they were removed", [number],
            )  # fmt: skip
