"""A real Kannel, both ways, set up as the account says."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from batonbox_server.carriers.kannel import callback_token
from batonbox_server.engine import EmbeddedEngine
from tests.chaos.reaper import reaping, to
from tests.kannel.gateway import Gateway, gateway
from tests.kannel.line import PASSWORD, USERNAME, connected
from tests.kannel.phones import Centre, centre, fake_centre
from tests.ports import free_port
from tests.served import CUSTOMER, SALES, Served
from tests.support import eventually

TEXT = "Is my order ready?"


@pytest.fixture
async def kannel(tmp_path: Path) -> AsyncIterator[Gateway]:
    """Kannel with its own driver for tests."""
    async with gateway(tmp_path) as kannel:
        yield kannel


async def conversations(site: Served) -> list[dict[str, Any]]:
    """All there are; none while the engine is away."""
    answer = await site.call("admin", "GET", "/v1/conversations")
    assert answer.status_code in {200, 503}, answer.text
    return list(answer.json().get("items", []))


async def messages(site: Served, conv: str, n: int = 100) -> list[dict[str, Any]]:
    """Of a conversation, the oldest first."""
    found = await site.get("admin", f"/v1/conversations/{conv}?n={n}")
    return [m for m in found["messages"] if m["kind"] in {"received", "replied"}]


async def heard(site: Served, count: int = 1, *, within_s: float = 10.0) -> str:
    """The one conversation there is, once it has so many messages from the customer."""
    deadline = asyncio.get_running_loop().time() + within_s
    while asyncio.get_running_loop().time() < deadline:
        found = await conversations(site)
        if found and len(await messages(site, found[0]["id"])) >= count:
            assert len(found) == 1
            return str(found[0]["id"])
        await asyncio.sleep(0.02)
    raise AssertionError(f"{count} messages never came: {await conversations(site)}")


async def reply(site: Served, conv: str, text: str) -> int:
    """Agent1 claims and answers; returns the message's number."""
    assert (await site.act("agent1", conv, "assign")).is_success
    answer = await site.act("agent1", conv, "reply", text=text)
    assert answer.is_success, answer.text
    return int(answer.json()["n"])


async def state_of(site: Served, conv: str, n: int) -> tuple[str, str]:
    """A message's delivery state, and why."""
    found = next(m for m in await messages(site, conv) if m["n"] == n)
    return found["state"], found.get("reason") or ""


async def until_state(site: Served, conv: str, n: int, state: str) -> str:
    """Poll until the message has the state; returns why."""
    for _ in range(1000):
        found, reason = await state_of(site, conv, n)
        if found == state:
            return reason
        await asyncio.sleep(0.01)
    raise AssertionError(f"message {n} is {found}, never became {state}")


async def test_a_customer_is_heard_answered_and_reached(
    engine_url: str, prefix: str, kannel: Gateway
) -> None:
    async with (
        connected(engine_url, prefix, kannel) as site,
        fake_centre(kannel.ports["fake"]) as phones,
    ):
        phones.says(TEXT, customer=CUSTOMER, our=SALES)
        conv = await heard(site)
        [message] = await messages(site, conv)
        assert message["body"]["text"] == TEXT
        n = await reply(site, conv, "Yes, come by.")
        await until_state(site, conv, n, "delivered")
        assert await phones.hears(1) == ["Yes, come by."]
        assert (phones.heard[0].our, phones.heard[0].customer) == (SALES, CUSTOMER)
        answer = await site.call("admin", "POST", "/v1/admin/carriers/kannel/check")
        assert answer.json() == {"ok": True, "says": ""}


async def test_what_comes_while_the_engine_stands_still_is_kept_once(
    engine: EmbeddedEngine, prefix: str, kannel: Gateway
) -> None:
    """Kannel gets no 200, and comes again."""
    async with (
        connected(engine.url, prefix, kannel, engine_timeout_s=1.0) as site,
        fake_centre(kannel.ports["fake"]) as phones,
    ):
        os.kill(engine.pid, signal.SIGSTOP)
        try:
            phones.says(TEXT, customer=CUSTOMER, our=SALES)
            await eventually(lambda: tries(kannel) > 1, what="another try")
        finally:
            os.kill(engine.pid, signal.SIGCONT)
        conv = await heard(site)
        phones.says("And when?", customer=CUSTOMER, our=SALES)
        await heard(site, 2)
        texts = [m["body"]["text"] for m in await messages(site, conv)]
        assert sorted(texts) == ["And when?", TEXT]


