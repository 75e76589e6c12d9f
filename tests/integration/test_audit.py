"""Every act leaves exactly one entry: who, what, from where, and the difference it made."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgpack  # type: ignore[import-untyped]
import pytest

from batonbox import Client
from batonbox_server.domain.model import Delivery, Role
from batonbox_server.origin import Origin, act_as
from batonbox_server.serving import answer
from batonbox_server.store.directory_port import Inbox, User
from batonbox_server.wire import Op
from tests.integration.audit_harness import acts, audit
from tests.integration.sign_in_harness import PASSWORD, Browser, person
from tests.integration.store_harness import Box, refused
from tests.served import CUSTOMER, SALES, Served, served

UNASSIGNED = {"status": "unassigned", "assignee": ""}
DONE = {"status": "done", "assignee": ""}
Act = Callable[..., Awaitable[Any]]


@pytest.fixture
async def site(engine_url: str, prefix: str) -> AsyncIterator[Served]:
    """One node with the demo organisation."""
    async with served(engine_url, prefix) as site:
        yield site


def by(user: str) -> dict[str, str]:
    """A conversation of theirs."""
    return {"status": "assigned", "assignee": user}


@contextlib.asynccontextmanager
async def over(site: Served, transport: str) -> AsyncIterator[Act]:
    """`await act(user, conv, verb, **args)` over one of the transports, with an API token."""
    async with contextlib.AsyncExitStack() as stack:
        clients: dict[str, Client] = {}

        async def act(user: str, conv: str, verb: str, **args: Any) -> None:
            if transport == "api":
                done = await site.act(user, conv, verb, **args)
                assert done.is_success, done.text
                return
            if user not in clients:
                clients[user] = await stack.enter_async_context(await site.sdk(user))
            await clients[user].call(verb, {"conv": conv, **args})

        yield act


async def row(site: Served, conv: str) -> dict[str, Any]:
    """The conversation."""
    return dict(await site.get("admin", f"/v1/conversations/{conv}"))


async def own_tok(site: Served, conv: str) -> str:
    """The present owner's token."""
    return str((await row(site, conv))["own_tok"])


@pytest.mark.parametrize("transport", ["api", "socket"])
async def test_every_ownership_act_leaves_its_entry_with_where_it_came_from(
    site: Served, transport: str
) -> None:
    conv = await site.texts("hello")
    async with over(site, transport) as act:

        async def held(user: str, verb: str, **args: Any) -> None:
            seen = {"seen": (await row(site, conv))["in_seq"]} if verb == "done" else {}
            await act(user, conv, verb, own_tok=await own_tok(site, conv), **seen, **args)

        await act("agent1", conv, "assign")
        await held("agent1", "transfer", to="agent2", note="over to you, Bo")
        await held("admin", "transfer", to="admin")
        await held("admin", "return")
        await act("admin", conv, "assign", to="agent1")
        await held("agent1", "done")
        await held("agent1", "undo")
        await held("admin", "transfer", to="agent2")
        await held("agent2", "return")
        await held("agent2", "done")
    found = await audit(site, conv=conv)
    one, two, boss = by("agent1"), by("agent2"), by("admin")
    assert [(e["action"], e["actor"], e["target"], e["before"], e["after"]) for e in found] == [
        ("assign", "agent1", "agent1", UNASSIGNED, one),
        ("transfer", "agent1", "agent2", one, two),
        ("take_over", "admin", "admin", two, boss),
        ("return", "admin", "", boss, UNASSIGNED),
        ("dispatch", "admin", "agent1", UNASSIGNED, one),
        ("done", "agent1", "", one, DONE),
        ("undo", "agent1", "agent1", DONE, one),
        ("transfer", "admin", "agent2", one, two),
        ("return", "agent2", "", two, UNASSIGNED),
        ("assign", "agent2", "agent2", UNASSIGNED, two),  # done on an unassigned one is both
        ("done", "agent2", "", two, DONE),
    ]
    ids = {user: await token_id(site, user) for user in ("agent1", "agent2", "admin")}
    assert {(e["via"], e["address"]) for e in found} == {(transport, "127.0.0.1")}
    assert all(e["token"] == ids[e["actor"]] and e["inbox"] == "sales" for e in found)
    assert "over to you" not in str(found)


async def token_id(site: Served, user: str) -> str:
    """The id of the user's one API token."""
    (token,) = (await site.get("admin", f"/v1/admin/users/{user}/tokens"))["items"]
    return str(token["id"])


