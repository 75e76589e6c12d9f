"""Contacts: names in the place of numbers, for everybody at once, and the address book."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.async_api import Page

from tests.browser.desk import Desk, expect
from tests.browser.kit import SignIn, assert_accessible, watch_notifications
from tests.served import CUSTOMER, Served

OTHER = "+14165550143"


async def added(site: Served, name: str, *numbers: str, note: str = "") -> Any:
    """A contact, made by an admin over HTTP."""
    body = {"name": name, "numbers": list(numbers), "note": note}
    answer = await site.call("admin", "POST", "/v1/contacts", body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def filled(page: Page, label: str, **fields: str) -> None:
    """Fill a dialog's fields by their labels and save it."""
    dialog = page.get_by_role("dialog", name=label)
    for name, value in fields.items():
        await dialog.get_by_role("textbox", name=re.compile(f"^{name}")).fill(value)
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog).to_be_hidden()


async def test_a_name_given_in_a_conversation_stands_everywhere_at_once(
    site: Served, sign_in: SignIn
) -> None:
    conv = await site.texts("Hi")
    page, other = await sign_in("agent1"), await sign_in("agent2")
    await watch_notifications(other)
    ana, bo = Desk(page), Desk(other)
    await expect(bo.row(conv)).to_contain_text("+1 416 555 0142")
    await ana.open(conv)
    await ana.panel.get_by_role("button", name="Add to contacts").click()
    await filled(page, "New contact", Name="Lee & Sons", Note="Pays late")
    for desk in (ana, bo):
        await expect(desk.row(conv)).to_contain_text("Lee & Sons")
        await expect(desk.row(conv)).not_to_contain_text("555 0142")
    await expect(ana.panel.get_by_role("heading", name="Lee & Sons")).to_be_visible()
    await expect(ana.panel.locator("header")).to_contain_text("+1 416 555 0142")
    await site.texts("Me again")
    await other.wait_for_function(
        "() => window.notifications.some((one) => one.title === 'Lee & Sons')"
    )
    await ana.list.get_by_role("searchbox").fill("lee")
    await expect(ana.row(conv)).to_be_visible()
    await ana.panel.get_by_role("button", name="Contact", exact=True).click()
    dialog = page.get_by_role("dialog", name="Contact", exact=True)
    await expect(dialog.get_by_role("textbox", name="Note")).to_have_value("Pays late")
    await dialog.get_by_role("textbox", name="Name").fill("Lee Holdings")
    await dialog.get_by_role("button", name="Save").click()
    await expect(bo.row(conv)).to_contain_text("Lee Holdings")
    await page.reload()
    await expect(ana.row(conv)).to_contain_text("Lee Holdings")


async def test_a_name_stands_wherever_the_number_would(site: Served, sign_in: SignIn) -> None:
    conv = await site.texts("Hi")
    await added(site, "Lee & Sons", CUSTOMER)
    ana, bo = Desk(await sign_in("agent1")), Desk(await sign_in("agent2"))
    await bo.ready()
    await ana.open(conv)
    await expect(ana.messages.locator(".group-customer")).to_contain_text("Lee & Sons")
    await ana.assign()
    await expect(ana.composer).to_be_focused()
    for item, label in (("Transfer", "Transfer"), ("Snooze…", "Snooze")):
        await ana.act(item)
        await expect(ana.page.get_by_role("dialog", name=label)).to_contain_text("Lee & Sons")
        await ana.page.keyboard.press("Escape")
    note = {"text": "@Bo look", "mentions": ["agent2"]}
    assert (await site.act("agent1", conv, "note", **note)).is_success
    await bo.toast("Ana mentioned you in a note about Lee & Sons.")
    await ana.transfer("Bo")
    await bo.toast("Ana handed you the conversation with Lee & Sons.")
    await bo.nav.get_by_role("link", name=re.compile("^Interactions")).click()
    interactions = bo.page.get_by_role("region", name="Interactions", exact=True)
    row = interactions.locator(f'[data-conv="{conv}"]')
    await expect(row).to_contain_text("Lee & Sons")
    await expect(row).not_to_contain_text("555 0142")
    await interactions.get_by_role("combobox", name="Search").fill("look")
    await expect(bo.page.get_by_role("option").first).to_contain_text("Lee & Sons · Sales")
    await bo.page.keyboard.press("Escape")
    await bo.page.keyboard.press("Control+k")
    await expect(bo.page.get_by_role("combobox", name="Command or search")).to_be_focused()
    await bo.page.keyboard.type("New conv")
    await bo.page.keyboard.press("Enter")
    compose = bo.page.get_by_role("dialog", name="New conversation")
    await compose.get_by_label("To", exact=True).fill("+1 416 555 0142")
    await expect(compose).to_contain_text("Lee & Sons")


