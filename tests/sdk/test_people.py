"""Presence, looking at conversations, and being away, against a scripted server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

import pytest

from batonbox import Presence, Present
from batonbox import _watching as watching
from batonbox._wire import Op
from tests.sdk.conftest import SignIn
from tests.sdk.scripted import TIP, Script, row
from tests.support import eventually


def begun(work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """Under way; the test awaits it."""
    return asyncio.get_running_loop().create_task(work)


async def test_presence_is_what_was_told_last(sign_in: SignIn) -> None:
    client, peer = await sign_in()
    await peer.send([int(Op.PRESENCE), {"ann": "online", "bea": "away"}])
    await eventually(lambda: client.presence == {"ann": Presence.ONLINE, "bea": Presence.AWAY})
    await peer.send([int(Op.PRESENCE), {"ann": "offline", "cleo": "somehow"}])
    # A newer server's finer word is of somebody who is there.
    await eventually(lambda: client.presence == {"bea": Presence.AWAY, "cleo": Presence.ONLINE})
    with pytest.raises(TypeError):
        client.presence["ann"] = Presence.ONLINE  # type: ignore[index]


async def test_a_new_connections_first_word_is_whole(sign_in: SignIn, script: Script) -> None:
    client, peer = await sign_in()
    await peer.send([int(Op.PRESENCE), {"ann": "online", "bea": "online"}])
    stream = client.presences()
    assert {await anext(stream), await anext(stream)} == {
        Present("ann", Presence.ONLINE),
        Present("bea", Presence.ONLINE),
    }
    peer.cut()
    again = await script.next()
    await again.welcome()
    await again.send([int(Op.PRESENCE), {"bea": "online"}])
    seen = [await anext(stream), await anext(stream)]
    assert Present("ann", Presence.OFFLINE) in seen
    assert client.presence == {"bea": Presence.ONLINE}
    await stream.aclose()


async def test_of_what_was_not_read_the_latest_counts(sign_in: SignIn) -> None:
    client, peer = await sign_in()
    stream = client.presences()
    first = begun(stream.__anext__())
    await asyncio.sleep(0)
    for state in ("online", "away", "offline", "online", "away"):
        await peer.send([int(Op.PRESENCE), {"ann": state}])
    await first
    await eventually(lambda: client.presence.get("ann") == Presence.AWAY)
    if first.result() != Present("ann", Presence.AWAY):
        assert await anext(stream) == Present("ann", Presence.AWAY)
    await stream.aclose()


async def test_looking_is_said_and_said_again_and_ended(
    sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "SAY_AGAIN_S", 0.05)
    client, peer = await sign_in()
    async with client.viewing("sales.c1") as view:
        for _ in range(3):
            assert (await peer.expect(Op.VIEWING))[1:] == ["sales.c1", False]
        await peer.send([int(Op.TYPING), "sales.c1", {"ann": "typing"}])
        await eventually(lambda: view.watchers == {"ann": "typing"})
        await peer.send([int(Op.TYPING), "sales.c2", {"bea": "viewing"}])  # late, of another
        await peer.send([int(Op.TYPING), "sales.c1", {}])
        await eventually(lambda: not view.watchers)
    while (last := await peer.expect(Op.VIEWING))[1] is not None:
        pass
    assert last[1:] == [None, False]


async def test_typing_is_said_at_most_every_three_seconds(sign_in: SignIn) -> None:
    client, peer = await sign_in()
    async with client.viewing("sales.c1") as view:
        assert (await peer.expect(Op.VIEWING))[1:] == ["sales.c1", False]
        for _ in range(100):
            view.typing()
        assert (await peer.expect(Op.VIEWING))[1:] == ["sales.c1", True]
        await asyncio.sleep(0.05)
        assert peer.nothing_more()


async def test_the_last_one_entered_is_where_one_is_seen(sign_in: SignIn, script: Script) -> None:
    client, peer = await sign_in()
    async with client.viewing("sales.c1"):
        assert (await peer.expect(Op.VIEWING))[1] == "sales.c1"
        async with client.viewing("sales.c2"):
            assert (await peer.expect(Op.VIEWING))[1] == "sales.c2"
            peer.cut()
            again = await script.next()
            await again.welcome()
            assert (await again.expect(Op.VIEWING))[1] == "sales.c2"
        assert (await again.expect(Op.VIEWING))[1] == "sales.c1"


async def test_the_verbs_say_what_the_wire_wants(sign_in: SignIn) -> None:
    client, peer = await sign_in()
    client._in.rows.put(row(status="assigned", assignee="agent1"))
    conv = None

    async def answered(**result: object) -> dict[str, object]:
        request = await peer.expect(Op.CMD)
        await peer.ok(request, **result)
        args = dict(request[3])
        args.pop("cid")
        return {"command": request[2], **args}

    task = begun(client.set_away(release=False))
    assert await answered() == {"command": "set_away", "away": True, "release": False}
    await task
    reading = begun(client.conversation("sales.c1"))
    await peer.ok(await peer.expect(Op.HISTORY), row=row(), messages=[], next=0, seq=1)
    conv = await reading
    snoozing = begun(conv.snooze(seconds=3600))
    said = await answered(conv="sales.c1", seq=2, tip=TIP, own_tok="1.aaaaaaaa")
    assert (said["command"], said["own_tok"]) == ("snooze", "1.aaaaaaaa")
    assert abs(float(str(said["until_ms"])) / 1000 - time.time() - 3600) < 5
    await snoozing
    assert conv.now.snoozed_until == said["until_ms"]
    waking = begun(conv.wake())
    said = await answered(conv="sales.c1", seq=3, tip=TIP, own_tok="1.aaaaaaaa")
    assert said == {"command": "wake", "conv": "sales.c1", "own_tok": "1.aaaaaaaa"}
    await waking
    assert conv.now.snoozed_until == 0


async def test_ones_own_availability_follows_the_directory(sign_in: SignIn) -> None:
    client, peer = await sign_in()
    assert client.user.away == ""
    await peer.send([int(Op.ORG), "user", {"id": "agent1", "name": "Agent 1", "away": "release"}])
    await peer.send([int(Op.ORG), "user", {"id": "agent2", "name": "Agent 2", "away": "away"}])
    await eventually(lambda: client.user.away == "release")
