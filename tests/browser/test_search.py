"""Search: one box over everything, by keyboard alone, and what it leads to."""

from __future__ import annotations

import re

from tests.browser.desk import Desk, expect
from tests.browser.kit import SignIn
from tests.served import Served


async def test_an_address_leads_to_a_message_far_back_and_the_newest_is_a_press_away(
    site: Served, sign_in: SignIn
) -> None:
    for n in range(1, 301):
        conv = await site.texts(f"text {n}")
    page = await sign_in("agent1")
    ana = Desk(page)
    await page.goto(f"{site.url}/inboxes/all?filter=open&c={conv}&n=120")
    found = ana.messages.locator('[data-n="120"]')
    await expect(found).to_be_focused()
    await expect(found).to_be_in_viewport()
    await expect(found).to_contain_text("text 120")
    assert await ana.messages.locator("[data-n]").count() < 200
    await site.texts("one more")
    await page.keyboard.press("PageDown")
    await expect(found).to_have_count(1)
    await ana.panel.get_by_role("button", name="Newest").click()
    await expect(ana.messages.locator('[data-n="301"]')).to_be_in_viewport()
    assert "&n=" not in page.url
    await page.goto(f"{site.url}/inboxes/all?filter=open&c={conv}&n=290")  # loaded anyway
    await expect(ana.messages.locator('[data-n="290"]')).to_be_focused()
    await expect(ana.messages.locator('[data-n="290"]')).to_have_class(re.compile("line-found"))
    await site.texts("and another")
    await expect(ana.messages.locator('[data-n="302"]')).to_have_count(1)
