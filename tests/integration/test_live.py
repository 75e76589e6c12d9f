"""The live view: its figures are those of the sockets and the conversations, over all nodes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from batonbox_server.store.connect import EngineClient
from batonbox_server.store.live import RedisLive
from batonbox_server.store.live_port import Overview
from batonbox_server.tasks import cancel_all
from tests.integration.store_harness import Box
from tests.served import SALES, SUPPORT, Served, served


@pytest_asyncio.fixture
async def two(engine_url: str, prefix: str) -> AsyncIterator[tuple[Served, Served]]:
    """Two nodes of one organisation."""
    async with served(engine_url, prefix) as one, served(engine_url, prefix) as other:
        yield one, other


async def live(site: Served) -> Any:
    """The view, as an admin gets it."""
    return await site.get("admin", "/v1/admin/live")


async def counted(site: Served) -> dict[str, Any]:
    """The same figures from reading every conversation."""
    found: dict[str, Any] = {}
    for inbox in ("sales", "support"):
        rows = []
        for view in ("unassigned", "others", "mine"):
            page = await site.get("admin", f"/v1/conversations?view={view}&inbox={inbox}")
            rows += page["items"]
        waiting = [row for row in rows if row["status"] == "unassigned"]
        found[inbox] = {
            "unassigned": len(waiting),
            "assigned": len(rows) - len(waiting),
            "oldest": min(
                (row["waiting_since"] for row in waiting if row["unanswered"]), default=None
            ),
            "held": Counter(row["assignee"] for row in rows if row["status"] == "assigned"),
        }
    return found


async def test_its_figures_are_those_of_the_conversations(two: tuple[Served, Served]) -> None:
    one, other = two
    convs = []
    for number in range(12):
        to = SALES if number % 3 else SUPPORT
        convs.append(await one.texts("hello", to=to, customer=f"+1416555{number:04d}"))
    for number, conv in enumerate(convs):
        user = ("agent2", "agent3")[number % 2]
        if number % 4 == 1:
            assert (await other.act(user, conv, "assign")).is_success
        if number % 4 == 2:
            assert (await one.act(user, conv, "done")).is_success
    assert (await one.act("agent3", convs[1], "return")).is_success
    shown = await live(other)
    want = await counted(one)
    for inbox in shown["inboxes"]:
        plain = want[inbox["id"]]
        assert inbox["unassigned"] == plain["unassigned"], inbox
        assert inbox["assigned"] == plain["assigned"], inbox
        assert inbox["oldest_waiting_at"] == plain["oldest"], inbox
    held = want["sales"]["held"] + want["support"]["held"]
    people = {one["user"]: one["assigned"] for one in shown["people"]}
    assert {user: n for user, n in people.items() if n} == dict(held)
    assert shown["unassigned"] == sum(one["unassigned"] for one in want.values())
    assert shown["oldest_waiting_at"] == min(one["oldest"] for one in want.values())


async def test_what_a_removal_has_not_come_to_is_counted(client: EngineClient, prefix: str) -> None:
    """It returns a hundred at once; the rest are the removed member's until their turn."""
    box = Box(client, prefix)
    await box.open()
    for number in range(103):
        await box.assign(await box.receive(f"+1555{number:04d}"))
    live = RedisLive(client, keys=box.keys)
    assert await live.overview(inbox="box") == Overview(0, 0, {"ann": 103})
    removed = await box.store.remove(inbox="box", user="ann", role=None)
    assert (removed.returned, removed.remaining) == (100, 3)
    shown = await live.overview(inbox="box")
    assert shown is not None and (shown.unassigned, shown.held) == (100, {"ann": 3})
    assert await box.store.due(inbox="box") == 0
    shown = await live.overview(inbox="box")
    assert shown is not None and (shown.unassigned, shown.held) == (103, {})


async def test_every_node_answers_for_all(two: tuple[Served, Served]) -> None:
    one, other = two
    clients = [await one.sdk("agent1"), await one.sdk("agent2"), await other.sdk("agent2")]
    for client in clients:
        await client.__aenter__()
    try:
        async with clients[1].events(inbox="sales"):
            shown = await _until(one, lambda view: view["connections"] == 3)
            people = {one["user"]: one["connections"] for one in shown["people"]}
            assert people == {"agent1": 1, "agent2": 2}
            assert sorted(node["connections"] for node in shown["nodes"]) == [1, 2]
            shown = await _until(other, lambda view: _viewers(view, "sales") > 0)
            assert shown["connections"] == 3
            for number in range(20):
                await one.texts("busy", customer=f"+1416555{number:04d}")
            await _until(other, lambda view: view["events_per_s"] > 0)
    finally:
        for client in clients:
            await client.__aexit__(None, None, None)
    await _until(other, lambda view: view["connections"] == 0)


async def test_a_node_that_dies_is_forgotten_and_one_that_stops_goes_at_once(
    engine_url: str, prefix: str
) -> None:
    async with served(engine_url, prefix) as one:
        async with served(engine_url, prefix):
            assert len((await _until(one, lambda view: len(view["nodes"]) == 2))["nodes"]) == 2
        assert [node.id for node in await one.node.live._report()] == [one.node.live.node]
        async with served(engine_url, prefix) as other:
            await _until(one, lambda view: len(view["nodes"]) == 2)
            # As a killed process: it reports no more, and says no farewell.
            await cancel_all(other.node.live._tasks)
            await _until(one, lambda view: len(view["nodes"]) == 1)


async def test_pages_that_ask_together_cost_one_reading(two: tuple[Served, Served]) -> None:
    one, _ = two
    views = await asyncio.gather(*(one.node.live.view() for _ in range(50)))
    assert len({id(view) for view in views}) == 1


def _viewers(view: Any, inbox: str) -> int:
    return sum(one["viewers"] for one in view["inboxes"] if one["id"] == inbox)


async def _until(site: Served, true: Any) -> Any:
    """Until the view says so: it is a second old at most, and reports come every two."""
    seen: list[Any] = []

    async def looked() -> bool:
        seen[:] = [await live(site)]
        return bool(true(seen[0]))

    for _ in range(200):
        if await looked():
            return seen[0]
        await asyncio.sleep(0.05)
    raise AssertionError(seen)
