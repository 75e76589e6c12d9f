"""What webhooks promise when something breaks: nothing lost, order kept, doubles only by a kill."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.responses import Response

from batonbox_server.engine import EmbeddedEngine
from batonbox_server.tasks import cancel_all
from tests.integration.hooks_harness import (
    ONLY,
    Json,
    Receiver,
    customer,
    hook_on,
    hooks_of,
    receiving,
    telling,
    texts,
    until_logged,
)
from tests.served import Served
from tests.support import eventually

IMPATIENT: dict[str, Any] = {"webhooks_timeout_s": 0.3}


@pytest.fixture
async def site(engine_url: str, prefix: str) -> AsyncIterator[Served]:
    """A node."""
    async with telling(engine_url, prefix) as site:
        yield site


def by_customer(receiver: Receiver) -> dict[str, list[str]]:
    """Texts in the order in which they were accepted for the first time, per customer."""
    found: dict[str, list[str]] = {}
    for told in {told.id: told for told in reversed(receiver.accepted)}.values():
        found.setdefault(told.body["conversation"]["customer"], []).insert(
            0, told.body["message"]["text"]
        )
    return found


def assert_once_each_in_order(receiver: Receiver, said: list[str], *, customers: int) -> None:
    """Everything arrived, and each conversation's messages in their order."""
    assert sorted(set(receiver.texts())) == sorted(said)
    for i in range(customers):
        assert by_customer(receiver)[customer(i)] == said[i::customers]


def sometimes(status: int, *, every: int) -> Any:
    """Fails each event's first attempts, as many as its text's number modulo `every`."""
    tries: Counter[str] = Counter()

    def decide(body: Json) -> int:
        tries[body["id"]] += 1
        return status if tries[body["id"]] <= int(body["message"]["text"][1:]) % every else 200

    return decide


@pytest.mark.parametrize("status", [500, 429, 404])
async def test_an_event_that_is_refused_is_tried_again_and_order_is_kept(
    site: Served, receiver: Receiver, status: int
) -> None:
    receiver.decide = sometimes(status, every=3)
    hook = await hook_on(site, receiver.url, **ONLY)
    said = await texts(site, 12, customers=3)
    await receiver.until(12)
    assert_once_each_in_order(receiver, said, customers=3)
    assert len(receiver.accepted) == 12
    log = await until_logged(
        site, hook["id"], lambda log: [d["state"] for d in log] == ["delivered"] * 12
    )
    assert sorted(d["attempts"] for d in log) == sorted(1 + i % 3 for i in range(12))
    ids = {(told.id, told.raw) for told in receiver.requests}
    assert len(ids) == 12, "the id and the body are the same on every attempt"


async def test_one_conversation_that_fails_holds_up_no_other(
    site: Served, receiver: Receiver
) -> None:
    bad = customer(0)
    receiver.decide = lambda body: 500 if body["conversation"]["customer"] == bad else 200
    hook = await hook_on(site, receiver.url, **ONLY)
    said = await texts(site, 30, customers=3)
    await receiver.until(20)
    assert by_customer(receiver) == {customer(1): said[1::3], customer(2): said[2::3]}
    tried = {t.body["message"]["text"] for t in receiver.requests} - set(receiver.texts())
    assert tried == {"m0"}, "what is behind it waits"
    receiver.decide = lambda _: 200
    await receiver.until(30)
    assert by_customer(receiver)[bad] == said[0::3]
    (listed,) = await hooks_of(site)
    assert listed["failing_since"] is None
    await until_logged(site, hook["id"], lambda log: {d["state"] for d in log} == {"delivered"})


async def test_what_fails_for_good_is_left_behind(engine_url: str, prefix: str) -> None:
    async with receiving() as receiver, telling(engine_url, prefix, webhooks_attempts=2) as site:
        receiver.decide = lambda body: 500 if body["message"]["text"] == "m1" else 200
        hook = await hook_on(site, receiver.url, **ONLY)
        said = await texts(site, 4)
        await receiver.until(3)
        assert receiver.texts() == [said[0], *said[2:]]
        log = await until_logged(site, hook["id"], lambda log: len(log) == 4)
        assert [d["attempts"] for d in log if d["state"] == "failed"] == [2]


async def test_a_receiver_that_does_not_answer_is_given_up_in_time_and_tried_again(
    engine_url: str, prefix: str
) -> None:
    async with receiving() as receiver, telling(engine_url, prefix, **IMPATIENT) as site:
        receiver.silent.clear()
        hook = await hook_on(site, receiver.url, **ONLY)
        await texts(site, 2)
        silent = lambda log: bool(log) and log[0]["attempts"] > 0  # noqa: E731
        (first,) = await until_logged(site, hook["id"], silent)
        assert (first["state"], first["status"]) == ("retrying", None)
        assert "no answer within 0.3 s" in first["error"]
        (listed,) = await hooks_of(site)
        assert listed["failing_since"] is not None
        receiver.silent.set()
        await receiver.until(2)
        await until_logged(site, hook["id"], lambda log: len(log) == 2)


