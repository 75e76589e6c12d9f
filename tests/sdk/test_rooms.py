"""Rooms by the SDK: against a real server, and what it makes of a server's frames."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any, cast

import pytest
import pytest_asyncio

from batonbox import (
    Client,
    Conflict,
    Deleted,
    Edited,
    Event,
    Forbidden,
    Invalid,
    LogEvent,
    MemberJoined,
    MemberRemoved,
    Mentioned,
    Noted,
    NotFound,
    Posted,
    RequestTimeout,
    Resync,
    Room,
    RoomChanged,
    RoomNotified,
    RoomTotals,
)
from batonbox_server.domain.policy import Scope
from tests.integration.search_harness import settled
from tests.served import Served, served
from tests.support import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(engine_url: str) -> AsyncIterator[Served]:
    """A node with the demo organisation; each test makes rooms of its own."""
    async with served(engine_url, f"t{uuid.uuid4().hex[:12]}:") as site:
        yield site


@pytest_asyncio.fixture(loop_scope="module")
async def three(site: Served) -> AsyncIterator[tuple[Client, Client, Client]]:
    """Clients of the admin, agent1 and agent2."""
    async with AsyncExitStack() as stack:
        users = ("admin", "agent1", "agent2")
        one, two, other = [await stack.enter_async_context(await site.sdk(u)) for u in users]
        yield one, two, other


Three = tuple[Client, Client, Client]


async def named(admin: Client, *members: str, private: bool = False) -> Room:
    """A new channel."""
    return await admin.create_channel(uuid.uuid4().hex, members, private=private)


async def next_of(events: Any) -> Any:
    """The next event, in time."""
    async with asyncio.timeout(10):
        return await anext(events)


async def next_in(events: Any, room: Room) -> Any:
    """The next event of this room: a stream may begin with the last ones of others."""
    while (event := await next_of(events)).inbox != room.id:
        pass
    return event


async def test_a_days_work_in_a_channel(three: Three) -> None:
    admin, ana, bob = three
    room = await named(admin, "agent1")
    assert (room.now.kind, room.now.posts) == ("public", 0)
    await eventually(lambda: ana.room_row(room.id) is not None, what="her room")
    assert room.id in [r.id for r in await ana.rooms()]
    hers = await ana.room(room.id)
    async with hers.events(LogEvent) as events:
        theirs = await bob.join_channel(room.id)
        assert isinstance(joined := await next_of(events), MemberJoined)
        assert (joined.inbox, joined.user) == (room.id, "agent2")
        n = await theirs.post("good morning @Ana", mentions=["agent1"])
        posted = await next_of(events)
        assert isinstance(posted, Posted)
        assert (posted.n, posted.text, posted.actor) == (n, "good morning @Ana", "agent2")
        assert (posted.mentions, posted.room.id) == (("agent1",), room.id)
        await eventually(lambda: (hers.unread, hers.mentions) == (1, 1), what="one unread")
        assert hers.seen()
        await eventually(lambda: (hers.unread, hers.mentions) == (0, 0), what="nothing unread")
        await theirs.edit(n, "good evening")
        assert isinstance(edited := await next_of(events), Edited)
        assert (edited.n, edited.text) == (n, "good evening")
        await theirs.delete(n)
        assert isinstance(deleted := await next_of(events), Deleted)
        assert deleted.n == n
        await room.rename(f"{room.now.name} 2")
        assert isinstance(changed := await next_of(events), RoomChanged)
        assert changed.row.name == room.now.name
        assert 0 < posted.at_ms < edited.at_ms < deleted.at_ms < changed.at_ms
        await room.remove("agent2")
        assert isinstance(removed := await next_of(events), MemberRemoved)
        assert removed.user == "agent2"
        await hers.mark_unread()
    kinds = [message.kind for message in await hers.history()]
    assert kinds == ["room_created", "member_joined", "posted", "room_changed", "member_removed"]
    assert [(v.by, v.text) for v in await room.versions(n)] == [
        ("agent2", "good morning @Ana"),
        ("agent2", "good evening"),
    ]
    assert await room.members() == ["admin", "agent1"]
    with pytest.raises(Forbidden):
        await theirs.post("x")
    with pytest.raises(Forbidden):
        await bob.room(room.id)


async def test_the_direct_room_of_two(three: Three) -> None:
    _, ana, bob = three
    room = await ana.open_dm("agent2")
    assert (await bob.open_dm("agent1")).id == room.id
    assert room.now.people == ("agent1", "agent2")
    async with bob.events(RoomNotified, rooms=True) as notices:
        await room.post("psst")
        notice = await next_in(notices, room)
        assert (notice.kind, notice.by, notice.room.id) == ("direct", "agent1", room.id)
    theirs = next(r for r in await bob.rooms() if r.id == room.id)
    assert (theirs.now.preview, theirs.now.last_by) == ("psst", "agent1")
    with pytest.raises(NotFound):
        await three[0].room(room.id)


async def test_refusals_are_typed(three: Three) -> None:
    admin, ana, _ = three
    room = await named(admin, "agent1")
    with pytest.raises(Conflict):
        await admin.create_channel(room.now.name.upper())
    with pytest.raises(Forbidden):
        await ana.create_channel("mine")
    hers = await ana.room(room.id)
    with pytest.raises(Forbidden):
        await hers.invite("agent2")
    await room.archive()
    with pytest.raises(Invalid):
        await hers.post("x")
    await room.archive(False)
    assert await hers.post("x")


async def test_a_key_makes_a_post_once(three: Three) -> None:
    admin, *_ = three
    room = await named(admin)
    first = await room.post("once", key="k1")
    assert await room.post("once", key="k1") == first
    assert [m.text for m in await room.history() if m.kind == "posted"] == ["once"]
    assert await admin.confirm_writes() > 0


async def test_channels_are_found_and_private_ones_only_by_their_own(three: Three) -> None:
    admin, ana, bob = three
    public, private = await named(admin), await named(admin, "agent1", private=True)
    for client, mine in ((ana, True), (bob, False)):
        found = {channel.id: channel for channel in await client.channels()}
        assert (found[public.id].member, private.id in found) == (False, mine)


async def test_a_stream_of_all_rooms_has_those_that_come_later(three: Three) -> None:
    admin, ana, _ = three
    before = await named(admin, "agent1")
    await eventually(lambda: ana.room_row(before.id) is not None, what="her room")
    async with (
        ana.events(Posted, rooms=True) as of_rooms,
        ana.events(LogEvent) as of_inboxes,
    ):
        await before.post("one")
        assert (await next_in(of_rooms, before)).text == "one"
        later = await named(admin, "agent1")
        await eventually(lambda: ana.position(later.id) is not None, what="the new room's position")
        await later.post("two")
        assert (await next_in(of_rooms, later)).text == "two"
        private = await named(admin)
        await private.post("not for her")
        await before.post("three")
        while (event := await next_of(of_rooms)).text != "three":
            assert event.inbox != private.id
        assert not of_inboxes._queue, "who asked for inboxes gets nothing of rooms"


async def test_a_room_i_make_is_in_the_stream_from_its_first_post(three: Three) -> None:
    admin, *_ = three
    async with admin.events(Posted, rooms=True) as events:
        room = await named(admin)
        n = await room.post("the first")
        assert (await next_in(events, room)).n == n


async def test_totals_are_absolute_and_say_when_a_room_is_gone(three: Three) -> None:
    admin, ana, _ = three
    room = await named(admin, "agent1")
    stream = ana.room_totals()

    async def until(wanted: Callable[[RoomTotals], bool]) -> RoomTotals:
        while True:
            totals: RoomTotals = await next_of(stream)
            if totals.room == room.id and wanted(totals):
                return totals

    for text in ("one", "two", "three"):
        await room.post(text)
    assert (await until(lambda totals: totals.unread == 3)).row is not None
    await room.remove("agent1")
    assert await until(lambda totals: totals.row is None) == RoomTotals(room.id, None, 0, 0)
    await stream.aclose()
    assert room.id not in [r.id for r in await ana.rooms()]


async def collected(events: Any, got: list[Event]) -> None:
    """Until the stream ends or raises."""
    while True:
        got.append(await next_of(events))


async def test_who_is_taken_out_hears_so_and_nothing_more(three: Three) -> None:
    admin, ana, _ = three
    room = await named(admin, "agent1")
    async with (await ana.room(room.id)).events(LogEvent) as events:
        await room.post("before")
        got: list[Event] = [await next_of(events)]  # what is not there yet is seen no more either
        await room.remove("agent1")
        await room.post("after")
        with pytest.raises(Forbidden):
            await collected(events, got)
    assert [(type(event), getattr(event, "text", "")) for event in got] == [
        (Posted, "before"),
        (Resync, ""),
    ]


async def test_a_note_that_names_me_is_an_event_of_its_own(site: Served, three: Three) -> None:
    _, ana, bob = three
    conv = await site.texts("hello", customer="+14165550171")
    async with bob.events(Mentioned, Noted) as events:
        n = await (await ana.conversation(conv)).note("look, Bob", mentions=["agent2"])
        told = [await next_of(events), await next_of(events)]
        (mention,) = [event for event in told if isinstance(event, Mentioned)]
        assert (mention.kind, mention.by, mention.conversation.id) == ("mention", "agent1", conv)
        (noted,) = [event for event in told if isinstance(event, Noted)]
        assert noted.mentions == ("agent2",)
    (line,) = [m for m in await (await bob.conversation(conv)).history() if m.n == n]
    assert line.mentions == ("agent2",)


async def test_a_post_has_files(three: Three) -> None:
    admin, ana, _ = three
    room = await named(admin, "agent1")
    media = await admin.upload(b"hours: 9 to 5", name="hours.txt", type="text/plain")
    n = await room.post("", media=[media])
    hers = await ana.room(room.id)
    (line,) = [m for m in await hers.history() if m.n == n]
    assert [file.name for file in line.media] == ["hours.txt"]
    assert await hers.media(line) == b"hours: 9 to 5"


async def test_contacts_and_search(site: Served, three: Three) -> None:
    admin, ana, _ = three
    number = "+14165550172"
    body = {"name": "Lee & Quokka", "numbers": [number]}
    made = (await site.call("agent1", "POST", "/v1/contacts", body)).json()
    assert (await ana.contact(number)) == await ana.contact_by_id(made["id"])
    assert list(await ana.contacts([number, "+14165550173"])) == [number]
    assert await ana.contact("+14165550173") is None
    conv = await site.texts("a quokka called", customer=number)
    room = await admin.create_channel(f"Quokka {uuid.uuid4().hex[:6]}", ["agent1"])
    n = await room.post("the quokka again")
    await settled(site)
    found = await ana.search("quokk")
    places = {(hit.kind, hit.conv or hit.id, hit.n) for hit in found.hits}
    assert found.complete
    assert places >= {
        ("message", conv, 1), ("message", room.id, n), ("contact", made["id"], 0),
        ("channel", room.id, 0), ("conversation", conv, 0),
    }  # fmt: skip
    (hit,) = (await ana.search("quokka again", kinds=["messages"])).hits
    start, end = hit.marks[0]
    assert hit.excerpt[start:end] == "quokka"


async def test_without_the_scope_no_rooms_are_told(site: Served) -> None:
    _, secret = await site.node.identity.make_token(user="agent3", scopes=[Scope.ACT])
    async with Client(site.url, secret, timeout_s=0.3) as client:
        with pytest.raises(RequestTimeout, match="scope read"):
            await client.rooms()


async def test_nothing_is_missed_through_a_cut_link(site: Served, three: Three) -> None:
    admin, ana, _ = three
    room = await named(admin, "agent1")
    texts: list[str] = []
    async with (await ana.room(room.id)).events(Posted) as events:
        for number in range(30):
            await room.post(f"post {number}")
            if number % 10 == 5:
                await eventually(lambda: ana._connection._link is not None, what="a link")
                cast(Any, ana._connection._link).cut()
        while len(texts) < 30:
            event = await next_of(events)
            assert not isinstance(event, Resync)
            texts.append(event.text)
    assert texts == [f"post {number}" for number in range(30)]
    hers = await ana.room(room.id)
    await eventually(lambda: hers.unread == 30, what="thirty unread")
