"""What is left of a deleted webhook or inbox: nothing, whoever has not heard of it yet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from batonbox_server.service.hook_turn import Turn
from batonbox_server.tasks import spawn
from tests.integration.hooks_harness import (
    ONLY,
    Receiver,
    hook_on,
    hooks_of,
    telling,
    texts,
    under_way,
    until_logged,
)
from tests.served import Served
from tests.support import eventually


@pytest.fixture
async def site(engine_url: str, prefix: str) -> AsyncIterator[Served]:
    """A node."""
    async with telling(engine_url, prefix) as site:
        yield site


async def places(site: Served) -> list[str]:
    """Which webhooks have a place in the inbox."""
    found = await site.node.client.execute("HKEYS", f"{site.node.keys.inbox('sales')}:hk")
    return [hook.decode() for hook in found]


async def deliveries(site: Served, hook: str) -> int:
    """How many keys of its log of deliveries there are."""
    prefix = site.node.keys.hook(hook)
    return int(
        sum(
            [
                await site.node.client.execute("EXISTS", f"{prefix}:{name}")
                for name in ("d", "body", "at", "st")
            ]
        )
    )


async def cursors(site: Served, inbox: str = "sales") -> int:
    """How many places and held lots there are in an inbox's slot."""
    log = site.node.keys.inbox(inbox)
    found = [await site.node.client.execute("HLEN", f"{log}:{key}") for key in ("hk", "held")]
    return sum(found)


async def test_deleting_a_webhook_or_an_inbox_leaves_nothing(
    site: Served, receiver: Receiver
) -> None:
    receiver.decide = lambda _: 500
    one = await hook_on(site, receiver.url)
    two = await hook_on(site, receiver.url)
    await texts(site, 3)
    await until_logged(site, one["id"], lambda log: len(log) > 0)
    await until_logged(site, two["id"], lambda log: len(log) > 0)
    path = f"/v1/admin/webhooks/{one['id']}"
    assert (await site.call("admin", "DELETE", path)).status_code == 204
    assert [hook["id"] for hook in await hooks_of(site)] == [two["id"]]
    assert (await site.call("admin", "GET", f"{path}/deliveries")).status_code == 404
    # A turn that was under way ends, and leaves nothing either.
    await eventually(lambda: not under_way(site, one["id"]))
    assert await places(site) == [two["id"]]
    assert await deliveries(site, one["id"]) == 0
    await site.node.administration.delete_inbox("sales")
    await eventually(lambda: not site.node.hook_worker._turning)
    assert await cursors(site) == 0


async def test_who_has_not_heard_of_a_deletion_tells_nothing_and_leaves_nothing(
    site: Served, receiver: Receiver
) -> None:
    made = await hook_on(site, receiver.url, **ONLY)
    await texts(site, 2)
    await receiver.until(2)
    stale = (await site.node.webhooks._store.hooks())[made["id"]]
    path = f"/v1/admin/webhooks/{stale.id}"
    assert (await site.call("admin", "DELETE", path)).status_code == 204
    await eventually(lambda: not under_way(site, stale.id))
    # Another node still has the record: a turn of its own, and a start that it finishes.
    worker = site.node.hook_worker
    work = replace(worker._work, present=lambda _: stale)
    assert await Turn(work, stale, "sales").run() == -1
    await worker.finish(replace(stale, starting={"sales": "late"}))
    assert await cursors(site) == 0
    assert await deliveries(site, stale.id) == 0
    assert receiver.texts() == ["m0", "m1"]


@pytest.mark.parametrize("by", ["a turn", "a test"])
async def test_an_answer_after_the_deletion_leaves_no_delivery(
    site: Served, receiver: Receiver, by: str
) -> None:
    made = await hook_on(site, receiver.url, **ONLY)
    receiver.silent.clear()
    path = f"/v1/admin/webhooks/{made['id']}"
    asked: set[asyncio.Task[Any]] = set()
    if by == "a turn":
        await texts(site, 1)
    else:
        spawn(asked, site.call("admin", "POST", f"{path}/test"), name="test")
    await receiver.until_tried(1)
    assert (await site.call("admin", "DELETE", path)).status_code == 204
    receiver.silent.set()
    await receiver.until(1)
    await eventually(lambda: not asked and not under_way(site, made["id"]))
    assert await deliveries(site, made["id"]) == 0
    assert await cursors(site) == 0


async def test_what_a_dead_node_left_of_a_change_is_finished_by_another(
    engine_url: str, prefix: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with telling(engine_url, prefix) as site:
        kept = await hook_on(site, receiver.url, **ONLY)
        gone = await hook_on(site, receiver.url, **ONLY)

        async def dies(_: Any) -> None:
            raise ConnectionError

        worker = site.node.hook_worker
        await worker.aclose()
        with monkeypatch.context() as patch:
            patch.setattr(worker, "finish", dies)
            path = "/v1/admin/webhooks"
            answers = [
                await site.call("admin", "DELETE", f"{path}/{gone['id']}"),
                await site.call("admin", "PATCH", f"{path}/{kept['id']}", {"active": False}),
                await site.call("admin", "PATCH", f"{path}/{kept['id']}", {"active": True}),
            ]
        assert [answer.status_code for answer in answers] == [500, 500, 500]
        await texts(site, 1, name="unheard")
    async with telling(engine_url, prefix, empty=True) as site:
        held: list[Any] = []

        async def started() -> bool:
            held[:] = (await site.node.webhooks._store.hooks()).values()
            return [(hook.id, dict(hook.starting)) for hook in held] == [(kept["id"], {})]

        for _ in range(500):
            if await started():
                break
            await asyncio.sleep(0.01)
        assert await started(), held
        await texts(site, 1, name="heard")
        await receiver.until(1)
        assert receiver.texts() == ["heard0"]
