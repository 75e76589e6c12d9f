"""What a broken, moved or refused connection means, on real websockets."""

from __future__ import annotations

import asyncio
import logging

import pytest

import batonbox
from batonbox import Client, Resync
from batonbox._wire import Close, Op
from tests.sdk.conftest import SignIn
from tests.sdk.scripted import TIP, Script, event, snap
from tests.support import eventually


async def test_an_unanswered_command_is_sent_again_with_its_id(
    sign_in: SignIn, script: Script
) -> None:
    client, peer = await sign_in()
    running = asyncio.gather(client.call("assign", {"conv": "sales.c1"}))
    first = await peer.expect(Op.CMD)
    peer.cut()
    second_peer = await script.next()
    await second_peer.welcome()
    second = await second_peer.expect(Op.CMD)
    assert second[2:] == first[2:]
    await second_peer.ok(second, conv="sales.c1", seq=2, tip=TIP, own_tok="t")
    assert (await running)[0]["seq"] == 2


async def test_seen_is_never_sent_again(sign_in: SignIn, script: Script) -> None:
    client, peer = await sign_in()
    assert client.send_seen("sales.c1", "1.bbbbbbbb")
    assert (await peer.expect(Op.SEEN))[1:] == ["sales", "sales.c1", "1.bbbbbbbb"]
    peer.cut()
    await eventually(lambda: client.state != "connected")
    assert not client.send_seen("sales.c1", "1.bbbbbbbb")
    peer = await script.next()
    await peer.welcome()
    running = asyncio.gather(client.call("note", {"conv": "sales.c1"}))
    await peer.ok(await peer.expect(Op.CMD))
    await running


@pytest.mark.parametrize("code", [Close.DRAIN, Close.SLOW, Close.RATE, 1001, 1012])
async def test_after_a_resumable_close_the_position_is_resumed(
    sign_in: SignIn, script: Script, code: int
) -> None:
    client, peer = await sign_in()
    async with asyncio.TaskGroup() as group:
        stream = client.events(inbox="sales")
        entering = group.create_task(stream.__aenter__())
        await peer.ok(await peer.expect(Op.SUB))
        await peer.send(snap(4), event(5))
    events = entering.result()
    await eventually(lambda: getattr(client.position("sales"), "seq", 0) == 5)
    await peer.close(code)
    peer = await script.next()
    await peer.welcome()
    assert (await peer.expect(Op.SUB))[2] == [["sales", "list", "e1", 5, "tip5"]]
    await peer.send(event(6), event(6), event(8))
    assert (await peer.expect(Op.SUB))[2] == [["sales", "list"]]
    async with asyncio.timeout(20):
        got = [await anext(events) for _ in range(3)]
    assert [getattr(e, "seq", getattr(e, "reason", "")) for e in got] == [5, 6, "gap"]
    assert isinstance(got[2], Resync)
    await stream.__aexit__(None, None, None)


async def test_an_expired_token_is_replaced_by_the_provider(
    sign_in: SignIn, script: Script
) -> None:
    tokens = iter(["one", "two"])
    client, peer = await sign_in(token=lambda: next(tokens))
    await peer.close(Close.EXPIRED)
    peer = await script.next()
    assert (await peer.welcome())[1] == "two"
    await eventually(lambda: client.state == "connected")


async def test_who_said_that_it_waits_says_when_it_is_connected(
    sign_in: SignIn, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = iter(["one", None, "two"])

    def provider() -> str:
        token = next(tokens)
        assert token, "none at the moment"
        return token

    with caplog.at_level(logging.INFO, "batonbox"):
        _, peer = await sign_in(token=provider)
        await peer.close(Close.EXPIRED)
        peer = await script.next()
        await peer.welcome()
        await eventually(lambda: len(caplog.messages) == 2)
    waits, connected = caplog.messages
    assert "none at the moment" in waits and "trying again in" in waits
    assert connected == f"connected to {script.url}"


async def test_auth_is_answered_in_place(sign_in: SignIn) -> None:
    tokens = iter(["one", "two"])

    async def provider() -> str:
        return next(tokens)

    _, peer = await sign_in(token=provider)
    await peer.send([int(Op.AUTH), 1])
    assert (await peer.expect(Op.REFRESH))[2] == "two"


async def test_a_fixed_token_that_is_refused_twice_is_the_end(
    sign_in: SignIn, script: Script
) -> None:
    client, peer = await sign_in()
    await peer.close(Close.REVOKED)
    peer = await script.next()
    await peer.expect(Op.HELLO)
    await peer.close(Close.REVOKED, "revoked")
    await eventually(lambda: client.state == "stopped")
    with pytest.raises(batonbox.Unauthorized):
        await client.call("assign", {"conv": "sales.c1"})


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (Close.UNAUTHORIZED, batonbox.Unauthorized),
        (Close.FORBIDDEN, batonbox.Forbidden),
        (Close.BAD_FRAME, batonbox.ProtocolError),
        (Close.TOO_MANY, batonbox.ProtocolError),
    ],
)
async def test_a_final_close_ends_everything(
    sign_in: SignIn, script: Script, code: int, error: type[Exception]
) -> None:
    client, peer = await sign_in()
    badges = asyncio.gather(anext(client.badges()), return_exceptions=True)
    running = asyncio.gather(client.call("assign", {"conv": "sales.c1"}), return_exceptions=True)
    await peer.expect(Op.CMD)
    await peer.close(code, "why")
    assert [type(e) for e in await running] == [batonbox.OutcomeUnknown]
    assert [type(e) for e in await badges] == [error]
    assert client.state == "stopped"
    with pytest.raises(error):
        await client.call("assign", {"conv": "sales.c1"})
    assert script.peers.empty()


