"""Bot groups in the store: who holds what, what counts, and what is forgotten."""

from __future__ import annotations

from batonbox_server.domain.model import Role
from batonbox_server.store.group_port import Said, Share
from batonbox_server.store.groups import RedisGroups
from batonbox_server.store.scripts import Scripts
from tests.integration.store_harness import Box, refused

ALL = list(range(64))


class Copy:
    """One copy of ann's bot; it says what it was told, as the SDK does."""

    def __init__(self, box: Box, name: str, *, user: str = "ann", group: str = "answers") -> None:
        self._box, self._groups = box, RedisGroups(box.client, keys=box.keys)
        self.name, self.user, self.group = name, user, group
        self.share = Share(0, "", 0, "", [], [], [], "", 0, [])

    async def beat(
        self,
        *,
        done: int | dict[int, int] | None = None,
        gives: list[int] | None = None,
        over: list[tuple[int, int]] | None = None,
        leaving: bool = False,
        lease_ms: int = 60_000,
        at: int | None = None,
        tip: str | None = None,
    ) -> Share:
        """Live on; `done`: everything up to this seq, of all partitions or of some."""
        head = await self._box.store.head(log=self._box.log, at=at or 0)
        seq, newest = (head.seq, head.tip) if at is None else (at, head.tip_at)
        done = 0 if done is None else done
        holds = [
            (p, gen, done if isinstance(done, int) else done.get(p, 0))
            for p, gen in self.share.mine
        ]
        said = Said(
            self.share.gen, seq, newest if tip is None else tip, holds, gives or [], over or []
        )
        self.share = await self._groups.share(
            inbox="box",
            user=self.user,
            name=self.group,
            copy=self.name,
            lease_ms=lease_ms,
            leaving=leaving,
            said=said,
        )
        return self.share

    @property
    def mine(self) -> list[int]:
        """Partitions."""
        return [p for p, _ in self.share.mine]

    def handled(self, p: int) -> int:
        """Of a partition, as it was told."""
        return self.share.seq + self.share.past[p]


async def test_a_new_group_begins_at_the_end_of_the_log(box: Box) -> None:
    await box.receive()
    one = Copy(box, "one")
    share = await one.beat()
    head = await box.store.head(log=box.log)
    assert (share.epoch, share.seq, share.tip) == (head.epoch, head.seq, head.tip)
    assert (one.mine, share.past, share.asked, share.lost) == (ALL, [0] * 64, [], "")


async def test_what_is_handled_is_kept_per_partition_and_never_goes_back(box: Box) -> None:
    one = Copy(box, "one")
    start = (await one.beat()).seq
    for _ in range(3):
        await box.receive()
    await one.beat(done={5: start + 2, **{p: start + 3 for p in ALL if p != 5}})
    assert (one.share.seq, one.handled(5), one.handled(6)) == (start + 2, start + 2, start + 3)
    assert one.share.tip == (await box.store.head(log=box.log, at=start + 2)).tip_at
    await one.beat(done=start + 1)
    assert one.handled(6) == start + 3


async def test_what_is_handled_out_of_turn_is_not_done_again(box: Box) -> None:
    one = Copy(box, "one")
    start = (await one.beat()).seq
    for _ in range(4):
        await box.receive()
    share = await one.beat(done=start, over=[(5, start + 2), (5, start + 3), (6, start + 9)])
    assert share.done == [(5, start + 2), (5, start + 3)], "what is in the log"
    share = await one.beat(done={p: start + 2 if p == 5 else start for p in ALL})
    assert share.done == [(5, start + 3)], "it need not be said again"
    await one.beat(leaving=True)
    two = Copy(box, "two")
    assert (await two.beat()).done == [(5, start + 3)]
    assert (await two.beat(done=start + 4)).done == []
    many = [(5, start + 1)] * 3 + [(6, start + 1)]
    assert (await two.beat(done=start, over=many)).done == [], "it was handled in its turn"