async def test_a_page_acts_by_its_session_on_both_transports(site: Served) -> None:
    first, second = await site.texts("one"), await site.texts("two", customer="+14165550143")
    browser = await person(site, "agent1")
    path = f"/v1/conversations/{first}/assign"
    assert (await browser.call("POST", path, {})).is_success
    async with browser.line() as line:
        await line.until(Op.WELCOME)
        await line.socket.send(f'[1,1,"assign",{{"cid":"c1","conv":"{second}"}}]')
        await line.until(Op.OK)
    signed_in = (await audit(site, action="sign_in"))[0]
    assert (signed_in["actor"], signed_in["via"], signed_in["token"]) == ("agent1", "web", None)
    for entry in await audit(site, action="assign"):
        assert (entry["via"], entry["actor"]) == ("web", "agent1")
        assert entry["token"] == signed_in["target"]


async def test_a_take_over_leaves_one_entry_that_names_the_former_owner(site: Served) -> None:
    conv = await site.texts("hello")
    assert (await site.act("agent1", conv, "assign")).is_success
    before = await own_tok(site, conv)
    taken = await site.act("admin", conv, "transfer", to="admin", own_tok=before)
    assert taken.is_success, taken.text
    (entry,) = await audit(site, action="take_over")
    assert (entry["before"]["assignee"], entry["after"]["assignee"]) == ("agent1", "admin")
    assert acts(await audit(site, conv=conv)) == [("assign", "agent1"), ("take_over", "admin")]


async def test_what_changes_nothing_leaves_nothing(site: Served) -> None:
    conv = await site.texts("hello")
    key = uuid.uuid4().hex
    for _ in range(2):  # the second is answered from what was stored
        sent = await site.call(
            "agent1", "POST", f"/v1/conversations/{conv}/assign", {}, idempotency_key=key
        )
        assert sent.is_success
    assert (await site.act("agent1", conv, "assign")).json()["noop"] is True
    assert (await site.act("agent2", conv, "assign")).status_code == 409
    assert (await site.act("agent2", conv, "return")).status_code == 409
    assert (await site.act("agent1", conv, "reply", text="hi")).is_success
    assert (await site.act("agent2", conv, "note", text="hm")).is_success
    assert acts(await audit(site, conv=conv)) == [("assign", "agent1")]


async def test_a_composer_claims_and_a_retry_is_told(client: Any, prefix: str) -> None:
    box = Box(client, prefix)
    await box.open()
    with act_as("ann", Origin("socket", address="203.0.113.7")):
        await box.reply()
        (item,) = await box.lease()
        await box.ended(item, Delivery.FAILED)
        await box.store.retry(conv=item.conv, actor="ann", cid="r1", n=item.n)
        await box.store.retry(conv=item.conv, actor="ann", cid="r1", n=item.n)
        await box.reply()  # theirs already: nothing changes hands
    assert [(e[0], e[1], e[6]) for e in await raw(box)] == [
        ("assign", "ann", {"reason": "compose"}),
        ("retry", "ann", {"n": 1}),
    ]


async def raw(box: Box) -> list[list[Any]]:
    """The stream as the scripts wrote it."""
    found = await box.client.execute("XRANGE", f"{box.log}:au", "-", "+")
    return [msgpack.unpackb(fields[3]) for _, fields in found]


async def test_what_a_departed_member_held_goes_back_as_nobodys_act(site: Served) -> None:
    conv = await site.texts("hello")
    assert (await site.act("agent1", conv, "assign")).is_success
    gone = await site.call("admin", "DELETE", "/v1/admin/inboxes/sales/members/agent1")
    assert gone.is_success
    returned = (await audit(site, conv=conv))[-1]
    assert (returned["action"], returned["actor"], returned["via"]) == ("return", None, "system")
    assert returned["before"] == by("agent1")
    assert returned["detail"] == {"reason": "membership"}
    changed = (await audit(site, action="members_changed"))[-1]
    assert (changed["actor"], changed["inbox"], changed["via"]) == ("admin", "sales", "api")
    assert changed["detail"] == {"members_removed": ["agent1"]}


async def test_an_admin_acting_as_a_member_has_no_more_than_one(client: Any, prefix: str) -> None:
    box = Box(client, prefix)
    await box.open()
    await box.store.join(inbox="box", user="joe", role=Role.ADMIN, joined=True)
    conv = await box.receive()
    with act_as("joe", Origin("api", as_member=True)):
        dispatch = box.store.assign(conv=conv, actor="joe", cid="1", to="ann")
        assert (await refused(dispatch)).slug == "forbidden"
        taken = await box.assign(conv)
        over = box.store.transfer(conv=conv, actor="joe", cid="2", own_tok=taken.own_tok, to="joe")
        assert (await refused(over)).slug == "not_owner"
        other = await box.receive("+15550201")
        await box.assign(other, "joe")
        # An admin who stands beside the inbox is nobody in it.
        assert (await refused(box.assign(await box.receive("+15550202"), "adm"))).slug == (
            "forbidden"
        )
    info = await box.store.inbox_info(inbox="box")
    assert info is not None and info.members["joe"][0] is Role.ADMIN


