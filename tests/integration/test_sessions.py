"""How sessions end: by hand, by time, by number; on every node, with their sockets."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import msgpack  # type: ignore[import-untyped]
import pytest

from batonbox_server.service.identity import sha256_of
from batonbox_server.service.sign_in import SESSIONS_MOST
from batonbox_server.wire import Close, Op
from tests.integration.sign_in_harness import PASSWORD, Browser, person, until
from tests.served import Served, served


@pytest.fixture
async def site(engine_url: str, prefix: str) -> AsyncIterator[Served]:
    """One node with the demo organisation."""
    async with served(engine_url, prefix) as site:
        yield site


async def session_of(browser: Browser) -> Any:
    """The browser's session as it is stored."""
    found = await browser.site.node.organisation.token(sha256_of(browser.cookie.partition("=")[2]))
    assert found is not None
    return found


async def end_of(browser: Browser) -> int:
    """When the browser's session ends, as it is stored."""
    return int((await session_of(browser)).expires_ms)


async def expire(browser: Browser, *, in_ms: int = -1) -> None:
    """Move the end of the browser's session, as if it had begun long ago."""
    node, session = browser.site.node, await session_of(browser)
    at_ms = int(time.time() * 1000) + in_ms
    await node.client.execute("ZADD", f"{node.keys.org}:exp", at_ms, session.id)


async def test_signing_out_closes_this_sessions_sockets_on_every_node(
    engine_url: str, prefix: str
) -> None:
    async with served(engine_url, prefix) as east, served(engine_url, prefix) as west:
        browser, other = await person(east, "agent1"), await person(west, "agent1")
        colleague = await person(west, "agent2")
        made = await browser.call("POST", "/v1/connection-tokens")
        derived = made.json()["token"]
        async with (
            browser.line(east) as here,
            browser.line(west) as there,
            browser.line(west, token=derived) as by_token,
            other.line(east) as elsewhere,
            colleague.line(east) as bystander,
        ):
            for line in (here, there, by_token, elsewhere, bystander):
                await line.until(Op.WELCOME)
            cookie = browser.cookie
            answer = await browser.call("DELETE", "/v1/session")
            assert answer.status_code == 204
            assert "Max-Age=0" in browser.set_cookie
            for line in (here, there, by_token):
                assert await line.close_code() == Close.REVOKED
            assert await elsewhere.alive()
            assert await bystander.alive()
        browser.cookie = cookie
        assert (await browser.look())["signed_in"] is False
        assert (await browser.call("GET", "/v1/me")).status_code == 401
        bearer = {"authorization": f"Bearer {derived}"}
        assert (await Browser(west).call("GET", "/v1/me", **bearer)).status_code == 401
        async with browser.line(west) as late:
            assert await late.close_code() == Close.UNAUTHORIZED
        # Again, and without a session: the cookie goes away all the same.
        assert (await browser.call("DELETE", "/v1/session")).status_code == 204


async def everywhere(browser: Browser) -> None:
    answer = await browser.call("DELETE", "/v1/sessions")
    assert answer.status_code == 204
    assert "Max-Age=0" in browser.set_cookie


async def own_password(browser: Browser) -> None:
    body = {"old": PASSWORD, "new": "another horse"}
    assert (await browser.call("PUT", "/v1/me/password", body)).status_code == 204


async def admins_password(browser: Browser) -> None:
    path, body = "/v1/admin/users/agent1/password", {"password": "another horse"}
    assert (await browser.site.call("admin", "PUT", path, body)).status_code == 204


async def shells_password(browser: Browser) -> None:
    await browser.site.node.sign_in.set_password("agent1", "another horse")


async def deletion(browser: Browser) -> None:
    path = "/v1/admin/users/agent1"
    assert (await browser.site.call("admin", "DELETE", path)).status_code == 204


# what happens, whether this browser stays signed in, whether an API token goes on
ENDS = [
    (everywhere, False, True),
    (own_password, True, True),
    (admins_password, False, True),
    (shells_password, False, True),
    (deletion, False, False),
]


