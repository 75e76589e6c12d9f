"""The client against a scripted server: commands, events, badges, reads."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import batonbox
from batonbox import Client, MessageReceived, Position, Resync
from batonbox._wire import JSON_SUBPROTOCOL, Op
from tests.sdk.conftest import SignIn
from tests.sdk.scripted import TIP, Peer, Script, event, row, snap
from tests.support import eventually


async def conversation(client: Client, peer: Peer, **changes: Any) -> batonbox.Conversation:
    async with asyncio.TaskGroup() as group:
        asked = group.create_task(client.conversation("sales.c1"))
        request = await peer.expect(Op.HISTORY)
        await peer.ok(request, row=row(**changes), messages=[], next=0, seq=1)
    return asked.result()


async def test_signing_in_says_who_i_am_and_what_i_see(sign_in: SignIn) -> None:
    client, _ = await sign_in()
    assert (client.user.id, client.user.name, client.user.role) == ("agent1", "Agent 1", "member")
    assert [inbox.id for inbox in await client.inboxes()] == ["sales"]
    assert client.state == "connected"


async def test_json_speaks_the_same(sign_in: SignIn) -> None:
    client, peer = await sign_in(codec="json")
    assert peer.codec == JSON_SUBPROTOCOL
    conv = await conversation(client, peer, preview="héllo")
    assert conv.now.preview == "héllo"


async def test_a_claim_takes_the_token_along_to_the_reply(sign_in: SignIn) -> None:
    client, peer = await sign_in()
    conv = await conversation(client, peer)
    async with asyncio.TaskGroup() as group:
        group.create_task(conv.claim())
        request = await peer.expect(Op.CMD)
        assert request[2] == "assign"
        assert request[3]["conv"] == "sales.c1"
        await peer.ok(request, conv="sales.c1", seq=2, tip=TIP, own_tok="2.cccccccc")
    assert (conv.now.status, conv.now.assignee) == ("assigned", "agent1")
    async with asyncio.TaskGroup() as group:
        sent = group.create_task(conv.reply("hello"))
        request = await peer.expect(Op.CMD)
        args = {k: v for k, v in request[3].items() if k != "cid"}
        assert args == {
            "conv": "sales.c1", "text": "hello", "own_tok": "2.cccccccc", "seen": "1.bbbbbbbb",
        }  # fmt: skip
        await peer.ok(request, conv="sales.c1", seq=3, tip=TIP, own_tok="2.cccccccc", n=4)
    assert sent.result() == 4


async def test_losing_a_claim_is_a_result_that_names_the_winner(sign_in: SignIn) -> None:
    client, peer = await sign_in()
    conv = await conversation(client, peer)
    taken = row(rev=2, status="assigned", assignee="agent2", own_tok="2.dddddddd")
    async with asyncio.TaskGroup() as group:
        tried = group.create_task(conv.try_claim())
        request = await peer.expect(Op.CMD)
        await peer.send([int(Op.ERR), request[1], 120, "conflict", "taken", None, taken])
    assert tried.result() is False
    assert conv.now.assignee == "agent2"
    claim = asyncio.gather(conv.claim(), return_exceptions=True)
    request = await peer.expect(Op.CMD)
    await peer.send([int(Op.ERR), request[1], 120, "conflict", "taken", None, taken])
    (error,) = await claim
    assert isinstance(error, batonbox.AlreadyAssigned)
    assert error.by == "agent2"


async def test_done_names_the_message_i_was_shown_not_a_newer_one(sign_in: SignIn) -> None:
    client, peer = await sign_in()
    conv = await conversation(client, peer)
    client._in.rows.put(row(rev=9, in_seq="9.eeeeeeee"))
    done = asyncio.gather(conv.done())
    request = await peer.expect(Op.CMD)
    assert request[3]["seen"] == "1.bbbbbbbb"
    await peer.ok(request, conv="sales.c1", seq=10, tip=TIP, own_tok="10.ffffffff")
    await done
    assert conv.now.status == "done"


async def test_a_repeated_key_repeats_the_very_same_command(sign_in: SignIn) -> None:
    client, peer = await sign_in(timeout_s=0.2)
    conv = await conversation(client, peer)
    with pytest.raises(batonbox.RequestTimeout) as timed_out:
        await conv.reply("hello", key="k1")
    assert timed_out.value.sent
    assert timed_out.value.cid == "k1"
    first = await peer.expect(Op.CMD)
    client._in.rows.put(row(rev=9, own_tok="9.99999999", att="9.99999999"))
    again = asyncio.gather(conv.reply("hello", key="k1"))
    second = await peer.expect(Op.CMD)
    assert second[3] == first[3]
    await peer.ok(second, conv="sales.c1", seq=2, tip=TIP, own_tok="x", n=2)
    await again


async def test_events_are_typed_ordered_and_filtered(sign_in: SignIn) -> None:
    client, peer = await sign_in()
    stream = client.events(MessageReceived, inbox="sales")
    entering = asyncio.gather(stream.__aenter__())
    request = await peer.expect(Op.SUB)
    await peer.ok(request)
    await peer.send(snap(4))
    (events,) = await entering
    await peer.send(
        event(5, body={"text": "one", "media": []}),
        event(6, "assigned", status="assigned", assignee="agent2"),
        event(7, body={"text": "two", "media": []}),
    )
    async with asyncio.timeout(20):
        texts = [(e.seq, e.text) async for e in _first(events, 2)]
    assert texts == [(5, "one"), (7, "two")]
    assert client.position("sales") == Position("e1", 7, "tip7")
    assert (await conversation(client, peer, rev=1)).now.rev == 7
    await stream.__aexit__(None, None, None)
    assert (await peer.expect(Op.UNSUB))[1] == ["sales"]


async def _first(events: Any, count: int) -> Any:
    async for item in events:
        yield item
        count -= 1
        if not count:
            return


async def test_a_stream_begins_when_it_was_asked_for_though_the_snapshot_is_older(
    sign_in: SignIn,
) -> None:
    client, peer = await sign_in()
    stream = client.events(MessageReceived, inbox="sales")
    entering = asyncio.gather(stream.__aenter__())
    await peer.ok(await peer.expect(Op.SUB))
    early = [event(n, body={"text": str(n)}) for n in (5, 6)]
    await peer.send(snap(4, now=6), *early, event(7, body={"text": "7"}))
    (events,) = await entering
    async with asyncio.timeout(20):
        assert [e.seq async for e in _first(events, 1)] == [7]
        assert client.position("sales") == Position("e1", 7, "tip7")
        # After a gap it is told all there is: who has read again may have done so before these.
        await peer.send([int(Op.RESET), "sales", "fork", []])
        await peer.send(snap(4, epoch="e2", now=6), *early)
        again = [e async for e in _first(events, 3)]
    assert isinstance(again[0], Resync)
    assert [e.seq for e in again[1:]] == [5, 6]
    await stream.__aexit__(None, None, None)


async def test_a_slow_consumer_is_told_and_never_holds_up_the_rest(sign_in: SignIn) -> None:
    client, peer = await sign_in()
    stream = client.events(inbox="sales", queue_max=5)
    entering = asyncio.gather(stream.__aenter__())
    await peer.ok(await peer.expect(Op.SUB))
    await peer.send(snap(0), *(event(n) for n in range(1, 8)))
    (events,) = await entering
    await eventually(lambda: client.position("sales") == Position("e1", 7, "tip7"))
    async with asyncio.timeout(20):
        seen = [e async for e in _first(events, 3)]
    assert isinstance(seen[0], Resync)
    assert seen[0].reason == "slow_consumer"
    assert [e.seq for e in seen[1:]] == [6, 7]
    await stream.__aexit__(None, None, None)


async def test_badges_are_absolute_and_the_latest_wins(sign_in: SignIn) -> None:
    client, peer = await sign_in()
    badges = client.badges()
    first = asyncio.gather(anext(badges))
    await peer.send([int(Op.BADGE), "sales", 1, 0, 1, 5])
    assert [(b.blue, b.green) for b in await first] == [(1, 0)]
    await peer.send([int(Op.BADGE), "sales", 2, 0, 2, 6], [int(Op.BADGE), "sales", 3, 1, 2, 7])
    await eventually(lambda: client._in.badges["sales"].seq == 7)
    async with asyncio.timeout(20):
        assert (await anext(badges)).blue == 3
    await badges.aclose()


async def test_pages_follow_their_cursor(sign_in: SignIn) -> None:
    client, peer = await sign_in()

    async def all_of_them() -> list[str]:
        return [conv.id async for conv in client.conversations(view="unassigned", page_rows=2)]

    listing = asyncio.gather(all_of_them(), return_exceptions=True)
    request = await peer.expect(Op.PAGE)
    assert request[2:] == ["sales", "unassigned", None, 2]
    rows = [row("sales.c3", last_ms=3), row("sales.c2", last_ms=2)]
    await peer.ok(request, rows=rows, next="2,sales.c2", seq=5, tip=TIP)
    request = await peer.expect(Op.PAGE)
    assert request[4] == "2,sales.c2"
    await peer.ok(request, rows=[row("sales.c1", last_ms=1)], next="", seq=5, tip=TIP)
    (ids,) = await listing
    assert ids == ["sales.c3", "sales.c2", "sales.c1"]


async def test_no_more_commands_are_under_way_than_the_server_allows(sign_in: SignIn) -> None:
    client, peer = await sign_in({"commands_in_flight": 2})
    running = asyncio.gather(*(client.call("note", {"conv": f"sales.c{n}"}) for n in range(3)))
    first, second = await peer.expect(Op.CMD), await peer.expect(Op.CMD)
    assert [first[3]["conv"], second[3]["conv"]] == ["sales.c0", "sales.c1"]
    assert peer.nothing_more()
    await peer.ok(first)
    third = await peer.expect(Op.CMD)
    assert third[3]["conv"] == "sales.c2"
    await peer.ok(second)
    await peer.ok(third)
    await running


async def test_lost_writes_are_named(sign_in: SignIn) -> None:
    client, peer = await sign_in()
    writing = asyncio.gather(client.call("note", {"conv": "sales.c1", "text": "x"}, key="k"))
    await peer.ok(await peer.expect(Op.CMD), conv="sales.c1", seq=5, tip="tip5", own_tok="t")
    await writing
    confirming = asyncio.gather(client.confirm_writes())
    request = await peer.expect(Op.CHECK)
    assert request[2:] == ["sales", [[5, "tip5"]]]
    await peer.ok(request, missing=[])
    (checked,) = await confirming
    assert checked == 1
    failing = asyncio.gather(client.confirm_writes(), return_exceptions=True)
    await peer.ok(await peer.expect(Op.CHECK), missing=[[5, "tip5"]])
    (error,) = await failing
    assert isinstance(error, batonbox.WritesLost)
    assert [(w.command, w.cid, w.seq) for w in error.writes] == [("note", "k", 5)]


async def test_a_fork_tells_which_of_my_writes_went(sign_in: SignIn) -> None:
    client, peer = await sign_in()
    writing = asyncio.gather(client.call("note", {"conv": "sales.c1", "text": "x"}, key="k"))
    await peer.ok(await peer.expect(Op.CMD), conv="sales.c1", seq=5, tip="tip5", own_tok="t")
    await writing
    stream = client.events(inbox="sales")
    entering = asyncio.gather(stream.__aenter__())
    await peer.ok(await peer.expect(Op.SUB))
    await peer.send(snap(5))
    (events,) = await entering
    await peer.send([int(Op.RESET), "sales", "fork", []], snap(4, epoch="e2"))
    await peer.ok(await peer.expect(Op.CHECK), missing=[[5, "tip5"]])
    async with asyncio.timeout(20):
        seen = [e async for e in _first(events, 2)]
    assert [(e.reason, [w.cid for w in e.lost]) for e in seen] == [
        ("fork", []),
        ("writes_lost", ["k"]),
    ]
    await stream.__aexit__(None, None, None)


async def test_without_a_server_entering_fails_and_says_where(script: Script) -> None:
    free = script.url.rsplit(":", 1)[0] + ":1"
    with pytest.raises(batonbox.ConnectionLost, match="cannot connect to ws:"):
        async with Client(free, "t", timeout_s=0.3):
            pytest.fail("there is no server")


async def test_without_a_token_nothing_is_tried(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BATONBOX_TOKEN", raising=False)
    with pytest.raises(batonbox.Unauthorized, match="BATONBOX_TOKEN"):
        async with Client(script.url):
            pytest.fail("there is no token")
    assert script.peers.empty()