async def test_a_name_changed_while_the_connection_was_gone_is_shown(
    site: Served, sign_in: SignIn
) -> None:
    conv = await site.texts("Hi")
    page = await sign_in("agent1", network_fails=True)
    ana = Desk(page)
    await expect(ana.row(conv)).to_be_visible()
    await page.context.set_offline(True)
    await page.evaluate("() => dispatchEvent(new Event('offline'))")
    await added(site, "Lee & Sons", CUSTOMER)
    await page.context.set_offline(False)
    await page.evaluate("() => dispatchEvent(new Event('online'))")
    await expect(ana.row(conv)).to_contain_text("Lee & Sons")


async def test_two_who_edit_at_once_do_not_overwrite_each_other(
    site: Served, sign_in: SignIn
) -> None:
    contact = await added(site, "Lee", CUSTOMER)
    page = await sign_in("agent1")
    await page.goto(f"{site.url}/contacts")
    await page.get_by_role("button", name="Lee").click()
    path = f"/v1/contacts/{contact['id']}"
    assert (await site.call("admin", "PATCH", path, {"note": "VIP"})).is_success
    dialog = page.get_by_role("dialog", name="Contact")
    await dialog.get_by_role("textbox", name="Name").fill("Lee's")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog.get_by_role("alert")).not_to_be_empty()
    await page.keyboard.press("Escape")
    assert (await site.call("admin", "PATCH", path, {"name": "Lee Ltd"})).is_success
    await expect(page.get_by_role("button", name="Lee Ltd")).to_be_visible()
    assert (await site.call("admin", "PATCH", path, {"name": "Lee"})).is_success
    found = await site.get("admin", path)
    assert (found["name"], found["note"]) == ("Lee", "VIP")
    sign_in.complaints[:] = [said for said in sign_in.complaints if "409" not in said]


async def test_the_address_book_is_filtered_and_merged_and_a_contact_deleted(
    site: Served, sign_in: SignIn
) -> None:
    for n in range(70):
        await added(site, f"Member {n:02d}", f"+4920000{n:04d}")
    await added(site, "Zoë Lee", CUSTOMER)
    await added(site, "Zoe (old)", OTHER, note="moved")
    page = await sign_in("admin")
    await page.goto(f"{site.url}/contacts")
    table = page.get_by_role("table", name="Contacts")
    await expect(table.get_by_role("rowheader")).to_have_count(50)
    await page.get_by_role("button", name="Show more").click()
    await expect(table.get_by_role("rowheader")).to_have_count(72)
    await page.get_by_role("searchbox", name="Filter contacts").fill("zoe")
    await expect(table.get_by_role("rowheader")).to_have_text(["Zoe (old)", "Zoë Lee"])
    await table.get_by_role("button", name="Zoë Lee").click()
    await page.get_by_role("button", name="Merge with another contact…").click()
    dialog = page.get_by_role("dialog", name="Merge with Zoë Lee")
    await dialog.get_by_role("searchbox").fill("zoe")
    await dialog.get_by_role("option", name=re.compile("old")).click()
    await expect(dialog).to_contain_text("Zoe (old), which is no more afterwards")
    await assert_accessible(page)
    await dialog.get_by_role("button", name="Merge", exact=True).click()
    await expect(table.get_by_role("rowheader")).to_have_text(["Zoë Lee"])
    await expect(table).to_contain_text("+1 416 555 0143")
    await expect(table).to_contain_text("moved")
    await table.get_by_role("button", name="Zoë Lee").click()
    await page.get_by_role("button", name="Delete contact…").click()
    await (
        page.get_by_role("dialog", name="Delete contact")
        .get_by_role("button", name="Delete")
        .click()
    )
    await expect(page.get_by_text("No contact's name or number begins so.")).to_be_visible()