async def test_what_comes_while_the_server_is_away_comes_when_it_is_back(
    engine_url: str, prefix: str, kannel: Gateway
) -> None:
    port = free_port()
    async with connected(engine_url, prefix, kannel, port=port):
        pass
    async with fake_centre(kannel.ports["fake"]) as phones:
        phones.says(TEXT, customer=CUSTOMER, our=SALES)
        await eventually(lambda: "HTTP: Retrying" in kannel.log("smsbox"), what="another try")
        async with connected(engine_url, prefix, kannel, port=port) as site:
            conv = await heard(site)
            n = await reply(site, conv, "Yes.")
            await until_state(site, conv, n, "delivered")
            assert [m["body"]["text"] for m in await messages(site, conv)] == [TEXT, "Yes."]


async def test_what_was_kept_and_not_confirmed_is_known_by_its_id(
    engine_url: str, prefix: str, kannel: Gateway
) -> None:
    port = free_port()
    async with reaping(to(port)) as link:
        near = f"http://127.0.0.1:{link.port}"
        async with (
            connected(engine_url, prefix, kannel, port=port, public_url=near) as site,
            fake_centre(kannel.ports["fake"]) as phones,
        ):
            link.arm(b"POST /v1/carriers/kannel/inbound", lambda: None)
            phones.says(TEXT, customer=CUSTOMER, our=SALES)
            await link.reaped()
            await eventually(lambda: tries(kannel) > 0, what="another try")
            phones.says("And when?", customer=CUSTOMER, our=SALES)
            conv = await heard(site, 2)
            await eventually(lambda: kannel.log("smsbox").count("No reply sent") == 2)
            texts = [m["body"]["text"] for m in await messages(site, conv)]
            assert texts == [TEXT, "And when?"]


async def test_order_is_kept_over_an_uneven_network(
    engine_url: str, prefix: str, kannel: Gateway
) -> None:
    """By bringing one after the other, as the setup has it."""
    chance, port = random.Random(5), free_port()
    async with reaping(to(port)) as link:
        link.pause_s = lambda: chance.uniform(0, 0.02)
        near = f"http://127.0.0.1:{link.port}"
        async with (
            connected(engine_url, prefix, kannel, port=port, public_url=near) as site,
            fake_centre(kannel.ports["fake"]) as phones,
        ):
            want = [f"message {number}" for number in range(50)]
            for text in want:
                phones.says(text, customer=CUSTOMER, our=SALES)
            conv = await heard(site, 50)
            assert [m["body"]["text"] for m in await messages(site, conv)] == want


def tries(kannel: Gateway) -> int:
    """How often smsbox has asked again."""
    return kannel.log("smsbox").count("HTTP: Retrying")


async def test_only_who_has_the_token_is_heard(
    engine_url: str, prefix: str, kannel: Gateway
) -> None:
    """And nothing is to be learnt from the refusal, or from another account's token."""
    query = {"from": CUSTOMER, "to": SALES, "id": "k-1", "state": "1"}
    wrong = ["", "x", callback_token("another password", "kannel"), callback_token(PASSWORD, "k2")]
    async with connected(engine_url, prefix, kannel) as site:
        for name, method in (("inbound", "POST"), ("status", "GET")):
            for token in wrong:
                said = {**query, "token": token} if token else query
                answer = await site.http.request(
                    method, f"/v1/carriers/kannel/{name}", params=said, content=b"hello"
                )
                assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
                assert callback_token(PASSWORD, "kannel") not in answer.text
        assert await conversations(site) == []
        token = callback_token(PASSWORD, "kannel")
        answer = await site.http.post(
            "/v1/carriers/kannel/inbound", params={**query, "token": token}, content=b"hello"
        )
        # Kannel takes 200 and 202 for yes, and puts what else it is told into a message.
        assert (answer.status_code, answer.text) == (200, "")
        assert len(await conversations(site)) == 1


