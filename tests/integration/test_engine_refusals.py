"""An engine that is there and takes no commands: full, demoted, alone, without a disk, busy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from redis.exceptions import ResponseError

from batonbox_server.engine import EmbeddedEngine
from batonbox_server.errors import EngineUnavailable, Refused
from batonbox_server.store.connect import EngineClient
from batonbox_server.store.unserved import why_unserved
from tests.integration.store_harness import Box
from tests.support import eventually

# Half a second is how long the embedded engine lets a script run before it answers others BUSY.
SLOW = "local a = os.clock() while os.clock() - a < 1.2 do end return 1"


@dataclass
class Site:
    """An inbox with a conversation, and a second client that plays the operator."""

    box: Box
    operator: EngineClient
    conv: str


@pytest.fixture
async def site(engine: EmbeddedEngine) -> AsyncIterator[Site]:
    """On an engine of the test's own."""
    client, operator = EngineClient(engine.url), EngineClient(engine.url)
    await client.connect()
    await operator.connect()
    box = Box(client, "t")
    await box.open()
    yield Site(box, operator, await box.receive())
    await client.aclose()
    await operator.aclose()


@pytest.mark.parametrize(
    ("name", "value", "ends", "why"),
    [
        ("maxmemory", "1000", "0", "memory is full"),
        ("min-replicas-to-write", "1", "0", "too few of its replicas"),
    ],
)
async def test_a_command_is_unavailable_and_takes_effect_when_it_is_sent_again(
    site: Site, name: str, value: str, ends: str, why: str
) -> None:
    await site.operator.execute("CONFIG", "SET", name, value)
    with pytest.raises(Refused, match=f"unavailable: .*{why}"):
        await site.box.store.assign(conv=site.conv, actor="bob", cid="once")
    with pytest.raises(Refused, match="unavailable"):
        await site.box.client.ask("SET", "key", "value")
    assert site.box.client.state
    # What is there can be read all the while.
    assert (await site.box.store.snapshot(inbox="box")).rows
    assert (await site.box.store.history(conv=site.conv, actor="bob", n=5)).messages
    await site.operator.execute("CONFIG", "SET", name, ends)
    await site.box.store.assign(conv=site.conv, actor="bob", cid="once")
    assert (await site.box.row(site.conv))["assignee"] == "bob"


async def test_a_script_that_runs_for_long_makes_others_unavailable(site: Site) -> None:
    slow = site.operator.execute("EVAL", SLOW, 0)
    await asyncio.sleep(0.8)
    with pytest.raises(Refused, match=r"unavailable: .*a script has run for too long"):
        await site.box.assign(site.conv, "bob")
    assert await slow == 1
    await site.box.assign(site.conv, "bob")


async def test_a_demoted_engine_is_left_and_looked_for_anew(site: Site) -> None:
    client = site.box.client
    await site.operator.execute("REPLICAOF", "127.0.0.1", "1")
    calls = [site.box.assign(site.conv, user) for user in ("bob", "ann")]
    for answer in await asyncio.gather(*calls, return_exceptions=True):
        assert isinstance(answer, Refused)
        assert answer.slug == "unavailable"
    await eventually(lambda: not client.state, what="the loss")
    await asyncio.sleep(0.5)
    assert not client.state
    assert isinstance(client, EngineClient)
    with pytest.raises(EngineUnavailable, match="primary"):
        await EngineClient(client.locator).connect()
    await site.operator.execute("REPLICAOF", "NO", "ONE")
    await eventually(lambda: client.state, what="the return")
    await site.box.assign(site.conv, "bob")


@pytest.mark.parametrize(
    ("error", "unserved"),
    [
        ("MISCONF Errors writing to the AOF file: No space left on device", True),
        ("BUSY Valkey is busy running a script.", True),
        ("BUSYGROUP Consumer Group name already exists", False),
        ("Function not found", False),
        ("user_script:1: attempt to index a nil value", False),
    ],
)
def test_what_is_the_engines_and_what_the_commands_own(error: str, *, unserved: bool) -> None:
    assert bool(why_unserved(ResponseError(error))) is unserved