async def test_a_second_copy_gets_half_once_the_first_has_given_it(box: Box) -> None:
    one, two = Copy(box, "one"), Copy(box, "two")
    await one.beat()
    assert (await two.beat()).mine == []
    share = await one.beat()
    assert (len(share.mine), len(share.asked)) == (64, 32)
    assert (await two.beat()).mine == [], "not before it is given"
    await one.beat(gives=share.asked[:10])
    assert len(one.mine) == 54
    await two.beat()
    assert sorted(two.mine) == sorted(share.asked[:10])
    await one.beat(gives=one.share.asked)
    await two.beat()
    assert (len(one.mine), len(two.mine), one.share.asked, two.share.asked) == (32, 32, [], [])
    assert sorted(one.mine + two.mine) == ALL


async def settled(*copies: Copy) -> None:
    """Everybody gives what is asked back until nothing is."""
    for _ in range(2 * len(copies) + 1):
        for copy in copies:
            await copy.beat(gives=copy.share.asked)


async def test_shares_are_even_and_few_move(box: Box) -> None:
    copies = [Copy(box, f"copy{n}") for n in range(5)]
    for count in range(1, 6):
        before = {p: copy.name for copy in copies for p in copy.mine}
        await settled(*copies[:count])
        sizes = sorted(len(copy.mine) for copy in copies[:count])
        assert sizes[-1] - sizes[0] <= 1
        assert sum(sizes) == 64
        moved = [p for copy in copies for p in copy.mine if before.get(p, copy.name) != copy.name]
        assert len(moved) <= 64 // count
    await copies[0].beat(leaving=True)
    before = {p: copy.name for copy in copies[1:] for p in copy.mine}
    await settled(*copies[1:])
    kept = sum(before.get(p) == copy.name for copy in copies[1:] for p in copy.mine)
    assert kept == len(before), "only the share of who left moves"


async def test_a_dead_copys_share_is_the_others_when_its_lease_ends(box: Box) -> None:
    one, two = Copy(box, "one"), Copy(box, "two")
    await settled(one, two)
    handled = {p: one.handled(p) for p in one.mine}
    lost = set(one.mine)
    await one.beat(lease_ms=0)  # which the wire does not let pass: its lease is over now
    await box.receive()
    await two.beat()
    assert two.mine == ALL
    assert two.share.copies == 1
    assert {p: two.handled(p) for p in lost} == handled


async def test_what_a_copy_says_counts_only_for_what_it_holds(box: Box) -> None:
    one, two = Copy(box, "one"), Copy(box, "two")
    await settled(one, two)
    start = one.share.seq
    stale, frozen = one.share, set(one.mine)
    await one.beat(lease_ms=0)
    await two.beat()
    await box.receive()
    one.share = stale
    stolen = [(p, start + 1) for p in frozen]
    await one.beat(done=start, over=stolen)  # it was away, and does not know
    one.share = stale
    await one.beat(done=start + 1)
    assert one.mine == []
    assert {one.handled(p) for p in frozen} == {start}
    assert (await two.beat()).done == []
    await settled(one, two)
    one.share = stale
    await one.beat(done=start + 1)
    assert {one.handled(p) for p in one.mine} == {start}, "held again, in a later generation"


async def test_a_lost_answer_gives_nothing_that_would_be_taken_for_handled(box: Box) -> None:
    one, two = Copy(box, "one"), Copy(box, "two")
    await settled(one, two)
    start = one.share.seq
    await two.beat(leaving=True)
    await box.receive()
    known = one.share
    await one.beat()
    one.share = known  # as if that had never come
    await one.beat(done=start + 1)
    assert {p: one.handled(p) - start for p in ALL} == {p: int(p in dict(known.mine)) for p in ALL}


async def test_who_read_another_history_is_not_believed(box: Box) -> None:
    one = Copy(box, "one")
    start = (await one.beat()).seq
    await box.receive()
    await one.beat(done=start + 1, tip="0123456789abcdef")
    assert one.share.seq == start
    await one.beat(done=start + 1, at=start)
    assert one.share.seq == start, "nobody has handled what they have not read"