async def test_a_wrong_token_fails_at_the_door(script: Script) -> None:
    client = Client(script.url, "wrong", timeout_s=5)
    entering = asyncio.gather(client.__aenter__(), return_exceptions=True)
    peer = await script.next()
    await peer.expect(Op.HELLO)
    await peer.close(Close.UNAUTHORIZED, "no such token")
    (error,) = await entering
    assert isinstance(error, batonbox.Unauthorized)
    assert error.message == "no such token"


async def test_goaway_moves_without_a_gap(sign_in: SignIn, script: Script) -> None:
    client, old = await sign_in()
    stream = client.events(inbox="sales")
    entering = asyncio.gather(stream.__aenter__())
    await old.ok(await old.expect(Op.SUB))
    await old.send(snap(4))
    (events,) = await entering
    running = asyncio.gather(client.call("note", {"conv": "sales.c1"}))
    asked = await old.expect(Op.CMD)
    await old.send([int(Op.GOAWAY), 1, 5000], event(5))
    new = await script.next()
    await old.send(event(6))
    await eventually(lambda: getattr(client.position("sales"), "seq", 0) == 6)
    assert not old.closed.done()
    await new.welcome()
    assert (await new.expect(Op.SUB))[2] == [["sales", "list", "e1", 6, "tip6"]]
    again = await new.expect(Op.CMD)
    assert again[3]["cid"] == asked[3]["cid"]
    await new.send(event(7))
    await new.ok(again)
    async with asyncio.timeout(20):
        assert [getattr(await anext(events), "seq", None) for _ in range(3)] == [5, 6, 7]
        assert await old.closed == 1000
    await running
    await stream.__aexit__(None, None, None)


async def test_leaving_closes_with_1000(sign_in: SignIn) -> None:
    client, peer = await sign_in()
    running = asyncio.gather(client.call("note", {"conv": "sales.c1"}), return_exceptions=True)
    await peer.expect(Op.CMD)
    await client.aclose()
    async with asyncio.timeout(20):
        assert await peer.closed == 1000
    assert [type(e) for e in await running] == [batonbox.OutcomeUnknown]


async def test_a_refused_subscription_ends_the_stream_that_named_it(sign_in: SignIn) -> None:
    client, peer = await sign_in()
    stream = client.events(inbox="secret")
    entering = asyncio.gather(stream.__aenter__(), return_exceptions=True)
    request = await peer.expect(Op.SUB)
    await peer.send([int(Op.ERR), request[1], 103, "forbidden", "not yours", None, None])
    assert [type(e) for e in await entering] == [batonbox.Forbidden]


async def test_a_busy_server_is_asked_again(sign_in: SignIn) -> None:
    client, peer = await sign_in()
    stream = client.events(inbox="sales")
    entering = asyncio.gather(stream.__aenter__())
    request = await peer.expect(Op.SUB)
    await peer.send([int(Op.ERR), request[1], 111, "rate_limited", "slowly", 5, None])
    await peer.ok(await peer.expect(Op.SUB))
    await peer.send(snap(1))
    await entering
    await stream.__aexit__(None, None, None)


async def test_a_subscription_that_ends_for_a_while_is_resumed(sign_in: SignIn) -> None:
    client, peer = await sign_in()
    stream = client.events(inbox="sales")
    entering = asyncio.gather(stream.__aenter__())
    await peer.ok(await peer.expect(Op.SUB))
    await peer.send(snap(4))
    (events,) = await entering
    client._in.retry_s = 0.01
    await peer.send(event(5), [int(Op.UNSUBD), "sales", 130])
    assert (await peer.expect(Op.SUB))[2] == [["sales", "list", "e1", 5, "tip5"]]
    await peer.send([int(Op.UNSUBD), "sales", 103])
    async with asyncio.timeout(20):
        assert getattr(await anext(events), "seq", None) == 5
        with pytest.raises(batonbox.Forbidden):
            await anext(events)
    assert client.position("sales") is None
    await stream.__aexit__(None, None, None)


async def test_an_inbox_of_mine_that_does_not_know_me_yet_is_asked_again(sign_in: SignIn) -> None:
    client, peer = await sign_in()
    stream = client.events()
    entering = asyncio.gather(stream.__aenter__())
    await peer.ok(await peer.expect(Op.SUB))
    await peer.send(snap(4))
    (events,) = await entering
    client._in.retry_s = 0.01
    added = {"id": "support", "name": "Support", "members": ["agent1"]}
    await peer.send([int(Op.ORG), "inbox", added])
    for _ in range(2):
        assert (await peer.expect(Op.SUB))[2] == [["support", "list"]]
        await peer.send([int(Op.UNSUBD), "support", 103])
    await peer.expect(Op.SUB)
    await peer.send([int(Op.SNAP), "support", "e1", 7, "tip7", {}, {}, []])
    async with asyncio.timeout(20):
        assert await anext(events) == batonbox.Resync(inbox="support", reason="perm")
    await peer.send(
        [int(Op.ORG), "inbox_gone", {"id": "support"}], [int(Op.UNSUBD), "support", 103]
    )
    await peer.send(event(5))
    async with asyncio.timeout(20):
        assert getattr(await anext(events), "seq", None) == 5
    client._in._follow_again(("support",))
    assert list(client._in.session.follows) == ["sales"]
    await stream.__aexit__(None, None, None)


async def test_silence_is_taken_for_a_dead_link(sign_in: SignIn, script: Script) -> None:
    client, _ = await sign_in()
    link = client._connection._link
    assert link is not None
    link.expect_within(0.05)
    second = await script.next()
    await second.welcome()
    await eventually(lambda: client.state == "connected")
