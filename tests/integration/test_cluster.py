"""The cluster's client and subscriber on a real cluster whose slots move and whose nodes die."""

from __future__ import annotations

import asyncio
import contextlib
import re
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgpack  # type: ignore[import-untyped]
import pytest
from redis.exceptions import ResponseError

from batonbox import LogEvent
from batonbox_server.engine import locate
from batonbox_server.errors import EngineUnavailable, EngineUnsuitable, Refused
from batonbox_server.store.address import Address
from batonbox_server.store.cluster import ClusterClient
from batonbox_server.store.cluster_map import slot_of
from batonbox_server.store.cluster_pubsub import ClusterSubscriber
from batonbox_server.store.keys import Keys
from batonbox_server.store.lane import Need
from batonbox_server.store.port import Applied
from batonbox_server.torture.sites.base import EngineProc, Tls
from batonbox_server.torture.sites.cluster import ClusterSite
from batonbox_server.torture.sites.standalone import StandaloneSite
from tests.certificates import certificate
from tests.engines import binary
from tests.integration.store_harness import Box
from tests.integration.test_engine_user import rule
from tests.integration.test_main_job import (
    test_a_customers_message_from_arrival_to_done_and_back as main_job,
)
from tests.programs import program
from tests.served import served
from tests.support import eventually

ENGINE = binary()
# Slots move in one step since Valkey 9; older engines move key by key, which all can.
WAYS = [False, True] if ENGINE.name == "valkey" and ENGINE.version >= (9,) else [False]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterSite]:
    """One cluster for all tests, which leave it whole."""
    with asyncio.Runner() as runner:
        site = ClusterSite(tmp_path_factory.mktemp("site"), binary=ENGINE)
        try:
            runner.run(site.start())
            yield site
        finally:
            runner.run(site.stop())


@pytest.fixture
async def own(site: ClusterSite) -> AsyncIterator[ClusterSite]:
    """The same, where nodes may die."""
    yield site
    for engine in site.engines:
        if not engine.running:
            await engine.start(wait=False)
    await site.whole()


@pytest.fixture
async def cluster(site: ClusterSite) -> AsyncIterator[ClusterClient]:
    """A connected client of the shared cluster."""
    client = await connected(site)
    yield client
    await client.aclose()


async def connected(site: ClusterSite, *, timeout_s: float = 10) -> ClusterClient:
    """A client of its own."""
    client = ClusterClient(Address.parse(site.url), command_timeout_s=timeout_s)
    await client.connect()
    return client


@pytest.fixture
async def box(cluster: ClusterClient, prefix: str) -> Box:
    """An inbox on the shared cluster."""
    box = Box(cluster, prefix)
    await box.open()
    return box


class Heard:
    """What a subscriber's owner was told."""

    def __init__(self, client: ClusterClient) -> None:
        self.messages: list[bytes] = []
        self.told: list[str] = []
        self.subscriber = ClusterSubscriber(
            client.map,
            on_message=lambda _, data: self.messages.append(data),
            on_lost=lambda: self.told.append("lost"),
            on_up=lambda: self.told.append("up"),
        )

    @property
    def is_back(self) -> bool:
        """Whether something was lost, and everything is heard again."""
        return "lost" in self.told and self.told[-1] == "up"


async def note(box: Box, conv: str, text: object) -> Applied:
    """Bob notes something."""
    body = bytes(msgpack.packb({"text": str(text)}))
    return await box.store.note(conv=conv, actor="bob", cid=uuid.uuid4().hex, body=body)


async def noted(box: Box, conv: str) -> list[int]:
    """The notes of the conversation, as they stand there."""
    found: list[int] = []
    before = 0
    while True:  # as many as there was time for while slots moved
        page = await box.store.history(conv=conv, actor="bob", before=before, n=500)
        found[:0] = [int(line[7]["text"]) for line in page.messages if line[3] == "noted"]
        before = page.next
        if not before:
            return found


async def another(site: ClusterSite, slot: int) -> EngineProc:
    """A primary that does not serve the slot."""
    here = await site.owner(slot)
    return next(engine for engine in await site.primaries() if engine is not here)


