"""Rates of requests and callbacks: one for all nodes, asked about seldom, refused with the time."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from typing import Any

import pytest

from batonbox_server.asgi.rates import Rate, SharedRates
from batonbox_server.carriers.signature import sign
from batonbox_server.store.connect import EngineClient
from batonbox_server.store.keys import Keys
from batonbox_server.store.rates import RedisRates
from tests.integration.sign_in_harness import Browser, person
from tests.integration.test_webhook import SETTING, inbound, post
from tests.served import Served, served

# Nothing comes back within a test: one in 100 s.
SLOW = Rate(0.01, 8)


class Counted:
    """The store, and how often it was asked."""

    def __init__(self, store: RedisRates) -> None:
        self._store = store
        self.asked = 0

    async def take(self, name: str, **rate: Any) -> tuple[int, int]:
        self.asked += 1
        return await self._store.take(name, **rate)


@pytest.fixture
def store(client: EngineClient, prefix: str) -> Counted:
    """The engine's, for as many nodes as a test has."""
    return Counted(RedisRates(client, keys=Keys(prefix)))


async def passed(rates: SharedRates, name: str, rate: Rate, times: int) -> int:
    """How many of so many pass, all at once."""
    waits = await asyncio.gather(*(rates.take(name, rate) for _ in range(times)))
    return waits.count(0)


async def test_nodes_share_a_rate_but_for_a_quarter_each(store: Counted) -> None:
    east, west = SharedRates(store), SharedRates(store)
    assert await passed(east, "x", SLOW, 30) == 2 + 8
    assert await passed(west, "x", SLOW, 30) == 2
    assert await passed(west, "another", SLOW, 30) == 2 + 8


async def test_who_waits_is_told_how_long_and_costs_nothing(store: Counted) -> None:
    rates = SharedRates(store)
    await passed(rates, "x", SLOW, 10)
    asked = store.asked
    waits = [await rates.take("x", SLOW) for _ in range(200)]
    assert store.asked == asked + 1
    assert all(0 < wait <= 100_000 for wait in waits)
    # Somewhat less is left of the 100 s of the first one by now.
    assert min(waits) > 60_000


async def test_a_usual_caller_costs_no_round_trip_and_a_busy_one_ten_a_second(
    store: Counted,
) -> None:
    rates = SharedRates(store)
    assert await passed(rates, "x", Rate(100.0, 4000), 1000) == 1000
    assert store.asked == 0
    assert await passed(rates, "x", Rate(100.0, 4000), 1000) == 1000
    assert store.asked <= 1000 / 10


async def test_what_was_taken_from_the_engine_and_not_used_is_given_up(store: Counted) -> None:
    now_ms = 0.0
    rate = Rate(100.0, 4)
    rates = SharedRates(store, clock=lambda: now_ms)
    await passed(rates, "x", rate, 2)  # its own one, and the first of those asked for
    assert store.asked == 1
    now_ms = 5.0  # not enough for its own
    assert await rates.take("x", rate) == 0
    assert store.asked == 1
    for moment in (1100.0, 1101.0):
        now_ms = moment
        await rates.take("x", rate)
    assert store.asked == 2


async def test_a_rate_comes_back(store: Counted) -> None:
    rates, rate = SharedRates(store), Rate(20.0, 4)
    assert await passed(rates, "x", rate, 20) < 20
    async with asyncio.timeout(30):
        while wait_ms := await rates.take("x", rate):
            assert wait_ms <= 1000
            await asyncio.sleep(wait_ms / 1000)


