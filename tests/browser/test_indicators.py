"""Flags, badges and totals: each state looks, and reads, like the table of the product."""

from __future__ import annotations

from tests.browser.desk import Desk, expect
from tests.browser.kit import SignIn
from tests.served import Served


async def test_a_new_message_is_a_blue_badge_in_words_too(site: Served, sign_in: SignIn) -> None:
    ana = Desk(await sign_in("agent1"))
    conv = await site.texts("Hi, is my order ready?")
    await expect(ana.badge(conv, "blue")).to_be_visible()
    await expect(ana.row(conv)).to_contain_text("New, unassigned")
    await expect(ana.row(conv)).to_contain_text("Hi, is my order ready?")
    await expect(ana.row(conv).locator("[data-flag]")).to_have_count(0)


async def test_mine_has_a_green_flag_and_a_green_badge_for_news(
    site: Served, sign_in: SignIn
) -> None:
    ana = Desk(await sign_in("agent1"))
    conv = await site.texts("Hi")
    other = await site.texts("Hello", customer="+14165550143")
    await ana.open(conv)
    await ana.assign()
    await expect(ana.flag(conv, "mine")).to_be_visible()
    await expect(ana.row(conv)).to_contain_text("Assigned to you")
    await expect(ana.badge(conv)).to_have_count(0)
    await ana.open(other)  # nobody looks at the first one now
    await site.texts("Are you there?")
    await expect(ana.badge(conv, "green")).to_be_visible()
    await expect(ana.row(conv)).to_contain_text("New for you")
    await ana.open(conv)
    await expect(ana.badge(conv)).to_have_count(0)


async def test_somebody_elses_has_a_grey_flag_with_initials_and_no_badge(
    site: Served, sign_in: SignIn
) -> None:
    ana = Desk(await sign_in("agent1"))
    conv = await site.texts("Hi")
    await expect(ana.badge(conv, "blue")).to_be_visible()
    assert (await site.act("agent3", conv, "assign")).is_success
    await expect(ana.flag(conv, "other")).to_be_visible()
    await expect(ana.flag(conv, "other")).to_contain_text("D")
    await expect(ana.row(conv)).to_contain_text("Assigned to Dee")
    await site.texts("Still there?")
    await expect(ana.row(conv)).to_contain_text("Still there?")
    await expect(ana.badge(conv)).to_have_count(0)


async def test_done_has_neither_flag_nor_badge(site: Served, sign_in: SignIn) -> None:
    ana = Desk(await sign_in("agent1"))
    conv = await site.texts("Hi")
    assert (await site.act("agent2", conv, "done")).is_success
    await ana.go("/inboxes/all?filter=done")
    await expect(ana.row(conv)).to_be_visible()
    await expect(ana.row(conv).locator("[data-flag], [data-badge]")).to_have_count(0)


async def test_totals_are_the_same_in_the_tab_the_title_and_the_app_badge(
    site: Served, sign_in: SignIn
) -> None:
    page = await sign_in("agent2")
    ana = Desk(page)
    await ana.js(
        """() => { navigator.setAppBadge = (count) => {
          window.appBadge = count;
          return Promise.resolve();
        }; }"""
    )
    for number in range(3):
        await site.texts("Hi", customer=f"+1416555020{number}")
    mine = await site.texts("Help", to="+14165550101", customer="+14165550210")
    assert (await site.act("agent2", mine, "assign")).is_success
    await site.texts("Help!", to="+14165550101", customer="+14165550210")
    await ana.expect_totals(3, 1)
    await expect(page).to_have_title("(4) Inboxes · batonbox")
    await page.wait_for_function("() => window.appBadge === 4")
    await expect(ana.nav.get_by_role("link", name="Sales")).to_contain_text("3")
