"""Copies of a bot on the script `share`, with the SDK's own half of it, and what must always hold.

The engine, its log and the script are real; so is `batonbox._group_share`. Copies, what they are
told and when, deaths, freezes and failovers are drawn. Time does not pass: a lease ends when the
world says so, first for the copy itself and then for the engine, as the SDK sees to.
"""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass, field
from typing import Any, Final, cast

import msgpack  # type: ignore[import-untyped]

from batonbox import Client, Conversation, ConversationEvent, LogEvent
from batonbox._events import event_of
from batonbox._group_share import Share, SharedWork, partition_of
from batonbox._session import Applied
from batonbox._wire import PARTITIONS
from batonbox_server.domain.model import Role
from batonbox_server.store.by import pack_for_lua
from batonbox_server.store.engine import Engine
from batonbox_server.store.keys import Keys
from batonbox_server.store.redis import RedisStore
from batonbox_server.store.scripts import Scripts

__all__ = ["GroupWorld", "walk"]

OUR: Final = "+15550100"
BODY: Final = bytes(msgpack.packb({"text": "hello"}))
LEASE_MS: Final = 3_600_000
NOBODY: Final = cast(Client, None)  # nothing is asked of these conversations


@dataclass(eq=False)
class Copy:
    """A process; `runs`: it believes that its lease runs; dead, it never speaks again.

    `misled`: a failover has lost what was said to it or to others, and it has not spoken since: so
    long two may hold a partition, and an event may be handled twice at the same time.
    """

    name: str
    share: Share = field(init=False)
    queue: list[SharedWork] = field(default_factory=list)
    begun: list[SharedWork] = field(default_factory=list)
    outlived: set[SharedWork] = field(default_factory=set)  # begun under a lease that has ended
    runs: bool = True
    dead: bool = False
    misled: bool = False
    late: list[list[Any]] = field(default_factory=list)  # words that may still reach the engine

    def __post_init__(self) -> None:
        self.share = Share(
            "box", runs=lambda: self.runs, offer=self.queue.append, settled=lambda: None
        )

    @property
    def counts(self) -> bool:
        """It is where the engine thinks that it is."""
        return self.runs and not self.dead and not self.misled

    def open(self, conv: str) -> bool:
        """Nothing of the conversation is under way here."""
        return all(work.event.conversation.id != conv for work in self.begun)

    def keeps_to_itself(self, conv: str) -> bool:
        """The same, of what it may have under way: a handler goes on when its lease has ended."""
        theirs = [work for work in self.begun if work not in self.outlived]
        return all(work.event.conversation.id != conv for work in theirs)