async def test_a_crowd_of_names_is_bounded(store: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batonbox_server.asgi.rates._KEPT_MOST", 100)
    rates = SharedRates(store)
    for number in range(1000):
        await rates.take(f"address:{number}", SLOW)
    assert len(rates._purses) == 100


# Over HTTP


async def statuses(site: Served, user: str, times: int, path: str = "/v1/me") -> Counter[int]:
    """Of so many requests, one after the other."""
    return Counter([(await site.call(user, "GET", path)).status_code for _ in range(times)])


async def test_a_users_requests_are_limited_over_all_nodes(engine_url: str, prefix: str) -> None:
    slow: dict[str, Any] = {"requests_per_s": 0.01, "requests_burst": 8}
    async with served(engine_url, prefix, nodes=2, **slow) as site:
        conv = await _held(site)
        assert await statuses(site, "agent1", 20) == {200: 2 + 2 + 8, 429: 8}
        refused = await site.call("agent1", "GET", "/v1/inboxes")
        problem = refused.json()
        assert (refused.status_code, problem["code"]) == (429, "rate_limited")
        assert 60 <= int(refused.headers["retry-after"]) <= 100
        assert problem["retry_ms"] <= 1000 * int(refused.headers["retry-after"])
        assert "requests of this user: 0.01 a second" in problem["detail"]
        # By whatever token: a session is the same user, and another user is not.
        browser = await person(site, "agent1")
        assert (await browser.call("GET", "/v1/me")).status_code == 429
        assert await statuses(site, "agent2", 3) == {200: 3}
        # The owner's reply does not wait, and neither does signing out.
        assert (await site.act("agent1", conv, "reply", text="here")).status_code == 200
        assert (await browser.call("DELETE", "/v1/session")).status_code == 204


async def _held(site: Served) -> str:
    conv = await site.texts("hello")
    async with await site.sdk("agent1") as client:
        await client.call("assign", {"conv": conv})
    return conv


async def test_a_token_with_numbers_of_its_own_is_counted_by_itself(
    engine_url: str, prefix: str
) -> None:
    async with served(engine_url, prefix, requests_per_s=1000.0, requests_burst=1000) as site:
        _, secret = await site.node.identity.make_token(
            user="agent1", limits={"requests_per_s": 1, "requests_burst": 4}
        )
        bearer = {"authorization": f"Bearer {secret}"}
        found = [(await site.http.get("/v1/me", headers=bearer)).status_code for _ in range(40)]
        assert set(found) == {200, 429}
        assert await statuses(site, "agent1", 40) == {200: 40}


async def test_an_addresses_requests_are_limited_before_anything_is_looked_up(
    engine_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow: dict[str, Any] = {"requests_address_per_s": 0.01, "requests_address_burst": 8}
    async with served(engine_url, prefix, **slow) as site:
        looked_up = 0
        real = site.node.organisation.token

        async def counting(sha256: str) -> Any:
            nonlocal looked_up
            looked_up += 1
            return await real(sha256)

        monkeypatch.setattr(site.node.organisation, "token", counting)
        stranger = Browser(site, address="198.51.100.66")
        tried: Counter[int] = Counter()
        for number in range(40):
            answer = await stranger.call("GET", "/v1/me", authorization=f"Bearer bb_{number}")
            tried[answer.status_code] += 1
        assert tried == {401: 2 + 8, 429: 30}
        assert looked_up == 2 + 8
        # Another address; what probes ask for; and what asks nobody.
        assert (await Browser(site, address="192.0.2.1").call("GET", "/v1/me")).status_code == 401
        assert (await stranger.call("GET", "/livez")).status_code == 200


async def test_an_accounts_callbacks_are_limited_once_they_are_proved(
    engine_url: str, prefix: str
) -> None:
    given: dict[str, Any] = {
        "webhook_secret": SETTING, "callbacks_per_s": 0.01, "callbacks_burst": 8
    }  # fmt: skip
    async with served(engine_url, prefix, nodes=2, **given) as site:
        raw = json.dumps(inbound()).encode()
        forged = sign(b"another", message_id="m", timestamp_s=int(time.time()), body=raw)
        for _ in range(40):
            answer = await site.http.post("/v1/webhook/inbound", content=raw, headers=forged)
            assert answer.status_code == 401
        found = [
            await post(site, "/v1/webhook/receipts", {"id": "gw-9", "state": "sent"}, key=f"k{n}")
            for n in range(20)
        ]
        assert Counter(a.status_code for a in found) == {404: 2 + 2 + 8, 429: 8}
        assert int(found[-1].headers["retry-after"]) >= 60
