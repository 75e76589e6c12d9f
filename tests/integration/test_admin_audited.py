"""Every endpoint of administration is called once, and leaves exactly the entries it should."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from batonbox_server.asgi.app import ALL_ENDPOINTS
from batonbox_server.domain.policy import Action
from tests.integration.audit_harness import audit
from tests.integration.sign_in_harness import PASSWORD
from tests.integration.twilio_vendor import PUBLIC, SID, TOKEN
from tests.served import SALES, Served, served

NUMBER, UNKNOWN = "+14165550178", "+14165550179"
CUSTOMER: Final = "+14165550199"


@dataclass(frozen=True, slots=True)
class Step:
    """A call, and the actions of the entries that it leaves; `keep`: what of the answer to keep.

    `names` of the path that are filled with what was kept; others stand in it as they are.
    """

    method: str
    path: str
    body: Any = None
    leaves: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    keep: str = ""
    status: int = 0  # 0: any success


U, B, N = "/v1/admin/users", "/v1/admin/inboxes", "/v1/admin/numbers"
C, W = "/v1/admin/carriers", "/v1/admin/webhooks"
ACCOUNT: Final = {
    "id": "acme", "kind": "twilio", "name": "Acme's", "config": {"account_sid": SID},
    "secret": TOKEN,
}  # fmt: skip
HOOK: Final = {"url": "https://127.0.0.1:1/in", "events": ["message.received"]}
# That a number delivers elsewhere is an act of its own (wanted, then applied), and so is that the
# inbox has another one.
MOVED: Final = ("route_changed", "inbox_changed")
STEPS: Final = (
    Step("POST", U, {"id": "zoe", "name": "Zoë"}, ("user_created",)),
    Step("PATCH", f"{U}/zoe", {"role": "admin"}, ("role_changed",)),
    Step("PATCH", f"{U}/zoe", {"name": "Zoe"}, ("user_changed",)),
    Step("PATCH", f"{U}/zoe", {"name": "Zoe"}),
    Step("PUT", f"{U}/zoe/password", {"password": PASSWORD}, ("password_set",)),
    Step("PUT", f"{U}/zoe/availability", {"away": True}, ("availability_set",)),
    Step("POST", f"{U}/zoe/tokens", {}, ("token_created",), keep="token:id"),
    Step("DELETE", f"{U}/zoe/tokens/{{token}}", None, ("token_revoked",), ("token",)),
    Step("DELETE", f"{U}/zoe/sessions/{{session}}", None, ("session_revoked",), ("session",)),
    Step("POST", f"{U}/agent1/reassign", {"to": "agent2"}, ("transfer",)),
    Step("POST", f"{U}/zoe/deactivate", None, ("user_deactivated",)),
    Step("POST", f"{U}/zoe/reactivate", {}, ("user_reactivated",)),
    Step("POST", "/v1/admin/invites", {"name": "Yan"}, ("invite_created",), keep="invite:id"),
    Step("DELETE", "/v1/admin/invites/{invite}", None, ("invite_deleted",), ("invite",)),
    Step("POST", B, {"id": "desk", "name": "Desk"}, ("inbox_created",)),
    Step("PATCH", f"{B}/desk", {"name": "The desk"}, ("inbox_changed",)),
    Step("PATCH", f"{B}/desk", {"options": {"silent_min": 5}}, ("inbox_changed",)),
    Step("PUT", f"{B}/desk/members/zoe", None, ("members_changed",)),
    Step("DELETE", f"{B}/desk/members/zoe", None, ("members_changed",)),
    Step("PUT", f"{N}/{NUMBER}", {"inbox": "desk"}, ("route_created", *MOVED)),
    Step("PATCH", f"{N}/{NUMBER}", {"messaging": False}, MOVED),
    Step("POST", f"{N}/{NUMBER}/check", {}),
    Step("DELETE", f"{N}/{NUMBER}", None, ("route_deleted",)),
    Step("POST", "/v1/admin/unrouted/route", {"number": UNKNOWN, "inbox": "desk"},
         ("route_created", *MOVED)),
    Step("DELETE", f"/v1/admin/unrouted/{NUMBER}", None, ("unrouted_discarded",)),
    Step("POST", C, ACCOUNT, ("carrier_created",)),
    Step("PATCH", f"{C}/acme", {"rate_per_s": 3}, ("carrier_changed",)),
    Step("PATCH", f"{C}/acme", {"secret": "x" * 32}, ("carrier_secret_replaced",)),
    Step("POST", f"{C}/acme/check"),
    Step("DELETE", f"{C}/acme", None, ("carrier_deleted",)),
    Step("POST", W, HOOK, ("hook_created",), keep="webhook:id"),
    Step("PATCH", f"{W}/{{webhook}}", {"label": "ours"}, ("hook_changed",), ("webhook",)),
    Step("POST", f"{W}/{{webhook}}/secret", None, ("hook_secret_replaced",), ("webhook",)),
    Step("POST", f"{W}/{{webhook}}/test", None, (), ("webhook",), keep="delivery:id"),
    Step("POST", f"{W}/{{webhook}}/deliveries/{{delivery}}/resend", None, (),
         ("webhook", "delivery")),
    Step("DELETE", f"{W}/{{webhook}}", None, ("hook_deleted",), ("webhook",)),
    Step("PATCH", "/v1/admin/organisation", {"name": "Acme"}, ("organisation_changed",)),
    Step("PUT", "/v1/retention", {"external_days": 9999, "internal_days": 0},
         ("retention_changed",)),
    Step("POST", "/v1/conversations/{conv}/hold", {"on": True, "reason": "case"},
         ("hold",), ("conv",)),
    Step("POST", "/v1/rooms/{room}/hold", {"on": True, "reason": "case"}, ("hold",),
         ("room",)),
    Step("POST", "/v1/contacts/{contact}/merge", {"contact": "other"}, ("contacts_merged",),
         ("contact",)),
    Step("DELETE", "/v1/contacts/{contact}", None, ("contact_deleted",), ("contact",)),
    Step("POST", "/v1/contacts/import", "name,number\nLee,+14165550123\n",
         ("contacts_import_started", "contacts_imported")),
    Step("GET", "/v1/contacts/export", None, ("contacts_exported",)),
    Step("GET", "/v1/conversations/{conv}/export", None, ("conversation_exported",), ("conv",)),
    Step("GET", "/v1/rooms/{room}/export", None, ("room_exported",), ("room",)),
    Step("GET", "/v1/export", None, ("organisation_exported",)),
    Step("GET", "/v1/admin/audit/export", None, ("audit_exported",)),
    Step("DELETE", f"{B}/desk", None, ("route_changed", "inbox_deleted")),
    Step("DELETE", f"{U}/zoe", None, ("user_deleted",)),
    Step("DELETE", f"{U}/agent2/identity", None, (), status=404),  # tests/integration/test_oidc.py
)  # fmt: skip


@pytest.fixture
async def site(engine_url: str, prefix: str, tmp_path: Path) -> AsyncIterator[Served]:
    """One node with the demo organisation."""
    given: dict[str, Any] = {
        "public_url": PUBLIC, "data_dir": str(tmp_path), "webhooks_private": True,
        "twilio_url": "http://127.0.0.1:1", "archive_url": f"sqlite://{tmp_path}/archive.sqlite",
    }  # fmt: skip
    async with served(engine_url, prefix, **given) as site:
        yield site


async def known(site: Served) -> dict[str, str]:
    """What some of the calls are about."""
    conv = await site.texts("hello", customer=CUSTOMER)
    assert (await site.act("agent1", conv, "assign")).is_success
    for number in (NUMBER, UNKNOWN):
        body = {"from": CUSTOMER, "to": number, "text": "for nobody"}
        kept = await site.call("admin", "POST", "/v1/loopback/inbound", body)
        assert kept.json()["code"] == "number_not_routed"
    made = [
        (await site.call("admin", "POST", "/v1/contacts", {"name": f"Lee {n}"})).json()["id"]
        for n in range(2)
    ]
    room = await site.call("admin", "POST", "/v1/rooms", {"name": "hall"})
    return {
        "conv": conv,
        "contact": made[0],
        "other": made[1],
        "room": room.json()["conv"],
    }


async def test_every_act_of_an_admin_leaves_its_entries_and_no_more(site: Served) -> None:
    names, wrong = await known(site), []
    for step in STEPS:
        if step.names == ("session",):
            link = await site.node.sign_in.make_link("zoe")
            await site.node.sign_in.by_link(link, address="127.0.0.1")
            (session,) = (await site.get("admin", f"{U}/zoe/sessions"))["items"]
            names["session"] = session["id"]
        before = {entry["id"] for entry in await audit(site)}
        answer = await _made(site, step, names)
        good = answer.status_code == step.status if step.status else answer.is_success
        assert good, (step, answer.text)
        new = [entry for entry in await audit(site) if entry["id"] not in before]
        found = tuple(entry["action"] for entry in new)
        if found != step.leaves:
            wrong.append((step.method, step.path, found, "wanted", step.leaves))
        for entry in new:
            assert (entry["actor"], entry["via"]) == ("admin", "api"), entry
            assert (entry["address"], bool(entry["token"])) == ("127.0.0.1", True), entry
            assert PASSWORD not in str(entry) and TOKEN not in str(entry), entry
        if step.keep:
            name, _, field = step.keep.partition(":")
            names[name] = answer.json()[field]
    assert not wrong


async def _made(site: Served, step: Step, names: dict[str, str]) -> Any:
    path = step.path.format(**{name: names[name] for name in step.names})
    if isinstance(step.body, str):
        bearer = {"authorization": f"Bearer {await site.token('admin')}"}
        return await site.http.request(
            step.method, path, content=step.body, headers={**bearer, "content-type": "text/csv"}
        )
    body = step.body
    if isinstance(body, dict) and body.get("contact") == "other":
        body = {"contact": names["other"]}
    return await site.call("admin", step.method, path, body)


def test_no_endpoint_of_administration_is_left_out() -> None:
    """A new one has to be added above, with what it leaves."""
    walked = {(step.method, _plain(step.path)) for step in STEPS}
    changing = {
        (e.method, _plain(e.path))
        for e in ALL_ENDPOINTS
        if e.action is Action.ADMINISTER and (e.method != "GET" or e.path.endswith("/export"))
    }
    assert changing - walked == set()
    assert walked - changing == set()


def _plain(path: str) -> str:
    """The path with every name in it as one sign."""
    known = {"zoe", "agent1", "agent2", "desk", NUMBER, UNKNOWN, "acme"}
    parts = ["{}" if part in known or part.startswith("{") else part for part in path.split("/")]
    return "/".join(parts)


def test_the_numbers_of_the_demo_are_not_these() -> None:
    assert SALES not in {NUMBER, UNKNOWN}