@pytest.mark.parametrize(("act", "stays", "token_stays"), ENDS)
async def test_what_ends_all_sessions_of_a_user(
    engine_url: str, prefix: str, act: Any, stays: bool, token_stays: bool
) -> None:
    async with served(engine_url, prefix) as east, served(engine_url, prefix) as west:
        mine, other = await person(east, "agent1"), await person(west, "agent1")
        colleague = await person(west, "agent2")
        token = await west.token("agent1")
        async with (
            mine.line(west) as own,
            other.line(west) as west_line,
            other.line(east) as east_line,
            mine.line(west, token=token) as bot,
            colleague.line(west) as bystander,
        ):
            for line in (own, west_line, east_line, bot, bystander):
                await line.until(Op.WELCOME)
            await act(mine)
            assert await west_line.close_code() == await east_line.close_code() == Close.REVOKED
            if stays:
                assert await own.alive()
            else:
                assert await own.close_code() == Close.REVOKED
            if token_stays:
                assert await bot.alive()
            else:
                assert await bot.close_code() == Close.REVOKED
            assert await bystander.alive()
        assert (await other.look())["signed_in"] is False
        assert (await mine.look())["signed_in"] is stays


async def test_a_deleted_users_password_is_gone(site: Served) -> None:
    await person(site, "agent1")
    assert (await site.call("admin", "DELETE", "/v1/admin/users/agent1")).status_code == 204
    keys = await site.node.client.execute("KEYS", f"{site.node.keys.org}:*")
    fields = await site.node.client.execute("HKEYS", f"{site.node.keys.org}:pw")
    assert fields == []
    assert [key for key in keys if b":ut:agent1" in key or b":known:" in key] == []
    assert await site.node.client.execute("ZCARD", f"{site.node.keys.org}:exp") == 0
    body = {"id": "agent1", "name": "Another Ana"}
    assert (await site.call("admin", "POST", "/v1/admin/users", body)).status_code == 201
    assert (await Browser(site).sign_in("agent1")).status_code == 401


async def test_an_unused_session_ends(engine_url: str, prefix: str) -> None:
    async with served(engine_url, prefix, session_idle_s=2) as site:
        browser = await person(site, "agent1")
        async with browser.line() as line:
            welcome = await line.until(Op.WELCOME)
            assert abs(welcome[6] - (time.time() * 1000 + 2000)) < 2000
            assert (await line.until(Op.AUTH))[1] <= 2
            assert await line.close_code() == Close.EXPIRED
        assert (await browser.look())["signed_in"] is False


async def test_an_expired_session_is_deleted_when_met(site: Served) -> None:
    browser = await person(site, "agent1")
    session = await session_of(browser)
    await expire(browser)
    # The timers sweep too, but here nothing waits for them.
    assert (await browser.call("GET", "/v1/me")).status_code == 401
    assert await site.node.organisation.token_alive(session.id) is False


async def test_expired_sessions_are_swept(site: Served) -> None:
    browser, other = await person(site, "agent1"), await person(site, "agent1")
    session, kept = await session_of(browser), await session_of(other)
    async with browser.line() as line:
        await line.until(Op.WELCOME)
        await expire(browser)
        assert await line.close_code() == Close.EXPIRED

    async def gone() -> bool:
        return not await site.node.organisation.token_alive(session.id)

    await until(gone)
    assert await site.node.organisation.token_alive(kept.id)
    org = site.node.keys.org
    assert await site.node.client.execute("HLEN", f"{org}:tk") == 1
    assert await site.node.client.execute("SCARD", f"{org}:ut:agent1") == 1


async def test_a_session_that_is_used_lasts_longer(site: Served) -> None:
    idle_ms = 1000 * site.node.settings.session_idle_s
    browser = await person(site, "agent1")
    first = await end_of(browser)
    assert abs(first - (time.time() * 1000 + idle_ms)) < 10_000
    # Not written again within the hour ...
    await expire(browser, in_ms=idle_ms - 3_500_000)
    before = await end_of(browser)
    assert (await browser.call("GET", "/v1/me")).status_code == 200
    assert await end_of(browser) == before
    # ... but after it.
    await expire(browser, in_ms=idle_ms - 3_700_000)
    assert (await browser.call("GET", "/v1/me")).status_code == 200
    assert abs(await end_of(browser) - (time.time() * 1000 + idle_ms)) < 10_000


