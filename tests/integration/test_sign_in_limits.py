"""Guessing is slow, locking others out does not work, and links work once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from batonbox_server.asgi.origins import address_of, is_loopback
from batonbox_server.service.identity import sha256_of
from tests.integration.sign_in_harness import PASSWORD, Browser, person, until
from tests.served import CUSTOMER, SALES, Served, served

HOME, ATTACKER = "192.0.2.1", "198.51.100.66"


@pytest.fixture
async def site(engine_url: str, prefix: str) -> AsyncIterator[Served]:
    """A demo node, two of whose people have a password; pauses outlast any test."""
    slow: dict[str, Any] = {"sign_in_user_every_s": 600.0, "sign_in_address_every_s": 600.0}
    async with served(engine_url, prefix, as_demo=True, **slow) as site:
        for user in ("agent1", "agent2"):
            await site.node.sign_in.set_password(user, PASSWORD)
        yield site


async def fails(site: Served, user: str, times: int, *, address: str) -> list[int]:
    """Statuses of attempts with a wrong password, one after the other."""
    browser = Browser(site, address=address)
    return [(await browser.sign_in(user, "wrong horse")).status_code for _ in range(times)]


async def test_five_failures_then_a_pause_on_every_node(engine_url: str, prefix: str) -> None:
    async with served(engine_url, prefix) as east, served(engine_url, prefix) as west:
        await east.node.sign_in.set_password("agent1", PASSWORD)
        assert await fails(east, "agent1", 3, address=ATTACKER) == [401] * 3
        assert await fails(west, "agent1", 3, address=ATTACKER) == [401, 401, 429]
        # Whoever knows the password waits too, from an address that was never the user's.
        late = await Browser(east, address=HOME).sign_in("agent1")
        problem = late.json()
        assert (late.status_code, problem["code"]) == (429, "rate_limited")
        assert 0 < problem["retry_ms"] <= 12_000
        assert 1 <= int(late.headers["retry-after"]) <= 12
        assert f"in {late.headers['retry-after']} s" in problem["detail"]
        # An unknown user is treated alike, and others are not concerned.
        assert await fails(east, "nobody", 6, address="192.0.2.99") == [401] * 5 + [429]
        await person(west, "agent2", address=HOME)


async def test_the_pause_ends(engine_url: str, prefix: str) -> None:
    async with served(engine_url, prefix, sign_in_user_burst=1, sign_in_user_every_s=4.0) as site:
        await site.node.sign_in.set_password("agent1", PASSWORD)
        assert await fails(site, "agent1", 2, address=ATTACKER) == [401, 429]

        async def in_again() -> bool:
            return (await Browser(site, address=HOME).sign_in("agent1")).status_code == 200

        await until(in_again, timeout_s=10)


async def test_only_failures_count(site: Served) -> None:
    browser = Browser(site, address=HOME)
    for _ in range(8):
        assert (await browser.sign_in("agent1")).status_code == 200
    assert await fails(site, "agent1", 6, address=HOME) == [401] * 5 + [429]


async def test_nobody_locks_a_person_out_of_where_they_sign_in(site: Served) -> None:
    await person(site, "agent1", address=HOME)
    assert (await fails(site, "agent1", 6, address=ATTACKER))[-1] == 429
    await person(site, "agent1", address=HOME)
    # The same address is nothing special for others, nor others for it.
    assert (await fails(site, "agent2", 6, address=ATTACKER))[-1] == 429
    assert (await Browser(site, address=HOME).sign_in("agent2")).status_code == 429


async def test_an_address_is_limited_whatever_the_users(site: Served) -> None:
    statuses = []
    for n in range(7):
        statuses += await fails(site, f"user{n}", 5, address=ATTACKER)
    assert statuses[:30] == [401] * 30
    assert statuses[30:] == [429] * 5
    await person(site, "agent1", address=HOME)


async def test_guessing_the_old_password_is_limited_too(site: Served) -> None:
    browser = await person(site, "agent1", address=HOME)
    body = {"old": "wrong horse", "new": "another horse"}
    found = [(await browser.call("PUT", "/v1/me/password", body)).status_code for _ in range(6)]
    assert found == [403] * 5 + [429]
    assert (await browser.look())["signed_in"] is True


async def test_a_new_password_that_is_refused_costs_no_attempt(site: Served) -> None:
    browser = await person(site, "agent1", address=HOME)
    for _ in range(8):
        answer = await browser.call("PUT", "/v1/me/password", {"old": PASSWORD, "new": "short"})
        assert answer.status_code == 400


@pytest.mark.parametrize(
    ("host", "address", "own"),
    [
        ("192.0.2.1", "192.0.2.1", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.8.8.8", "127.8.8.8", True),
        ("::1", "::", True),
        ("::ffff:127.0.0.1", "127.0.0.1", True),
        ("::ffff:192.0.2.1", "192.0.2.1", False),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::", False),
        ("2001:db8:1:2:ffff::9", "2001:db8:1:2::", False),
        ("localhost", "localhost", True),
        ("0.0.0.0", "0.0.0.0", False),
        ("", "", False),
    ],
)
def test_addresses(host: str, address: str, own: bool) -> None:
    assert address_of({"client": (host, 5)}) == address
    assert is_loopback(host) is own


def test_a_unix_socket_has_no_address() -> None:
    assert address_of({"client": None}) == address_of({}) == ""


# Links


async def test_a_link_works_once(site: Served) -> None:
    code = await site.node.sign_in.make_link("agent2")
    browsers = [Browser(site) for _ in range(10)]
    answers = await asyncio.gather(
        *(b.call("POST", "/v1/session/link", {"code": code}) for b in browsers)
    )
    assert sorted(a.status_code for a in answers) == [200] + [401] * 9
    winner = next(b for b in browsers if b.cookie)
    assert (await winner.look())["user"]["id"] == "agent2"
    assert {a.json()["detail"] for a in answers if a.status_code == 401} == {
        "This link was used, or has expired; make a new one, or sign in by password."
    }
    # The code itself is stored nowhere.
    for key in await site.node.client.execute("KEYS", f"{site.node.keys.org}:link:*"):
        assert code.encode() not in key


async def test_a_link_expires(site: Served) -> None:
    code = await site.node.sign_in.make_link("agent2")
    key = f"{site.node.keys.org}:link:{sha256_of(code)}"
    assert 290_000 < await site.node.client.execute("PTTL", key) <= 300_000
    await site.node.client.execute("PEXPIRE", key, 1)

    async def gone() -> bool:
        return not await site.node.client.execute("EXISTS", key)

    await until(gone)
    answer = await Browser(site).call("POST", "/v1/session/link", {"code": code})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


async def test_a_link_of_somebody_who_was_deleted_is_dead(site: Served) -> None:
    code = await site.node.sign_in.make_link("agent2")
    assert (await site.call("admin", "DELETE", "/v1/admin/users/agent2")).status_code == 204
    answer = await Browser(site).call("POST", "/v1/session/link", {"code": code})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


@pytest.mark.parametrize(
    ("as_demo", "address", "origin", "status"),
    [
        (True, "", None, 200),
        (True, "127.0.0.2", None, 200),
        (True, ATTACKER, None, 403),
        (False, "", None, 403),
        (True, "", "http://evil.example", 403),
        (True, "", "", 403),
    ],
)
async def test_where_links_work(
    engine_url: str, prefix: str, as_demo: bool, address: str, origin: str | None, status: int
) -> None:
    async with served(engine_url, prefix, as_demo=as_demo) as site:
        code = await site.node.sign_in.make_link("agent2")
        browser = Browser(site, address=address)
        page = browser.origin if origin is None else origin
        answer = await browser.call("POST", "/v1/session/link", {"code": code}, origin=page)
        assert answer.status_code == status, answer.text
        # What was refused has not been used up.
        left = await site.node.client.execute("KEYS", f"{site.node.keys.org}:link:*")
        assert len(left) == (0 if status == 200 else 1)


async def test_guessing_codes_is_limited(site: Served) -> None:
    browser = Browser(site)
    found = [
        (await browser.call("POST", "/v1/session/link", {"code": f"guess{n}"})).status_code
        for n in range(32)
    ]
    assert found[:30] == [401] * 30
    assert found[30:] == [429] * 2


# The simulator of a demo


@pytest.mark.parametrize("as_demo", [True, False])
async def test_a_demos_phones_are_everybodys(engine_url: str, prefix: str, as_demo: bool) -> None:
    async with served(engine_url, prefix, as_demo=as_demo) as site:
        member = await person(site, "agent1")
        seen = await member.look()
        assert (seen["demo"], seen["loopback"], seen["simulator"]) == (as_demo, True, as_demo)
        body = {"from": CUSTOMER, "to": SALES, "text": "hello"}
        answer = await member.call("POST", "/v1/loopback/inbound", body)
        assert answer.status_code == (201 if as_demo else 403), answer.text
        # Nothing else of an admin's.
        assert (await member.call("GET", "/v1/admin/users")).status_code == 403


async def test_no_simulator_without_the_loopback_carrier(engine_url: str, prefix: str) -> None:
    async with served(engine_url, prefix, as_demo=True, loopback=False) as site:
        seen = await (await person(site, "agent1")).look()
        assert (seen["loopback"], seen["simulator"]) == (False, False)