async def test_a_failover_that_loses_events_loses_what_was_said_of_them(box: Box) -> None:
    one = Copy(box, "one")
    start = (await one.beat()).seq
    await box.receive()
    names = [f"{box.log}:{key}" for key in ("log", "meta", "gr:ann")]
    was = {name: await box.client.execute("DUMP", name) for name in names}
    for _ in range(2):
        await box.receive()
    tip = (await box.store.head(log=box.log)).tip
    await one.beat(done=start + 3)
    for name, dumped in was.items():
        await box.client.execute("RESTORE", name, 0, dumped, "REPLACE")
    for _ in range(4):
        await box.receive(customer="+15550299")
    await one.beat(done=start + 3, at=start + 3, tip=tip)
    assert one.share.seq == start, "of the other history"
    await one.beat(done=start + 3, at=start + 3)
    assert one.share.seq == start + 3


async def test_what_the_log_no_longer_has_is_said_and_it_goes_on_at_the_end(box: Box) -> None:
    one, two = Copy(box, "one"), Copy(box, "two")
    start = (await one.beat()).seq
    for _ in range(5):
        await box.receive()
    await box.client.execute("XTRIM", f"{box.log}:log", "MAXLEN", 3)
    end = await box.seq()
    assert (await two.beat()).lost == "", "it was not there"
    share = await one.beat(done=start)
    assert (share.seq, share.past, share.lost) == (end, [0] * 64, "trimmed")
    assert {gen for _, gen in share.mine} == {share.gen}


async def test_another_epoch_begins_at_its_end(box: Box) -> None:
    one = Copy(box, "one")
    await one.beat()
    await box.client.execute("HSET", f"{box.log}:meta", "epoch", "another")
    share = await one.beat()
    assert (share.epoch, share.lost, share.seq) == ("another", "epoch", await box.seq())


async def test_only_members_share_and_nothing_is_left_of_who_was_removed(box: Box) -> None:
    one = Copy(box, "one")
    start = (await one.beat()).seq
    assert (await refused(Copy(box, "x", user="eve").beat())).slug == "forbidden"
    await box.store.remove(inbox="box", user="ann", role=None)
    assert (await refused(one.beat())).slug == "forbidden"
    assert await box.client.execute("EXISTS", f"{box.log}:gr:ann") == 0
    await box.store.join(inbox="box", user="ann", role=Role.MEMBER, joined=True)
    assert (await one.beat()).seq > start
    await Copy(box, "two", user="bob").beat()
    while not await box.store.delete_inbox(inbox="box"):
        pass
    assert await box.client.execute("EXISTS", f"{box.log}:gr:ann", f"{box.log}:gr:bob") == 0
    assert (await refused(one.beat())).slug == "not_found"


async def test_copies_and_groups_are_bounded(box: Box) -> None:
    for n in range(64):
        await Copy(box, f"copy{n}").beat()
    error = await refused(Copy(box, "one-more").beat())
    assert (error.slug, "64 copies" in error.message) == ("conflict", True)
    for n in range(15):
        await Copy(box, "one", group=f"group{n}").beat()
    error = await refused(Copy(box, "one", group="one-more").beat())
    assert (error.slug, "16 groups" in error.message) == ("conflict", True)
    assert (await Copy(box, "one", user="bob", group="one-more").beat()).copies == 1


async def test_a_group_that_nobody_speaks_for_is_forgotten(box: Box) -> None:
    one = Copy(box, "one")
    await one.beat()
    left_ms = await box.client.execute("PTTL", f"{box.log}:gr:ann")
    assert 0 < left_ms <= 12 * 3600 * 1000
    await one.beat(leaving=True)
    assert await box.client.execute("EXISTS", f"{box.log}:gr:ann") == 1, "a restart goes on"
    two = Copy(box, "two")
    await box.receive()
    assert (await two.beat()).seq == await box.seq() - 1


async def test_a_restored_log_takes_what_was_handled_along(box: Box) -> None:
    one = Copy(box, "one")
    start = (await one.beat()).seq
    await box.receive()
    await one.beat(done={p: start + 1 for p in ALL if p})
    await Scripts(box.client).restored(box.log, epoch="another")
    two = Copy(box, "two")
    share = await two.beat()
    assert (share.epoch, share.seq, two.handled(1), share.lost) == ("another", start, start + 1, "")
    assert two.mine == ALL, "nobody else is there"
