"""Where people are signed in: listed with browser and address, ended one by one on every node."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from batonbox_server.wire import Close, Op
from tests.integration.sign_in_harness import PASSWORD, Browser, person
from tests.served import Served, served

CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36"


@pytest.fixture
async def site(engine_url: str, prefix: str) -> AsyncIterator[Served]:
    """One node with the demo organisation."""
    async with served(engine_url, prefix) as site:
        yield site


async def sessions(browser: Browser, path: str = "/v1/sessions") -> list[dict[str, Any]]:
    """As a browser is shown them."""
    answer = await browser.call("GET", path, origin="")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def test_a_session_says_what_signed_in_and_from_where(site: Served) -> None:
    old = await person(site, "agent1")
    await person(site, "agent2")
    mine = Browser(site, address="192.0.2.7")
    given = {"user": "agent1", "password": PASSWORD}
    assert (await mine.call("POST", "/v1/session", given, user_agent=CHROME)).is_success
    new, before = await sessions(mine)
    assert (new["agent"], new["current"], before["current"]) == (CHROME, True, False)
    # Only a proxy that is trusted says who is behind it; this test's server has none in between.
    assert new["address"] in {"127.0.0.1", "192.0.2.7"}
    assert new["created_at"] <= new["last_used_at"] < new["expires_at"]
    assert [entry["current"] for entry in await sessions(old)] == [False, True]
    long = Browser(site)
    assert (await long.call("POST", "/v1/session", given, user_agent="x" * 999)).is_success
    assert (await sessions(long))[0]["agent"] == "x" * 200


async def test_ending_one_session_closes_its_sockets_on_every_node_and_no_others(
    engine_url: str, prefix: str
) -> None:
    async with served(engine_url, prefix) as east, served(engine_url, prefix) as west:
        lost, kept = await person(east, "agent1"), await person(west, "agent1")
        (gone,) = [entry for entry in await sessions(lost) if entry["current"]]
        async with (
            lost.line(east) as here,
            lost.line(west) as there,
            kept.line(east) as elsewhere,
        ):
            for line in (here, there, elsewhere):
                await line.until(Op.WELCOME)
            ended = await kept.call("DELETE", f"/v1/sessions/{gone['id']}")
            assert ended.status_code == 204
            assert await here.close_code() == await there.close_code() == Close.REVOKED
            assert await elsewhere.alive()
        for site in (east, west):
            cookie = {"cookie": lost.cookie}
            assert (await site.http.get("/v1/me", headers=cookie)).status_code == 401
        async with lost.line(west) as late:
            assert await late.close_code() == Close.UNAUTHORIZED
        assert [entry["current"] for entry in await sessions(kept)] == [True]
        again = await kept.call("DELETE", f"/v1/sessions/{gone['id']}")
        assert again.status_code == 404


async def test_nobody_ends_or_sees_anothers_but_an_admin(site: Served) -> None:
    ana, bo, alex = [await person(site, user) for user in ("agent1", "agent2", "admin")]
    (hers,) = await sessions(ana)
    assert hers["id"] not in {entry["id"] for entry in await sessions(bo)}
    assert (await bo.call("DELETE", f"/v1/sessions/{hers['id']}")).status_code == 404
    path = "/v1/admin/users/agent1/sessions"
    assert (await bo.call("GET", path, origin="")).status_code == 403
    assert (await bo.call("DELETE", f"{path}/{hers['id']}")).status_code == 403
    (shown,) = await sessions(alex, path)
    used = shown["last_used_at"]  # which is written beside the request
    assert shown == {**hers, "current": False, "last_used_at": used}
    wrong = await alex.call("DELETE", f"/v1/admin/users/agent2/sessions/{hers['id']}")
    assert wrong.status_code == 404
    assert (await ana.call("GET", "/v1/me", origin="")).status_code == 200
    async with ana.line() as line:
        await line.until(Op.WELCOME)
        assert (await alex.call("DELETE", f"{path}/{hers['id']}")).status_code == 204
        assert await line.close_code() == Close.REVOKED
    assert await sessions(alex, path) == []
    missing = await alex.call("GET", "/v1/admin/users/nobody/sessions", origin="")
    assert missing.status_code == 404


async def test_a_key_is_no_session(site: Served) -> None:
    """Neither listed among them, nor ended as one."""
    made = (await site.call("admin", "POST", "/v1/admin/users/agent1/tokens")).json()
    ana = await person(site, "agent1")
    assert [entry["id"] for entry in await sessions(ana)] != [made["id"]]
    assert (await ana.call("DELETE", f"/v1/sessions/{made['id']}")).status_code == 404
    assert (await site.call("agent1", "GET", "/v1/sessions")).json()["items"][0]["current"] is False