async def test_commands_find_the_primary_of_their_slot(
    site: ClusterSite, cluster: ClusterClient, prefix: str
) -> None:
    keys = [f"{prefix}{n}" for n in range(60)]
    await asyncio.gather(*(cluster.execute("SET", key, n) for n, key in enumerate(keys)))
    got = await asyncio.gather(*(cluster.execute("GET", key) for key in keys))
    assert got == [b"%d" % n for n in range(60)]
    assert {(await site.owner(slot_of(key))).name for key in keys} == {
        engine.name for engine in await site.primaries()
    }
    assert sorted(await cluster.execute("KEYS", prefix + "*")) == sorted(map(str.encode, keys))


async def test_an_error_of_the_command_stays_one(cluster: ClusterClient, prefix: str) -> None:
    await cluster.execute("SET", prefix, "text")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await cluster.execute("LPUSH", prefix, 1)


@pytest.mark.parametrize("atomic", WAYS)
async def test_a_slot_that_has_moved_is_found(
    site: ClusterSite, cluster: ClusterClient, box: Box, *, atomic: bool
) -> None:
    conv, slot = await box.receive(), slot_of(box.log)
    await site.migrate(slot, await another(site, slot), atomic=atomic)
    assert (await box.assign(conv)).own_tok
    assert (await box.row(conv))["assignee"] == "ann"
    to = await site.owner(slot)
    assert cluster.map.owner(slot) == ("127.0.0.1", to.port)


class TestMoving:
    """A slot is on its way, key by key: some of its keys are here and some there."""

    async def test_a_key_is_found_on_either_side(
        self, site: ClusterSite, cluster: ClusterClient, prefix: str
    ) -> None:
        tagged = f"{prefix}{{{prefix}}}"
        slot = slot_of(tagged)
        to = await another(site, slot)
        await cluster.execute("SET", tagged + "moved", "before")
        async with site.moving(slot, to) as move_keys:
            assert await cluster.execute("GET", tagged + "moved") == b"before"
            await move_keys()
            # Nothing is left here: these are answered with ASK.
            calls = [cluster.execute("INCR", tagged + "new") for _ in range(50)]
            assert await asyncio.gather(*calls) == list(range(1, 51))
            assert await cluster.execute("GET", tagged + "moved") == b"before"
            # It is still this side's: the map has not changed.
            assert await site.owner(slot) is not to
        assert await cluster.execute("GET", tagged + "new") == b"50"

    async def test_a_function_waits_until_the_log_is_whole(
        self, site: ClusterSite, cluster: ClusterClient, box: Box
    ) -> None:
        conv, slot = await box.receive(), slot_of(box.log)
        async with site.moving(slot, await another(site, slot)):
            loop = asyncio.get_running_loop()
            assigned = loop.create_task(box.assign(conv))
            noticed = loop.create_task(note(box, conv, 1))
            await eventually(lambda: slot in cluster._holding, what="the command that waits")
            # Others go on.
            await cluster.execute("SET", f"elsewhere{{{conv}}}", 1)
            assert not assigned.done()
        assert (await assigned).own_tok
        await noticed
        assert [kind for kind, *_ in await box.kinds(conv)][1:] == ["assigned", "noted"]

    async def test_what_came_too_late_is_refused_and_not_done_late(
        self, site: ClusterSite, cluster: ClusterClient, box: Box
    ) -> None:
        """The move is given up between two commands."""
        conv, slot = await box.receive(), slot_of(box.log)
        here, to = await site.owner(slot), await another(site, slot)
        await site.ask(to, "CLUSTER", "SETSLOT", slot, "IMPORTING", site.id_of(here))
        await site.ask(here, "CLUSTER", "SETSLOT", slot, "MIGRATING", site.id_of(to))
        shard, loop = cluster._owner(slot), asyncio.get_running_loop()
        first = loop.create_task(note(box, conv, 1))
        await asyncio.sleep(0)
        stable = shard.execute("CLUSTER", "SETSLOT", slot, "STABLE")
        second = loop.create_task(note(box, conv, 2))
        with pytest.raises(Refused, match="its cluster moves this slot"):
            await first
        await asyncio.gather(stable, second)
        await site.ask(to, "CLUSTER", "SETSLOT", slot, "STABLE")
        assert await noted(box, conv) == [2]

    async def test_a_move_that_takes_too_long_is_told(
        self, site: ClusterSite, box: Box, prefix: str
    ) -> None:
        conv, slot = await box.receive(), slot_of(box.log)
        hasty = await connected(site)
        hasty._holding._patience_s = 0.2
        other = Box(hasty, prefix)
        async with site.moving(slot, await another(site, slot)):
            with pytest.raises(Refused, match="its cluster moves this slot"):
                await other.assign(conv)
        assert (await box.row(conv))["assignee"] == ""
        assert (await other.assign(conv)).own_tok
        await hasty.aclose()


