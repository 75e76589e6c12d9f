"""A log that is written faster than the index reads it: caught up with first, read again if cut."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from batonbox_server.service import search_turn
from batonbox_server.service.search_port import Place
from batonbox_server.service.search_turn import Sources, Turn
from batonbox_server.store.connect import EngineClient
from batonbox_server.store.port import LogEntry
from batonbox_server.store.scan import RedisScan
from tests.integration.search_harness import customers, said, settled
from tests.served import Served, served


@pytest.fixture
async def site(engine_url: str, prefix: str) -> AsyncIterator[Served]:
    """A node whose index is fed by the test alone."""
    async with served(engine_url, prefix) as site:
        await settled(site)
        await site.node.search.feed.aclose()
        yield site


def turn(site: Served, scan: RedisScan) -> Turn:
    """Of the inbox that customers write to."""
    return Turn(site.node.search.index, Sources(scan, site.node.contacts.store, None), "sales")


async def place_of(site: Served) -> Place:
    """Where the index stands there."""
    return (await site.node.search.index.places())["sales"]


async def test_a_log_that_is_cut_while_it_is_read_has_not_forked(
    site: Served, client: EngineClient, prefix: str
) -> None:
    class Late(RedisScan):
        async def entries(self, log: str, *, first: int, last: int) -> list[LogEntry]:
            await client.execute("XTRIM", f"{self.prefix(log)}:log", "MAXLEN", "1")
            return await super().entries(log, first=first, last=last)

    place = await place_of(site)
    for n in range(3):
        await site.texts(f"wombat {n}", customer=customers())
    scan = Late(client, keys=site.node.keys)
    with capture_logs() as logs:
        begun = await turn(site, scan).run(place)
        assert begun is not None
        await turn(site, scan).run(begun)
    told = [line["reason"] for line in logs if line["event"] == "search_log_read_again"]
    assert told == ["trimmed"]
    site.node.search.feed.start()
    assert len(await said(site, "agent1", "wombat")) == 3


async def test_what_runs_ahead_is_followed_before_more_is_read(
    site: Served, client: EngineClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_turn, "ENTRIES", 2)
    monkeypatch.setattr(search_turn, "_ROUNDS", 1)
    place = replace(await place_of(site), step="rows")
    for n in range(3):
        await site.texts(f"wombat {n}", customer=customers())
    scan = RedisScan(client, keys=site.node.keys)
    await site.node.search.index.restart("sales", place=place)
    steps = []
    for _ in range(3):
        further = await turn(site, scan).run(place)
        assert further is not None
        place = further
        steps.append(place.step)
    assert steps == ["rows", "", ""]
