"""The badge reducer against a brute-force inbox: random histories, reads and losses."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import pytest

from batonbox_server.hub.badges import Badges, Totals
from batonbox_server.hub.frames import Happened, Mark
from tests.support import unread

USERS = ("ann", "bob", "cyd")
CONVS = ("box.1", "box.2", "box.3", "box.4")


@dataclass
class Marks:
    """A user's marks as the engine answers them."""

    seq: int
    mv: int
    role: str
    joined: bool
    since_seq: int
    seen: bool
    keys: list[str]
    green: list[str]
    blue: int


@dataclass
class Inbox:
    """The rules of badges in their plainest form; `published` is what the channel carries."""

    rng: random.Random
    seq: int = 0
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    members: set[str] = field(default_factory=lambda: set(USERS))
    seen: dict[str, set[str]] = field(default_factory=lambda: {u: set() for u in USERS})
    green: dict[str, set[str]] = field(default_factory=lambda: {u: set() for u in USERS})
    mv: Counter[str] = field(default_factory=Counter)
    published: list[tuple[int, dict[str, Any]] | Mark] = field(default_factory=list)

    @property
    def unm(self) -> set[str]:
        """Keys of the unassigned with attention."""
        waiting = [c for c, r in self.rows.items() if r["status"] == "unassigned" and r["att"]]
        return {f"{conv}:{self.rows[conv]['att']}" for conv in waiting}

    def totals(self, user: str) -> Totals:
        """The badge, recounted."""
        unassigned = sum(row["status"] == "unassigned" for row in self.rows.values())
        if user not in self.members:
            return Totals(0, 0, unassigned)
        return Totals(len(self.unm - self.seen[user]), len(self.green[user]), unassigned)

    def marks(self, user: str) -> Marks:
        """The private read."""
        seen = self.rng.random() < 0.5
        keys = self.unm & self.seen[user] if seen else self.unm - self.seen[user]
        joined = user in self.members
        return Marks(
            self.seq,
            self.mv[user],
            "member" if joined else "admin",
            joined,
            0,
            seen,
            sorted(keys),
            sorted(self.green[user]),
            len(self.unm - self.seen[user]),
        )

    def change(
        self, conv: str, actor: str, status: str, *, to: str = "", att: bool = False
    ) -> None:
        """One event about a conversation; `att`: inbound, hand-over or return."""
        before = self.rows.get(conv)
        self.seq += 1
        entering = status == "unassigned" and (before or {}).get("status") != "unassigned"
        mark = f"{self.seq}.abc" if att or entering else (before or {}).get("att", "")
        if status == "done":
            mark = ""
        unseen = False
        if status == "assigned":
            was_green = to in self.members and conv in self.green[to]
            same_owner = before is not None and before["assignee"] == to
            claimed = before is not None and f"{conv}:{before['att']}" not in self.seen[to]
            unseen = att or (was_green if same_owner else bool(mark) and claimed)
        row = {"id": conv, "status": status, "assignee": to, "att": mark}
        self.rows[conv] = row
        for green in self.green.values():
            green.discard(conv)
        if status == "assigned" and unseen:
            self.green[to].add(conv)
        if entering and actor:
            self.seen[actor].add(f"{conv}:{mark}")
        meta = {"type": "x", "conv": conv, "actor": actor, "unseen": unseen, "row": row}
        if before is not None:
            meta["before"] = {k: before[k] for k in ("status", "assignee", "att")}
        self.published.append((self.seq, meta))

    def owner_of(self, row: dict[str, Any] | None) -> str:
        """Who gets what the customer writes: the owner, or whoever had it before it was done."""
        if row and row["status"] == "done" and self.members and self.rng.random() < 0.3:
            return self.rng.choice(sorted(self.members))
        return str(row["assignee"]) if row else ""

    def put_aside(self, conv: str, owner: str, *, wakes: bool) -> None:
        """The owner's snooze, or its end by the timer."""
        if not wakes:
            self.green[owner].discard(conv)
        self.change(conv, "" if wakes else owner, "assigned", to=owner, att=wakes)

    def leave(self, user: str) -> None:
        """Removed: everything theirs goes back, as nobody's act."""
        self.members.discard(user)
        self.seq += 1
        meta = {"type": "member_removed", "user": user, "role": "admin", "actor": ""}
        self.published.append((self.seq, meta))
        self.seen[user].clear()
        self.green[user].clear()
        for conv, row in list(self.rows.items()):
            if row["assignee"] == user:
                self.change(conv, "", "unassigned")

    def join(self, user: str) -> None:
        """A fresh join: the whole queue is blue."""
        self.members.add(user)
        self.seen[user].clear()
        self.green[user].clear()
        self.seq += 1
        meta = {"type": "member_joined", "user": user, "role": "member", "joined": True}
        self.published.append((self.seq, {**meta, "fresh": True, "actor": ""}))

    def look(self, user: str, conv: str, *, unread: bool) -> None:
        """SEEN or mark unread: a private mark, no event."""
        row = self.rows[conv]
        key = f"{conv}:{row['att']}"
        if not row["att"]:
            return
        if row["status"] == "unassigned":
            kind, marked, value = "blue", self.seen[user], key
            changed = (value in marked) == unread
        elif row["assignee"] == user:
            kind, marked, value = "green", self.green[user], conv
            changed = (value in marked) != unread
        else:
            return
        if changed:
            marked.symmetric_difference_update({value})
            self.mv[user] += 1
            mark = Mark(user, self.mv[user], self.seq, kind, conv, row["att"], unread)
            self.published.append(mark)

    def touch(self, act: str, user: str, conv: str) -> None:
        """A look, or a note about what waits: that stays as it is, and as unread as it was."""
        if act == "look":
            self.look(user, conv, unread=self.rng.random() < 0.3)
        elif self.rows[conv]["status"] == "unassigned":
            self.change(conv, user, "unassigned")

    def step(self, done: Counter[str]) -> None:
        """Something that may happen now."""
        conv, actor = self.rng.choice(CONVS), self.rng.choice(USERS)
        row = self.rows.get(conv)
        status = row["status"] if row else ""
        member = actor in self.members
        act = self.rng.choice(
            ["in", "in", "claim", "hand", "return", "done", "look", "look", "who", "sleep", "note"]
        )
        if act == "in":
            owner = self.owner_of(row)
            self.change(conv, "", "assigned" if owner else "unassigned", to=owner, att=True)
        elif act == "claim" and member and status in {"unassigned", "done"}:
            self.change(conv, actor, "assigned", to=actor)
        elif act == "hand" and status == "assigned" and self.members:
            to = self.rng.choice(sorted(self.members))
            if row is not None and to != row["assignee"]:
                self.change(conv, actor if member else "", "assigned", to=to, att=True)
        elif act == "return" and status in {"assigned", "done"}:
            self.change(conv, actor if member else "", "unassigned")
        elif act == "done" and status in {"assigned", "unassigned"}:
            self.change(conv, actor if member else "", "done")
        elif act == "sleep" and row is not None and status == "assigned":
            # Put aside it is not unread; by the time it wakes it is.
            self.put_aside(conv, row["assignee"], wakes=self.rng.random() < 0.5)
        elif act in {"look", "note"} and member and row:
            self.touch(act, actor, conv)
        elif act == "who" and self.rng.random() < 0.2:
            (self.leave if member else self.join)(actor)
        else:
            return
        done[act] += 1


