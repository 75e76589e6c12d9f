"""What the SDK makes of a server's frames about rooms, each of which is written here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from batonbox import Client, Invalid, MessageReceived, Posted, Purged, Room, RoomRow, RoomTotals
from batonbox._known import Known
from batonbox._session import Applied
from batonbox._wire import Op
from tests.sdk.conftest import SignIn
from tests.sdk.scripted import TIP, Peer
from tests.support import eventually


async def next_of(events: Any) -> Any:
    """The next event, in time."""
    async with asyncio.timeout(10):
        return await anext(events)


def row(**changes: Any) -> dict[str, Any]:
    """A room's row on the wire."""
    base = {"id": "~c1", "kind": "public", "name": "dispatch", "people": [], "archived": 0}
    return {
        **base,
        "rev": 1,
        "n": 1,
        "posts": 0,
        "last_ms": 1,
        "last_by": "",
        "preview": "",
        **changes,
    }


def posted(seq: int) -> list[Any]:
    """EV number `seq` of the room."""
    meta = {"type": "posted", "conv": "~c1", "actor": "a", "cid": "", "n": seq}
    meta["row"] = row(rev=seq, n=seq, posts=seq)
    return [int(Op.EV), "~c1", seq, meta, {"text": f"{seq}", "mentions": []}, f"tip{seq}"]


def snap(seq: int, epoch: str = "e1") -> list[Any]:
    """SNAP of the room."""
    return [int(Op.SNAP), "~c1", epoch, seq, f"tip{seq}", {"members": 1}, {}, [row(rev=seq)], None]


@pytest.mark.parametrize(("log", "conv"), [("~c1", "~c1"), ("sales", "sales.c1")])
def test_what_the_retention_rule_erased_is_an_event_of_its_own(log: str, conv: str) -> None:
    meta = {"type": "purged", "conv": conv, "actor": "", "cid": "", "n": 4, "whole": True}
    meta["row"] = row() if log == conv else {"id": conv}
    event = Known().event(Applied(log, 9, meta, None, "tip9"))
    assert isinstance(event, Purged)
    assert (event.inbox, event.conv, event.n, event.whole, event.seq) == (log, conv, 4, True, 9)


async def followed(client: Client, peer: Peer, stack: AsyncExitStack) -> Any:
    """A stream of the room's events, live at seq 1."""
    async with asyncio.TaskGroup() as group:
        opened = group.create_task(stack.enter_async_context(client.events(inbox="~c1")))
        request = await peer.expect(Op.SUB)
        assert request[2] == [["~c1", "list"]]
        await peer.send(snap(1))
        await peer.ok(request, subs=[["~c1", "snapshot", 0]])
    return opened.result()


@pytest.mark.parametrize("how", ["reset", "gap"])
async def test_a_break_of_the_log_is_a_resync_and_rows_begin_anew(
    sign_in: SignIn, how: str
) -> None:
    client, peer = await sign_in()
    async with AsyncExitStack() as stack:
        events = await followed(client, peer, stack)
        await peer.send(posted(2), posted(2), posted(3))
        assert [(await next_of(events)).text for _ in range(2)] == ["2", "3"]
        if how == "reset":
            await peer.send([int(Op.RESET), "~c1", "fork", []], snap(2, "e2"))
        else:
            await peer.send(posted(5))
        resync = await next_of(events)
        assert (resync.inbox, resync.reason) == ("~c1", "fork" if how == "reset" else "gap")
        if how == "gap":
            assert (await peer.expect(Op.SUB))[2] == [["~c1", "list"]]
            await peer.send(snap(5))
            await eventually(lambda: client.position("~c1") is not None, what="the position")
        else:
            await eventually(lambda: client.room_row("~c1") is not None, what="the new row")
            found = client.room_row("~c1")
            assert found is not None and found.rev == 2, "of the new lineage, though lower"


async def test_a_new_connection_tells_all_rooms_anew(sign_in: SignIn) -> None:
    client, peer = await sign_in()
    await peer.send([int(Op.ROOMS), [[row(rev=9), 2, 1], [row(id="~c2"), 0, 0]]])
    assert {room.id for room in await client.rooms()} == {"~c1", "~c2"}
    await peer.send([int(Op.ROOM), "~c1", row(rev=10), 3, 1])
    await eventually(lambda: client.room_counts("~c1") == (3, 1), what="the totals")
    stream = client.room_totals()
    assert (await anext(stream)).room == "~c1"
    await peer.send([int(Op.ROOMS), [[row(rev=4), 1, 0]]])
    told = {totals.room: totals async for totals in _first(stream, 3)}
    assert told["~c2"].row is None
    assert (told["~c1"].unread, told["~c1"].mentions) == (1, 0)
    found = client.room_row("~c1")
    assert found is not None and found.rev == 4
    await stream.aclose()


async def _first(stream: Any, n: int) -> AsyncIterator[RoomTotals]:
    for _ in range(n):
        yield await next_of(stream)


async def test_an_unanswered_post_is_sent_again_under_the_same_id(
    sign_in: SignIn, script: Any
) -> None:
    client, peer = await sign_in()
    async with asyncio.TaskGroup() as group:
        posting = group.create_task(Room(client, RoomRow(id="~c1")).post("hello"))
        first = await peer.expect(Op.CMD)
        peer.cut()
        peer = await script.next()
        await peer.welcome()
        again = await peer.expect(Op.CMD)
        assert again[2:] == first[2:]
        await peer.ok(again, conv="~c1", inbox="~c1", seq=2, tip=TIP, n=2)
    assert posting.result() == 2


@pytest.mark.parametrize(("code", "opens"), [(103, True), (123, True), (107, False)])
async def test_a_room_that_is_none_of_mine_by_now_is_left_out_and_no_other(
    sign_in: SignIn, code: int, opens: bool
) -> None:
    """103 forbidden, 123 not found; 107: more subscriptions than a connection may have."""
    client, peer = await sign_in()
    await peer.send([int(Op.ROOMS), [[row(), 0, 0]]])

    async def open_stream() -> bool:
        try:
            async with client.events(Posted, rooms=True):
                return True
        except Invalid:
            return False

    async with asyncio.TaskGroup() as group:
        opened = group.create_task(open_stream())
        request = await peer.expect(Op.SUB)
        await peer.send([int(Op.SNAP), "sales", "e1", 1, "tip1", {}, {}, []])
        await peer.ok(request, subs=[["sales", "snapshot", 0]])
        request = await peer.expect(Op.SUB)
        assert request[2] == [["~c1", "list"]]
        await peer.send([int(Op.UNSUBD), "~c1", code])
        await peer.ok(request, subs=[["~c1", "refused", code]])
    assert opened.result() is opens


async def test_events_of_inboxes_alone_do_not_follow_rooms(sign_in: SignIn) -> None:
    client, peer = await sign_in()
    await peer.send([int(Op.ROOMS), [[row(), 0, 0]]])
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        group.create_task(stack.enter_async_context(client.events(MessageReceived)))
        request = await peer.expect(Op.SUB)
        assert [item[0] for item in request[2]] == ["sales"]
        await peer.send([int(Op.SNAP), "sales", "e1", 1, "tip1", {}, {}, []])
        await peer.ok(request, subs=[["sales", "snapshot", 0]])
