"""How far a message came, live and after a reload; and words that are for the carrier."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Locator

from tests.browser.desk import Desk, expect
from tests.browser.kit import SignIn, assert_accessible
from tests.integration.test_webhook import Gateway, bound, inbound, listening, post
from tests.served import CUSTOMER, Served


def message(desk: Desk, text: str) -> Locator:
    """The line with this text."""
    return desk.messages.locator(".line").filter(has_text=text)


async def expect_state(desks: list[Desk], text: str, state: str, words: str) -> None:
    """Until everybody sees, and hears, how far the message came."""
    for desk in desks:
        line = message(desk, text)
        await expect(line.locator(f'[data-state="{state}"]')).to_contain_text(words)


async def fails_next(site: Served, *, permanent: bool, reason: str) -> None:
    """The next delivery to the customer's phone fails."""
    told = {"to": CUSTOMER, "count": 1, "permanent": permanent, "reason": reason}
    assert (await site.call("admin", "POST", "/v1/loopback/failures", told)).is_success


async def two_look(site: Served, sign_in: SignIn) -> tuple[str, Desk, Desk]:
    """A conversation of Ana's, which she and Bo have before them."""
    conv = await site.texts("Hi")
    assert (await site.act("agent1", conv, "assign")).is_success
    ana, bo = Desk(await sign_in("agent1")), Desk(await sign_in("agent2"))
    for desk in (ana, bo):
        await desk.open(conv)
    return conv, ana, bo


async def test_everybody_sees_a_message_wait_arrive_and_fail(site: Served, sign_in: SignIn) -> None:
    _, ana, bo = await two_look(site, sign_in)
    await fails_next(site, permanent=False, reason="busy")
    await ana.send("first")
    await expect_state([ana, bo], "first", "queued", "Queued")
    await expect_state([ana, bo], "first", "delivered", "Delivered")

    await fails_next(site, permanent=True, reason="number unreachable")
    await ana.send("second")
    words = "Failed: the phone cannot be reached"
    await expect_state([ana, bo], "second", "failed", words)
    await assert_accessible(ana.page)
    again = ana.messages.get_by_role("button", name="Try again")
    await expect(bo.messages.get_by_role("button", name="Try again")).to_have_count(0)
    for desk in (ana, bo):
        await desk.page.reload()
    await expect_state([ana, bo], "second", "failed", words)
    await again.press("Enter")
    await expect(ana.composer).to_be_focused()  # the button is gone: not with the focus
    await expect_state([ana, bo], "second", "delivered", "Delivered")
    assert await site.phone_with(2) == ["first", "second"]


async def test_of_a_run_of_messages_the_last_says_it(site: Served, sign_in: SignIn) -> None:
    _, ana, _ = await two_look(site, sign_in)
    for text in ("one", "two"):
        await ana.send(text)
        await expect_state([ana], text, "delivered", "Delivered")
    await expect(message(ana, "one").locator("[data-state]")).to_have_count(0)


class TestByReceipts:
    """With a carrier that takes messages first and tells later what became of them."""

    @pytest_asyncio.fixture(loop_scope="session")
    async def gateway(self) -> AsyncIterator[Gateway]:
        """A carrier's server."""
        async with listening() as gateway:
            yield gateway

    @pytest_asyncio.fixture(loop_scope="session")
    async def site(self, engine_url: str, prefix: str, gateway: Gateway) -> AsyncIterator[Served]:
        """A node whose Sales number belongs to that carrier."""
        async with bound(engine_url, prefix, gateway, as_demo=True) as site:
            yield site

    async def test_one_tick_then_two_or_the_carriers_reason(
        self, site: Served, sign_in: SignIn
    ) -> None:
        answer = await post(site, "/v1/webhook/inbound", inbound("Hi"))
        conv = str(answer.json()["conv"])
        assert (await site.act("agent1", conv, "assign")).is_success
        ana, bo = Desk(await sign_in("agent1")), Desk(await sign_in("agent2"))
        for desk in (ana, bo):
            await desk.open(conv)
        for text in ("first", "second"):
            await ana.send(text)
            await expect_state([ana, bo], text, "sent", "Sent")
        receipts = [
            {"id": "gw-1", "state": "delivered"},
            {"id": "gw-2", "state": "failed", "reason": "blocked by the network"},
        ]
        for n, receipt in enumerate(receipts):
            answer = await post(site, "/v1/webhook/receipts", receipt, key=f"r{n}")
            assert answer.is_success, answer.text
        await expect_state([ana, bo], "first", "delivered", "Delivered")
        await expect_state([ana, bo], "second", "failed", "Failed: blocked by the network")


async def test_a_customer_opts_out_and_in_again(site: Served, sign_in: SignIn) -> None:
    _, ana, bo = await two_look(site, sign_in)
    await fails_next(site, permanent=False, reason="busy")
    await ana.send("Our offer")
    await expect_state([ana], "Our offer", "queued", "Queued")
    await site.texts("Stop")
    await expect_state([ana, bo], "Our offer", "failed", "Failed: this customer opted out")
    again = ana.messages.get_by_role("button", name="Try again")
    await expect(again).to_have_count(0)
    for desk in (ana, bo):
        await expect(desk.messages).to_contain_text("The customer opted out (STOP).")
        await expect(desk.messages.locator("[data-kind=answered]")).to_have_count(1)
        await expect(desk.messages).to_contain_text("Automatic answer")
    await expect(ana.composer).to_have_count(0)
    await expect(ana.panel).to_contain_text("This customer has opted out (STOP).")
    await assert_accessible(ana.page)
    await site.texts("START")
    await expect(ana.messages).to_contain_text("The customer opted in again (START).")
    await again.click()
    await expect_state([ana, bo], "Our offer", "delivered", "Delivered")
