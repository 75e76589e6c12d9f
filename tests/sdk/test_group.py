"""Copies of a bot that share inboxes, on a real server: who handles what, once and in order."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, NoReturn

import msgpack  # type: ignore[import-untyped]
import pytest
import pytest_asyncio

from batonbox import ApiError, Backoff, Client, Forbidden, MessageReceived, Position, Resync
from batonbox._group import Group
from batonbox._group_share import SharedWork
from batonbox_server.domain.model import Role
from batonbox_server.store.directory_port import Inbox, User
from tests.served import Served, served
from tests.support import eventually

LEASE_S = 1.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(engine_url: str) -> AsyncIterator[Served]:
    """One node for all tests of the file."""
    async with served(engine_url, f"g{uuid.uuid4().hex[:8]}", empty=True) as site:
        await site.node.administration.create_user(User("admin", "Alex", Role.ADMIN))
        yield site


class Floor:
    """An inbox with a bot of the test's own, its copies, and customers who write."""

    def __init__(self, site: Served, stack: AsyncExitStack) -> None:
        self.site, self._stack = site, stack
        name = uuid.uuid4().hex[:8]
        self.inbox, self.bot = f"box{name}", f"bot{name}"
        self.number = f"+1416{int(name, 16) % 10**7:07}"
        self.copies: list[Copy] = []
        self.before: list[tuple[float, str, int]] = []  # what the dead had done
        self.sent = 0

    async def open(self) -> None:
        administration = self.site.node.administration
        await administration.create_user(User(self.bot, "Bot", Role.MEMBER, bot=True))
        await administration.create_inbox(
            Inbox(self.inbox, self.inbox, (self.bot,), (self.number,))
        )

    async def copy(self, **more: Any) -> Copy:
        """Another copy, which handles what comes until the test ends."""
        backoff = Backoff(0.02, 0.2)
        client = Client(self.site.url, await self.site.token(self.bot), backoff=backoff)
        await self._stack.enter_async_context(client)
        group = Group(client, "answers", **{"lease_s": LEASE_S, **more})
        await self._stack.enter_async_context(group)
        copy = Copy(group, client)
        self._stack.push_async_callback(copy.end)
        self.copies.append(copy)
        return copy

    async def writes(self, customer: int, count: int = 1) -> None:
        """Texts "0", "1", ... of a customer, as counted over the whole test."""
        for _ in range(count):
            body = bytes(msgpack.packb({"text": str(self.sent)}))
            await self.site.node.store.receive(
                inbox=self.inbox,
                our=self.number,
                customer=f"+1647{customer:07}",
                provider_id=uuid.uuid4().hex,
                body=body,
                preview="",
            )
            self.sent += 1

    @property
    def handled(self) -> list[tuple[str, int]]:
        """(conversation, number of the text) of all copies together, as they ended."""
        done = sorted([*self.before, *(done for copy in self.copies for done in copy.handled)])
        return [(conv, text) for _, conv, text in done]

    def buries(self, copy: Copy) -> None:
        """It is dead; what it has done stays."""
        self.copies.remove(copy)
        self.before += copy.handled

    async def all_handled(self, timeout_s: float = 30.0) -> None:
        """Each text once, in order per conversation."""

        def told() -> bool:
            return len(self.handled) >= self.sent

        await eventually(told, timeout_s=timeout_s, what=f"{self.sent} handled")
        assert sorted(text for _, text in self.handled) == list(range(self.sent))
        by_conv: dict[str, list[int]] = {}
        for conv, text in self.handled:
            by_conv.setdefault(conv, []).append(text)
        assert all(texts == sorted(texts) for texts in by_conv.values())

    async def settled(self) -> None:
        """Nothing is asked back, everybody knows of everybody, and all partitions are held."""

        def even() -> bool:
            lines = [list(c.group._shares[self.inbox].lines.values()) for c in self.copies]
            asked = [line for held in lines for line in held if line.asked]
            sizes = [len(held) for held in lines]
            return not asked and sum(sizes) == 64 and max(sizes) - min(sizes) <= 1

        await eventually(even, what="even shares")


