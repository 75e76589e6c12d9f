"""Being away: set in every way there is, obeyed by the inboxes, and what follows from it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from batonbox import Conversation, NotOwner, Snoozed, Woken
from batonbox_server.domain.model import Availability, InboxOptions, ReopenTo
from batonbox_server.errors import Refused
from batonbox_server.store.directory_records import inbox_from, user_from
from tests.integration.audit_harness import audit
from tests.served import SUPPORT, Served, served
from tests.support import eventually


@pytest.fixture
async def site(engine_url: str, prefix: str) -> AsyncIterator[Served]:
    """One node with the demo organisation."""
    async with served(engine_url, prefix) as site:
        yield site


async def modes(site: Served, user: str) -> dict[str, str]:
    """What the inboxes themselves obey."""
    found = {}
    for inbox in site.node.directory.joined_by(user):
        info = await site.node.store.inbox_info(inbox=inbox)
        assert info is not None
        found[inbox] = str(info.away.get(user, ""))
    return found


async def set_away(site: Served, user: str, **body: Any) -> httpx2.Response:
    return await site.call(user, "POST", "/v1/me/set_away", body)


async def row(site: Served, conv: str) -> dict[str, Any]:
    return dict(await site.get("admin", f"/v1/conversations/{conv}"))


async def owned(site: Served, user: str, **to: str) -> str:
    """A conversation that the user has."""
    conv = await site.texts("hello", **to)
    assert (await site.act(user, conv, "assign")).is_success
    return conv


async def test_every_inbox_obeys_once_it_is_answered_whatever_the_transport(site: Served) -> None:
    answer = await set_away(site, "agent2", away=True)
    assert answer.json() == {"user": "agent2", "away": True, "release": True}
    assert await modes(site, "agent2") == {"sales": "release", "support": "release"}
    me = await site.get("agent2", "/v1/me")
    assert (me["away"], me["presence"]) == ("release", "away")
    async with await site.sdk("agent2") as client:
        assert client.user.away == "release"
        await client.set_away(release=False)
        assert await modes(site, "agent2") == {"sales": "away", "support": "away"}
        await eventually(lambda: client.user.away == "away")
        await eventually(lambda: client.presence.get("agent2") == "away")
        theirs = {"away": False, "release": True}
        answer = await site.call("admin", "PUT", "/v1/admin/users/agent2/availability", theirs)
        assert answer.json() == {"user": "agent2", "away": False, "release": False}
        assert await modes(site, "agent2") == {"sales": "", "support": ""}
        await eventually(lambda: client.presence.get("agent2") == "online")
    refused = await site.call("agent1", "PUT", "/v1/admin/users/agent2/availability", theirs)
    assert refused.status_code == 403


async def test_each_change_is_audited_once_and_a_repetition_is_none(site: Served) -> None:
    for _ in range(3):
        assert (await set_away(site, "agent1", away=True)).is_success
    body = {"away": False}
    assert (await site.call("admin", "PUT", "/v1/admin/users/agent1/availability", body)).is_success
    acts = await audit(site, action="availability_set")
    told = [(one["actor"], one["target"], one["before"], one["after"]) for one in acts]
    assert told == [
        ("agent1", "agent1", {"away": ""}, {"away": "release"}),
        ("admin", "agent1", {"away": "release"}, {"away": ""}),
    ]
    gone = await site.call("admin", "PUT", "/v1/admin/users/nobody/availability", body)
    assert gone.status_code == 404


async def test_a_customers_next_message_takes_the_conversation_back(site: Served) -> None:
    conv = await owned(site, "agent2")
    assert (await set_away(site, "agent2", away=True)).is_success
    assert (await row(site, conv))["assignee"] == "agent2"  # until the customer writes
    await site.texts("are you there?")
    found = await row(site, conv)
    assert (found["status"], found["assignee"]) == ("unassigned", None)
    lines = (await site.get("admin", f"/v1/conversations/{conv}/messages"))["items"]
    assert [line["kind"] for line in lines[-2:]] == ["returned", "received"]
    assert (lines[-2]["actor"], lines[-2]["body"]["reason"]) == (None, "away")


async def test_away_without_release_keeps_what_one_has(site: Served) -> None:
    conv = await owned(site, "agent2")
    assert (await set_away(site, "agent2", away=True, release=False)).is_success
    await site.texts("are you there?")
    assert (await row(site, conv))["assignee"] == "agent2"


async def test_an_inbox_that_is_joined_later_obeys_too(site: Served) -> None:
    assert (await set_away(site, "agent1", away=True)).is_success
    member = "/v1/admin/inboxes/support/members/agent1"
    assert (await site.call("admin", "PUT", member)).status_code == 204
    assert await modes(site, "agent1") == {"sales": "release", "support": "release"}
    # Left, back meanwhile, and joined again: nothing of what was set before revives.
    assert (await site.call("admin", "DELETE", member)).status_code == 204
    assert (await set_away(site, "agent1", away=False)).is_success
    assert (await site.call("admin", "PUT", member)).status_code == 204
    assert await modes(site, "agent1") == {"sales": "", "support": ""}
    conv = await owned(site, "agent1", to=SUPPORT)
    await site.texts("and?", to=SUPPORT)
    assert (await row(site, conv))["assignee"] == "agent1"


async def test_whoever_hands_over_is_told_that_nobody_is_there(site: Served) -> None:
    async with await site.sdk("agent2"), await site.sdk("agent3"):
        states = site.node.presence
        await eventually(lambda: states.of("agent2") == states.of("agent3") == "online")
        conv = await owned(site, "agent3")
        await _marked(site, "agent1")
        warned = (await site.act("agent3", conv, "transfer", to="agent1")).json()
        assert warned["warnings"] == ["offline"]
        fine = (await site.act("agent1", conv, "transfer", to="agent2")).json()
        assert "warnings" not in fine
        assert (await set_away(site, "agent3", away=True)).is_success
        warned = (await site.act("agent2", conv, "transfer", to="agent3")).json()
        assert warned["warnings"] == ["away"]


async def test_whoever_joins_while_offline_is_known_to_be(site: Served) -> None:
    await _marked(site, "agent1")
    member = "/v1/admin/inboxes/support/members/agent1"
    assert (await site.call("admin", "PUT", member)).status_code == 204
    await _marked(site, "agent1", "support")
    # Also who joined by taking a conversation: the inbox knew of it before the directory.
    member = "/v1/admin/inboxes/support/members/admin"
    assert (await site.call("admin", "DELETE", member)).status_code == 204
    off = f"{site.node.keys.inbox('support')}:off"
    await site.node.client.execute("HDEL", off, "admin")
    await owned(site, "admin", to=SUPPORT)
    await _marked(site, "admin", "support")


async def _marked(site: Served, user: str, inbox: str = "sales") -> None:
    """Until the inbox itself knows that the user is not there."""
    for _ in range(500):
        raw = await site.node.client.execute("HGET", f"{site.node.keys.inbox(inbox)}:off", user)
        if raw and not raw.endswith(b":0"):
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"{user} was never marked")


async def test_options_are_the_admins_and_reach_the_inbox(site: Served) -> None:
    path = "/v1/admin/inboxes/sales"
    wanted = {"reopen_to": "last_assignee", "members_may_dispatch": True, "silent_min": 30}
    answer = await site.call("admin", "PATCH", path, {"options": wanted})
    assert answer.json()["options"] == {
        **wanted, "offline_min": 5, "stop_text": "", "start_text": "", "help_text": "",
    }  # fmt: skip
    info = await site.node.store.inbox_info(inbox="sales")
    assert info is not None
    assert info.options == InboxOptions(
        reopen_to=ReopenTo.LAST_ASSIGNEE, members_may_dispatch=True, silent_min=30
    )
    # Only what is named changes, and members see of it what they need.
    answer = await site.call("admin", "PATCH", path, {"options": {"stop_text": "Bye."}})
    assert (answer.json()["options"]["silent_min"], answer.json()["name"]) == (30, "Sales")
    shown = await site.get("agent1", "/v1/inboxes/sales")
    assert shown["members_may_dispatch"] is True
    assert "options" not in shown
    acts = await audit(site, action="inbox_changed")
    assert (acts[-1]["before"], acts[-1]["after"]) == (
        {"options": {"stop_text": ""}},
        {"options": {"stop_text": "Bye."}},
    )
    for wrong in ({"silent_min": 10081}, {"offline_min": -1}, {"stop_text": "x" * 321},
                  {"stop_text": "a\x00b"}, {"reopen_to": "nobody"}, {"other": 1}):  # fmt: skip
        refused = await site.call("admin", "PATCH", path, {"options": wrong})
        assert refused.status_code == 400, wrong
    assert (await site.call("agent1", "PATCH", path, {"options": wanted})).status_code == 403
    answer = await site.call("admin", "PATCH", path, {"options": {"stop_text": " \n "}})
    assert answer.json()["options"]["stop_text"] == "", "the default one, not an empty answer"


async def test_what_was_done_reopens_to_whoever_had_it_if_they_are_there(site: Served) -> None:
    options = {"options": {"reopen_to": "last_assignee"}}
    assert (await site.call("admin", "PATCH", "/v1/admin/inboxes/sales", options)).is_success
    async with await site.sdk("agent2"):
        await eventually(lambda: site.node.presence.of("agent2") == "online")
        conv = await owned(site, "agent2")
        assert (await site.act("agent2", conv, "done")).is_success
        await site.texts("one more thing")
        assert (await row(site, conv))["assignee"] == "agent2"
        assert (await site.act("agent2", conv, "done")).is_success
        assert (await set_away(site, "agent2", away=True)).is_success
        await site.texts("hello?")
        assert (await row(site, conv))["status"] == "unassigned"


async def test_members_may_dispatch_where_the_inbox_says_so(site: Served) -> None:
    conv = await site.texts("hello")
    refused = await site.act("agent1", conv, "assign", to="agent2")
    assert refused.status_code == 403
    options = {"options": {"members_may_dispatch": True}}
    assert (await site.call("admin", "PATCH", "/v1/admin/inboxes/sales", options)).is_success
    assert (await site.act("agent1", conv, "assign", to="agent2")).is_success
    assert (await row(site, conv))["assignee"] == "agent2"


async def test_the_sdk_puts_aside_and_wakes(site: Served) -> None:
    async with await site.sdk("agent2") as client, await site.sdk("agent3") as other:
        async with client.events(Snoozed, Woken, inbox="sales") as events:
            conv = await client.conversation(await owned(site, "agent2"))
            until = datetime.now(UTC) + timedelta(hours=2)
            await conv.snooze(until)
            assert conv.now.snoozed_until == round(until.timestamp() * 1000)
            event = await anext(events)
            assert isinstance(event, Snoozed)
            assert event.row.snoozed_until == conv.now.snoozed_until
            theirs = await other.conversation(conv.id)
            with pytest.raises(NotOwner):
                await theirs.wake()
            await conv.wake()
            event = await anext(events)
            assert isinstance(event, Woken)
            assert (event.reason, event.row.snoozed_until) == ("owner", 0)
            await conv.snooze(seconds=90)
            assert abs(conv.now.snoozed_until / 1000 - time.time() - 90) < 5
        await _refuses(conv)


async def _refuses(conv: Conversation) -> None:
    with pytest.raises(ValueError, match="until= or seconds="):
        await conv.snooze()
    with pytest.raises(ValueError, match="timezone"):
        await conv.snooze(datetime(2030, 1, 1))  # noqa: DTZ001


def test_records_of_before_still_load() -> None:
    old = {"id": "ann", "name": "Ann", "role": "member"}
    assert user_from(old).away is Availability.AVAILABLE
    inbox = {"id": "box", "name": "Box", "members": [], "numbers": [], "deleted": False}
    assert inbox_from(inbox).options == InboxOptions()


async def test_it_is_not_answered_before_every_inbox_obeys(
    site: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = site.node.store
    tell = store.set_away

    async def fails(*, inbox: str, user: str, mode: Availability, at: int) -> int:
        if inbox == "support":
            raise Refused("unavailable")
        return await tell(inbox=inbox, user=user, mode=mode, at=at)

    with monkeypatch.context() as down:
        down.setattr(store, "set_away", fails)
        answer = await set_away(site, "agent2", away=True)
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert await modes(site, "agent2") == {"sales": "release", "support": ""}
    assert (await set_away(site, "agent2", away=True)).is_success
    assert await modes(site, "agent2") == {"sales": "release", "support": "release"}


async def test_what_jobs_take_holds_no_timer_up(
    site: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def long() -> int:
        await asyncio.sleep(60)
        return 0

    monkeypatch.setattr(site.node.administration, "run_due_jobs", long)
    await asyncio.sleep(1.2)  # they are at it
    conv = await owned(site, "agent2")
    until_ms = round(1000 * time.time()) + 500
    assert (await site.act("agent2", conv, "snooze", until_ms=until_ms)).is_success
    for _ in range(30):
        if not (await row(site, conv))["snoozed_until"]:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("nobody woke it")


async def test_an_admin_joins_where_they_take_something_and_nowhere_else(site: Served) -> None:
    """What the inbox itself says of it and what the directory says is the same."""
    member = "/v1/admin/inboxes/sales/members/admin"
    assert (await site.call("admin", "DELETE", member)).status_code == 204

    async def joined() -> tuple[bool, bool]:
        info = await site.node.store.inbox_info(inbox="sales")
        assert info is not None
        return info.members["admin"][1], "sales" in site.node.directory.joined_by("admin")

    conv = await site.texts("hello")
    assert (await site.act("admin", conv, "assign", to="agent2")).is_success
    token = (await row(site, conv))["own_tok"]
    over = {"to": "agent1", "own_tok": token}
    assert (await site.act("admin", conv, "transfer", **over)).is_success
    token = (await row(site, conv))["own_tok"]
    assert (await site.act("admin", conv, "done", own_tok=token)).is_success
    await asyncio.sleep(0.2)
    assert await joined() == (False, False)
    await site.texts("again")
    assert (await site.act("admin", conv, "done")).is_success  # a claim, and done
    for _ in range(100):
        if all(await joined()):
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"joined in the inbox, in the directory: {await joined()}")
