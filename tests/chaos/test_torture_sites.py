"""What a torture run stands on: relays before every engine, and sites of engines that are yours."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from batonbox_server.errors import EngineUnsuitable
from batonbox_server.torture.driver import Options, allowed
from batonbox_server.torture.faults import MODES
from batonbox_server.torture.nemeses import NEMESES, Nemesis
from batonbox_server.torture.nodes import NodeProcess
from batonbox_server.torture.site import Grounds, prepared
from batonbox_server.torture.sites.cluster import ClusterSite
from batonbox_server.torture.sites.sentinel import SentinelSite
from tests.chaos.test_torture import tortured
from tests.integration.test_engine_user import rule

pytestmark = pytest.mark.timeout(240)
SOON_S = 60.0
Own = SentinelSite | ClusterSite


@asynccontextmanager
async def grounds_of(folder: Path, *, topology: str = "", url: str = "") -> AsyncIterator[Grounds]:
    """A site with one node."""
    async with prepared(folder, topology=topology, url=url, nodes=1, settings={}) as grounds:
        yield grounds


async def struck(grounds: Grounds, name: str) -> Nemesis:
    """A fault that has begun."""
    nemesis = NEMESES[name](grounds.stage, random.Random(name))
    assert await nemesis.begin()
    return nemesis


async def says(node: NodeProcess, *, ready: bool) -> None:
    """Return once the node says that it is ready, or not."""
    async with asyncio.timeout(SOON_S), httpx2.AsyncClient() as http:
        while (await http.get(f"http://127.0.0.1:{node.port}/readyz")).is_success is not ready:
            await asyncio.sleep(0.02)


async def test_the_way_to_a_primary_breaks_and_sentinels_choose_another(tmp_path: Path) -> None:
    async with grounds_of(tmp_path, topology="sentinel") as grounds:
        stage, (node,) = grounds.stage, grounds.stage.nodes
        site = stage.site
        assert isinstance(site, SentinelSite)
        before = await site.primary()
        assert set(stage.back) == {engine.name for engine in site.engines}
        fault = await struck(grounds, "engine-drop")
        assert stage.taken == {f"link-{before.name}"}
        assert fault.detail == {"may_lose": True}
        async with asyncio.timeout(SOON_S):
            while await site.primary() is before:
                await asyncio.sleep(0.02)
        await says(node, ready=True)  # while the fault goes on
        await fault.finish()
        assert stage.taken == set()
        everywhere = await struck(grounds, "engine-reset-all")
        assert {relay.mode for relay in stage.back.values()} == {"reset"}
        assert not NEMESES["engine-drip"](stage, random.Random(1)).take(list(stage.taken))
        await says(node, ready=False)
        await everywhere.finish()
        await says(node, ready=True)
        assert {relay.mode for relay in stage.back.values()} == {"through"}


async def test_the_way_to_one_primary_of_a_cluster_breaks_and_the_others_serve(
    tmp_path: Path,
) -> None:
    async with grounds_of(tmp_path, topology="cluster") as grounds:
        stage, (node,) = grounds.stage, grounds.stage.nodes
        primaries = {engine.name for engine in await stage.primaries()}
        for mode in MODES:
            fault = await struck(grounds, f"engine-{mode.replace('_', '-')}")
            (target,) = stage.taken
            assert target.removeprefix("link-") in primaries
            assert {name for name, relay in stage.back.items() if relay.mode == mode} == {
                target.removeprefix("link-")
            }
            assert "may_lose" not in fault.detail
            await fault.finish()
        before = {name: relay.open for name, relay in stage.back.items()}
        assert all(before[name] > 0 for name in primaries)
        fault = await struck(grounds, "engine-reset")
        (target,) = stage.taken
        async with asyncio.timeout(SOON_S), httpx2.AsyncClient() as http:
            while True:
                told = (await http.get(f"http://127.0.0.1:{node.port}/readyz")).json()
                if told["engine"]["away"]:
                    break
                await asyncio.sleep(0.02)
        assert told["engine"]["away"] == [
            f"127.0.0.1:{stage.back[target.removeprefix('link-')].port}"
        ]
        await fault.finish()
        await says(node, ready=True)


@pytest.fixture(scope="module", params=["sentinel", "cluster"])
def yours(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Own]:
    """Engines that somebody else has started."""
    folder = tmp_path_factory.mktemp("yours")
    site: Own = SentinelSite(folder) if request.param == "sentinel" else ClusterSite(folder)
    with asyncio.Runner() as runner:
        try:
            runner.run(site.start())
            yield site
        finally:
            runner.run(site.stop())


async def keys_of(site: Own) -> set[bytes]:
    """Whatever its engines hold."""
    found = [await engine.ask("KEYS", "*") for engine in site.engines]
    return {name for names in found for name in names}


async def test_engines_of_yours_are_used_and_left_as_they_were(tmp_path: Path, yours: Own) -> None:
    async with grounds_of(tmp_path, url=yours.url) as grounds:
        names, left_out = allowed(Options(minutes=1, seed=1, url=yours.url), grounds.stage)
        assert {name.partition("-")[0] for name in names} == {"node", "client"}
        assert set(names) | set(left_out) == set(NEMESES)
        assert all(left_out.values())
        conv = await told(grounds)
        assert conv.startswith("sales.")
        assert await keys_of(yours)
    assert await keys_of(yours) == set()


async def test_a_user_with_the_rights_of_a_server_alone_is_told_which_a_run_needs(
    tmp_path: Path, yours: Own
) -> None:
    manual = (Path(__file__).parents[2] / "docs" / "torture.md").read_text()
    (needs,) = re.findall(r"user of the engine needs\s+`([^`]+)`", manual)
    rights = rule(password="secret", space="bb", in_cluster=True)
    for engine in yours.engines:
        await engine.ask(*rights)
    url = re.sub("://:[^@]*@", "://batonbox:secret@", yours.url)
    with pytest.raises(EngineUnsuitable, match=r"needs ~torture-\* &torture-\* \+scan"):
        async with grounds_of(tmp_path, url=url):
            pass
    for engine in yours.engines:
        assert await engine.ask("KEYS", "*") == []
        await engine.ask("ACL", "LOG", "RESET")
        await engine.ask("ACL", "SETUSER", "batonbox", *needs.split())
    async with grounds_of(tmp_path, url=url) as grounds:
        await told(grounds)
    assert await keys_of(yours) == set()
    for engine in yours.engines:
        assert await engine.ask("ACL", "LOG") == []
        await engine.ask("ACL", "DELUSER", "batonbox")


async def told(grounds: Grounds) -> str:
    """A customer's message; its conversation."""
    body = {"id": "sales", "name": "Sales", "members": [], "numbers": ["+14165550100"]}
    await grounds.office.call("POST", "/v1/admin/inboxes", body)
    said = {"from": "+14165550199", "to": "+14165550100", "text": "hello"}
    answer = await grounds.office.call("POST", "/v1/loopback/inbound", said)
    return str(answer["conv"])


@pytest.mark.long
async def test_a_run_on_engines_of_yours_is_clean(tmp_path: Path, yours: Own) -> None:
    status, verdict, _ = await tortured(
        tmp_path, "--url", yours.url, "--minutes", "0.4", "--seed", "4"
    )
    assert (status, verdict["verdict"]) == (0, "clean")
    assert verdict["topology"] in type(yours).__name__.lower()
    assert verdict["rounds"][0]["acknowledged"] > 20
    assert await keys_of(yours) == set()
