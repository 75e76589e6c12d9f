"""Bots and API keys: made, shown once, used, revoked."""

from __future__ import annotations

import re

from playwright.async_api import Locator, Page, expect

from tests.browser.admin_kit import at, looked_over, row
from tests.browser.kit import SignIn
from tests.served import Served


async def opened(sign_in: SignIn, site: Served) -> tuple[Page, Locator]:
    """The page of an admin."""
    page = await sign_in("admin")
    return page, await at(page, site, "/admin/bots", "Bots & API keys")


async def test_a_bot_gets_a_key_that_works_and_is_shown_once(site: Served, sign_in: SignIn) -> None:
    page, main = await opened(sign_in, site)
    await main.get_by_role("button", name="Add bot").click()
    dialog = page.get_by_role("dialog", name="Add bot")
    await dialog.get_by_label("Name").fill("Night Desk")
    await expect(dialog.get_by_label("Id", exact=True)).to_have_value("night-desk")
    await dialog.get_by_role("checkbox", name="Sales").check()
    await looked_over(page)
    await dialog.get_by_role("button", name="Add bot").click()
    await expect(dialog).to_be_hidden()
    bots = main.get_by_role("table", name="Bots")
    await expect(row(bots, "night-desk")).to_contain_text("Sales")

    # Its keys are open already.
    keys = main.get_by_role("region", name="Keys of Night Desk")
    await keys.get_by_role("button", name="Create key").click()
    dialog = page.get_by_role("dialog", name="Create key for Night Desk")
    await expect(dialog.get_by_role("checkbox", name="Administer")).to_have_count(0)
    await dialog.get_by_role("button", name="Create key").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("Give the key a label")
    await dialog.get_by_label("Label").fill("Night script")
    await dialog.get_by_role("checkbox", name="Act", exact=True).uncheck()
    await looked_over(page)
    await dialog.get_by_role("button", name="Create key").click()
    shown = page.get_by_role("dialog", name="Your new key")
    await expect(shown).to_contain_text("the only time")
    field = shown.get_by_role("textbox", name="Key", exact=True)
    await expect(field).to_be_focused()
    secret = await field.input_value()
    line = shown.get_by_role("textbox", name="Line for a shell")
    await expect(line).to_have_value(f"export BATONBOX_TOKEN={secret}")
    await expect(field).to_have_attribute("readonly", "")
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await shown.get_by_role("button", name="Copy line").click()
    copied = await page.evaluate("() => navigator.clipboard.readText()")
    assert copied == f"export BATONBOX_TOKEN={secret}"
    await looked_over(page)
    await shown.get_by_role("button", name="Done").click()
    await expect(shown).to_be_hidden()
    assert secret not in await page.content()

    made = row(keys, "Night script")
    await expect(made).to_contain_text("Read")
    await expect(made).not_to_contain_text("Act")
    await expect(made).to_contain_text("never")
    conv = await site.texts("Hi")
    bearer = {"authorization": f"Bearer {secret}"}
    seen = await site.http.get(f"/v1/conversations/{conv}", headers=bearer)
    assert seen.status_code == 200, seen.text
    acted = await site.http.post(f"/v1/conversations/{conv}/assign", json={}, headers=bearer)
    assert acted.status_code == 403, acted.text
    await page.reload()
    await main.get_by_role("button", name="Night Desk").click()
    await expect(made).to_be_visible()
    await expect(made).not_to_contain_text("never")

    await made.get_by_role("button", name="Revoke Night script").click()
    asks = page.get_by_role("dialog", name="Revoke key")
    await expect(asks).to_contain_text("cannot be undone")
    await looked_over(page)
    await asks.get_by_role("button", name="Revoke key").click()
    await expect(keys).to_contain_text("has no API keys")
    gone = await site.http.get(f"/v1/conversations/{conv}", headers=bearer)
    assert gone.status_code == 401


async def test_a_key_of_a_person_by_keyboard_alone(site: Served, sign_in: SignIn) -> None:
    page, main = await opened(sign_in, site)
    await main.get_by_role("combobox", name="Person").select_option(label="Alex Admin")
    people = main.get_by_role("region", name="Keys of people")
    opener = people.get_by_role("button", name="Create key")
    await opener.focus()
    await page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name=re.compile("^Create key for"))
    await expect(dialog.get_by_label("Label")).to_be_focused()
    await page.keyboard.type("Reports")
    await page.keyboard.press("Tab")
    await expect(dialog.get_by_role("checkbox", name="Read")).to_be_focused()
    await page.keyboard.press("Enter")
    shown = page.get_by_role("dialog", name="Your new key")
    await expect(shown.get_by_role("textbox", name="Key", exact=True)).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(shown).to_be_hidden()
    await expect(opener).to_be_focused()
    await expect(row(people, "Reports")).to_contain_text("Read, Act")


async def test_a_refusal_is_said_in_the_dialog(site: Served, sign_in: SignIn) -> None:
    page, main = await opened(sign_in, site)
    await main.get_by_role("button", name="Add bot").click()
    dialog = page.get_by_role("dialog", name="Add bot")
    await dialog.get_by_label("Name").fill("Another admin")
    await dialog.get_by_label("Id", exact=True).fill("Not an id")
    await dialog.get_by_role("button", name="Add bot").click()
    await expect(dialog.get_by_role("alert")).to_be_visible()
    await expect(dialog).to_be_visible()
    assert [said for said in sign_in.complaints if "400" not in said] == []
    sign_in.complaints.clear()