async def test_no_use_carries_a_session_beyond_its_longest(engine_url: str, prefix: str) -> None:
    async with served(engine_url, prefix, session_idle_s=100, session_max_s=120) as site:
        browser = await person(site, "agent1")
        session = await session_of(browser)
        await expire(browser, in_ms=1000)
        await browser.look()
        slid = await end_of(browser)
        assert slid > session.created_ms + 99_000
        # As if 90 of its 120 seconds had passed.
        raw = await site.node.client.execute("HGET", f"{site.node.keys.org}:tokens", session.id)
        record = msgpack.unpackb(raw)
        record["created_ms"] -= 90_000
        await site.node.client.execute(
            "HSET", f"{site.node.keys.org}:tokens", session.id, msgpack.packb(record)
        )
        await expire(browser, in_ms=1000)
        await browser.look()
        assert abs(await end_of(browser) - (record["created_ms"] + 120_000)) < 1000


async def test_a_websocket_renews_its_session_in_place(site: Served) -> None:
    idle_ms = 1000 * site.node.settings.session_idle_s
    browser = await person(site, "agent1")
    await expire(browser, in_ms=30_000)  # WELCOME slides it
    async with browser.line() as line:
        assert abs((await line.until(Op.WELCOME))[6] - (time.time() * 1000 + idle_ms)) < 10_000
        await expire(browser, in_ms=30_000)
        await line.socket.send(json.dumps([Op.REFRESH, 1, ""]))
        ok = await line.until(Op.OK)
        assert abs(ok[2]["exp"] - (time.time() * 1000 + idle_ms)) < 10_000
        assert abs(await end_of(browser) - ok[2]["exp"]) < 10_000
        # Another user's token does not take the connection over.
        await line.socket.send(json.dumps([Op.REFRESH, 2, await site.token("agent2")]))
        assert (await line.until(Op.ERR))[3] == "forbidden"


async def test_the_oldest_session_gives_way(site: Served) -> None:
    first = await person(site, "agent1")
    second = await person(site, "agent1")
    async with first.line() as oldest, second.line() as younger:
        await oldest.until(Op.WELCOME)
        await younger.until(Op.WELCOME)
        for _ in range(SESSIONS_MOST - 1):
            code = await site.node.sign_in.make_link("agent1")
            await site.node.sign_in.by_link(code, address="127.0.0.1")
        assert await oldest.close_code() == Close.REVOKED
        assert await younger.alive()
    assert (await first.look())["signed_in"] is False
    assert (await second.look())["signed_in"] is True
    assert await site.node.client.execute("ZCARD", f"{site.node.keys.org}:exp") == SESSIONS_MOST


async def test_signing_in_again_replaces_this_browsers_session(site: Served) -> None:
    browser = await person(site, "agent1")
    old = browser.cookie
    assert (await browser.sign_in("agent1")).status_code == 200
    assert browser.cookie != old
    browser.cookie = old
    assert (await browser.look())["signed_in"] is False


async def test_a_revocation_that_overtakes_the_sign_in_holds(site: Served) -> None:
    """The store is asked, the session is revoked, and only then the answer comes back."""
    browser = await person(site, "agent1")
    store, session = site.node.organisation, await session_of(browser)
    real = store.token

    async def slow(sha256: str) -> Any:
        found = await real(sha256)
        await store.delete_token(session.id)
        await until(lambda: _knows(site, session.id))
        return found

    store.token = slow  # type: ignore[method-assign]
    async with browser.line() as line:
        assert await line.close_code() == Close.UNAUTHORIZED


async def _knows(site: Served, token: str) -> bool:
    return token in site.node.directory._revoked