async def test_what_comes_from_no_phone_number_is_kept_for_an_admin(
    engine_url: str, prefix: str, kannel: Gateway
) -> None:
    """A bank's name cannot be answered, so no inbox has it; routing what waits passes it by."""
    token = callback_token(PASSWORD, "kannel")
    async with connected(engine_url, prefix, kannel) as site:

        async def said(sender: str, name: str, number: str = SALES) -> int:
            query = {"from": sender, "to": number, "id": name, "state": "1", "token": token}
            answer = await site.http.post(
                "/v1/carriers/kannel/inbound", params=query, content=b"Your code is 123456"
            )
            return answer.status_code

        assert await said("BANK", "k-1") == await said("BANK", "k-1") == 200
        assert await conversations(site) == []
        kept = (await site.get("admin", "/v1/admin/unrouted"))["items"]
        assert [(m["from"], m["to"], m["reason"]) for m in kept] == [
            ("BANK", SALES, "no phone number")
        ]
        unknown = "+14165550177"
        assert await said("BANK", "k-2", unknown) == await said(CUSTOMER, "k-3", unknown) == 200
        routed = await site.call(
            "admin", "POST", "/v1/admin/unrouted/route", {"number": unknown, "inbox": "sales"}
        )
        assert (routed.json()["delivered"], routed.json()["left"]) == (1, 1)
        assert [one["customer"] for one in await conversations(site)] == [CUSTOMER]
        assert await said("BANK", "k-4", "nobody") == 400


@pytest.fixture
async def smsc() -> AsyncIterator[Centre]:
    """A message centre that speaks SMPP."""
    async with centre() as smsc:
        yield smsc


@pytest.fixture
async def bound(
    engine_url: str, prefix: str, tmp_path: Path, smsc: Centre
) -> AsyncIterator[tuple[Served, Centre]]:
    """A node, and Kannel bound to the message centre."""
    async with (
        gateway(tmp_path, smpp_port=smsc.port) as kannel,
        connected(engine_url, prefix, kannel) as site,
    ):
        await smsc.until(lambda: smsc.bound == 1, "Kannel's bind")
        yield site, smsc


LONG = "ab cd " * 50
EMOJI = "Ok 👍🏽 " * 20


async def test_long_texts_and_emoji_go_both_ways_whole(bound: tuple[Served, Centre]) -> None:
    """Kannel puts the parts together and takes them apart."""
    site, smsc = bound
    for number, text in enumerate((LONG, EMOJI), start=1):
        smsc.says(text, customer=CUSTOMER, our=SALES)
        conv = await heard(site, number)
    assert [m["body"]["text"] for m in await messages(site, conv)] == [LONG, EMOJI]
    await reply(site, conv, LONG.strip())
    assert await smsc.hears(1) == [LONG.strip()]
    assert [said.coding for said in smsc.heard] == [0, 0]
    await reply(site, conv, EMOJI.strip())
    assert (await smsc.hears(2))[1] == EMOJI.strip()
    assert {said.coding for said in smsc.heard[2:]} == {8}


async def test_receipts_come_in_any_order(bound: tuple[Served, Centre]) -> None:
    """The last message's first, and a failure after it: each finds its own, none goes back."""
    site, smsc = bound
    smsc.says(TEXT, customer=CUSTOMER, our=SALES)
    conv = await heard(site)
    sent = [await reply(site, conv, f"answer {number}") for number in range(3)]
    await smsc.hears(3)
    assert {await until_state(site, conv, n, "sent") for n in sent} == {""}
    for said, stat in zip(reversed(smsc.heard), ("DELIVRD", "UNDELIV", "DELIVRD"), strict=True):
        smsc.reports(said, stat, err="001" if stat == "UNDELIV" else "000")
    await until_state(site, conv, sent[2], "delivered")
    assert await until_state(site, conv, sent[1], "failed") == "undeliverable (error 001)"
    await until_state(site, conv, sent[0], "delivered")
    token = callback_token(PASSWORD, "kannel")
    for state in ("8", "4", "2", "16"):
        assert await told(site, "kannel", token, f"{conv}:{sent[0]}", state) == 200
        assert await state_of(site, conv, sent[0]) == ("delivered", "")


async def test_what_the_message_centre_refuses_is_failed(bound: tuple[Served, Centre]) -> None:
    site, smsc = bound
    smsc.says(TEXT, customer=CUSTOMER, our=SALES)
    conv = await heard(site)
    smsc.refuses(0x0B)
    n = await reply(site, conv, "Hello?")
    reason = await until_state(site, conv, n, "failed")
    assert reason == "Invalid Destination Address (0x0000000b)"
    assert (await site.act("agent1", conv, "retry", n=n)).is_success
    await until_state(site, conv, n, "sent")
    assert await smsc.hears(1) == ["Hello?"]