@pytest.mark.parametrize("atomic", WAYS)
async def test_commands_keep_their_order_while_the_slot_moves(
    site: ClusterSite, cluster: ClusterClient, box: Box, *, atomic: bool
) -> None:
    conv, slot = await box.receive(), slot_of(box.log)
    loop = asyncio.get_running_loop()
    moves = 0

    async def move() -> None:
        nonlocal moves
        for _ in range(4):
            await site.migrate(slot, await another(site, slot), atomic=atomic)
            moves += 1

    moving = loop.create_task(move())
    calls: list[asyncio.Task[Applied]] = []
    while not moving.done():
        cluster.map.wanted.set()  # the nodes' answers and MOVED tell of it, whichever is first
        calls += [loop.create_task(note(box, conv, len(calls) + n)) for n in range(5)]
        await asyncio.sleep(0.002)
    await moving
    await asyncio.gather(*calls)
    assert moves == 4
    assert len(calls) > 20
    assert await noted(box, conv) == list(range(len(calls)))


@pytest.mark.parametrize("comes_back", [False, True])
@pytest.mark.parametrize("atomic", WAYS)
async def test_a_subscription_follows_its_slot(
    site: ClusterSite, cluster: ClusterClient, prefix: str, *, atomic: bool, comes_back: bool
) -> None:
    channel = f"{prefix}{{{prefix}}}:ev"
    slot, heard = slot_of(channel), Heard(cluster)
    await heard.subscriber.connect()
    await heard.subscriber.subscribe(channel.encode())
    assert heard.told == ["up"]
    assert await cluster.execute("SPUBLISH", channel, "before") == 1
    here = await site.owner(slot)
    await site.migrate(slot, await another(site, slot), atomic=atomic)
    if comes_back:  # before anybody has looked, but its subscribers were sent away
        await site.migrate(slot, here, atomic=atomic)
    await eventually(lambda: heard.is_back, what="the subscription's return")
    assert await cluster.execute("SPUBLISH", channel, "after") == 1
    await eventually(lambda: len(heard.messages) == 2, what="both messages")
    assert heard.messages == [b"before", b"after"]
    assert heard.subscriber.channels == {channel.encode()}
    await heard.subscriber.unsubscribe(channel.encode())
    assert await cluster.execute("SPUBLISH", channel, "late") == 0
    await heard.subscriber.aclose()


async def test_functions_that_a_primary_has_forgotten_are_brought(
    site: ClusterSite, box: Box
) -> None:
    conv = await box.receive()
    for engine in await site.primaries():
        await site.ask(engine, "FUNCTION", "FLUSH")
    calls = [note(box, conv, n) for n in range(10)]
    await asyncio.gather(*calls)
    assert await noted(box, conv) == list(range(10))


async def test_the_fullest_primary_tells_how_full_the_engine_is(
    site: ClusterSite, cluster: ClusterClient, box: Box
) -> None:
    fullest = (await site.primaries())[1]
    await site.ask(fullest, "CONFIG", "SET", "maxmemory", 1 << 30)
    try:
        assert (await box.store.memory()).bound == 1 << 30
    finally:
        await site.ask(fullest, "CONFIG", "SET", "maxmemory", 0)


async def test_two_nodes_serve_while_a_slot_moves_with_no_more_rights_than_the_manual_lists(
    site: ClusterSite, prefix: str
) -> None:
    """Whatever a customer and a member do is seen by a client that is at the other node, once."""
    rights = rule(password="secret", space=prefix, engine=ENGINE, in_cluster=True)
    for engine in site.engines:
        await site.ask(engine, *rights)
    nodes = ",".join(f"127.0.0.1:{engine.port}" for engine in site.engines)
    slot = slot_of(Keys(prefix).inbox("sales"))
    url, seqs = f"redis+cluster://batonbox:secret@{nodes}", list[int]()
    async with served(url, prefix, nodes=2) as node:
        async with (
            await node.sdk("agent1") as client,
            client.events(LogEvent, inbox="sales") as events,
        ):
            for n, atomic in enumerate(WAYS):
                conv = await node.texts("hello", customer=f"+1416555020{n}")
                await site.migrate(slot, await another(site, slot), atomic=atomic)
                for verb, body in (("assign", {}), ("reply", {"text": "hi"}), ("done", {})):
                    answer = await node.act("agent1", conv, verb, **body)
                    assert answer.is_success, answer.text
                async for event in events:
                    assert isinstance(event, LogEvent)
                    seqs.append(event.seq)
                    if event.meta["type"] == "done":
                        break
        assert seqs == list(range(seqs[0], seqs[-1] + 1))
        ready = await node.get("", "/readyz")
        assert ready["engine"]["away"] == []
    for engine in site.engines:
        assert await site.ask(engine, "ACL", "LOG") == []
        await site.ask(engine, "ACL", "DELUSER", "batonbox")