async def test_a_member_adds_and_changes_and_does_no_more(site: Served, sign_in: SignIn) -> None:
    page = await sign_in("agent1")
    await page.get_by_role("navigation", name="Main").get_by_role("link", name="Contacts").click()
    await page.get_by_role("button", name="Add contact").click()
    await filled(page, "New contact", Name="Lee", Numbers=CUSTOMER)
    await expect(page.get_by_role("table", name="Contacts")).to_contain_text("+1 416 555 0142")
    await page.get_by_role("button", name="Lee").click()
    await expect(page.get_by_role("dialog", name="Contact")).to_be_visible()
    for name in ("Import…", "Merge with another contact…", "Delete contact…"):
        await expect(page.get_by_role("button", name=name)).to_have_count(0)
    await expect(page.get_by_role("link", name="Export CSV")).to_have_count(0)


async def test_a_file_is_tried_first_and_each_bad_line_said(site: Served, sign_in: SignIn) -> None:
    page = await sign_in("admin")
    await page.goto(f"{site.url}/contacts")
    await page.get_by_role("button", name="Import…").click()
    dialog = page.get_by_role("dialog", name="Import contacts")
    lines = ["name,number,note", *(f"Person {n},+49300000{n:04d}," for n in range(300))]
    lines += ['"Lee, the ""first""",416 555 0142,"<img src=x onerror=alert(1)>"', "Nobody,12,"]
    await dialog.get_by_label("File").set_input_files(
        {"name": "c.csv", "mimeType": "text/csv", "buffer": "\n".join(lines).encode()}
    )
    await dialog.get_by_role("textbox", name="Country").fill("ca")
    await dialog.get_by_role("button", name="Check file").click()
    await expect(dialog).to_contain_text(
        "Nothing is written yet. This file would make: 301 new, 1 line with an error."
    )
    await expect(dialog.get_by_role("rowheader")).to_have_text(["303"])
    assert (await site.get("admin", "/v1/contacts"))["total"] == 0
    await assert_accessible(page)
    await dialog.get_by_role("button", name="Import", exact=True).click()
    await expect(dialog).to_contain_text("Done: 301 new, 1 line with an error.")
    await dialog.get_by_role("button", name="Close").last.click()
    await page.get_by_role("searchbox", name="Filter contacts").fill("lee")
    table = page.get_by_role("table", name="Contacts")
    await expect(table.get_by_role("rowheader")).to_have_text(['Lee, the "first"'])
    await expect(table).to_contain_text("<img src=x onerror=alert(1)>")
    async with page.expect_download() as saved:
        await page.get_by_role("link", name="Export CSV").click()
    text = (await (await saved.value).path()).read_text(encoding="utf-8")
    assert text.count("Person ") == 300


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_everybody_can_use_the_address_book(
    site: Served, sign_in: SignIn, scheme: str
) -> None:
    conv = await site.texts("Hi")
    await added(site, "Lee & Sons, whose name is quite a bit longer than others", CUSTOMER, OTHER)
    page = await sign_in("admin")
    await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    desk = Desk(page)
    await desk.open(conv)
    await expect(desk.panel.get_by_role("heading", name=re.compile("^Lee"))).to_be_visible()
    await assert_accessible(page)
    await page.goto(f"{site.url}/contacts")
    await expect(page.get_by_role("rowheader")).to_have_count(1)
    await assert_accessible(page)
    await page.get_by_role("button", name=re.compile("^Lee")).click()
    await assert_accessible(page)
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Import…").click()
    await assert_accessible(page)
    await page.set_viewport_size({"width": 320, "height": 640})
    await assert_accessible(page)
    await page.keyboard.press("Escape")
    await page.wait_for_function("() => document.documentElement.scrollWidth === 320")
    await desk.page.goto(f"{site.url}/inboxes/all?filter=open&c={conv}")
    await expect(desk.panel.get_by_role("heading", name=re.compile("^Lee"))).to_be_visible()
    await page.wait_for_function("() => document.documentElement.scrollWidth === 320")
