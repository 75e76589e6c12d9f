"""Inboxes on the Admin page: made, fed by a number, seen live by members, changed, deleted."""

from __future__ import annotations

import re

from playwright.async_api import Locator, Page, expect

from tests.browser.admin_kit import at, looked_over, row
from tests.browser.desk import Desk
from tests.browser.kit import SignIn
from tests.served import SALES, Served

NUMBER = "+14165550177"


async def opened(sign_in: SignIn, site: Served) -> tuple[Page, Locator, Locator]:
    """The page of an admin, its main part and its table."""
    page = await sign_in("admin")
    main = await at(page, site, "/admin/inboxes", "Inboxes")
    table = main.get_by_role("table", name="Inboxes")
    await expect(row(table, "Sales")).to_be_visible()
    return page, main, table


async def test_an_inbox_comes_into_being_on_a_members_open_page(
    site: Served, sign_in: SignIn
) -> None:
    member = await sign_in("agent1")
    ana = Desk(member)
    picker = member.get_by_role("combobox", name=re.compile("inbox", re.IGNORECASE))
    await expect(picker.get_by_role("option", name="Sales")).to_be_attached()
    await member.evaluate("() => { window.untouched = true; }")

    page, main, table = await opened(sign_in, site)
    await main.get_by_role("button", name="Add inbox").click()
    dialog = page.get_by_role("dialog", name="Add inbox")
    await dialog.get_by_role("button", name="Add inbox").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("Give the inbox a name")
    await dialog.get_by_label("Name", exact=True).fill("Repairs")
    await dialog.get_by_label("Kind").select_option(label="Department")
    await dialog.get_by_label("Extension").fill("205")
    await dialog.get_by_role("checkbox", name="Ana").check()
    await looked_over(page)
    await dialog.get_by_role("button", name="Add inbox").click()
    await expect(dialog).to_be_hidden()
    made = row(table, "Repairs")
    await expect(made.get_by_role("cell").first).to_have_text("DepartmentExtension 205")
    await expect(made).to_contain_text("1: Ana")
    await expect(made).to_contain_text("Comes into being with its first number")
    assert "Repairs" not in await picker.inner_text()

    await at(page, site, "/admin/numbers", "Numbers")
    await main.get_by_role("button", name="Add number").click()
    dialog = page.get_by_role("dialog", name="Add number")
    await dialog.get_by_label("Phone number").fill("+1 (416) 555-0177")
    await dialog.get_by_label("Delivers to").select_option(label="Repairs")
    await dialog.get_by_role("button", name="Add number").click()
    await expect(dialog).to_be_hidden()
    await expect(row(main, "+1 416 555 0177")).to_contain_text("Repairs")

    await expect(picker.get_by_role("option", name="Repairs")).to_be_attached()
    conv = await site.texts("Is it mended?", to=NUMBER)
    await expect(ana.row(conv)).to_contain_text("Is it mended?")
    await expect(ana.badge(conv, "blue")).to_be_visible()
    assert await member.evaluate("() => window.untouched") is True

    await at(page, site, "/admin/inboxes", "Inboxes")
    await expect(made).to_contain_text("+1 416 555 0177")
    await expect(made.get_by_role("cell").nth(3)).to_have_text("1")
    await expect(made).to_contain_text("under 1 min")
    await looked_over(page)


async def test_what_can_be_done_to_an_inbox_is_in_sight(site: Served, sign_in: SignIn) -> None:
    page = await sign_in("admin")
    main = await at(page, site, "/admin/inboxes", "Inboxes")
    for width in (1280, 1024):
        await page.set_viewport_size({"width": width, "height": 800})
        button = main.get_by_role("button", name="Delete Sales")
        hidden = """(button) => button.getBoundingClientRect().right
          - button.closest(".table-box").getBoundingClientRect().right"""
        assert await button.evaluate(hidden) <= 0