async def test_changes_of_the_organisation_are_told_as_differences(site: Served) -> None:
    since = len(await audit(site))
    paths: list[tuple[str, str, Any]] = [
        ("POST", "users", {"id": "zoe", "name": "Zoë"}),
        ("PATCH", "users/zoe", {"role": "admin"}),
        ("PATCH", "users/zoe", {"role": "admin"}),
        ("POST", "users/zoe/deactivate", None),
        ("POST", "users/zoe/reactivate", {"inboxes": ["support"]}),
        ("PUT", "users/zoe/password", {"password": PASSWORD}),
        ("PATCH", "inboxes/support", {"name": "Help"}),
        ("DELETE", "users/zoe", None),
        ("DELETE", "inboxes/support", None),
    ]
    for method, path, body in paths:
        done = await site.call("admin", method, f"/v1/admin/{path}", body)
        assert done.is_success, (path, done.text)
    found = [e for e in (await audit(site))[since:] if "route" not in e["action"]]
    found = [e for e in found if "number" not in e["action"]]
    assert [(e["action"], e["target"]) for e in found] == [
        ("user_created", "zoe"),
        ("role_changed", "zoe"),
        ("user_deactivated", "zoe"),
        ("user_reactivated", "zoe"),
        ("members_changed", "support"),
        ("password_set", "zoe"),
        ("inbox_changed", "support"),
        ("members_changed", "support"),
        ("user_deleted", "zoe"),
        ("inbox_deleted", "support"),
    ]
    assert {(e["actor"], e["via"]) for e in found} == {("admin", "api")}
    assert (found[1]["before"], found[1]["after"]) == ({"role": "member"}, {"role": "admin"})
    assert (found[6]["before"], found[6]["after"]) == ({"name": "Support"}, {"name": "Help"})
    assert PASSWORD not in str(found)
    # What was done to an inbox is still found when it is no more; what was done in it went with it.
    gone = await audit(site, inbox="support")
    assert acts(gone)[-1] == ("inbox_deleted", "admin")


async def test_signing_in_and_out_and_what_was_tried_before(site: Served) -> None:
    await site.node.sign_in.set_password("agent1", PASSWORD)
    browser = Browser(site)
    for _ in range(2):
        assert (await browser.sign_in("agent1", "wrong")).status_code == 401
    assert (await browser.sign_in("nobody", "wrong")).status_code == 401
    assert (await browser.sign_in("agent1")).status_code == 200
    assert (await browser.call("DELETE", "/v1/session")).status_code == 204
    other = await person(site, "agent1")
    await person(site, "agent1")
    assert (await other.call("DELETE", "/v1/sessions")).status_code == 204
    found = await audit(site, actor="agent1")
    assert [e["action"] for e in found] == [
        "sign_in", "sign_out", "sign_in", "sign_in", "sessions_ended",
    ]  # fmt: skip
    assert found[0]["detail"]["failed_before"] == 2
    assert "failed_before" not in found[2]["detail"]
    assert found[1]["token"] == found[1]["target"] == found[0]["target"]
    assert found[4]["detail"] == {"sessions": 2}
    made = (await audit(site, action="password_set"))[0]
    assert (made["actor"], made["via"], made["target"]) == (None, "system", "agent1")


async def test_an_invitation_is_told_from_its_making_to_its_end(site: Served) -> None:
    body = {"name": "Zoë", "user": "zoe", "inboxes": ["support"]}
    made = (await site.call("admin", "POST", "/v1/admin/invites", body)).json()
    browser = Browser(site)
    taken = {"code": made["code"], "password": PASSWORD}
    assert (await browser.call("POST", "/v1/session/invite", taken)).is_success
    (invited,) = await audit(site, action="invite_created")
    assert (invited["actor"], invited["target"]) == ("admin", made["id"])
    assert (invited["after"]["user"], invited["after"]["inboxes"]) == ("zoe", ["support"])
    assert [e["action"] for e in await audit(site, actor="zoe")] == [
        "user_created", "members_changed", "invite_deleted", "sign_in",
    ]  # fmt: skip
    assert made["code"] not in str(await audit(site))
    assert "sha256" not in str(await audit(site))


async def test_the_command_line_is_told_as_such(site: Served) -> None:
    await answer(site.node, {"op": "token", "user": "agent1"})
    found = [e for e in await audit(site, action="token_created") if e["via"] == "cli"]
    assert [(e["actor"], e["detail"]["user"], e["address"]) for e in found] == [
        (None, "agent1", "")
    ]


async def test_members_may_not_look(site: Served) -> None:
    for path in ("audit", "audit/export"):
        assert (await site.call("agent1", "GET", f"/v1/admin/{path}")).status_code == 403
    body = {"to": None}
    moved = await site.call("agent1", "POST", "/v1/admin/users/agent2/reassign", body)
    assert moved.status_code == 403