async def test_over_tls_a_user_with_few_rights_does_the_main_job(
    tmp_path: Path, prefix: str
) -> None:
    """Nodes of the cluster speak TLS among themselves, too; nobody else is trusted."""
    tls = Tls(*certificate(tmp_path))
    engine = locate(program("redis-server", package="redis-server"))  # the wheel's has no TLS
    site = ClusterSite(tmp_path / "site", binary=engine, tls=tls)
    try:
        await site.start()
        rights = rule(password="secret", space=prefix, engine=engine, in_cluster=True)
        for one in site.engines:
            await site.ask(one, *rights)
        url = re.sub("://:[^@]*@", "://batonbox:secret@", site.url)
        async with served(url, prefix, nodes=2) as node:
            await main_job(node)
        for one in site.engines:
            assert await site.ask(one, "ACL", "LOG") == []
        with pytest.raises(EngineUnavailable, match=r"(?i)certificate"):
            await ClusterClient(Address.parse(url.partition("?")[0])).connect()
    finally:
        await site.stop()


async def test_what_replicas_have_is_asked_of_the_primary_of_the_slot(
    own: ClusterSite, prefix: str
) -> None:
    client = await connected(own)
    box = Box(client, prefix)
    await box.open()
    assert (await client.look()).replicas == 1
    slot, need = slot_of(box.log), Need(1)
    since = client.since()
    conv = await box.receive()
    assert await client.lasts(box.log, need, since=since, within_ms=5000)
    replica = await own.replica_of(await own.owner(slot))
    replica.freeze()
    try:
        await note(box, conv, 1)
        assert not await client.lasts(box.log, need, since=since, within_ms=100)
    finally:
        replica.thaw()
    await own.whole()
    assert await client.lasts(box.log, need, since=since, within_ms=5000)
    # Whoever serves it now may have been given it by somebody who had lost something.
    await own.migrate(slot, await another(own, slot))
    await note(box, conv, 2)
    assert not await client.lasts(box.log, need, since=since, within_ms=5000)
    assert await client.lasts(box.log, need, since=client.since(), within_ms=5000)
    await client.aclose()


