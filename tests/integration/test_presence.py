"""Who is there: over nodes that live, die and start again; told to colleagues and to inboxes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from batonbox import Client, Presence
from batonbox_server.domain.policy import Scope
from batonbox_server.service import live, presence
from batonbox_server.service.presence import job_of
from batonbox_server.store import live as live_store
from batonbox_server.store.engine import Engine
from batonbox_server.store.keys import Keys
from batonbox_server.store.live import RedisLive
from batonbox_server.store.live_port import Mark, NodeReport, People
from batonbox_server.store.redis import RedisStore
from batonbox_server.wire import Op
from tests.chaos.processes import Server
from tests.served import SALES, Served, served

from .socket_harness import Peer, dial

NOTICED_S = 8.0


@pytest.fixture
async def two(engine_url: str, prefix: str) -> AsyncIterator[tuple[Served, Served]]:
    """Two nodes of one organisation, quick to declare somebody gone."""
    quick: dict[str, Any] = {"presence_linger_s": 0.3}
    async with (
        served(engine_url, prefix, **quick) as one,
        served(engine_url, prefix, **quick) as other,
    ):
        yield one, other


async def until(holds: Callable[[], Any], within_s: float = NOTICED_S, what: Any = "") -> None:
    deadline = time.monotonic() + within_s
    while not (result := holds()) or (asyncio.iscoroutine(result) and not await result):
        assert time.monotonic() < deadline, f"not in {within_s} s: {what}"
        await asyncio.sleep(0.02)


async def off(client: Engine, keys: Keys, user: str, inbox: str = "sales") -> Mark | None:
    """What the inbox knows: version and since when they are away; None: nothing."""
    raw = await client.execute("HGET", f"{keys.inbox(inbox)}:off", user)
    if raw is None:
        return None
    version, since_ms = raw.split(b":")
    return Mark(int(version), int(since_ms))


async def marked(site: Served, user: str, *, away: bool, inbox: str = "sales") -> Mark:
    """Until the inbox knows that the user is not there, or there."""
    found: list[Mark] = []

    async def so() -> bool:
        mark = await off(site.node.client, site.node.keys, user, inbox)
        found[:] = [mark] if mark else []
        return mark is not None and (mark.since_ms > 0) is away

    await until(so, what=f"{user} away: {away}")
    return found[0]


async def peer(site: Served, user: str, token: str = "") -> Peer:
    """A connection that keeps every frame."""
    it = await dial(site)
    await it.send([Op.HELLO, token or await site.token(user), "test/1"])
    await it.got(Op.ORG)
    return it


def told(it: Peer) -> dict[str, str]:
    """The latest state of everybody whom the connection was told of."""
    states: dict[str, str] = {}
    for frame in it.all(Op.PRESENCE):
        states |= frame[1]
    return states


async def test_a_killed_process_leaves_its_people_offline_and_their_conversations_to_all(
    engine_url: str, client: Engine, prefix: str, tmp_path: Path
) -> None:
    space = prefix.rstrip(":")
    keys = Keys(space)
    one, other = (Server(tmp_path / n, redis_url=engine_url, key_space=space) for n in "ab")
    try:
        await one.start()
        await other.start()
        await _killed(one, other, RedisStore(client, keys=keys), client, keys)
    finally:
        await asyncio.gather(one.stop(), other.stop())


async def _killed(
    one: Server, other: Server, store: RedisStore, client: Engine, keys: Keys
) -> None:
    theirs, mine = await other.token("agent2"), await one.token("agent1")
    async with Client(one.url, mine) as ana, Client(other.url, theirs) as ben:
        received = await store.receive(
            inbox="sales", our=SALES, customer="+14165550142", provider_id="p1",
            body=b"\x81\xa4text\xa2hi", preview="hi",
        )  # fmt: skip
        conv = await ben.conversation(received.conv)
        await conv.claim()
        await until(lambda: ana.presence.get("agent2") == Presence.ONLINE)
        await other.kill()
        killed_s = time.monotonic()
        await until(lambda: "agent2" not in ana.presence)
        assert time.monotonic() - killed_s < NOTICED_S
        mark = None
        while not (mark and mark.since_ms):
            mark = await off(client, keys, "agent2")
            assert time.monotonic() - killed_s < NOTICED_S
            await asyncio.sleep(0.02)
        await ben.aclose()
        # Five minutes go by.
        past_ms = int(time.time() * 1000) - 5 * 60_000 - 1
        again: dict[str, Any] = {"inbox": "sales", "user": "agent2", "version": mark.version}
        await store.set_offline(**again, since_ms=past_ms)
        await client.execute("HSET", f"{keys.inbox('sales')}:c:{conv.id}", "acted_ms", past_ms)
        await store.receive(
            inbox="sales", our=SALES, customer="+14165550142", provider_id="p2",
            body=b"\x81\xa4text\xa2hi", preview="hi",
        )  # fmt: skip
        async for badge in ana.badges():
            if badge.inbox == "sales" and badge.blue == 1:
                break
        # Back, on the other node.
        async with Client(one.url, theirs):
            await until(lambda: ana.presence.get("agent2") == Presence.ONLINE)
            while (fresh := await off(client, keys, "agent2")) is None or fresh.since_ms:
                await asyncio.sleep(0.02)
            assert fresh.version > mark.version
            # Whoever tells an older mark now is too late.
            assert await store.set_offline(**again, since_ms=past_ms) == fresh.version
            assert await off(client, keys, "agent2") == fresh


async def test_they_are_there_while_any_node_has_them(two: tuple[Served, Served]) -> None:
    one, other = two
    watcher = await peer(one, "agent1")
    async with await one.sdk("agent2"):
        await until(lambda: told(watcher).get("agent2") == "online")
        first = await marked(one, "agent2", away=False)
        async with await other.sdk("agent2"):
            await until(lambda: len(other.node.presence._said) == 1)
        await until(lambda: not other.node.presence._said)
        assert told(watcher)["agent2"] == "online"
        assert await marked(one, "agent2", away=False) == first  # nothing happened to it
    await until(lambda: told(watcher)["agent2"] == "offline")
    gone = await marked(one, "agent2", away=True)
    assert gone.version > first.version
    assert await marked(one, "agent2", away=True, inbox="support") == gone
    assert [f[1].get("agent2") for f in watcher.all(Op.PRESENCE) if "agent2" in f[1]] == [
        "online",
        "offline",
    ]
    await watcher.end()


async def test_a_short_absence_is_none(engine_url: str, prefix: str) -> None:
    async with served(engine_url, prefix, presence_linger_s=2.0) as site:
        watcher = await peer(site, "agent1")
        for _ in range(3):
            async with await site.sdk("agent2"):
                await until(lambda: told(watcher).get("agent2") == "online")
            await asyncio.sleep(0.3)
        states = [f[1]["agent2"] for f in watcher.all(Op.PRESENCE) if "agent2" in f[1]]
        assert states == ["online"]
        await until(lambda: told(watcher)["agent2"] == "offline")
        await watcher.end()


async def test_what_is_told_is_whole_at_first_then_what_changes(
    two: tuple[Served, Served],
) -> None:
    one, other = two
    async with await other.sdk("agent2"):
        await until(lambda: one.node.presence.of("agent2") == "online")
        assert (await one.call("agent3", "POST", "/v1/me/set_away", {"away": True})).is_success
        everybody = {"agent1": "online", "agent2": "online", "agent3": "away"}
        watcher = await peer(one, "agent1")
        await until(lambda: told(watcher) == everybody)
        late = await peer(one, "agent1")
        assert (await late.got(Op.PRESENCE))[1] == everybody
        await watcher.end()
        users = {u["id"]: u for u in (await one.get("agent1", "/v1/users"))["items"]}
        assert users["agent2"]["presence"] == "online"
        assert (users["agent3"]["presence"], users["agent3"]["away"]) == ("away", "release")
        assert (await one.call("agent3", "POST", "/v1/me/set_away", {"away": False})).is_success
        await until(lambda: told(late)["agent3"] == "offline")
        deactivate = "/v1/admin/users/agent2/deactivate"
        assert (await one.call("admin", "POST", deactivate)).is_success
        await until(lambda: told(late)["agent2"] == "offline")
        await late.end()


def _went(it: Peer, user: str) -> bool:
    return told(it).get(user) == "offline"


async def test_whoever_comes_between_two_changes_misses_neither(
    engine_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "_EVERY_S", 2.0)
    async with served(engine_url, prefix) as site:
        watcher = await peer(site, "agent1")
        assert (await site.call("agent2", "POST", "/v1/me/set_away", {"away": True})).is_success
        await until(lambda: told(watcher).get("agent2") == "away")  # nobody is told for a while
        assert (await site.call("agent3", "POST", "/v1/me/set_away", {"away": True})).is_success
        late = await peer(site, "agent1")
        assert (await site.call("agent3", "POST", "/v1/me/set_away", {"away": False})).is_success
        assert (await site.call("agent2", "POST", "/v1/me/set_away", {"away": False})).is_success
        for it in (watcher, late):
            await until(partial(_went, it, "agent2"))
            assert told(it).get("agent3", "offline") == "offline"
            await it.end()


async def test_colleagues_are_told_at_most_four_times_a_second(
    two: tuple[Served, Served],
) -> None:
    one, other = two
    watcher = await peer(one, "agent1")
    began_s, count = time.monotonic(), 0
    while time.monotonic() - began_s < 2.0:
        count += 1
        body = {"away": count % 2 == 1, "release": False}
        assert (await other.call("agent3", "POST", "/v1/me/set_away", body)).is_success
    took_s = time.monotonic() - began_s
    await until(lambda: told(watcher).get("agent3") == ("away" if count % 2 else "offline"))
    assert len([f for f in watcher.all(Op.PRESENCE) if "agent3" in f[1]]) <= 4 * took_s + 2
    await watcher.end()


async def test_it_takes_the_scope_of_reading(two: tuple[Served, Served]) -> None:
    one, _ = two
    _, secret = await one.node.identity.make_token(user="agent1", scopes=(Scope.ACT,))
    it = await peer(one, "agent1", secret)
    async with await one.sdk("agent2"):
        watcher = await peer(one, "agent3")
        await until(lambda: told(watcher).get("agent2") == "online")
        assert not it.all(Op.PRESENCE)
        await watcher.end()
    await it.end()


async def test_a_message_that_is_missed_is_made_up_for_by_the_beat(
    two: tuple[Served, Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = two
    channel = one.node.keys.channel(one.node.keys.org).encode()
    monkeypatch.setattr(one.node.hub.followers.all[channel], "told", lambda _: None)
    async with await other.sdk("agent2"):
        await until(lambda: one.node.presence.of("agent2") == "online", 5)
    await until(lambda: one.node.presence.of("agent2") == "offline", 5)


async def test_an_inbox_learns_of_it_whoever_dies(engine_url: str, prefix: str) -> None:
    """Whoever noticed left a job in the same step; any node does it when its lease has ended."""
    async with served(engine_url, prefix, job_lease_s=0.5) as site:
        before = await marked(site, "agent3", away=True)  # was never here
        ghost = RedisLive(site.node.client, keys=site.node.keys, job_lease_s=0.5)
        report = NodeReport("ghost", "", 0, 0, 0.0)
        beat = await ghost.report(report, People(came=("agent3",)))
        assert list(beat.marks) == ["agent3"]
        there = await marked(site, "agent3", away=False)
        assert there.version == beat.marks["agent3"].version > before.version
        # Late, and out of order.
        await site.node.administration.run_job(job_of("agent3", before))
        assert await off(site.node.client, site.node.keys, "agent3") == there


async def test_a_restart_of_the_only_server_takes_nobody_for_gone(
    engine_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_EVERY_S", 0.3)
    monkeypatch.setattr(live_store, "_LEASE_MS", 1_500)
    monkeypatch.setattr(live_store, "_GRACE_MS", 4_000)
    async with (
        served(engine_url, prefix, presence_linger_s=0.1) as site,
        await site.sdk("agent1"),
        await site.sdk("agent2"),
    ):
        await marked(site, "agent2", away=False)
        before = await marked(site, "agent1", away=False)
        await site.node.drain(within_s=0.0)
        await asyncio.sleep(0.5)  # longer than it lingers: leaving it is no absence
        assert await site.node.live_store.members(site.node.live.node) == {"agent1", "agent2"}
    await asyncio.sleep(2.0)  # the lease has ended, and nobody was there to see it
    async with served(engine_url, prefix) as site:
        began_s = time.monotonic()
        assert site.node.presence.of("agent1") == "online"
        async with await site.sdk("agent1"):
            await until(lambda: site.node.presence.of("agent2") == "offline", 10)
            assert time.monotonic() - began_s > 3.0
            assert site.node.presence.of("agent1") == "online"
            assert await marked(site, "agent1", away=False) == before
            await marked(site, "agent2", away=True)


async def test_an_outage_of_the_engine_takes_nobody_for_gone(
    client: Engine, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody could say that they lived: whoever comes first is no witness of the others' death."""
    monkeypatch.setattr(live_store, "_LEASE_MS", 400)
    store = RedisLive(client, keys=Keys(prefix))

    async def says(node: str, *came: str) -> dict[str, Mark]:
        report = NodeReport(node, "", 0, 0, 0.0)
        return (await store.report(report, People(came=came))).marks

    await says("one", "ann")
    await says("other", "bea")
    await asyncio.sleep(0.6)
    for node in ("one", "one", "other"):
        assert await says(node) == {}
    # The same silence of one while the other stands is its death.
    gone: dict[str, Mark] = {}
    for _ in range(8):
        await asyncio.sleep(0.1)
        gone |= await says("one")
    assert list(gone) == ["bea"]
    assert await store.members("other") == frozenset()
    assert await store.members("one") == {"ann"}