async def test_pages_neither_repeat_nor_pass_over_while_everything_goes_on(site: Served) -> None:
    """Five inboxes and the organisation, written to all the while."""
    node, members = site.node, ("agent1", "agent2", "admin")
    inboxes = [f"box{i}" for i in range(5)]
    for i, name in enumerate(inboxes):
        await node.administration.create_inbox(Inbox(name, name, members, (f"+1416557000{i}",)))
    convs = [
        await site.texts("hi", to=f"+1416557000{i % 5}", customer=f"+1416558{i:04}")
        for i in range(15)
    ]

    async def churn(turns: int) -> None:
        for _ in range(turns):
            for conv in convs:
                await node.store.assign(conv=conv, actor="agent1", cid=uuid.uuid4().hex)
                await node.store.release(
                    conv=conv, actor="agent1", cid=uuid.uuid4().hex, own_tok=""
                )
            user = User(uuid.uuid4().hex[:12], "Somebody", Role.MEMBER)
            await node.administration.create_user(user)

    await churn(2)
    there = {entry["id"] for entry in await audit(site)}
    seen: list[str] = []
    cursor: str | None = ""
    async with asyncio.TaskGroup() as group:
        group.create_task(churn(6))
        while cursor is not None:
            page = await site.get("admin", f"/v1/admin/audit?limit=7&cursor={cursor}")
            seen += [item["id"] for item in page["items"]]
            cursor = page["next"]
    assert len(seen) == len(set(seen)), "repeated"
    assert there <= set(seen), "passed over"
    assert len(await audit(site)) > len(seen), "nothing was written meanwhile"
    instants = [e["at"] for e in await audit(site)]
    assert instants == sorted(instants)


async def test_filters_are_by_actor_action_inbox_and_time(site: Served) -> None:
    conv = await site.texts("hello")
    assert (await site.act("agent1", conv, "assign")).is_success
    (taken,) = await audit(site, conv=conv)
    assert (await site.act("agent1", conv, "done")).is_success
    assert acts(await audit(site, actor="agent1", action="done")) == [("done", "agent1")]
    assert {e["inbox"] for e in await audit(site, inbox="sales")} == {"sales"}
    at = taken["at"]
    assert taken["id"] in {e["id"] for e in await audit(site, since=at)}
    assert taken["id"] not in {e["id"] for e in await audit(site, until=at)}
    for query in ("cursor=nonsense", "since=yesterday", "limit=0", "since=2026-01-01T00:00:00"):
        answer = await site.call("admin", "GET", f"/v1/admin/audit?{query}")
        assert answer.status_code == 400, query


async def test_an_export_is_safe_in_a_spreadsheet_and_leaves_an_entry(site: Served) -> None:
    evil = User("evil", "=cmd()", Role.MEMBER)
    await site.node.administration.create_user(evil)
    spare = Inbox("spare", "Spare", (), ("+14165570009",))
    await site.node.administration.create_inbox(spare)
    with act_as("@admin", Origin("web")):
        await site.node.administration.set_name("Demo GmbH")
    conv = await site.texts("hello")
    assert (await site.act("agent1", conv, "assign")).is_success
    sheet = await site.call("admin", "GET", "/v1/admin/audit/export")
    assert sheet.headers["content-type"].startswith("text/csv")
    assert "audit.csv" in sheet.headers["content-disposition"]
    lines = sheet.text.splitlines()
    assert lines[0].split(",")[:4] == ["id", "at", "actor", "via"]
    assert len(lines) == 1 + len(await audit(site))
    cells = [cell for line in lines for cell in line.split(",")]
    assert not [cell for cell in cells if cell[:1] in {"=", "+", "@"}]
    assert "'@admin" in cells
    plain = await site.call("admin", "GET", f"/v1/admin/audit/export?format=ndjson&conv={conv}")
    assert plain.headers["content-type"].startswith("application/x-ndjson")
    (entry,) = [line for line in plain.text.splitlines() if line]
    assert '"action":"assign"' in entry
    exported = await audit(site, action="audit_exported")
    assert [(e["actor"], e["target"], e["detail"]) for e in exported] == [
        ("admin", "csv", {}),
        ("admin", "ndjson", {"conv": conv}),
    ]


async def test_a_stream_is_bounded(engine_url: str, prefix: str) -> None:
    async with served(engine_url, prefix, audit_entries=100) as site:
        conv = await site.texts("hello", to=SALES, customer=CUSTOMER)
        for _ in range(300):
            await site.node.store.assign(conv=conv, actor="agent1", cid=uuid.uuid4().hex)
            await site.node.store.release(
                conv=conv, actor="agent1", cid=uuid.uuid4().hex, own_tok=""
            )
        kept = await site.node.client.execute("XLEN", f"{site.node.keys.inbox('sales')}:au")
        assert 100 <= kept <= 300
