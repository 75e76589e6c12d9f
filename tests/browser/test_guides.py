"""The guides for members and admins are played as they stand; `make docs-images` takes pictures."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, ViewportSize

from tests.browser.admin_kit import at, row
from tests.browser.desk import Desk, expect
from tests.browser.guide import IMAGES, Guide
from tests.browser.kit import PATIENCE_MS, SignIn
from tests.browser.talk import Talk
from tests.served import Served

SMALL: ViewportSize = {"width": 1120, "height": 640}


async def staged(site: Served) -> dict[str, str]:
    """Conversations of every kind, by what they are."""
    there = {
        "new": await site.texts("Hi, is my order ready?"),
        "bo's": await site.texts("Do you deliver on Saturdays?", customer="+14165550143"),
        "mine": await site.texts("Can I change my address?", customer="+14165550144"),
        "done": await site.texts("Thank you!", customer="+14165550145"),
    }
    for user, conv, verb in (
        ("agent2", "bo's", "assign"),
        ("agent1", "mine", "assign"),
        ("agent2", "done", "done"),
    ):
        assert (await site.act(user, there[conv], verb)).is_success
    return there


async def at_rest(page: Page) -> None:
    """Until nothing moves any more."""
    await page.wait_for_function(
        "() => !document.getAnimations().some((one) => one.playState === 'running')"
    )


async def test_the_guide_for_members(site: Served, sign_in: SignIn) -> None:
    there = await staged(site)
    guide = Guide("members")
    page = await sign_in("agent1")
    other = Desk(await sign_in("agent2"))
    await page.set_viewport_size(SMALL)
    ana = Desk(page)
    await site.texts("It is 12 Elm Street now.", customer="+14165550144")
    await expect(ana.badge(there["mine"], "green")).to_be_visible()
    await expect(ana.badge(there["new"], "blue")).to_be_visible()
    await expect(ana.flag(there["bo's"], "other")).to_be_visible()

    guide.turn_to("Inboxes and Interactions")
    await guide.sees(ana.nav, "Inboxes", "Interactions")
    await expect(ana.list.get_by_role("combobox", name="Inbox")).to_contain_text("All inboxes")

    guide.turn_to("Open your inboxes")
    await guide.sees(ana.nav, "Inboxes")
    await guide.sees(ana.list, "Unassigned", "Assigned to Me", "Assigned to others", "Open", "Done")
    await guide.shows(page, "members-inboxes")

    guide.turn_to("Badges and flags")
    await guide.sees(ana.nav, "Inboxes")

    guide.turn_to("Assign to Me")
    await ana.open(there["new"])
    await expect(ana.badge(there["new"])).to_have_count(0)
    await guide.sees(ana.panel, "Assign to Me")
    await guide.shows(page, "members-unassigned")
    await ana.assign()
    await expect(ana.flag(there["new"], "mine")).to_be_visible()

    guide.turn_to("Answer")
    await guide.sees(ana.panel, "Write a message", "Attach files", "Note", "Reply", "Send")
    await ana.send("Yes, you can pick it up until six.")
    await expect(ana.messages).to_contain_text("Delivered")
    await ana.composer.fill("Ask for Bo at the counter.")
    await guide.shows(page, "members-assigned")
    await ana.composer.fill("")

    guide.turn_to("Transfer")
    await guide.sees(ana.panel, "More actions")
    await ana.panel.get_by_role("button", name="More actions").click()
    await guide.sees(page.get_by_role("menu"), "Transfer")
    await page.get_by_role("menuitem", name="Transfer", exact=True).click()
    dialog = page.get_by_role("dialog", name="Transfer")
    await dialog.get_by_role("option", name=re.compile("^Bo")).click()
    await dialog.get_by_role("textbox", name="Note").fill("Prefers to be called")
    await guide.shows(page, "members-transfer")
    await dialog.get_by_role("button", name="Transfer", exact=True).click()
    await ana.status("Assigned to Bo")
    await expect(other.flag(there["new"], "mine")).to_be_visible()
    await guide.sees(page, "Undo")
    await page.get_by_role("button", name="Undo").click()
    await ana.status("Assigned to you")

    guide.turn_to("Return to Inbox")
    await ana.panel.get_by_role("button", name="More actions").click()
    await guide.sees(page.get_by_role("menu"), "Return to Inbox")
    await page.get_by_role("menuitem", name="Return to Inbox").click()
    await ana.status("Unassigned")
    await expect(other.badge(there["new"], "blue")).to_be_visible()

    guide.turn_to("Mark as Done")
    await ana.assign()
    await ana.panel.get_by_role("button", name="More actions").click()
    await guide.sees(page.get_by_role("menu"), "Snooze…")
    await page.keyboard.press("Escape")
    await guide.sees(ana.panel, "Mark as Done")
    await ana.panel.get_by_role("button", name="Mark as Done").click()
    await expect(ana.section("Unassigned")).to_contain_text("0")
    await expect(ana.row(there["new"])).to_have_count(0)

    guide.turn_to("When you are away")
    await guide.sees(ana.nav, "Set as away…")
    await ana.nav.get_by_role("button", name="Set as away").click()
    await page.get_by_role("dialog").get_by_role("button", name="Set as away").click()
    strip = page.get_by_role("region", name="You are away")
    await guide.sees(strip, "I am back")
    await strip.get_by_role("button", name="I am back").click()
    await expect(strip).to_have_count(0)

    guide.turn_to("Interactions")
    await guide.sees(ana.nav, "Interactions")
    talk = Talk(page)
    await talk.enter()
    await guide.sees(talk.list, "All", "External", "Direct", "Channels", "Search", "New")
    await expect(talk.row(there["done"])).to_be_visible()
    dismiss = ana.toasts.get_by_role("button", name="Dismiss")
    while await dismiss.count():
        await dismiss.first.click()
    await at_rest(page)
    await guide.shows(page, "members-interactions")

    guide.turn_to("Keys")
    await guide.sees(ana.nav, "Settings")
    guide.is_complete()


async def test_the_guide_for_admins(site: Served, sign_in: SignIn) -> None:
    there = await staged(site)
    guide = Guide("admins")
    page = await sign_in("admin")
    await page.set_viewport_size(SMALL)
    desk = Desk(page)

    guide.turn_to("The pages")
    await guide.sees(desk.nav, "Admin")
    main = await at(page, site, "/admin/inboxes", "Inboxes")
    await expect(row(main, "Sales")).to_contain_text("+1 416 555 0100")
    await guide.sees(
        page, "Inboxes", "Team", "Numbers", "Carriers", "Bots & API keys", "Webhooks", "Channels",
        "Archive & retention", "Export", "Audit log", "Live view",
    )  # fmt: skip
    await guide.shows(page, "admins-inboxes")

    guide.turn_to("Invite the team")
    main = await at(page, site, "/admin/team", "Team")
    await guide.sees(main, "Invite")
    await main.get_by_role("button", name="Invite", exact=True).click()
    dialog = page.get_by_role("dialog", name="Invite to the team")
    await dialog.get_by_label("Name").fill("Lee Wong")
    await dialog.get_by_role("checkbox", name="Sales").check()
    await guide.sees(dialog, "Create invitation")
    await guide.shows(page, "admins-invite")
    await dialog.get_by_role("button", name="Create invitation").click()
    shown = page.get_by_role("dialog", name="Invitation for Lee Wong")
    await shown.get_by_role("button", name="Done").click()
    await main.get_by_role("button", name="Bo", exact=True).click()
    person = main.get_by_role("region", name="Bo", exact=True)
    await guide.sees(person, "Edit", "Set a password", "Deactivate", "Reassign all")

    guide.turn_to("Add an inbox")
    main = await at(page, site, "/admin/inboxes", "Inboxes")
    await guide.sees(main, "Add inbox", "Rules")
    await main.get_by_role("button", name="Add inbox").click()
    dialog = page.get_by_role("dialog", name="Add inbox")
    await dialog.get_by_label("Name", exact=True).fill("Repairs")
    await dialog.get_by_role("checkbox", name="Ana").check()
    await guide.shows(page, "admins-add-inbox")
    await dialog.get_by_role("button", name="Add inbox").click()
    await expect(row(main, "Repairs")).to_be_visible()

    guide.turn_to("Give it a number")
    main = await at(page, site, "/admin/numbers", "Numbers")
    await guide.sees(main, "Add number", "Unassign", "Unrouted messages", "Check")
    await main.get_by_role("button", name="Add number").click()
    dialog = page.get_by_role("dialog", name="Add number")
    await dialog.get_by_label("Phone number").fill("+1 (416) 555-0177")
    await guide.sees(dialog, "Delivers to")
    await dialog.get_by_label("Delivers to").select_option(label="Repairs")
    await guide.shows(page, "admins-add-number")
    await dialog.get_by_role("button", name="Add number").click()
    await expect(row(main, "+1 416 555 0177")).to_contain_text("Repairs")

    guide.turn_to("Connect a carrier")
    main = await at(page, site, "/admin/carriers", "Carriers")
    await guide.sees(main, "Add account", "Simulated phones")

    guide.turn_to("Oversee")
    await guide.sees(page, "Audit log", "Live view")
    main = await at(page, site, "/admin/live", "Live view")
    await expect(row(main, "Sales").first).to_be_visible()
    await guide.shows(page, "admins-live")
    await desk.go("/inboxes/all")
    await desk.open(there["bo's"])
    await desk.panel.get_by_role("button", name="More actions").click()
    await guide.sees(page.get_by_role("menu"), "Take over", "Transfer", "Return to Inbox")
    await page.get_by_role("menuitem", name="Take over").click()
    await page.get_by_role("dialog").get_by_role("button", name="Take over").click()
    await desk.status("Assigned to you")

    guide.turn_to("Bots and other programs")
    await guide.sees(await at(page, site, "/admin/bots", "Bots"), "Add bot")
    await guide.sees(await at(page, site, "/admin/webhooks", "Webhooks"), "Add webhook")

    guide.turn_to("Keep, erase, take along")
    await guide.sees(await at(page, site, "/admin/keeping", "Archive"), "Change…")
    await guide.sees(await at(page, site, "/admin/export", "Export"), "Export everything")
    guide.is_complete()


async def test_what_a_guide_says_and_is_not_so_is_noticed(site: Served, sign_in: SignIn) -> None:
    guide = Guide("members")
    page = await sign_in("agent1")
    guide.turn_to("Assign to Me")
    with pytest.raises(AssertionError, match="says nothing of 'Sign out'"):
        await guide.sees(page, "Sign out")
    page.set_default_timeout(200)
    expect.set_options(timeout=200)
    try:
        with pytest.raises(AssertionError, match="which is not there"):
            await guide.sees(page, "Assign to Me")
    finally:
        expect.set_options(timeout=PATIENCE_MS)
    with pytest.raises(AssertionError, match="Assign to Me"):
        guide.is_complete()


def test_every_picture_belongs_to_a_guide() -> None:
    shown = {f"{name}.png" for guide in ("members", "admins") for name in Guide(guide).pictures}
    assert {path.name for path in IMAGES.iterdir()} == shown