async def test_an_inbox_is_added_and_fed_by_keyboard_alone(site: Served, sign_in: SignIn) -> None:
    page, main, table = await opened(sign_in, site)
    opener = main.get_by_role("button", name="Add inbox")
    await opener.focus()
    await page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Add inbox")
    await expect(dialog.get_by_label("Name", exact=True)).to_be_focused()
    await page.keyboard.type("Counter")
    await page.keyboard.press("Tab")
    await page.keyboard.type("Ring")
    await page.keyboard.press("Tab")
    await page.keyboard.type("300")
    await page.keyboard.press("Enter")
    await expect(dialog).to_be_hidden()
    await expect(opener).to_be_focused()
    made = row(table, "Counter")
    await expect(made).to_contain_text("Ring GroupExtension 300")

    await page.keyboard.press("Tab")
    assign = made.get_by_role("button", name="Assign a number to Counter")
    await expect(assign).to_be_focused()
    await page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Assign a number to Counter")
    await expect(dialog.get_by_role("combobox", name="Number")).to_be_focused()
    await expect(dialog).to_contain_text("With it the inbox comes into being")
    await page.keyboard.press("Tab")
    await page.keyboard.type("0")
    await page.keyboard.press("Enter")
    await expect(dialog.get_by_role("alert")).to_contain_text("country code")
    await page.keyboard.press("ControlOrMeta+A")
    await page.keyboard.type("+1 416 555 0177")
    await page.keyboard.press("Enter")
    await expect(dialog).to_be_hidden()
    await expect(made).to_contain_text("+1 416 555 0177")
    conv = await site.texts("Hi", to=NUMBER)
    assert (await site.get("admin", f"/v1/conversations/{conv}"))["inbox"]


async def test_an_inbox_is_changed_and_a_refusal_loses_nothing(
    site: Served, sign_in: SignIn
) -> None:
    page, main, table = await opened(sign_in, site)
    await main.get_by_role("button", name="Edit Sales").click()
    dialog = page.get_by_role("dialog", name="Edit inbox")
    await dialog.get_by_label("Name", exact=True).fill("Shop")
    await dialog.get_by_label("Extension").fill("101")
    await dialog.get_by_role("checkbox", name="Bo", exact=True).uncheck()
    await expect(dialog).to_contain_text("return to the inbox")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("101")
    await expect(dialog.get_by_label("Name", exact=True)).to_have_value("Shop")
    await looked_over(page)
    await dialog.get_by_label("Extension").fill("102")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog).to_be_hidden()
    await expect(row(table, "Shop")).to_contain_text("Extension 102")
    await expect(row(table, "Shop")).to_contain_text("3: Alex Admin, Ana, Dee")
    assert "agent2" not in site.node.directory.inboxes["sales"].members
    assert [said for said in sign_in.complaints if "409" not in said] == []
    sign_in.complaints.clear()

    # Changed by somebody else: the page follows by itself.
    renamed = await site.call("admin", "PATCH", "/v1/admin/inboxes/support", {"name": "Help"})
    assert renamed.is_success
    await expect(row(table, "Help")).to_be_visible()


async def test_deleting_asks_for_the_name_and_keeps_the_number(
    site: Served, sign_in: SignIn
) -> None:
    conv = await site.texts("Hi")
    page, main, table = await opened(sign_in, site)
    await main.get_by_role("button", name="Delete Sales").click()
    dialog = page.get_by_role("dialog", name="Delete inbox")
    await expect(dialog).to_contain_text("+1 416 555 0100 stays, delivering nowhere")
    await dialog.get_by_role("button", name="Delete inbox").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("Type the name")
    assert "sales" in site.node.directory.inboxes
    await looked_over(page)
    await dialog.get_by_label("Type “Sales” to delete it").fill("Sales")
    await dialog.get_by_role("button", name="Delete inbox").click()
    await expect(dialog).to_be_hidden()
    await expect(row(table, "Sales")).to_have_count(0)
    await expect(main.get_by_role("button", name="Add inbox")).to_be_focused()
    assert (await site.call("admin", "GET", f"/v1/conversations/{conv}")).status_code == 404
    await at(page, site, "/admin/numbers", "Numbers")
    await expect(row(main, "+1 416 555 0100")).to_contain_text("nowhere")
    assert site.node.directory.routes[SALES].inbox == ""
