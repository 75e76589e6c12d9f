"""HTTP: the same commands with the same permissions, and every refusal by its name."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest

from batonbox import State
from batonbox_server.asgi.app import ALL_ENDPOINTS
from batonbox_server.domain.policy import COMMANDS as ACTIONS
from batonbox_server.engine import EmbeddedEngine
from batonbox_server.wire import COMMANDS
from tests.served import CUSTOMER, SALES, SUPPORT, Served, served
from tests.support import eventually


@pytest.fixture
async def site(engine_url: str, prefix: str) -> AsyncIterator[Served]:
    """One node with the demo organisation."""
    async with served(engine_url, prefix) as site:
        yield site


PROBES = {"/livez", "/readyz", "/metrics", "/v1/webhook/inbound", "/v1/webhook/receipts",
          "/v1/media/{media}", "/v1/carriers/{account}/inbound",
          "/v1/carriers/{account}/status"}  # fmt: skip
SIGN_IN = {"/v1/session", "/v1/session/link", "/v1/setup",
           "/v1/session/invite", "/v1/session/invite/look",
           "/v1/session/oidc", "/v1/session/oidc/callback"}  # fmt: skip


def test_every_route_and_every_command_has_a_policy() -> None:
    assert {e.path for e in ALL_ENDPOINTS if e.action is None} == PROBES | SIGN_IN
    assert ACTIONS.keys() == COMMANDS.keys() | {"seen"}


# path, body, headers -> status, code; `{conv}` is a conversation of agent1's
BAD: list[tuple[str, str, str, Any, int, str]] = [
    ("agent2", "POST", "/v1/conversations/{conv}/assign", None, 409, "conflict"),
    ("agent2", "POST", "/v1/conversations/{conv}/reply", {"text": "x"}, 409, "not_owner"),
    ("agent2", "POST", "/v1/conversations/{conv}/return", {}, 409, "not_owner"),
    ("agent2", "POST", "/v1/conversations/{conv}/done", {}, 409, "not_owner"),
    ("agent2", "POST", "/v1/conversations/{conv}/transfer", {"to": "agent2"}, 409, "not_owner"),
    ("agent2", "POST", "/v1/conversations/{conv}/assign", {"to": "agent3"}, 403, "forbidden"),
    ("admin", "POST", "/v1/conversations/{conv}/transfer", {"to": "admin"}, 400, "bad_request"),
    ("admin", "POST", "/v1/conversations/{conv}/return",
     {"own_tok": "1.00000000"}, 409, "stale_token"),
    ("agent1", "POST", "/v1/conversations/{conv}/done",
     {"seen": "1.00000000"}, 409, "new_activity"),
    ("agent1", "POST", "/v1/conversations/{conv}/transfer",
     {"to": "nobody"}, 409, "target_not_member"),
    ("agent1", "POST", "/v1/conversations/{conv}/undo", {"own_tok": "1.0"}, 409, "stale_token"),
    ("agent1", "POST", "/v1/conversations/{conv}/reply", {"text": " "}, 400, "bad_request"),
    ("agent1", "POST", "/v1/conversations/{conv}/reply", {"text": "x" * 1601}, 400, "bad_request"),
    ("agent1", "POST", "/v1/conversations/{conv}/reply", {"txt": "x"}, 400, "bad_request"),
    ("agent1", "POST", "/v1/conversations/{conv}/reply", {"text": 5}, 400, "bad_request"),
    ("agent1", "POST", "/v1/conversations/{conv}/reply",
     {"text": "x", "cid": "mine"}, 400, "bad_request"),
    ("agent1", "POST", "/v1/conversations/{conv}/retry", {"n": 1}, 400, "bad_request"),
    ("agent1", "POST", "/v1/conversations/{conv}/retry", {"n": 99}, 404, "not_found"),
    ("agent1", "POST", "/v1/conversations/sales.none/assign", {}, 404, "not_found"),
    ("agent1", "POST", "/v1/conversations/nowhere.x/assign", {}, 404, "not_found"),
    ("agent1", "POST", "/v1/conversations/{conv}/explode", {}, 404, "not_found"),
    ("agent1", "PUT", "/v1/conversations/{conv}/assign", {}, 405, "unknown_op"),
    ("agent1", "GET", "/v1/nothing", None, 404, "not_found"),
    ("agent1", "GET", "/v1/conversations?view=all", None, 400, "bad_request"),
    ("agent1", "GET", "/v1/conversations?limit=0", None, 400, "bad_request"),
    ("agent1", "GET", "/v1/conversations?limit=201", None, 400, "bad_request"),
    ("agent1", "GET", "/v1/conversations?after=%00", None, 400, "bad_request"),
    ("agent1", "GET", "/v1/conversations?colour=blue", None, 400, "bad_request"),
    ("agent1", "GET", "/v1/conversations?inbox=support", None, 403, "forbidden"),
    ("agent1", "GET", "/v1/inboxes/none", None, 404, "not_found"),
    ("agent1", "POST", "/v1/inboxes/sales/compose",
     {"to": "hello", "text": "x"}, 400, "bad_request"),
    ("agent1", "POST", "/v1/inboxes/sales/compose",
     {"to": CUSTOMER, "text": "x", "from": SUPPORT}, 409, "number_not_routed"),
    ("agent1", "GET", "/v1/admin/users", None, 403, "forbidden"),
    ("agent1", "POST", "/v1/loopback/inbound", {}, 403, "forbidden"),
    ("admin", "POST", "/v1/loopback/inbound", {"from": "x", "to": SALES, "text": "y"},
     400, "bad_request"),
    ("admin", "POST", "/v1/loopback/inbound",
     {"from": CUSTOMER, "to": "+14165559999", "text": "y"}, 409, "number_not_routed"),
    ("admin", "POST", "/v1/admin/users", {"name": "X", "id": "Bad Id"}, 400, "bad_request"),
    ("admin", "POST", "/v1/admin/users", {"name": "X", "id": "agent1"}, 409, "conflict"),
    ("admin", "POST", "/v1/admin/inboxes", {"name": "X", "numbers": [SALES]}, 409, "conflict"),
    ("admin", "DELETE", "/v1/admin/users/nobody", None, 404, "not_found"),
    ("admin", "DELETE", "/v1/admin/users/admin", None, 409, "conflict"),
    ("admin", "PUT", "/v1/admin/inboxes/sales/members/nobody", None, 404, "not_found"),
    ("", "GET", "/v1/me", None, 401, "unauthorized"),
]  # fmt: skip


async def test_bad_input_is_refused_by_name(site: Served) -> None:
    """One problem document each, that says what to do; nothing changes."""
    conv = await site.texts("hello")
    assert (await site.act("agent1", conv, "assign")).status_code == 200
    before = await site.get("agent1", f"/v1/conversations/{conv}")
    for user, method, path, body, status, code in BAD:
        answer = await site.call(user, method, path.replace("{conv}", conv), body)
        told = (user, method, path, body, answer.text)
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (status, code), told
        assert answer.headers["content-type"] == "application/problem+json", told
        assert problem.keys() >= {"type", "title", "status", "detail", "code", "request_id"}, told
        assert "Traceback" not in answer.text, told
        if code in {"conflict", "not_owner", "stale_token", "new_activity"} and "{conv}" in path:
            assert problem["cur"]["assignee"] == "agent1", told
    assert await site.get("agent1", f"/v1/conversations/{conv}") == before


@pytest.mark.parametrize(
    ("headers", "content", "status", "code"),
    [
        ({"authorization": "Bearer bb_wrong"}, b"{}", 401, "unauthorized"),
        ({"authorization": "Basic abc"}, b"{}", 401, "unauthorized"),
        ({}, b"{", 400, "bad_request"),
        ({}, b"\xff\xfe", 400, "bad_request"),
        ({}, b"[]", 400, "bad_request"),
        ({}, b"[" * 5000, 400, "bad_request"),
        ({}, b'{"text": "' + b"x" * 70_000 + b'"}', 413, "bad_request"),
        ({"idempotency-key": "two words"}, b'{"text": "x"}', 400, "bad_request"),
    ],
)
async def test_bad_bytes_are_refused(
    site: Served, headers: dict[str, str], content: bytes, status: int, code: str
) -> None:
    conv = await site.texts("hello")
    given = {"authorization": f"Bearer {await site.token('agent1')}", **headers}
    answer = await site.http.post(f"/v1/conversations/{conv}/note", content=content, headers=given)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_repeated_key_has_no_second_effect(site: Served) -> None:
    conv = await site.texts("hello")
    await site.act("agent1", conv, "assign")
    path = f"/v1/conversations/{conv}/reply"
    first = await site.call("agent1", "POST", path, {"text": "one"}, idempotency_key="k1")
    again = await site.call("agent1", "POST", path, {"text": "one"}, idempotency_key="k1")
    other = await site.call("agent1", "POST", path, {"text": "two"}, idempotency_key="k1")
    assert first.json()["n"] == again.json()["n"]
    assert first.json()["seq"] == again.json()["seq"]
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
    assert await site.phone_with(1) == ["one"]


async def test_an_admin_takes_over_with_the_present_token(site: Served) -> None:
    conv = await site.texts("hello")
    await site.act("agent1", conv, "assign")
    row = await site.get("admin", f"/v1/conversations/{conv}")
    taken = await site.act("admin", conv, "transfer", to="admin", own_tok=row["own_tok"])
    assert taken.json()["conversation"]["assignee"] == "admin"
    assert (await site.act("agent1", conv, "reply", text="x")).json()["code"] == "not_owner"


async def test_every_verb_over_http(site: Served) -> None:
    """The owner needs no token over HTTP; an undo always does."""
    conv = await site.texts("hello")
    row = await site.get("agent1", f"/v1/conversations/{conv}")
    assert (await site.act("agent1", conv, "seen", att=row["att"])).json() == {"seen": True}
    assert (await site.act("agent1", conv, "unread")).status_code == 200
    taken = (await site.act("agent1", conv, "assign")).json()
    undone = (await site.act("agent1", conv, "undo", own_tok=taken["own_tok"])).json()
    assert undone["conversation"]["status"] == "unassigned"
    for verb, body, status, assignee in (
        ("assign", {}, "assigned", "agent1"),
        ("note", {"text": "look", "mentions": ["agent2"]}, "assigned", "agent1"),
        ("transfer", {"to": "agent2", "note": "yours"}, "assigned", "agent2"),
    ):
        answer = await site.act("agent1", conv, verb, **body)
        shown = answer.json()["conversation"]
        assert (shown["status"], shown["assignee"]) == (status, assignee), answer.text
    shown = (await site.act("agent2", conv, "return")).json()["conversation"]
    assert (shown["status"], shown["last_assignee"]) == ("unassigned", "agent2")
    shown = (await site.act("agent3", conv, "done")).json()["conversation"]
    assert (shown["status"], shown["assignee"]) == ("done", None)
    path, body = "/v1/inboxes/sales/compose", {"to": CUSTOMER, "text": "one more thing"}
    composed = await site.call("agent3", "POST", path, body)
    assert composed.status_code == 201
    assert composed.json()["conversation"]["assignee"] == "agent3"
    assert composed.json()["conv"] == conv
    assert await site.phone_with(1) == ["one more thing"]


async def test_a_fault_inside_shows_nothing_of_it(
    site: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A handler that raises is an internal error, and no word more."""

    async def fault(**_: Any) -> Any:
        raise RuntimeError("secret insides")

    conv = await site.texts("hello")
    monkeypatch.setattr(site.node.store, "history", fault)
    answer = await site.call("agent1", "GET", f"/v1/conversations/{conv}")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "secret" not in answer.text