class GroupWorld:
    """One inbox, one group. `steps` are what may happen; each checks what it can."""

    def __init__(self, client: Engine, scripts: Scripts, rng: random.Random) -> None:
        self.client, self.scripts, self.rng = client, scripts, rng
        self.keys = Keys(f"m{uuid.uuid4().hex[:8]}")
        self.store = RedisStore(client, keys=self.keys)
        self.log = self.keys.inbox("box")
        self.copies: list[Copy] = []
        self.events: dict[int, LogEvent] = {}  # of the present history
        self.finished: set[str] = set()  # tips
        self.excused = 0  # up to here something was lost, and was said to be
        self.lost = 0  # in this generation
        self.handled = [0] * PARTITIONS
        self.saved: dict[str, bytes] = {}
        self.saved_known: tuple[list[int], int, int] = ([], 0, 0)

    async def open(self) -> None:
        """The inbox, and a first copy: the group begins."""
        await self.store.create_inbox(inbox="box")
        await self.store.add_number(inbox="box", number=OUR)
        await self.store.join(inbox="box", user="bot", role=Role.MEMBER, joined=True)
        await self.write()
        await self.observe()
        self.excused = max(self.events)
        await self.come()

    # What happens

    async def write(self) -> None:
        """A customer of a few writes."""
        n = self.rng.randrange(6)
        await self.scripts.receive(
            self.log, candidate=f"box.c{n}", our=OUR, customer=f"+1555020{n}",
            provider_id=uuid.uuid4().hex, body=BODY, preview="", turn=0, keyword=b"",
        )  # fmt: skip

    async def come(self) -> Copy:
        """Another copy."""
        self.copies.append(Copy(uuid.uuid4().hex[:8]))
        await self.say(self.copies[-1])
        return self.copies[-1]

    async def come_if_few(self) -> None:
        """Four live at most."""
        if len([copy for copy in self.copies if not copy.dead]) < 4:
            await self.come()

    async def leave(self) -> None:
        """It ends in good order; what it had begun stays unfinished."""
        if (copy := self.any()) is not None and self.more_than_one:
            await self.ask(copy, copy.share.said(), leaving=True)
            copy.share.lose()
            copy.dead = True
            self.copies.remove(copy)

    async def die(self) -> None:
        """kill -9: its lease has still to end."""
        if (copy := self.any()) is not None and self.more_than_one:
            copy.dead = True

    async def speak(self) -> None:
        """Says where it stands, and hears of it; or its word, or the answer, is lost."""
        if (copy := self.any()) is not None:
            await self.say(copy)

    async def speak_in_vain(self) -> None:
        """The answer is lost."""
        if (copy := self.any()) is not None:
            await self.ask(copy, copy.share.said())

    async def speak_late(self) -> None:
        """An earlier word arrives again, whoever said it and whatever became of them."""
        copies = [copy for copy in self.copies if copy.late]
        if copies:
            copy = self.rng.choice(copies)
            await self.ask(copy, self.rng.choice(copy.late))

    async def freeze(self) -> None:
        """A lease ends, the dead's or a living one's; first for whoever has it."""
        if self.copies:
            copy = self.rng.choice(self.copies)
            copy.runs = False
            copy.outlived.update(copy.begun)
            await self.expire(copy)

    async def read(self) -> None:
        """The next entry of the log."""
        if (copy := self.any()) is not None:
            await self.read_by(copy)

    async def read_by(self, copy: Copy) -> None:
        """Of another history than was read, as the stream would tell, it takes nothing."""
        if (start := copy.share.start) is None:
            return
        head = await self.store.head(log=self.log, at=start.seq)
        if start.epoch != head.epoch or start.tip != head.tip_at:
            copy.share.lose()
            return
        entries = await self.store.range(log=self.log, first=start.seq + 1, last=start.seq + 1)
        for entry in entries:
            copy.share.take(event(entry.frame))

    async def begin(self) -> None:
        """The first work that may: in order within a conversation."""
        if (copy := self.any()) is not None:
            await self.begin_by(copy)

    async def begin_by(self, copy: Copy) -> None:
        for work in list(copy.queue):
            if copy.open(work.event.conversation.id):
                copy.queue.remove(work)
                if work.begin():
                    await self.check_begun(copy, work)
                    copy.begun.append(work)
                return

    async def finish(self) -> None:
        """Something that was begun, even by who was taken for dead meanwhile."""
        copies = [copy for copy in self.copies if copy.begun and not copy.dead]
        if copies:
            copy = self.rng.choice(copies)
            self.finish_by(copy, self.rng.randrange(len(copy.begun)))

    def finish_by(self, copy: Copy, n: int = 0) -> None:
        work = copy.begun.pop(n)
        self.finished.add(work.event.tip)
        work.done()

    async def save(self) -> None:
        """From here a failover would go on."""
        names = [f"{self.log}:{key}" for key in ("log", "meta", "gr:bot")]
        self.saved = {name: await self.client.execute("DUMP", name) for name in names}
        self.saved_known = (list(self.handled), self.excused, self.lost)

    async def fail_over(self) -> None:
        """What came since is lost, the group's state with it."""
        for name, dumped in self.saved.items():
            await self.client.execute("RESTORE", name, 0, dumped, "REPLACE")
        if self.saved:
            self.handled, self.excused, self.lost = self.saved_known
            self.saved = {}
            for copy in self.copies:
                copy.misled = True

    async def trim(self) -> None:
        """The log forgets all but a few."""
        await self.client.execute("XTRIM", f"{self.log}:log", "MAXLEN", 4)
        self.saved = {}

    # What is said, and what must hold

    def any(self) -> Copy | None:
        """Somebody who is not dead."""
        living = [copy for copy in self.copies if not copy.dead]
        return self.rng.choice(living) if living else None

    @property
    def more_than_one(self) -> bool:
        """That are not dead."""
        return sum(not copy.dead for copy in self.copies) > 1

    async def say(self, copy: Copy) -> None:
        """And hear: whoever was taken for dead knows now."""
        was_late, copy.runs, copy.misled = not copy.runs, True, False
        told = await self.ask(copy, copy.share.said())
        copy.share.told(told, renew=was_late)
        self.check_holders()

    async def ask(self, copy: Copy, said: list[Any], *, leaving: bool = False) -> dict[str, Any]:
        """The script's answer, as the wire has it."""
        copy.late = [*copy.late[-3:], said]
        _, gen_said, at, tip, holds, gives, done = (
            said if said[1:] else (*said, 0, 0, "", [], [], [])
        )
        packed = pack_for_lua(
            {"gen": gen_said, "at": at, "tip": tip, "holds": holds, "gives": gives, "done": done}
        )
        reply = await self.scripts.share(
            self.log, user="bot", name="g", copy=copy.name, lease_ms=LEASE_MS,
            leaving=int(leaving), said=packed,
        )  # fmt: skip
        assert reply[0] == b"ok", reply
        _, gen, epoch, seq, tip, past, mine, asked, lost, copies, over = reply
        told = {
            "gen": gen, "epoch": epoch.decode(), "seq": seq, "tip": tip.decode(),
            "past": msgpack.unpackb(past), "mine": list(zip(mine[::2], mine[1::2], strict=True)),
            "asked": asked, "lost": lost.decode(), "copies": copies,
            "done": list(zip(over[::2], over[1::2], strict=True)),
        }  # fmt: skip
        await self.check_progress(told, gen_said)
        return told

    async def expire(self, *copies: Copy, but: bool = False) -> None:
        """Leases of these (or of all but these) end by the engine's clock."""
        packed = await self.client.execute("HGET", f"{self.log}:gr:bot", "g")
        state, names = msgpack.unpackb(packed), {copy.name for copy in copies}
        for each in state["copies"]:
            if (each[0] in names) is not but:
                each[1] = 0
        await self.client.execute("HSET", f"{self.log}:gr:bot", "g", pack_for_lua(state))

    async def observe(self) -> None:
        """The history as it is now."""
        entries = await self.store.range(log=self.log, first=0, last=2**40)
        found = [event(entry.frame) for entry in entries]
        last = found[-1].seq if found else 0
        old = {seq: known for seq, known in self.events.items() if seq <= last}
        self.events = old | {each.seq: each for each in found}

    async def check_progress(self, told: dict[str, Any], said_gen: int) -> None:
        """Nothing counts as handled that nobody has finished, and nothing is handled again."""
        await self.observe()
        packed = await self.client.execute("HGET", f"{self.log}:gr:bot", "g")
        lost = int(msgpack.unpackb(packed)["lost_gen"])
        if lost != self.lost:
            self.lost, self.excused = lost, max(self.events)
        assert bool(told["lost"]) == (0 < said_gen < lost), "who was there is told, and nobody else"
        for p, past in enumerate(told["past"]):
            handled = told["seq"] + past
            assert handled >= self.handled[p], f"partition {p} went back to {handled}"
            self.handled[p] = handled
        for _, seq in told["done"]:
            assert self.events[seq].tip in self.finished, f"{seq} counts as handled"
        for seq, known in self.events.items():
            if seq > self.excused and isinstance(known, ConversationEvent):
                p = partition_of(known.conversation.id)
                done = known.tip in self.finished
                assert done or seq > self.handled[p], f"{seq} of {p} counts as handled"

    def check_holders(self) -> None:
        """No two that run would begin works of one partition."""
        held: dict[int, str] = {}
        for copy in self.copies:
            for p, line in copy.share.lines.items():
                if copy.counts and line.held and not line.asked:
                    assert held.setdefault(p, copy.name) == copy.name, f"{p} is held twice"

    async def check_begun(self, copy: Copy, work: SharedWork) -> None:
        """What came before in the conversation is finished, and nobody is in the middle of it."""
        conv = work.event.conversation.id
        await self.observe()
        there = self.events.get(work.event.seq)
        if there is None or there.tip != work.event.tip:
            return  # of a history that was lost, which it will learn
        for seq, known in self.events.items():
            if self.excused < seq < work.event.seq and of_conversation(known, conv):
                assert known.tip in self.finished, f"{work.event.seq} begins before {seq} ended"
        for other in self.copies:
            if other is not copy and other.counts and copy.counts:
                assert other.keeps_to_itself(conv), f"{conv} is under way elsewhere"

    async def rest(self) -> None:
        """Failures end: everything is handled, and shared evenly."""
        self.saved = {}
        self.copies = [copy for copy in self.copies if not copy.dead]
        await self.expire(*self.copies, but=True)
        if not self.copies:
            await self.come()
        for _ in range(12):
            for copy in self.copies:
                await self.say(copy)
                await self.catch_up(copy)
        await self.observe()
        end = max(self.events)
        assert self.handled == [end] * PARTITIONS, f"not handled up to {end}"
        sizes = [len(copy.share.lines) for copy in self.copies]
        assert sum(sizes) == PARTITIONS, "somebody's share is nobody's"
        assert max(sizes) - min(sizes) <= 1, "uneven"

    async def catch_up(self, copy: Copy) -> None:
        """It reads all and handles all."""
        head = await self.store.head(log=self.log)
        while (start := copy.share.start) is not None and start[1:] != (head.seq, head.tip):
            await self.read_by(copy)
        for work in [*copy.begun, *copy.queue]:
            if work in copy.begun or work.begin():
                self.finished.add(work.event.tip)
                work.done()
        copy.begun.clear()
        copy.queue.clear()


def event(frame: bytes) -> LogEvent:
    """As the SDK has it."""
    _, inbox, seq, meta, body, tip = msgpack.unpackb(frame)
    return event_of(Applied(inbox, seq, meta, body, tip), lambda row: Conversation(NOBODY, row))


def of_conversation(known: LogEvent | None, conv: str) -> bool:
    return isinstance(known, ConversationEvent) and known.conversation.id == conv


async def walk(client: Engine, scripts: Scripts, seed: int, *, steps: int) -> GroupWorld:
    """A random one; everything is checked as it goes, and that it comes to rest."""
    rng = random.Random(seed)
    world = GroupWorld(client, scripts, rng)
    await world.open()
    often = [world.write, world.speak, world.read, world.read, world.begin, world.begin,
             world.finish, world.finish]  # fmt: skip
    seldom = [world.come_if_few, world.come_if_few, world.leave, world.die, world.freeze,
              world.freeze, world.speak_in_vain, world.speak_late, world.speak_late, world.save,
              world.fail_over, world.trim]  # fmt: skip
    for _ in range(steps):
        await rng.choice(often if rng.random() < 0.75 else seldom)()
    await world.rest()
    return world