def apply(badges: Badges, seq: int, meta: dict[str, Any]) -> None:
    """An event, as the follower decodes it."""
    badges.apply(seq, msgspec.convert(meta, Happened))


def deliver(badges: Badges, item: tuple[int, dict[str, Any]] | Mark) -> None:
    """One message of the channel."""
    if isinstance(item, Mark):
        badges.mark(item)
    else:
        apply(badges, *item)


def next_item(inbox: Inbox, rng: random.Random) -> tuple[int, dict[str, Any]] | Mark:
    """Events in order and marks in order; after a gap, one kind may overtake the other."""
    first = inbox.published[0]
    if rng.random() < 0.2:
        overtaking = [i for i in inbox.published if isinstance(i, Mark) != isinstance(first, Mark)]
        first = overtaking[0] if overtaking else first
    inbox.published.remove(first)
    return first


def run(seed: int, done: Counter[str]) -> None:
    """A history with late deliveries, reads at any moment and lost marks; right at rest."""
    rng = random.Random(seed)
    inbox, badges = Inbox(rng), Badges()
    for _ in range(rng.randrange(12)):
        inbox.step(done)
    row_states = [row["status"] for row in inbox.rows.values()]
    badges.restart(inbox.seq, unassigned=row_states.count("unassigned"), keys=sorted(inbox.unm))
    inbox.published.clear()
    for user in USERS:
        badges.want(user)
    reading: list[tuple[str, int, Marks | None]] = []
    eager = rng.choice([0.3, 0.6, 0.9])
    for _ in range(60):
        inbox.step(done)
        while inbox.published and rng.random() < eager:
            item = next_item(inbox, rng)
            if isinstance(item, Mark) and rng.random() < 0.1:
                done["lost"] += 1
                badges.stale()  # how the node knows: a lost mark comes with a lost connection
            else:
                deliver(badges, item)
        reading = turn_reads(inbox, badges, reading, rng, done)
    while inbox.published:
        deliver(badges, inbox.published.pop(0))
    while badges.needs or reading:
        reading = turn_reads(inbox, badges, reading, rng, done)
    for user in USERS:
        assert badges.totals(user) == inbox.totals(user), (seed, user)
        if user in inbox.members:
            blue = {key.partition(":")[0] for key in inbox.unm - inbox.seen[user]}
            marks, waiting = badges.marks_of(user), {key.partition(":")[0] for key in inbox.unm}
            assert unread(marks, waiting) == blue
            assert len(marks.get("seen", marks.get("blue", ()))) <= len(waiting) / 2
            assert set(marks["green"]) == inbox.green[user]


