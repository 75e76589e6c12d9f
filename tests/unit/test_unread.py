"""The reducer of a room's totals against a brute-force room: random histories, reads and losses."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from batonbox_server.hub.frames import Mark
from batonbox_server.hub.unread import Unread, Waiting

USERS = ("ann", "bob", "cyd")
Item = tuple[int, dict[str, Any]] | Mark
Reading = list[tuple[str, int, "Marks | None"]]


@dataclass(frozen=True)
class Marks:
    """A user's marks as the engine answers them."""

    seq: int
    mv: int
    since_seq: int
    read: int
    mentions: tuple[int, ...]


@dataclass
class Room:
    """The rules in their plainest form: who has seen which posts; `published` is the channel's."""

    rng: random.Random
    seq: int = 1
    posts: list[tuple[str, set[str]]] = field(default_factory=list)  # who wrote, whom it names
    since: dict[str, int] = field(default_factory=lambda: dict.fromkeys(USERS, 1))
    read: Counter[str] = field(default_factory=Counter)
    named: dict[str, set[int]] = field(default_factory=lambda: {user: set() for user in USERS})
    mv: Counter[str] = field(default_factory=Counter)
    published: list[Item] = field(default_factory=list)

    @property
    def row(self) -> dict[str, Any]:
        """As events carry it."""
        return {"id": "~c1", "kind": "public", "rev": self.seq, "posts": len(self.posts)}

    def waiting(self, user: str) -> Waiting | None:
        """Recounted, post by post."""
        if user not in self.since:
            return None
        unread = [n for n in range(1, len(self.posts) + 1) if n > self.read[user]]
        return Waiting(len(unread), len(self.named[user]))

    def marks(self, user: str) -> Marks:
        """The private read."""
        since = self.since.get(user, 0)
        named = tuple(sorted(self.named[user]))
        return Marks(self.seq, self.mv[user], since, self.read[user] if since else 0, named)

    def event(self, kind: str, **more: Any) -> None:
        """One event."""
        self.seq += 1
        meta = {"type": kind, "conv": "~c1", "actor": "", "row": self.row, **more}
        self.published.append((self.seq, meta))

    def post(self, actor: str, names: set[str]) -> None:
        """Seen by who wrote it."""
        self.posts.append((actor, names))
        self.mark(actor, len(self.posts))
        for user in names - {actor}:
            self.named[user].add(len(self.posts))
        self.event("posted", actor=actor, **({"mentions": sorted(names)} if names else {}))

    def mark(self, user: str, read: int) -> None:
        """The first `read` posts are seen."""
        self.read[user] = read
        self.named[user] = {ordinal for ordinal in self.named[user] if ordinal > read}

    def look(self, user: str, read: int) -> None:
        """SEEN, or the last post marked as unread: a private mark, no event."""
        self.mark(user, read)
        self.mv[user] += 1
        self.published.append(Mark(user, self.mv[user], self.seq, "room", "~c1", str(read), False))

    def membership(self, user: str) -> None:
        """Who comes (back) has read everything."""
        self.named[user] = set()
        if user in self.since:
            del self.since[user]
            self.event("member_removed", user=user)
        else:
            self.since[user] = self.seq + 1
            self.read[user] = len(self.posts)
            self.event("member_joined", user=user)

    def step(self, done: Counter[str]) -> None:
        """Something that may happen now."""
        user, act = self.rng.choice(USERS), self.rng.choice(["post"] * 3 + ["look"] * 3 + ["who"])
        posts = len(self.posts)
        if act == "post" and user in self.since:
            self.post(user, {name for name in self.since if self.rng.random() < 0.3})
        elif act == "look" and user in self.since and self.read[user] < posts:
            self.look(user, self.rng.randint(self.read[user] + 1, posts))
        elif act == "look" and user in self.since and posts and self.posts[-1][0] != user:
            act = "unread"
            self.look(user, posts - 1)
        elif act == "who" and self.rng.random() < 0.4:
            self.membership(user)
        elif act == "who":
            act = "edit"
            self.event("edited", actor=user)
        else:
            return
        done[act] += 1


def deliver(unread: Unread, item: Item) -> None:
    """One message of the channel."""
    if isinstance(item, Mark):
        unread.mark(item)
    else:
        unread.apply(*item)