class TestDead:
    """Nodes that are gone."""

    async def test_the_others_go_on(self, own: ClusterSite) -> None:
        states: list[bool] = []
        client = await connected(own)
        client.on_state = states.append
        keys = {(await own.owner(slot_of(key))).name: key for key in map(str, range(40))}
        dead, other, *_ = await own.primaries()
        its_replica = await own.replica_of(dead)
        await its_replica.kill()
        await dead.kill()
        await eventually(lambda: not client.state, what="the loss")
        with pytest.raises(EngineUnavailable):
            await client.execute("SET", keys[dead.name], 1)
        for n in range(100):
            await client.execute("SET", keys[other.name], n)
        assert list(client.away) == [f"127.0.0.1:{dead.port}"]
        await asyncio.gather(dead.start(), its_replica.start())
        await eventually(lambda: client.state, timeout_s=20, what="the return")
        await own.whole()
        await client.execute("SET", keys[dead.name], 1)
        assert not client.away
        assert states == [False, True]
        await client.aclose()

    async def test_a_node_stays_ready_while_a_part_is_away(
        self, own: ClusterSite, prefix: str
    ) -> None:
        async with served(own.url, prefix) as node:
            organisation = await own.owner(slot_of(Keys(prefix).org))
            dead = next(e for e in await own.primaries() if e is not organisation)
            its_replica = await own.replica_of(dead)
            await its_replica.kill()
            await dead.kill()
            await eventually(lambda: node.node.client.away, what="the loss")
            ready = await node.get("", "/readyz")
            assert ready["ready"]
            assert ready["engine"]["away"] == [f"127.0.0.1:{dead.port}"]
            metrics = await node.call("", "GET", "/metrics")
            assert "\nbatonbox_engine_up 0.0\n" in metrics.text
            await asyncio.gather(dead.start(), its_replica.start())
            await eventually(lambda: node.node.client.state, timeout_s=20, what="the return")
            await own.whole()

    async def test_a_replica_takes_over(
        self, own: ClusterSite, prefix: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whatever was under way goes on there, in the order of the calls."""
        monkeypatch.setattr("batonbox_server.store.connect.RESEND_S", 60.0)
        client = await connected(own)
        box = Box(client, prefix)
        await box.open()
        heard = Heard(client)
        await heard.subscriber.connect()
        await heard.subscriber.subscribe(f"{box.log}:ev".encode())
        conv, slot = await box.receive(), slot_of(box.log)
        dead, loop = await own.owner(slot), asyncio.get_running_loop()
        dead.freeze()
        calls = [loop.create_task(note(box, conv, n)) for n in range(20)]
        await asyncio.sleep(0.05)
        await dead.kill()
        await asyncio.gather(*calls)
        assert await own.owner(slot) is not dead
        assert await noted(box, conv) == list(range(20))
        await eventually(lambda: heard.is_back, what="the subscription's return")
        before = len(heard.messages)
        # A replica has the functions of its primary; should it not, it is given them.
        await own.ask(await own.owner(slot), "FUNCTION", "FLUSH")
        await note(box, conv, 99)
        await eventually(lambda: len(heard.messages) > before, what="its event")
        await heard.subscriber.aclose()
        await client.aclose()

    @pytest.mark.long
    @pytest.mark.skipif(ENGINE.name != "valkey", reason="a replica does not know of the move")
    async def test_a_move_that_its_primary_did_not_survive_goes_on(
        self, own: ClusterSite, prefix: str
    ) -> None:
        """Until then nothing is made of the half that is here."""
        client = await connected(own)
        box = Box(client, prefix)
        await box.open()
        conv, slot = await box.receive(), slot_of(box.log)
        dead, to = await own.owner(slot), await another(own, slot)
        with contextlib.suppress(EngineUnsuitable):
            async with own.moving(slot, to):
                some = await own.ask(dead, "CLUSTER", "GETKEYSINSLOT", slot, 3)
                auth = ("AUTH", dead.password, "KEYS", *some)
                await own.ask(dead, "MIGRATE", "127.0.0.1", to.port, "", 0, 5000, *auth)
                await dead.kill()
                raise EngineUnsuitable("the move was interrupted")
        await eventually(lambda: not client.state, what="the loss")
        await eventually(lambda: client.state, timeout_s=20, what="the replica")
        assigned = asyncio.get_running_loop().create_task(box.assign(conv))
        await eventually(lambda: slot in client._holding, what="the command that waits")
        await own.finish_moves()
        assert (await assigned).own_tok
        assert await own.owner(slot) is to
        await client.aclose()

    async def test_one_that_was_frozen_while_its_replica_took_over_is_left(
        self, own: ClusterSite, prefix: str
    ) -> None:
        client = await connected(own, timeout_s=120)
        box = Box(client, prefix)
        await box.open()
        conv, slot, loop = await box.receive(), slot_of(box.log), asyncio.get_running_loop()
        frozen = await own.owner(slot)
        frozen.freeze()
        waiting = loop.create_task(note(box, conv, 1))
        await eventually(
            lambda: client.map.owner(slot) != ("127.0.0.1", frozen.port), timeout_s=20, what="news"
        )
        # The connection to the frozen one is up, and nobody waits until its time is over.
        async with asyncio.timeout(60):
            await asyncio.gather(waiting, return_exceptions=True)
            await eventually(lambda: client.state, what="the replica")
            await box.assign(conv)
        frozen.thaw()
        await own.whole()
        assert (await box.row(conv))["assignee"] == "ann"
        await client.aclose()


async def test_an_engine_that_is_no_cluster_is_told_so(tmp_path: Path) -> None:
    alone = StandaloneSite(tmp_path)
    await alone.start()
    try:
        url = alone.url.replace("redis://", "redis+cluster://")
        with pytest.raises(EngineUnsuitable, match="no cluster; begin BATONBOX_REDIS_URL with"):
            await ClusterClient(Address.parse(url)).connect()
    finally:
        await alone.stop()


async def test_a_cluster_that_is_not_there_is_told_so() -> None:
    with pytest.raises(EngineUnavailable, match="BATONBOX_REDIS_URL"):
        await ClusterClient(Address.parse("redis+cluster://127.0.0.1:1,127.0.0.1:2")).connect()
