"""The simulated phones, and a first visit from the printed link to an answered message."""

from __future__ import annotations

import re
from collections.abc import Awaitable

from tests.browser.desk import Desk, expect
from tests.browser.kit import SignIn
from tests.served import Served


async def test_a_round_trip_by_phone(site: Served, sign_in: SignIn) -> None:
    page = await sign_in("admin")
    alex = Desk(page)
    await alex.nav.get_by_role("link", name="Phone", exact=True).click()
    phone = page.get_by_role("region", name="Phone")
    await phone.get_by_role("textbox", name="Text message").fill("Is it ready?")
    await phone.get_by_role("button", name="Send text").click()
    messages = phone.get_by_role("log", name="Phone messages")
    await expect(messages).to_contain_text("Is it ready?")
    await alex.nav.get_by_role("link", name=re.compile("^Inboxes")).click()
    await alex.list.locator("[data-conv]").first.click()
    await alex.assign()
    await alex.send("Yes, come by.")
    await expect(alex.messages).to_contain_text("Delivered")
    await alex.nav.get_by_role("link", name="Phone", exact=True).click()
    await expect(messages).to_contain_text("Yes, come by.")


async def test_a_burst_keeps_its_order(site: Served, sign_in: SignIn) -> None:
    page = await sign_in("admin")
    alex = Desk(page)
    await alex.nav.get_by_role("link", name="Phone", exact=True).click()
    await page.get_by_role("button", name="Burst 20").click()
    await alex.nav.get_by_role("link", name=re.compile("^Inboxes")).click()
    await expect(alex.list.locator("[data-conv]")).to_have_count(1)
    await alex.list.locator("[data-conv]").first.click()
    await expect(alex.messages.locator(".bubble-text")).to_have_count(20)
    numbers = [int(re.findall(r"\d+", text)[0]) for text in await alex.texts()]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) == 20


async def test_five_bots_race_and_one_wins(site: Served, sign_in: SignIn) -> None:
    page = await sign_in("admin")
    alex = Desk(page)
    await alex.nav.get_by_role("link", name="Phone", exact=True).click()
    await page.get_by_role("button", name="Race: 5 bots").click()
    phone = page.get_by_role("region", name="Phone")
    await expect(phone).to_contain_text(re.compile(r"Race bot \d"))
    await expect(phone).to_contain_text(re.compile(r"4 others|four others|4 were refused"))
    customer = await customer_of(site)
    assert len(await site.phone_with(1, customer)) == 1
    await alex.go("/inboxes/all?filter=done")
    await expect(alex.list.locator("[data-conv]")).to_have_count(1)


async def customer_of(site: Served) -> str:
    """Whoever the only conversation is with."""
    for view in ("open", "done"):
        items = (await site.get("admin", f"/v1/conversations?view={view}"))["items"]
        if items:
            return str(items[0]["customer"])
    raise AssertionError("no conversation")


async def test_a_first_visitor_answers_a_message_in_six_actions(
    site: Served, sign_in: SignIn
) -> None:
    """By visible labels only; opening the printed link is what `sign_in` did."""
    page = await sign_in("admin")
    actions = 0

    async def act(action: Awaitable[None]) -> None:
        nonlocal actions
        actions += 1
        await action

    await act(page.get_by_role("link", name="Phone", exact=True).click())
    await act(page.get_by_role("button", name="Send text").click())
    await act(page.get_by_role("link", name=re.compile("^Inboxes")).click())
    await expect(page.locator("[data-conv]")).to_have_count(1)
    await act(page.locator("[data-conv]").click())
    await act(page.get_by_role("button", name="Assign to Me").first.click())
    await expect(page.get_by_role("textbox", name="Write a message")).to_be_focused()
    await page.keyboard.type("Hello! How can I help?")
    await act(page.keyboard.press("Enter"))
    assert actions <= 6
    assert await site.phone_with(1, await customer_of(site)) == ["Hello! How can I help?"]