def next_item(room: Room, rng: random.Random) -> Item:
    """Events in order and marks in order; after a gap, one kind may overtake the other."""
    first = room.published[0]
    if rng.random() < 0.2:
        overtaking = [i for i in room.published if isinstance(i, Mark) != isinstance(first, Mark)]
        first = overtaking[0] if overtaking else first
    room.published.remove(first)
    return first


def turn_reads(room: Room, unread: Unread, reading: Reading, done: Counter[str]) -> Reading:
    """Begin reads, let the engine answer some, deliver some answers."""
    rng = room.rng
    begun = [user for user in sorted(unread.needs) if rng.random() < 0.5]
    reading = reading + [(user, unread.begin(user), None) for user in begun]
    later: Reading = []
    for user, number, answer in reading:
        if answer is None:
            later.append((user, number, room.marks(user) if rng.random() < 0.5 else None))
        elif rng.random() < 0.5:
            later.append((user, number, answer))
        elif rng.random() < 0.1:
            unread.failed(user, number)
        else:
            done["at once" if unread.loaded(user, number, answer) else "later"] += 1
    return later


def run(seed: int, done: Counter[str]) -> None:
    """A history with late deliveries, reads at any moment and lost marks; right at rest."""
    rng = random.Random(seed)
    room, unread = Room(rng), Unread()
    for _ in range(rng.randrange(12)):
        room.step(done)
    unread.restart(room.seq, row=room.row, members=len(room.since))
    room.published.clear()
    for user in USERS:
        unread.want(user)
    reading: Reading = []
    eager = rng.choice([0.3, 0.6, 0.9])
    for _ in range(60):
        room.step(done)
        while room.published and rng.random() < eager:
            item = next_item(room, rng)
            if isinstance(item, Mark) and rng.random() < 0.1:
                done["lost"] += 1
                unread.stale()  # how the node knows: a lost mark comes with a lost connection
            else:
                deliver(unread, item)
        reading = turn_reads(room, unread, reading, done)
    while room.published:
        deliver(unread, room.published.pop(0))
    while unread.needs or reading:
        reading = turn_reads(room, unread, reading, done)
    assert unread.members == len(room.since)
    for user in USERS:
        assert unread.waiting(user) == room.waiting(user), (seed, user)
        if user in room.since:
            marks = {"read": room.read[user], "mentions": sorted(room.named[user])}
            assert unread.marks_of(user) == {"seq": room.seq, "mv": room.mv[user], **marks}


@pytest.mark.parametrize("block", range(10))
def test_totals_are_right_at_rest_whatever_happened(block: int) -> None:
    done: Counter[str] = Counter()
    for seed in range(block * 60, block * 60 + 60):
        run(seed, done)
    assert {"post", "look", "unread", "who", "edit", "lost", "at once", "later"} <= done.keys()


def known(marks: Marks) -> Unread:
    """A room of seven posts at seq 9, and ann with these marks."""
    unread = Unread()
    unread.restart(9, row={"id": "~c1", "kind": "public", "posts": 7}, members=2)
    assert unread.loaded("ann", unread.begin("ann"), marks)
    return unread


def test_a_recount_of_the_same_moment_finds_a_wrong_mark() -> None:
    read = Marks(9, 3, 1, 4, (6,))
    unread = known(read)
    assert unread.waiting("ann") == Waiting(3, 1)
    assert unread.agrees("ann", read) is True
    assert unread.agrees("ann", replace(read, seq=10)) is None
    assert unread.agrees("ann", replace(read, mv=4)) is None
    assert unread.agrees("bob", read) is None
    unread.users["ann"].read = 5
    assert unread.agrees("ann", read) is False


def test_marks_that_say_nothing_new_move_nobody() -> None:
    """A reconnect re-reads everybody; only who missed something is told again."""
    unread = known(Marks(9, 3, 1, 4, (6,)))
    unread.changed.clear()
    unread.stale()
    assert unread.needs == {"ann"}
    unread.loaded("ann", unread.begin("ann"), Marks(9, 3, 1, 4, (6,)))
    assert unread.changed == set()
    unread.loaded("ann", unread.begin("ann"), Marks(9, 4, 1, 7, ()))
    assert unread.changed == {"ann"}


def test_a_gap_in_mark_versions_asks_for_the_marks_again() -> None:
    unread = known(Marks(9, 3, 1, 4, (6,)))
    unread.mark(Mark("ann", 5, 9, "room", "~c1", "7", unseen=False))
    assert unread.needs == {"ann"}
