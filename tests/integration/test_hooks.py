"""Webhooks on a real node, told to a real server: what is sent, signed, filtered and logged."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from starlette.responses import Response

from batonbox_server.domain.hook_events import EVENTS, UNTOLD, names_of
from batonbox_server.domain.model import Delivery, Kind
from batonbox_server.service.hook_turn import Turn
from batonbox_server.store.hook_port import Hook
from tests.integration.hooks_harness import (
    Receiver,
    hook_on,
    hooks_of,
    log_of,
    receiving,
    signatures,
    telling,
    until_logged,
)
from tests.served import CUSTOMER, SALES, SUPPORT, Served
from tests.support import eventually


@pytest.fixture
async def site(engine_url: str, prefix: str) -> AsyncIterator[Served]:
    """A node."""
    async with telling(engine_url, prefix) as site:
        yield site


async def test_an_event_arrives_signed_and_is_logged(site: Served, receiver: Receiver) -> None:
    hook = await hook_on(site, receiver.url, events=["message.received"])
    conv = await site.texts("hello")
    (told,) = await receiver.until(1)
    assert signatures(told, hook["secret"], "whsec_" + "A" * 44) == [True, False]
    assert abs(int(told.headers["webhook-timestamp"]) - time.time()) < 5
    body = told.body
    assert body["id"] == told.id
    assert (body["type"], body["inbox"], body["actor"]) == ("message.received", "sales", None)
    assert body["message"] == {
        "n": 1, "direction": "in", "state": None, "text": "hello", "media": [],
    }  # fmt: skip
    row = await site.get("admin", f"/v1/conversations/{conv}")
    assert body["conversation"] == {k: row[k] for k in row if not k.startswith("messages")}
    (logged,) = await until_logged(site, hook["id"], lambda log: len(log) == 1)
    assert logged.pop("duration_ms") >= 0
    assert logged == {
        "id": told.id, "event": "message.received", "at": body["at"], "attempts": 1,
        "state": "delivered", "status": 204, "error": "", "inbox": "sales", "conv": conv,
    }  # fmt: skip
    (listed,) = await hooks_of(site)
    assert "secret" not in listed
    assert listed["failing_since"] is None and listed["last_delivery_at"] is not None


async def test_every_kind_of_event_is_told(site: Served, receiver: Receiver) -> None:
    await hook_on(site, receiver.url)
    conv = await site.texts("first")

    async def act(user: str, verb: str, **body: Any) -> None:
        answer = await site.act(user, conv, verb, **body)
        assert answer.is_success, answer.text

    await act("agent1", "assign")
    await act("agent1", "reply", text="yes")
    await receiver.until(6)  # created, received, assigned, queued, sent, delivered
    fail = {"to": CUSTOMER, "count": 1, "permanent": True, "reason": "no such phone"}
    assert (await site.call("admin", "POST", "/v1/loopback/failures", fail)).is_success
    await act("agent1", "reply", text="again")
    await receiver.until(8)
    await act("agent1", "note", text="careful", mentions=["agent2"])
    await act("agent1", "snooze", until_ms=int(time.time() * 1000) + 60_000)
    await act("agent1", "wake")
    await act("agent1", "transfer", to="agent2", note="yours")
    tok = (await site.get("admin", f"/v1/conversations/{conv}"))["own_tok"]
    await act("admin", "transfer", to="admin", own_tok=tok)
    await act("admin", "return")
    await act("agent1", "done")
    tok = (await site.get("admin", f"/v1/conversations/{conv}"))["own_tok"]
    await act("agent1", "undo", own_tok=tok)
    await act("agent1", "done")
    await site.texts("back")
    for on in (False, True):
        await site.node.administration.set_member(inbox="sales", user="agent2", on=on)
    await receiver.until(22)
    told = {item.body["type"]: item.body for item in receiver.accepted}
    assert told.keys() == EVENTS.keys()
    assert told["message.failed"]["reason"] == "no such phone"
    assert told["note.added"]["message"]["mentions"] == ["agent2"]
    assert told["conversation.transferred"]["note"] == "yours"
    assert told["conversation.taken_over"]["before"]["assignee"] == "agent2"
    assert told["member.removed"]["member"]["user"] == "agent2"
    assert told["conversation.reopened"]["before"]["status"] == "done"
    of_conv = [item.body["seq"] for item in receiver.accepted if "conversation" in item.body]
    assert of_conv == sorted(of_conv), "a conversation's events keep their order"
    ids = [item.id for item in receiver.requests]
    assert len(ids) == len(set(ids))


def test_every_entry_of_a_log_is_an_event_or_left_out_on_purpose() -> None:
    row = {"status": "assigned", "assignee": "ann"}
    for kind in Kind:
        meta = {"type": kind, "actor": "ann", "row": row, "state": Delivery.SENT, "before": row}
        assert bool(names_of(meta)) != (kind in UNTOLD), kind
        assert set(names_of(meta)) <= EVENTS.keys()


async def test_only_what_was_asked_for_comes(site: Served, receiver: Receiver) -> None:
    answer = await site.get("admin", "/v1/admin/webhooks/events")
    assert {item["name"]: item["says"] for item in answer["items"]} == EVENTS
    await hook_on(site, receiver.url, events=["note.added"], inboxes=["sales"])
    for number in ("+14165550100", "+14165550101"):
        conv = await site.texts("hello", to=number)
        assert (await site.act("admin", conv, "note", text=number)).is_success
    conv = await site.texts("more")
    assert (await site.act("admin", conv, "note", text="last")).is_success
    await receiver.until(2)
    assert receiver.texts() == [SALES, "last"]


async def test_a_webhook_begins_with_what_happens_next_and_pauses_when_switched_off(
    site: Served, receiver: Receiver
) -> None:
    await site.texts("before")
    hook = await hook_on(site, receiver.url, events=["message.received"])
    path = f"/v1/admin/webhooks/{hook['id']}"
    await site.texts("one")
    await receiver.until(1)
    assert (await site.call("admin", "PATCH", path, {"active": False})).json()["active"] is False
    await site.texts("while off")
    assert (await site.call("admin", "PATCH", path, {"active": True})).json()["active"] is True
    await site.texts("two")
    await receiver.until(2)
    assert receiver.texts() == ["one", "two"]
    # Another inbox is added: its past is not told either, and the first goes on as it was.
    only = {"inboxes": ["support"]}
    assert (await site.call("admin", "PATCH", path, only)).is_success
    await site.texts("to sales, which is left out")
    assert (await site.call("admin", "PATCH", path, {"inboxes": []})).is_success
    await site.texts("three")
    await receiver.until(3)
    assert receiver.texts() == ["one", "two", "three"]


async def test_a_change_counts_from_its_answer_on_whenever_the_log_tells_of_it(
    site: Served, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = await hook_on(site, receiver.url, events=["message.received"])
    await site.texts("one")
    await receiver.until(1)
    monkeypatch.setattr(site.node.hook_worker, "on_event", lambda *_: None)
    path = f"/v1/admin/webhooks/{hook['id']}"
    assert (await site.call("admin", "PATCH", path, {"inboxes": ["support"]})).is_success
    await site.texts("left out")
    await site.texts("two", to=SUPPORT)
    await receiver.until(2)
    assert (await site.call("admin", "PATCH", path, {"active": False})).is_success
    await site.texts("while off", to=SUPPORT)
    await asyncio.sleep(0.3)  # more than a sweep
    assert receiver.texts() == ["one", "two"]


async def test_what_was_read_before_a_change_does_not_undo_it(
    site: Served, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = await hook_on(site, receiver.url)
    worker, store = site.node.hook_worker, site.node.webhooks._store
    reading, changed = asyncio.Event(), asyncio.Event()
    used: list[tuple[str, ...]] = []

    class Late:
        async def hooks(self) -> dict[str, Hook]:
            found = await store.hooks()
            reading.set()
            await changed.wait()
            return found

    monkeypatch.setattr(worker, "on_event", lambda *_: None)
    monkeypatch.setattr(worker, "_store", Late())
    worker.on_reset()
    await reading.wait()
    path = f"/v1/admin/webhooks/{hook['id']}"
    assert (await site.call("admin", "PATCH", path, {"inboxes": ["support"]})).is_success
    begin = lambda: used.append(worker._hooks[hook["id"]].inboxes)  # noqa: E731
    monkeypatch.setattr(worker, "_begin_turns", begin)
    changed.set()
    await eventually(lambda: used)
    assert set(used) == {("support",)}


async def test_a_turn_goes_by_the_record_as_it_is_when_it_has_its_place(
    site: Served, receiver: Receiver
) -> None:
    hook = await hook_on(site, receiver.url, events=["message.received"])
    await site.texts("one")
    await receiver.until(1)
    worker = site.node.hook_worker
    stale = (await site.node.webhooks._store.hooks())[hook["id"]]
    await eventually(lambda: not worker._turning)
    await worker.aclose()
    await site.texts("left out")
    work = replace(worker._work, present=lambda _: replace(stale, events=("conversation.done",)))
    await Turn(work, stale, "sales").run()
    assert receiver.texts() == ["one"]


async def test_an_inbox_made_later_is_told_from_its_first_message(
    site: Served, receiver: Receiver
) -> None:
    await hook_on(site, receiver.url, events=["message.received"])
    body = {"id": "late", "name": "Late", "numbers": ["+14165550109"]}
    assert (await site.call("admin", "POST", "/v1/admin/inboxes", body)).is_success
    await site.texts("first of all", to="+14165550109")
    (told,) = await receiver.until(1)
    assert told.body["inbox"] == "late"


async def test_a_secret_is_shown_once_and_the_old_one_signs_along(
    site: Served, receiver: Receiver
) -> None:
    hook = await hook_on(site, receiver.url)
    path = f"/v1/admin/webhooks/{hook['id']}"
    new = (await site.call("admin", "POST", f"{path}/secret")).json()["secret"]
    assert new != hook["secret"]
    answer = (await site.call("admin", "POST", f"{path}/test")).json()
    assert (answer["state"], answer["event"], answer["attempts"]) == (
        "delivered",
        "webhook.test",
        1,
    )
    (told,) = receiver.requests
    assert signatures(told, new, hook["secret"]) == [True, True]
    log = await site.node.store.range(log=site.node.keys.org, first=1, last=10_000)
    events = b"".join(entry.frame for entry in log)
    assert b"hook_secret_replaced" in events and receiver.url.encode() in events
    for secret in (new, hook["secret"]):
        assert secret.removeprefix("whsec_").encode() not in events


async def test_a_receiver_that_is_gone_switches_the_webhook_off(
    site: Served, receiver: Receiver
) -> None:
    receiver.decide = lambda _: 410
    hook = await hook_on(site, receiver.url, events=["message.received"])
    await site.texts("hello")
    (logged,) = await until_logged(site, hook["id"], lambda log: len(log) == 1)
    assert (logged["state"], logged["status"]) == ("failed", 410)
    assert "switched off" in logged["error"]
    (listed,) = await hooks_of(site)
    assert listed["active"] is False and listed["failing_since"] is not None
    await site.texts("more")
    assert len(receiver.requests) == 1


async def test_redirects_are_not_followed_and_a_long_answer_is_not_read(
    site: Served, receiver: Receiver
) -> None:
    hook = await hook_on(site, receiver.url)
    path = f"/v1/admin/webhooks/{hook['id']}/test"
    receiver.decide = lambda _: Response(status_code=307, headers={"location": receiver.url})
    answer = (await site.call("admin", "POST", path)).json()
    assert (answer["state"], answer["status"], len(receiver.requests)) == ("failed", 307, 1)
    assert "not followed" in answer["error"]
    receiver.decide = lambda _: Response(b"x" * 5_000_000)
    answer = (await site.call("admin", "POST", path)).json()
    assert (answer["state"], answer["status"]) == ("delivered", 200)


async def test_a_failed_delivery_can_be_sent_again(engine_url: str, prefix: str) -> None:
    async with receiving() as receiver, telling(engine_url, prefix, webhooks_attempts=3) as site:
        receiver.decide = lambda _: 500
        hook = await hook_on(site, receiver.url, events=["message.received"])
        await site.texts("lost?")
        failed = lambda log: [d["state"] for d in log] == ["failed"]  # noqa: E731
        (logged,) = await until_logged(site, hook["id"], failed)
        assert (logged["attempts"], logged["status"]) == (3, 500)
        assert await log_of(site, hook["id"], "?state=delivered") == []
        receiver.decide = lambda _: 200
        path = f"/v1/admin/webhooks/{hook['id']}/deliveries/{logged['id']}/resend"
        again = (await site.call("admin", "POST", path)).json()
        assert (again["state"], again["attempts"], again["id"]) == ("delivered", 4, logged["id"])
        assert {told.id for told in receiver.requests} == {logged["id"]}
        assert len({told.raw for told in receiver.requests}) == 1
        assert await log_of(site, hook["id"], "?state=failed") == []
        nowhere = path.replace(logged["id"], "evt_none")
        assert (await site.call("admin", "POST", nowhere)).status_code == 404


async def test_deliveries_are_paged_and_capped(
    site: Served, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batonbox_server.store.hooks.DELIVERIES_KEPT", 8)
    hook = await hook_on(site, receiver.url)
    path = f"/v1/admin/webhooks/{hook['id']}"
    ids = [(await site.call("admin", "POST", f"{path}/test")).json()["id"] for _ in range(11)]
    found, cursor = [], ""
    while True:
        page = await site.get("admin", f"{path}/deliveries?limit=3{cursor}")
        found += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert sorted(found) == sorted(ids[3:])
    assert (await site.call("admin", "GET", f"{path}/deliveries?cursor=x")).status_code == 400


async def test_what_cannot_be_a_webhook_is_refused(site: Served) -> None:
    for body, status in (
        ({"url": "ftp://example.com/"}, 400),
        ({"url": "not a url"}, 400),
        ({"url": "https://u:p@example.com/"}, 400),
        ({"url": "https://example.com/", "events": ["message.eaten"]}, 400),
        ({"url": "https://example.com/", "inboxes": ["nowhere"]}, 404),
    ):
        answer = await site.call("admin", "POST", "/v1/admin/webhooks", body)
        assert answer.status_code == status, answer.text
    for method, path in (("PATCH", ""), ("POST", "/test"), ("GET", "/deliveries")):
        answer = await site.call("admin", method, f"/v1/admin/webhooks/whk_none{path}", {})
        assert answer.status_code == 404, answer.text


async def test_private_addresses_are_refused_unless_the_setting_allows_them(
    engine_url: str, prefix: str, receiver: Receiver
) -> None:
    async with telling(engine_url, prefix) as site:
        hook = await hook_on(site, receiver.url, events=["message.received"])
    settings = {"webhooks_private": False, "webhooks_attempts": 1}
    async with telling(engine_url, prefix, empty=True, **settings) as site:
        for url in (
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://169.254.169.254/",
            receiver.url,
        ):
            answer = await site.call("admin", "POST", "/v1/admin/webhooks", {"url": url})
            assert answer.status_code == 400, answer.text
            detail = answer.json()["detail"]
            assert "not a public address" in detail or "https://" in detail
        await site.texts("hello")
        (logged,) = await until_logged(site, hook["id"], lambda log: len(log) == 1)
        assert logged["state"] == "failed" and logged["error"].startswith("refused: ")
        assert receiver.requests == []


async def test_every_change_of_a_webhook_is_in_the_audit_log(
    site: Served, receiver: Receiver
) -> None:
    hook = await hook_on(site, receiver.url, label="first")
    path = f"/v1/admin/webhooks/{hook['id']}"
    assert (await site.call("admin", "PATCH", path, {"label": "second"})).is_success
    assert (await site.call("admin", "POST", f"{path}/secret")).is_success
    assert (await site.call("admin", "DELETE", path)).is_success
    found = (await site.get("admin", "/v1/admin/audit?limit=20"))["items"]
    mine = [entry for entry in reversed(found) if entry["target"] == hook["id"]]
    assert [entry["action"] for entry in mine] == [
        "hook_created",
        "hook_changed",
        "hook_secret_replaced",
        "hook_deleted",
    ]
    assert {entry["actor"] for entry in mine} == {"admin"}
    assert (mine[1]["before"], mine[1]["after"]) == ({"label": "first"}, {"label": "second"})
    assert "whsec_" not in str(found)
