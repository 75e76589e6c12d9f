"""Bots, and API keys: their scopes as they are stored, their last use, the end of their sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from batonbox import Client, ConnectionLost, Unauthorized
from batonbox_server.domain.policy import ALL_SCOPES
from batonbox_server.service import uses
from batonbox_server.store.directory_port import Token
from batonbox_server.store.directory_records import token_from, token_map, user_from
from batonbox_server.wire import Close, Op
from tests.integration.sign_in_harness import PASSWORD, Browser, until
from tests.served import Served, served


@pytest.fixture
async def site(engine_url: str, prefix: str) -> AsyncIterator[Served]:
    """One node with the demo organisation."""
    async with served(engine_url, prefix) as site:
        yield site


async def admin(site: Served, method: str, path: str, body: Any = None) -> httpx2.Response:
    """A request of the admin's."""
    return await site.call("admin", method, f"/v1/admin/{path}", body)


async def made_bot(site: Served) -> dict[str, Any]:
    """A bot, member of an inbox, and a key of it."""
    made = await admin(site, "POST", "users", {"id": "helper", "name": "Helper", "bot": True})
    assert made.json() == {
        "id": "helper", "name": "Helper", "role": "member", "active": True, "bot": True,
        "away": "",
    }  # fmt: skip
    assert (await admin(site, "PUT", "inboxes/sales/members/helper")).status_code == 204
    key = await admin(site, "POST", "users/helper/tokens", {"label": "its key"})
    assert key.status_code == 201, key.text
    return dict(key.json())


async def key_of(site: Served, user: str, key: str) -> dict[str, Any]:
    """A key as the list shows it."""
    found = (await admin(site, "GET", f"users/{user}/tokens")).json()["items"]
    return dict(next(item for item in found if item["id"] == key))


def test_records_from_before_load_as_people_and_as_keys_to_everything() -> None:
    assert user_from({"id": "a", "name": "A", "role": "admin"}).bot is False
    old = token_map(Token("tok", "a", 1), sha256="x")
    for name in ("scopes", "used_ms", "agent", "address"):
        del old[name]
    assert token_from(old) == Token("tok", "a", 1)
    assert token_from(old).scopes == ALL_SCOPES


async def test_a_bot_works_with_a_key_and_is_seen_as_a_bot(site: Served) -> None:
    key = await made_bot(site)
    assert key["scopes"] == ["read", "act"]
    conv = await site.texts("hello")
    async with Client(site.url, key["token"]) as client:
        assert client.user.id == "helper"
        found = await client.conversation(conv)
        await found.claim()
        await found.reply("done by a bot")
    assert (await site.phone_with(1))[-1] == "done by a bot"
    async with Browser(site).line(token=await site.token("agent2")) as line:
        state = (await line.until(Op.ORG))[2]
        bots = {user["id"] for user in state["users"] if user["bot"]}
        assert "helper" in bots
        assert "agent1" not in bots


async def test_a_bot_has_no_password_and_is_no_admin(site: Served) -> None:
    await made_bot(site)
    refused = await admin(site, "PUT", "users/helper/password", {"password": PASSWORD})
    assert (refused.status_code, "API key" in refused.json()["detail"]) == (409, True)
    signed = await Browser(site).sign_in("helper")
    assert (signed.status_code, "API key" in signed.json()["detail"]) == (401, True)
    invited = await admin(site, "POST", "invites", {"user": "helper", "name": "Helper"})
    assert invited.json()["code"] == "conflict"
    for path, body in (
        ("users", {"id": "boss", "name": "B", "bot": True, "role": "admin"}),
        ("users/helper/tokens", {"scopes": ["admin"]}),
        ("users/helper/tokens", {"scopes": []}),
        ("users/helper/tokens", {"scopes": ["write"]}),
    ):
        answer = await admin(site, "POST", path, body)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request"), answer.text
    promoted = await admin(site, "PATCH", "users/helper", {"role": "admin"})
    assert promoted.json()["code"] == "bad_request"