class Copy:
    """Takes works one after the other; `hold` lets it begin them and not finish."""

    def __init__(self, group: Group, client: Client) -> None:
        self.group, self.client = group, client
        self.handled: list[tuple[float, str, int]] = []
        self.begun: list[SharedWork] = []
        self.resyncs: list[Resync] = []
        self.free = asyncio.Event()
        self.free.set()
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        async for work in self.group:
            if isinstance(work, Resync):
                self.resyncs.append(work)
                continue
            if not work.begin():
                continue
            if isinstance(work.event, MessageReceived):
                self.begun.append(work)
                await self.free.wait()
                now_s = asyncio.get_running_loop().time()
                self.handled.append((now_s, work.event.conversation.id, int(work.event.text)))
            work.done()

    async def end(self) -> None:
        """Cut off in the middle of it."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def dies(self) -> None:
        """As kill -9 ends it: nobody is told."""
        await self.end()
        for task in self.group._tasks:
            task.cancel()
        self.group._shares.clear()  # so that there is nothing to say good-bye of
        await self.client.aclose()


@pytest_asyncio.fixture(loop_scope="module")
async def floor(house: Served) -> AsyncIterator[Floor]:
    async with AsyncExitStack() as stack:
        floor = Floor(house, stack)
        await floor.open()
        yield floor


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_three_copies_handle_each_event_once_and_in_order(floor: Floor) -> None:
    for _ in range(3):
        await floor.copy()
    for n in range(80):
        await floor.writes(n % 40)
    await floor.settled()
    for n in range(80):
        await floor.writes(n % 40)
    await floor.all_handled()
    assert all(copy.handled for copy in floor.copies)
    assert sum(copy.group.leads for copy in floor.copies) == 1
    conv = floor.handled[0][0]
    assert sum(copy.group.holds(conv) for copy in floor.copies) == 1


async def test_nothing_is_handed_over_in_the_middle(floor: Floor) -> None:
    first = await floor.copy()
    first.free.clear()
    await floor.writes(1)
    await eventually(lambda: first.begun, what="a begun work")
    conv = first.begun[0].event.conversation.id
    second = await floor.copy()

    def asked() -> bool:
        lines = first.group._shares[floor.inbox].lines
        return len(second.group._shares[floor.inbox].lines) >= 31 and len(lines) <= 33

    await eventually(asked, what="the shares of what is idle")
    third = await floor.copy()
    fourth = await floor.copy()
    await floor.writes(1)
    others = (second, third, fourth)
    await eventually(lambda: len(fourth.group._shares[floor.inbox].lines) >= 15, what="a share")
    assert not any(copy.group.holds(conv) for copy in others)
    assert not any(copy.begun for copy in others)
    first.free.set()
    await floor.settled()
    await floor.all_handled()


async def test_who_dies_is_followed_by_another_from_what_was_not_finished(floor: Floor) -> None:
    first, second = await floor.copy(), await floor.copy()
    await floor.settled()
    second.free.clear()
    for n in range(20):
        await floor.writes(n)
    await eventually(lambda: second.begun and first.handled, what="works on both")
    await second.dies()
    floor.buries(second)
    await floor.all_handled()
    assert first.group._shares[floor.inbox].lines.keys() == set(range(64))
    assert not first.resyncs


async def test_what_ended_out_of_turn_is_not_repeated_when_another_takes_over(
    floor: Floor,
) -> None:
    first = await floor.copy()
    await first.end()
    for n in range(40):
        await floor.writes(n)
    works: list[SharedWork] = []
    async with asyncio.timeout(10):
        while len(works) < 40:
            work = await anext(first.group)
            assert isinstance(work, SharedWork)
            assert work.begin()
            works.append(work)
    for work in works[1:]:
        work.done()  # the first one hangs, and holds up what its partition says
    await first.group._say()
    await first.dies()
    floor.copies.remove(first)
    second = await floor.copy()
    await floor.writes(77)
    await eventually(lambda: len(second.handled) == 2, what="the first one's turn, and the new one")
    one, new = (conv for _, conv, _ in second.handled)
    assert one == works[0].event.conversation.id
    assert new not in {work.event.conversation.id for work in works}


async def test_a_copy_that_is_not_heard_begins_nothing_and_goes_on_when_it_is(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = await floor.copy()
    said, heard = copy.group._say, asyncio.Event()

    async def mute() -> None:
        await heard.wait()
        await said()

    monkeypatch.setattr(copy.group, "_say", mute)
    share = copy.group._shares[floor.inbox]
    await eventually(lambda: not share.runs(), what="the end of the lease")
    await floor.writes(1, 5)
    await eventually(lambda: share.waiting == 5, what="five to do")
    assert not copy.begun
    assert not copy.group.leads
    heard.set()
    await floor.all_handled()


async def test_what_came_while_nobody_was_there_is_handled_later(floor: Floor) -> None:
    await floor.copy()
    await floor.writes(1, 3)
    await floor.all_handled()
    (copy,) = floor.copies
    await copy.end()
    await copy.group.__aexit__(None, None, None)
    await floor.writes(1, 5)
    await floor.writes(2, 5)
    await floor.copy()
    await floor.all_handled()


async def test_more_than_is_kept_is_read_later(floor: Floor) -> None:
    copy = await floor.copy(queue_max=8)
    copy.free.clear()
    for n in range(60):
        await floor.writes(n % 5)
    await eventually(lambda: copy.group._waiting >= 8, what="as many as are kept")
    assert copy.group._waiting == 8
    copy.free.set()
    await floor.all_handled()
    assert not copy.resyncs


async def test_a_broken_connection_loses_and_doubles_nothing(floor: Floor) -> None:
    copies = [await floor.copy() for _ in range(2)]
    for n in range(60):
        await floor.writes(n % 7)
        if n % 20 == 10:
            copies[n // 20 % 2].client._connection.drop()
    await floor.all_handled()


async def test_another_stream_is_told_nothing_twice_while_the_group_goes_back(
    floor: Floor,
) -> None:
    first, second = await floor.copy(), await floor.copy()
    await floor.settled()
    second.free.clear()
    told: list[int] = []
    async with first.client.events(MessageReceived, inbox=floor.inbox) as stream:
        for n in range(40):
            await floor.writes(n)
        await eventually(lambda: second.begun and first.handled, what="works on both")
        await second.dies()
        floor.buries(second)
        await floor.all_handled()  # what was the dead one's lay behind what the first had read
        for n in range(10):
            await floor.writes(n)
        while len(told) < floor.sent:
            event = await anext(stream)
            assert isinstance(event, MessageReceived), event
            told.append(int(event.text))
    assert told == list(range(floor.sent))


async def test_whoever_is_removed_begins_nothing_more_and_is_told_where_it_was_named(
    floor: Floor,
) -> None:
    named, any_of = await floor.copy(inboxes=[floor.inbox]), await floor.copy()
    await floor.settled()
    administration = floor.site.node.administration
    await administration.set_member(inbox=floor.inbox, user=floor.bot, on=False)
    await eventually(named._task.done, what="the end of the one that was named")
    assert isinstance(named._task.exception(), Forbidden)
    await eventually(lambda: not any_of.group.holds(f"{floor.inbox}.x"), what="nothing held")
    assert not any_of._task.done()
    await administration.set_member(inbox=floor.inbox, user=floor.bot, on=True)
    await eventually(lambda: any_of.group.holds(f"{floor.inbox}.x"), what="everything again")


async def test_an_inbox_that_cannot_be_followed_ends_it_with_the_reason(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: Client, *, inbox: str, since: Position) -> NoReturn:
        del since
        raise ApiError(107, "bad_request", f"{inbox}: at most 128 subscriptions per connection.")

    monkeypatch.setattr(Client, "events", refused)
    copy = await floor.copy()
    await eventually(copy._task.done, what="the end")
    assert "at most 128" in str(copy._task.exception())
    assert not copy.group.leads


async def test_a_name_or_lease_that_no_group_can_have_is_refused_at_once(floor: Floor) -> None:
    copy = await floor.copy()
    for name in ("", ".x", "a b", "x" * 41):
        with pytest.raises(ValueError, match="a group's name"):
            Group(copy.client, name)
    for lease_s in (0.5, 61.0):
        with pytest.raises(ValueError, match="1 to 60"):
            Group(copy.client, "x", lease_s=lease_s)