async def test_a_receiver_that_asks_for_time_gets_it_up_to_the_longest_pause(
    engine_url: str, prefix: str
) -> None:
    settings = {"webhooks_longest_pause_s": 1.0}
    async with receiving() as receiver, telling(engine_url, prefix, **settings) as site:
        busy = [Response(status_code=503, headers={"retry-after": "86400"})]
        receiver.decide = lambda _: busy.pop() if busy else 200
        await hook_on(site, receiver.url, **ONLY)
        await texts(site, 1)
        first, second = await receiver.until_tried(2)
        assert 0.9 < second.at_s - first.at_s < 5


async def test_nothing_is_lost_while_the_receiver_is_down_and_little_is_held(
    engine_url: str, prefix: str
) -> None:
    """Ninety conversations write while nobody listens; few are tried, all arrive afterwards."""
    async with receiving() as first:
        url, port = first.url, first.port
    async with telling(engine_url, prefix) as site:
        hook = await hook_on(site, url, **ONLY)
        said = await texts(site, 180, customers=90)
        down = lambda log: bool(log) and max(d["attempts"] for d in log) >= 4  # noqa: E731
        log = await until_logged(site, hook["id"], down)
        assert len(log) <= 24, "the log is the queue"
        assert {d["state"] for d in log} == {"retrying"}
        assert "unreachable" in log[0]["error"]
        async with receiving(port) as receiver:
            await receiver.until(180)
            assert_once_each_in_order(receiver, said, customers=90)
            assert len(receiver.accepted) == 180


async def test_two_nodes_share_the_work_without_doubling(
    engine_url: str, prefix: str, receiver: Receiver
) -> None:
    async with telling(engine_url, prefix) as one, telling(engine_url, prefix, empty=True) as two:
        receiver.decide = sometimes(500, every=2)
        await hook_on(one, receiver.url, **ONLY)
        await asyncio.gather(
            *(
                site.texts(f"m{i}", customer=customer(i % 20))
                for i in range(120)
                for site in ((one, two)[i % 2],)
            )
        )
        await receiver.until(120)
        await eventually(lambda: not one.node.hook_worker._turning)
        assert Counter(told.id for told in receiver.accepted).most_common(1)[0][1] == 1
        seqs: dict[str, list[int]] = {}
        for told in receiver.accepted:
            seqs.setdefault(told.body["conversation"]["id"], []).append(told.body["seq"])
        assert all(found == sorted(found) for found in seqs.values())
        # What another node has written is told by this one too, if that one does not.
        await two.node.hook_worker.aclose()
        await two.texts("m1000", customer=customer(0))
        await receiver.until(121)


async def test_a_node_killed_in_the_middle_loses_nothing(
    engine_url: str, prefix: str, receiver: Receiver
) -> None:
    """Its turn dies after the receiver has taken some events and before that is written down."""
    said: list[str] = []
    async with telling(engine_url, prefix, **IMPATIENT) as site:
        await hook_on(site, receiver.url, **ONLY)
        for round_ in range(5):
            receiver.silent.clear()
            said += await texts(site, 6, customers=2, name=f"r{round_}-")
            await eventually(lambda: receiver.under_way > 0)
            worker = site.node.hook_worker
            await cancel_all(worker._turns)
            receiver.silent.set()
    async with telling(engine_url, prefix, empty=True):
        await eventually(lambda: set(receiver.texts()) >= set(said), what="everything")
        order = by_customer(receiver)
        for i in range(2):
            mine = [text for text in said if int(text.rpartition("-")[2]) % 2 == i]
            assert order[customer(i)] == mine
        counts = Counter(told.id for told in receiver.accepted)
        assert len(counts) == len(said)


async def test_a_node_that_dies_leaves_its_events_to_another(
    engine_url: str, prefix: str, receiver: Receiver
) -> None:
    async with telling(engine_url, prefix, **IMPATIENT) as one:
        receiver.silent.clear()
        await hook_on(one, receiver.url, **ONLY)
        await one.texts("hello")
        await receiver.until_tried(1)
        async with telling(engine_url, prefix, empty=True, **IMPATIENT):
            await cancel_all(one.node.hook_worker._tasks)
            await cancel_all(one.node.hook_worker._turns)
            receiver.silent.set()
            await eventually(lambda: len(receiver.requests) > 1)
            assert {told.id for told in receiver.requests} == {receiver.requests[0].id}


async def test_what_the_log_no_longer_has_is_said(
    engine_url: str, prefix: str, receiver: Receiver
) -> None:
    async with telling(engine_url, prefix) as site:
        hook = await hook_on(site, receiver.url, **ONLY)
        await texts(site, 1)
        await receiver.until(1)
        await site.node.hook_worker.aclose()
        await texts(site, 9)
        log = site.node.keys.inbox("sales")
        top = (await site.node.store.head(log=log)).seq
        await site.node.client.execute("XTRIM", f"{log}:log", "MINID", "=", f"{top - 2}-0")
    async with telling(engine_url, prefix, empty=True) as site:
        await receiver.until(5)
        gap = receiver.accepted[1].body
        assert (gap["type"], gap["reason"], gap["missed"]) == ("webhook.gap", "trimmed", 6)
        assert gap["inbox"] == "sales"
        assert receiver.texts() == ["m0", "m6", "m7", "m8"]
        found = await until_logged(site, hook["id"], lambda log: len(log) == 5)
        (logged,) = [d for d in found if d["event"] == "webhook.gap"]
        assert "6 entries" in logged["error"]