async def test_a_bot_stays_one_whatever_happens_to_it(site: Served) -> None:
    await made_bot(site)
    assert (await admin(site, "PATCH", "users/helper", {"name": "Hal"})).json()["bot"] is True
    assert (await admin(site, "POST", "users/helper/deactivate")).json()["bot"] is True
    assert (await admin(site, "POST", "users/helper/reactivate", {})).json()["bot"] is True


async def test_the_last_use_of_a_key_is_told_by_every_node_and_after_a_restart(
    engine_url: str, prefix: str
) -> None:
    async with served(engine_url, prefix) as east:
        made = (await admin(east, "POST", "users/agent1/tokens", {"scopes": ["read"]})).json()
        assert made["last_used_at"] is None
        bearer = {"authorization": f"Bearer {made['token']}"}
        assert (await east.http.get("/v1/me", headers=bearer)).status_code == 200

        async def told() -> bool:
            return (await key_of(east, "agent1", made["id"]))["last_used_at"] is not None

        await until(told)
        before = await key_of(east, "agent1", made["id"])
        async with served(engine_url, prefix, empty=True) as west:
            assert await key_of(west, "agent1", made["id"]) == before
    async with served(engine_url, prefix, empty=True) as again:
        assert await key_of(again, "agent1", made["id"]) == before
        assert before["scopes"] == ["read"]
        assert before["limits"] == {}


async def test_uses_are_written_once_a_minute_however_many_there_are(
    site: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    write = site.node.organisation.use_token

    async def counted(token: str, *, at_ms: int) -> None:
        written.append(token)
        await write(token, at_ms=at_ms)

    monkeypatch.setattr(site.node.organisation, "use_token", counted)
    made = (await admin(site, "POST", "users/agent1/tokens")).json()
    bearer = {"authorization": f"Bearer {made['token']}"}
    async with Browser(site).line(token=made["token"]) as line:
        await line.until(Op.WELCOME)
        for _ in range(20):
            assert (await site.http.get("/v1/me", headers=bearer)).status_code == 200
            assert await line.alive()
        assert written.count(made["id"]) == 1
        monkeypatch.setattr(uses, "_STEP_MS", 0)
        # What a socket goes on to ask for counts as use, however long ago it signed in.
        assert await line.alive()
        assert written.count(made["id"]) == 2


async def test_revoking_a_key_closes_its_connections_on_every_node(
    engine_url: str, prefix: str
) -> None:
    async with served(engine_url, prefix) as east, served(engine_url, prefix) as west:
        key = await made_bot(east)
        other = (await admin(east, "POST", "users/helper/tokens")).json()
        bearer = {"authorization": f"Bearer {key['token']}"}
        derived = await west.http.post("/v1/connection-tokens", headers=bearer)
        connection_token = derived.json()["token"]
        async with (
            Browser(east).line(token=key["token"]) as here,
            Browser(west).line(token=key["token"]) as there,
            Browser(west).line(token=connection_token) as by_connection_token,
            Browser(west).line(token=other["token"]) as bystander,
            Client(west.url, key["token"]) as client,
        ):
            for line in (here, there, by_connection_token, bystander):
                await line.until(Op.WELCOME)
            path = f"users/helper/tokens/{key['id']}"
            assert (await admin(east, "DELETE", path)).status_code == 204
            for line in (here, there, by_connection_token):
                assert await line.close_code() == Close.REVOKED
            assert await bystander.alive()
            with pytest.raises((Unauthorized, ConnectionLost)):
                await client.conversation("sales.x")
        for site in (east, west):
            for secret in (key["token"], connection_token):
                bearer = {"authorization": f"Bearer {secret}"}
                assert (await site.http.get("/v1/me", headers=bearer)).status_code == 401
        assert (await admin(west, "DELETE", path)).status_code == 404