async def test_lists_page_over_one_and_all_inboxes(site: Served) -> None:
    convs = set()
    for number in range(7):
        to = SALES if number % 2 else SUPPORT
        convs.add(await site.texts("hi", to=to, customer=f"+1416555020{number}"))
    for query in ("", "&inbox=sales", "&inbox=support"):
        met: list[str] = []
        after = ""
        while True:
            path = f"/v1/conversations?view=unassigned&limit=2{query}&after={after}"
            page = await site.get("agent2", path)
            assert len(page["items"]) <= 2
            met += [row["id"] for row in page["items"]]
            after = page["next"]
            if after is None:
                break
        assert len(met) == len(set(met))
        assert set(met) == {conv for conv in convs if not query or conv.startswith(query[7:])}
    mine = await site.get("agent1", "/v1/conversations?view=unassigned")
    assert {row["inbox"] for row in mine["items"]} == {"sales"}
    assert (await site.get("agent2", "/v1/conversations?view=mine"))["items"] == []


async def test_the_rate_is_limited_with_the_time_to_wait(engine_url: str, prefix: str) -> None:
    async with served(engine_url, prefix, commands_per_s=0.5, commands_burst=2) as site:
        conv = await site.texts("hello")
        answers = [await site.act("agent1", conv, "note", text=str(i)) for i in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["code"] == "rate_limited"
    assert int(answers[2].headers["retry-after"]) >= 1
    assert answers[2].json()["retry_ms"] >= 1


async def test_without_the_engine_commands_fail_fast_and_come_back(
    engine: EmbeddedEngine, prefix: str
) -> None:
    async with served(engine.url, prefix, engine_timeout_s=1.0) as site:
        conv = await site.texts("hello")
        await site.token("agent1")
        os.kill(engine.pid, signal.SIGSTOP)
        answer = await site.act("agent1", conv, "assign")
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert answer.headers["retry-after"]
        ready = await site.http.get("/readyz")
        assert ready.status_code == 503
        assert (await site.http.get("/livez")).status_code == 200
        os.kill(engine.pid, signal.SIGCONT)
        await eventually(lambda: site.node.client.state and not site.node.hub.degraded)
        assert (await site.http.get("/readyz")).status_code == 200
        # The outcome was unknown: whether or not it was applied, agent1 gets it now.
        assert (await site.act("agent1", conv, "assign")).status_code == 200


async def test_a_failed_message_says_why_and_is_sent_again(site: Served) -> None:
    conv = await site.texts("hello")
    await site.act("agent1", conv, "assign")
    told = {"to": CUSTOMER, "count": 1, "permanent": True, "reason": "no such phone"}
    await site.call("admin", "POST", "/v1/loopback/failures", told)
    n = (await site.act("agent1", conv, "reply", text="one")).json()["n"]

    async def state() -> str:
        found = await site.get("agent1", f"/v1/conversations/{conv}/messages")
        return str(next(m["state"] for m in found["items"] if m["n"] == n))

    await _until(state, "failed")
    assert await site.phone() == []
    assert (await site.act("agent1", conv, "retry", n=n)).status_code == 200
    assert await site.phone_with(1) == ["one"]
    await _until(state, "delivered")
    # A passing fault is tried again without anybody's doing.
    await site.call("admin", "POST", "/v1/loopback/failures", {**told, "permanent": False})
    await site.act("agent1", conv, "reply", text="two")
    assert await site.phone_with(2) == ["one", "two"]


async def test_a_deleted_user_is_out_at_once(site: Served) -> None:
    conv = await site.texts("hello")
    await site.act("agent1", conv, "assign")
    client = await site.sdk("agent1")
    async with client:
        answer = await site.call("admin", "DELETE", "/v1/admin/users/agent1")
        assert answer.status_code == 204
        await eventually(lambda: client.state is State.STOPPED)
        assert (await site.call("agent1", "GET", "/v1/me")).status_code == 401
    row = await site.get("agent2", f"/v1/conversations/{conv}")
    assert (row["status"], row["assignee"]) == ("unassigned", None)


async def test_a_removed_member_loses_the_inbox_and_what_they_held(site: Served) -> None:
    conv = await site.texts("hello")
    await site.act("agent2", conv, "assign")
    path = "/v1/admin/inboxes/sales/members/agent2"
    assert (await site.call("admin", "DELETE", path)).status_code in {200, 204}
    assert (await site.call("agent2", "GET", f"/v1/conversations/{conv}")).status_code == 403
    assert (await site.act("agent2", conv, "reply", text="x")).status_code == 403
    shown = await site.get("agent2", "/v1/inboxes")
    assert [inbox["id"] for inbox in shown["items"]] == ["support"]
    row = await site.get("agent1", f"/v1/conversations/{conv}")
    assert row["status"] == "unassigned"


async def test_a_token_is_shown_once_and_stored_hashed(site: Served) -> None:
    made = await site.call("admin", "POST", "/v1/admin/users/agent1/tokens", {"label": "bot"})
    secret, name = made.json()["token"], made.json()["id"]
    listed = await site.get("admin", "/v1/admin/users/agent1/tokens")
    assert secret not in json.dumps(listed)
    for key in await site.node.client.execute("KEYS", f"{site.node.keys.space}*"):
        kind = (await site.node.client.execute("TYPE", key)).decode()
        read = {"hash": ("HGETALL", key), "string": ("GET", key), "set": ("SMEMBERS", key)}
        if kind in read:
            assert secret.encode() not in repr(await site.node.client.execute(*read[kind])).encode()
    given = {"authorization": f"Bearer {secret}"}
    assert (await site.http.get("/v1/me", headers=given)).json()["id"] == "agent1"
    short = await site.http.post("/v1/connection-tokens", headers=given)
    assert (
        await site.http.get("/v1/me", headers={"authorization": f"Bearer {short.json()['token']}"})
    ).status_code == 200
    await site.call("admin", "DELETE", f"/v1/admin/users/agent1/tokens/{name}")
    assert (await site.http.get("/v1/me", headers=given)).status_code == 401
    short_again = {"authorization": f"Bearer {short.json()['token']}"}
    assert (await site.http.get("/v1/me", headers=short_again)).status_code == 401


async def _until(state: Any, wanted: str) -> None:
    for _ in range(1000):
        if await state() == wanted:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"never {wanted}, last {await state()}")