async def test_another_log_and_a_rewritten_one_are_said(
    engine_url: str, prefix: str, receiver: Receiver
) -> None:
    async with telling(engine_url, prefix) as site:
        await hook_on(site, receiver.url, **ONLY)
        await texts(site, 3)
        await receiver.until(3)
        log = site.node.keys.inbox("sales")
        client = site.node.client
        # A failover lost the last event, and another took its place.
        top = (await site.node.store.head(log=log)).seq
        (entry,) = await site.node.store.range(log=log, first=top, last=top)
        await client.execute("XTRIM", f"{log}:log", "MAXLEN", "=", "0")
        await client.execute("DEL", f"{log}:log")
        await client.execute("HSET", f"{log}:meta", "seq", str(top - 1), "tip", entry.prev)
        await site.texts("instead", customer=customer(7))
        await eventually(lambda: "instead" in receiver.texts(), what="the event of the other line")
        gap = next(t.body for t in receiver.accepted if t.body["type"] == "webhook.gap")
        assert gap["reason"] == "fork"
        # The log is made anew, as by a restore.
        await client.execute("HSET", f"{log}:meta", "epoch", "another")
        await site.texts("after", customer=customer(7))
        await eventually(lambda: "after" in receiver.texts())
        reasons = [t.body["reason"] for t in receiver.accepted if "reason" in t.body]
        assert reasons == ["fork", "epoch"]


async def test_a_test_that_arrives_brings_forward_what_waits(
    engine_url: str, prefix: str, receiver: Receiver
) -> None:
    settings = {"webhooks_first_pause_s": 600.0, "webhooks_longest_pause_s": 600.0}
    async with telling(engine_url, prefix, **settings) as site:
        receiver.decide = lambda _: 500
        hook = await hook_on(site, receiver.url, **ONLY)
        said = await texts(site, 40, customers=20)
        await until_logged(site, hook["id"], lambda log: len(log) >= 8)
        receiver.decide = lambda _: 200
        path = f"/v1/admin/webhooks/{hook['id']}/test"
        assert (await site.call("admin", "POST", path)).json()["state"] == "delivered"
        await receiver.until(41)
        assert sorted(receiver.texts()) == sorted(said)


async def test_nothing_runs_while_there_are_no_webhooks(
    site: Served, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = site.node.hook_worker._store
    asked: list[str] = []
    take = store.take

    async def counted(**given: Any) -> Any:
        asked.append(given["inbox"])
        return await take(**given)

    monkeypatch.setattr(store, "take", counted)
    await texts(site, 5)
    assert asked == [] and not site.node.hook_worker._poked
    hook = await hook_on(site, receiver.url, **ONLY)
    await texts(site, 1)
    await receiver.until(1)
    path = f"/v1/admin/webhooks/{hook['id']}"
    assert (await site.call("admin", "PATCH", path, {"active": False})).is_success
    await eventually(lambda: not site.node.hook_worker._turning)
    await eventually(lambda: not site.node.hook_worker._present(hook["id"]))
    asked.clear()
    await texts(site, 5)
    assert asked == [], "it is switched off"


async def test_a_receiver_that_is_back_need_not_wait_for_every_pause(
    engine_url: str, prefix: str, receiver: Receiver
) -> None:
    """One conversation is tried again soon, the others in ten minutes: it takes them along."""
    async with telling(engine_url, prefix, webhooks_longest_pause_s=600.0) as site:
        soon = customer(0)

        def decide(body: Json) -> Response:
            wait = "0" if body["conversation"]["customer"] == soon else "600"
            return Response(status_code=503, headers={"retry-after": wait})

        receiver.decide = decide
        hook = await hook_on(site, receiver.url, **ONLY)
        said = await texts(site, 6, customers=6)
        await until_logged(site, hook["id"], lambda log: len(log) == 6)
        receiver.decide = lambda _: 200
        await receiver.until(6)
        assert sorted(receiver.texts()) == said


async def test_an_engine_that_dies_costs_no_event(
    engine: EmbeddedEngine, prefix: str, receiver: Receiver
) -> None:
    """Killed with a turn under way; the supervisor starts another with what was written."""
    async with telling(engine.url, prefix, **IMPATIENT) as site:
        await hook_on(site, receiver.url, **ONLY)
        said = await texts(site, 5)
        receiver.silent.clear()
        said += await texts(site, 5, name="n")
        await eventually(lambda: receiver.under_way > 0)
        os.kill(engine.pid, signal.SIGKILL)
        receiver.silent.set()
        await eventually(lambda: site.node.client.state)
        await eventually(lambda: set(receiver.texts()) == set(said), what="everything")
        assert by_customer(receiver)[customer(0)] == said
