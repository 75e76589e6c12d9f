"""The address book over HTTP and on the page's one connection, on a real server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from batonbox_server import node_contacts, wire
from batonbox_server.domain.policy import Scope
from batonbox_server.wire import Op
from tests.integration.audit_harness import audit
from tests.integration.socket_harness import Peer
from tests.served import Served, served
from tests.support import eventually

LEE, MAY = "+14165550142", "+14165550143"


@pytest.fixture
async def site(engine_url: str, prefix: str) -> AsyncIterator[Served]:
    """One node with the demo organisation."""
    async with served(engine_url, prefix) as site:
        yield site


async def made(site: Served, name: str, *numbers: str, user: str = "agent1", **more: Any) -> Any:
    body = {"name": name, "numbers": list(numbers), **more}
    answer = await site.call(user, "POST", "/v1/contacts", body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def code(site: Served, user: str, method: str, path: str, body: Any = None) -> str:
    answer = await site.call(user, method, path, body)
    return "" if answer.is_success else str(answer.json()["code"])


async def upload(
    site: Served, text: str | bytes, query: str = ""
) -> tuple[list[Any], dict[str, Any]]:
    """Import; the reports of lines, and the last one."""
    headers = {"authorization": f"Bearer {await site.token('admin')}", "content-type": "text/csv"}
    data = text.encode() if isinstance(text, str) else text
    answer = await site.http.post(
        f"/v1/contacts/import{query}", content=data, headers=headers, timeout=60
    )
    assert answer.status_code == 200, answer.text
    *lines, end = [msgspec.json.decode(line) for line in answer.content.splitlines()]
    assert end["kind"] == "end"
    return lines, end


@asynccontextmanager
async def line(site: Served, user: str, token: str = "") -> AsyncIterator[Peer]:
    """A connection that is signed in."""
    url = f"ws://127.0.0.1:{site.port}/v1/ws"
    async with connect(url, subprotocols=[Subprotocol(wire.JSON_SUBPROTOCOL)]) as ws:
        peer = Peer(ws, wire.JSON_SUBPROTOCOL)
        await peer.send([Op.HELLO, token or await site.token(user), "test/1"])
        await peer.got(Op.WELCOME)
        try:
            yield peer
        finally:
            await ws.close()
            await peer.reading


async def test_anybody_keeps_contacts_and_finds_them_by_number(site: Served) -> None:
    lee = await made(site, "  Lee & Sons ", "+1 (416) 555-0142", note=" rings twice\r\n")
    assert (lee["name"], lee["numbers"], lee["note"]) == ("Lee & Sons", [LEE], "rings twice")
    path = f"/v1/contacts/{lee['id']}"
    assert await site.get("agent3", path) == lee
    for numbers in (f"{LEE},{MAY}", f"{quote(LEE)},{quote(MAY)}"):
        found = await site.get("agent2", f"/v1/contacts/lookup?numbers={numbers}")
        assert found == {"numbers": {LEE: lee}}
    some = await site.get("agent2", f"/v1/contacts/lookup?numbers=12345,,{LEE},Shop")
    assert some["numbers"].keys() == {LEE}
    many = ",".join([LEE] * 101)
    assert await code(site, "agent2", "GET", f"/v1/contacts/lookup?numbers={many}") == "bad_request"
    changed = await site.call(
        "agent2", "PATCH", path, {"name": "Lee", "numbers": [MAY, LEE], "rev": lee["rev"]}
    )
    assert changed.json()["numbers"] == [MAY, LEE]
    assert await site.get("agent1", path) == changed.json()
    listed = await site.get("agent1", "/v1/contacts?q=416555&limit=1")
    assert (listed["items"], listed["next"]) == ([changed.json()], None) or listed["next"]
    assert listed["total"] == 1


async def test_a_change_that_somebody_has_not_seen_is_refused_unless_it_says_the_same(
    site: Served,
) -> None:
    lee = await made(site, "Lee", LEE)
    path = f"/v1/contacts/{lee['id']}"
    for _ in range(2):  # sent again it has no second effect
        first = await site.call("agent1", "PATCH", path, {"name": "Leigh", "rev": lee["rev"]})
        assert first.status_code == 200, first.text
    assert first.json()["rev"] == lee["rev"] + 1
    assert await code(site, "agent2", "PATCH", path, {"name": "Li", "rev": lee["rev"]}) == (
        "conflict"
    )
    may = await made(site, "May", MAY)
    taken = await site.call("agent2", "PATCH", f"/v1/contacts/{may['id']}", {"numbers": [LEE]})
    assert taken.status_code == 409
    assert "Leigh" in taken.json()["detail"]
    bodies = [{"name": f"Lee {n}"} for n in range(8)]
    all_at_once = [site.call("agent1", "PATCH", path, body) for body in bodies]
    assert {answer.status_code for answer in await asyncio.gather(*all_at_once)} == {200}


@pytest.mark.parametrize(
    "body",
    [
        {"name": " "},
        {"name": "a\nb"},
        {"name": "x" * 121},
        {"name": "Lee", "numbers": ["12"]},
        {"name": "Lee", "numbers": [f"+1416555{n:04}" for n in range(21)]},
        {"name": "Lee", "note": "x" * 2001},
        {"name": "Lee", "number": LEE},
    ],
)
async def test_what_is_no_contact_is_refused(site: Served, body: dict[str, Any]) -> None:
    assert await code(site, "agent1", "POST", "/v1/contacts", body) == "bad_request"


async def test_only_admins_merge_delete_import_and_export(site: Served) -> None:
    lee, may = await made(site, "Lee", LEE), await made(site, "May", MAY)
    one = f"/v1/contacts/{lee['id']}"
    for method, path in [
        ("DELETE", one),
        ("POST", f"{one}/merge"),
        ("POST", "/v1/contacts/import"),
        ("GET", "/v1/contacts/export"),
    ]:
        assert await code(site, "agent1", method, path) == "forbidden"
    merged = await site.call("admin", "POST", f"{one}/merge", {"contact": may["id"]})
    assert merged.json()["numbers"] == [LEE, MAY]
    assert await code(site, "agent1", "GET", f"/v1/contacts/{may['id']}") == "not_found"
    assert (await site.call("admin", "DELETE", one)).status_code == 204
    assert await code(site, "admin", "DELETE", one) == "not_found"
    assert (await site.get("agent1", "/v1/contacts"))["total"] == 0
    told = [e for e in await audit(site) if e["action"].startswith("contact")]
    assert [(e["action"], e["actor"], e["target"], e["via"]) for e in told] == [
        ("contacts_merged", "admin", lee["id"], "api"),
        ("contact_deleted", "admin", lee["id"], "api"),
    ]
    assert told[0]["detail"]["merged"] == may["id"]
    assert told[1]["before"]["numbers"] == [LEE, MAY]
    only = await site.get("admin", "/v1/admin/audit?action=contact_deleted")
    assert len(only["items"]) == 1


async def test_a_key_that_may_only_read_looks_up_and_changes_nothing(site: Served) -> None:
    lee = await made(site, "Lee", LEE)
    _, token = await site.node.identity.make_token(user="agent2", scopes=(Scope.READ,))
    headers = {"authorization": f"Bearer {token}"}
    found = await site.http.get("/v1/contacts/lookup", params={"numbers": LEE}, headers=headers)
    assert found.json()["numbers"][LEE]["id"] == lee["id"]
    refused = await site.http.post("/v1/contacts", json={"name": "May"}, headers=headers)
    assert refused.status_code == 403


async def test_every_node_tells_its_clients_whose_numbers_they_are_now(
    site: Served, engine_url: str, prefix: str
) -> None:
    async with (
        served(engine_url, prefix, empty=True) as other,
        line(site, "agent1") as near,
        line(other, "agent3") as far,
    ):
        lee = await made(site, "Lee", LEE)
        named = {"id": lee["id"], "name": "Lee"}
        for peer in (near, far):
            assert await peer.got(Op.CONTACTS) == [Op.CONTACTS, {LEE: named}]
        path = f"/v1/contacts/{lee['id']}"
        await other.call("agent3", "PATCH", path, {"note": "changes no name"})
        await other.call("agent3", "PATCH", path, {"name": "Leigh", "numbers": [MAY]})
        now = {LEE: None, MAY: {"id": lee["id"], "name": "Leigh"}}
        for peer in (near, far):
            assert await peer.got(Op.CONTACTS, _1=now)
        await site.call("admin", "DELETE", path)
        for peer in (near, far):
            assert await peer.got(Op.CONTACTS, _1={MAY: None})
            assert len(peer.all(Op.CONTACTS)) == 3


async def test_a_bulk_change_makes_clients_ask_again_once_a_second_at_most(
    site: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What a slow engine changes between two pushes is few: each would be named.
    monkeypatch.setattr(node_contacts, "_PUSH_MOST", 5)
    async with line(site, "agent1") as peer:
        text = "name,number\n" + "".join(f"C{n},+1604555{n:04}\n" for n in range(3000))
        begun_s = time.monotonic()
        await upload(site, text)
        await peer.got(Op.CONTACTS, _1=None)
        await eventually(lambda: not site.node.contacts._timer)
        forgotten = [frame for frame in peer.all(Op.CONTACTS) if frame[1] is None]
        assert len(forgotten) <= 2 + (time.monotonic() - begun_s)
        lee = await made(site, "Lee", LEE)
        assert await peer.got(Op.CONTACTS, _1={LEE: {"id": lee["id"], "name": "Lee"}})


async def test_whoever_may_not_read_is_told_of_no_name(site: Served) -> None:
    _, token = await site.node.identity.make_token(user="agent2", scopes=(Scope.ACT,))
    async with line(site, "agent2", token) as peer, line(site, "agent1") as reader:
        await made(site, "Lee", LEE)
        await reader.got(Op.CONTACTS)
        await peer.send([Op.CMD, 1, "set_away", {"cid": "c", "mode": ""}])
        await eventually(lambda: peer.all(Op.OK) or peer.all(Op.ERR))
        assert peer.all(Op.CONTACTS) == []