def turn_reads(
    inbox: Inbox,
    badges: Badges,
    reading: list[tuple[str, int, Marks | None]],
    rng: random.Random,
    done: Counter[str],
) -> list[tuple[str, int, Marks | None]]:
    """Begin reads, let the engine answer some, deliver some answers."""
    begun = [user for user in sorted(badges.needs) if rng.random() < 0.5]
    reading = reading + [(user, badges.begin(user), None) for user in begun]
    later: list[tuple[str, int, Marks | None]] = []
    for user, number, answer in reading:
        if answer is None:
            later.append((user, number, inbox.marks(user) if rng.random() < 0.5 else None))
        elif rng.random() < 0.5:
            later.append((user, number, answer))
        elif rng.random() < 0.1:
            badges.failed(user, number)
        else:
            done["at once" if badges.loaded(user, number, answer) else "later"] += 1
    return later


@pytest.mark.parametrize("block", range(10))
def test_badges_are_right_at_rest_whatever_happened(block: int) -> None:
    done: Counter[str] = Counter()
    for seed in range(block * 60, block * 60 + 60):
        run(seed, done)
    acts = {"in", "claim", "hand", "return", "done", "look", "who", "lost", "at once", "later",
            "sleep", "note"}  # fmt: skip
    assert acts <= done.keys()


def test_a_gap_in_mark_versions_asks_for_the_marks_again() -> None:
    badges = Badges()
    badges.restart(5, unassigned=1, keys=["box.1:5.abc"])
    number = badges.begin("ann")
    assert badges.loaded("ann", number, Marks(5, 1, "member", True, 0, True, [], [], 1))
    badges.mark(Mark("ann", 3, 5, "blue", "box.1", "5.abc", unseen=False))
    assert badges.needs == {"ann"}


def test_who_is_no_member_has_no_badge_but_sees_the_depth() -> None:
    badges = Badges()
    badges.restart(5, unassigned=1, keys=["box.1:5.abc"])
    badges.loaded("adm", badges.begin("adm"), Marks(5, 0, "admin", False, 0, True, [], [], 1))
    assert badges.totals("adm") == Totals(0, 0, 1)


def test_who_brought_it_back_has_not_seen_it_again_by_a_note() -> None:
    badges = Badges()
    badges.restart(5, unassigned=0, keys=[])
    badges.loaded("ann", badges.begin("ann"), Marks(5, 0, "member", True, 0, True, [], [], 0))
    held = {"id": "box.1", "status": "assigned", "assignee": "ann", "att": "4.abc"}
    free = {"id": "box.1", "status": "unassigned", "assignee": "", "att": "6.abc"}
    event = {"conv": "box.1", "actor": "ann", "row": free}
    apply(badges, 6, {**event, "type": "returned", "before": held})
    assert badges.totals("ann") == Totals(0, 0, 1)
    badges.mark(Mark("ann", 1, 6, "blue", "box.1", "6.abc", unseen=True))
    apply(badges, 7, {**event, "type": "noted", "before": free})
    assert badges.totals("ann") == Totals(1, 0, 1)


def joining(kind: str, role: str, **more: bool) -> dict[str, object]:
    return {"type": f"member_{kind}", "user": "ann", "actor": "", "role": role, **more}


def test_a_membership_begins_with_the_event_that_made_it_however_it_is_known() -> None:
    badges = Badges()
    badges.restart(5, unassigned=0, keys=[])
    number = badges.begin("ann")  # read before she joins, in force after it
    apply(badges, 6, joining("joined", "member", joined=True, fresh=True))
    badges.loaded("ann", number, Marks(5, 0, "", False, 0, True, [], [], 0))
    assert badges.users["ann"].since_seq == 6
    apply(badges, 7, joining("removed", ""))
    assert badges.users["ann"].since_seq == 0
    apply(badges, 8, joining("joined", "member", joined=True, fresh=True))
    assert badges.users["ann"].since_seq == 8
    apply(badges, 9, joining("removed", "admin"))  # who is an admin stays, and sees
    apply(badges, 10, joining("joined", "admin", joined=True, fresh=True))
    assert badges.users["ann"].since_seq == 9


def test_a_recount_of_the_same_moment_finds_a_wrong_badge() -> None:
    badges = Badges()
    badges.restart(5, unassigned=1, keys=["box.1:5.abc"])
    read = Marks(5, 1, "member", True, 0, True, [], ["box.2"], 1)
    badges.loaded("ann", badges.begin("ann"), read)
    assert badges.agrees("ann", read) is True
    assert badges.agrees("ann", replace(read, seq=6)) is None
    assert badges.agrees("ann", replace(read, mv=2)) is None
    badges.users["ann"].seen.add("box.1:5.abc")
    assert badges.agrees("ann", read) is False