@pytest.mark.timeout(60)
async def test_a_thousand_messages_arrive_in_their_order(bound: tuple[Served, Centre]) -> None:
    site, smsc = bound
    customers = [f"+1416555{number:04}" for number in range(200, 220)]
    begun = time.monotonic()
    for number in range(1000):
        smsc.says(f"message {number}", customer=customers[number % 20], our=SALES)
    await smsc.until(lambda: smsc.delivered == 1000, "1,000 taken by Kannel", within_s=30)
    taken_s = time.monotonic() - begun
    want = {
        customer: [f"message {number}" for number in range(at, 1000, 20)]
        for at, customer in enumerate(customers)
    }
    while await stored(site) < 1000:
        assert time.monotonic() - begun < 40
        await asyncio.sleep(0.1)
    print(f"1,000 by SMPP: taken in {taken_s:.1f} s, kept in {time.monotonic() - begun:.1f} s")
    for conversation in await conversations(site):
        texts = [m["body"]["text"] for m in await messages(site, conversation["id"])]
        assert texts == want[conversation["customer"]]


async def stored(site: Served) -> int:
    """How many messages there are in all conversations."""
    return sum(int(conversation["unanswered"]) for conversation in await conversations(site))


async def test_an_admin_adds_a_kannel_and_replaces_its_password(
    engine_url: str, prefix: str, kannel: Gateway, tmp_path: Path
) -> None:
    async with connected(engine_url, prefix, kannel, data_dir=str(tmp_path)) as site:
        config = {"url": kannel.url, "username": USERNAME, "smsc_id": "phones"}
        new = {"kind": "kannel", "id": "gw", "name": "Gateway", "config": config}
        made = await site.call("admin", "POST", "/v1/admin/carriers", {**new, "secret": PASSWORD})
        assert made.status_code == 201, made.text
        assert (made.json()["config"], made.json()["secret"]) == (config, "set")
        token = callback_token(PASSWORD, "gw")
        assert f"/v1/carriers/gw/inbound?token={token}&" in made.json()["setup"]
        assert await told(site, "gw", token) == 200
        assert (await site.call("admin", "POST", "/v1/admin/carriers/gw/check")).json()["ok"]

        given = {"secret": "another"}
        changed = await site.call("admin", "PATCH", "/v1/admin/carriers/gw", given)
        assert changed.is_success, changed.text
        assert PASSWORD not in changed.text
        assert await told(site, "gw", token) == 401
        assert await told(site, "gw", callback_token("another", "gw")) == 200
        checked = (await site.call("admin", "POST", "/v1/admin/carriers/gw/check")).json()
        assert checked == {
            "ok": False, "says": "Kannel refuses the account's user name or password",
        }  # fmt: skip


async def told(
    site: Served, account: str, token: str, message: str = "sales.none:1", state: str = "1"
) -> int:
    """How a receipt is answered; one for a message that there is not is not to come again."""
    query = {"token": token, "id": message, "state": state}
    return (await site.http.get(f"/v1/carriers/{account}/status", params=query)).status_code


@pytest.mark.long
async def test_smsbox_forgets_what_it_could_not_bring_when_it_ends(
    engine_url: str, prefix: str, kannel: Gateway
) -> None:
    """Not ours to change, and docs/kannel.md says so; bearerbox keeps what smsbox never had."""
    port = free_port()
    async with connected(engine_url, prefix, kannel, port=port):
        pass
    async with fake_centre(kannel.ports["fake"]) as phones:
        phones.says("lost", customer=CUSTOMER, our=SALES)
        await eventually(lambda: tries(kannel) > 0, what="another try")
        await kannel.end("smsbox")
        phones.says("waits in bearerbox", customer=CUSTOMER, our=SALES)
        async with connected(engine_url, prefix, kannel, port=port) as site:
            await kannel.begin("smsbox")
            conv = await heard(site)
            phones.says("comes", customer=CUSTOMER, our=SALES)
            await heard(site, 2)
            await asyncio.sleep(2.5)  # twice as long as smsbox waits before it asks again
            texts = [m["body"]["text"] for m in await messages(site, conv)]
            assert texts == ["waits in bearerbox", "comes"]