async def test_a_node_that_was_taken_for_dead_says_everything_again(
    two: tuple[Served, Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = two
    async with await other.sdk("agent2"):
        await marked(one, "agent2", away=False)
        await one.node.client.execute("DEL", f"{one.node.keys.org}:pn:{other.node.live.node}")
        pu = f"{one.node.keys.org}:pu"
        at = await one.node.client.execute("HGET", pu, "agent2")
        await one.node.client.execute("HSET", pu, "agent2", at.replace(b"1:", b"0:", 1))
        await until(lambda: one.node.live_store.members(other.node.live.node), 5)


async def test_bots_are_shown_but_never_missed(two: tuple[Served, Served]) -> None:
    one, _ = two
    body = {"id": "robot", "name": "Robot", "bot": True}
    assert (await one.call("admin", "POST", "/v1/admin/users", body)).is_success
    member = "/v1/admin/inboxes/sales/members/robot"
    assert (await one.call("admin", "PUT", member)).is_success
    watcher = await peer(one, "agent1")
    async with await one.sdk("robot"):
        await until(lambda: told(watcher).get("robot") == "online")
    await until(lambda: told(watcher)["robot"] == "offline")
    await marked(one, "agent3", away=True)
    assert await off(one.node.client, one.node.keys, "robot") is None
    await watcher.end()


async def test_a_loss_in_the_engine_that_leaves_as_many_is_made_up_for(
    two: tuple[Served, Served],
) -> None:
    """A failover that loses one coming and one going of the same node."""
    one, other = two
    client, org, node = one.node.client, one.node.keys.org, other.node.live.node
    async with await other.sdk("agent2"):
        await marked(one, "agent2", away=False)
        was = await marked(one, "agent3", away=True)
        ago = was.version - 1
        # As it was before both, in one step.
        await client.execute("EVAL", _LOSS, 1, org, node, ago)
        await until(lambda: _members(other, {"agent2"}), 5)
        await until(lambda: one.node.presence.of("agent2") == "online", 5)
        await until(lambda: one.node.presence.of("agent3") == "offline", 5)


_LOSS = """
local org, node, ago = KEYS[1], ARGV[1], ARGV[2]
redis.call("SREM", org .. ":pn:" .. node, "agent2")
redis.call("SADD", org .. ":pn:" .. node, "agent3")
redis.call("HSET", org .. ":pu", "agent2", "0:" .. ago .. ":" .. ago, "agent3", "1:" .. ago .. ":0")
redis.call("SET", org .. ":pv", ago)
"""


async def _members(site: Served, users: set[str]) -> bool:
    return await site.node.live_store.members(site.node.live.node) == users
