"""Admin pages: channels, how long messages are kept and what is held, exports."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, Route

from tests.browser.desk import Desk, expect
from tests.browser.kit import SignIn, assert_accessible
from tests.served import CUSTOMER, Served, served


async def created(site: Served, name: str, *members: str, private: bool = False) -> str:
    """A channel of the admin's; returns its id."""
    body = {"name": name, "private": private, "members": list(members)}
    answer = await site.call("admin", "POST", "/v1/rooms", body)
    assert answer.is_success, answer.text
    return str(answer.json()["conv"])


async def at(page: Page, site: Served, section: str) -> None:
    """An admin page."""
    await page.goto(f"{site.url}/admin/{section}")
    await expect(page.get_by_role("heading", level=1)).to_be_visible()


async def test_a_channel_is_made_filled_renamed_and_archived(site: Served, sign_in: SignIn) -> None:
    page, other = await sign_in("admin"), await sign_in("agent2")
    await other.goto(f"{site.url}/interactions")
    theirs = other.get_by_role("region", name="Interactions")
    await at(page, site, "channels")
    await page.get_by_role("button", name="Create channel").click()
    dialog = page.get_by_role("dialog", name="New channel")
    await dialog.get_by_role("button", name="Create").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("Write a name")
    await dialog.get_by_role("textbox", name="Name").fill("Dispatch")
    await dialog.get_by_role("checkbox", name=re.compile("^Private")).check()
    await dialog.get_by_role("checkbox", name="Bo").check()
    await dialog.get_by_role("button", name="Create").click()
    await expect(theirs.get_by_role("link", name=re.compile("Dispatch"))).to_be_visible()
    table = page.get_by_role("table", name="Channels")
    await expect(table.get_by_role("row", name=re.compile("Dispatch"))).to_contain_text("Private")
    await table.get_by_role("button", name="Dispatch").click()
    detail = page.get_by_role("region", name="Dispatch")
    await expect(detail.get_by_role("listitem")).to_have_count(2)
    await detail.get_by_role("button", name="Add somebody").click()
    adding = page.get_by_role("dialog", name="Add to Dispatch")
    await adding.get_by_role("combobox", name="Person").select_option("agent3")
    await adding.get_by_role("button", name="Add").click()
    await expect(detail.get_by_role("listitem")).to_have_count(3)
    await detail.get_by_role("button", name="Remove Bo").click()
    await page.get_by_role("dialog").get_by_role("button", name="Remove", exact=True).click()
    await expect(detail.get_by_role("listitem")).to_have_count(2)
    await expect(theirs.get_by_role("link", name=re.compile("Dispatch"))).to_have_count(0)
    await detail.get_by_role("button", name="Rename").click()
    naming = page.get_by_role("dialog", name="Rename Dispatch")
    await naming.get_by_role("textbox", name="Name").fill("Night shift")
    await naming.get_by_role("button", name="Rename").click()
    await expect(table.get_by_role("button", name="Night shift")).to_be_visible()
    detail = page.get_by_role("region", name="Night shift")
    await detail.get_by_role("button", name="Archive").click()
    await page.get_by_role("dialog").get_by_role("button", name="Archive", exact=True).click()
    await expect(table.get_by_role("row", name=re.compile("Night shift"))).to_contain_text(
        "Archived"
    )
    await detail.get_by_role("button", name="Open again").click()
    await page.get_by_role("dialog").get_by_role("button", name="Open again", exact=True).click()
    await expect(table.get_by_role("row", name=re.compile("Night shift"))).to_contain_text("Open")


async def test_of_a_channel_that_an_admin_is_not_in_they_see_nothing_until_they_join(
    site: Served, sign_in: SignIn
) -> None:
    room = await created(site, "Secret", "agent1", private=True)
    assert (await site.call("admin", "POST", f"/v1/rooms/{room}/leave", {})).is_success
    page = await sign_in("admin")
    await at(page, site, "channels")
    await page.get_by_role("button", name="Secret").click()
    detail = page.get_by_role("region", name="Secret")
    await expect(detail).to_contain_text("You are not in this channel")
    await expect(detail.get_by_role("listitem")).to_have_count(0)
    await detail.get_by_role("button", name="Join").click()
    await page.get_by_role("dialog").get_by_role("button", name="Join", exact=True).click()
    await expect(detail.get_by_role("listitem")).to_have_count(2)
    await detail.get_by_role("link", name="Open").click()
    await expect(Desk(page).messages).to_contain_text("joined")


async def test_rules_say_what_they_erase_before_they_are_set(site: Served, sign_in: SignIn) -> None:
    """This server's engine is not its own, so that it has no archive: the server refuses."""
    page = await sign_in("admin")
    await at(page, site, "keeping")
    await expect(page.get_by_text("There is no archive")).to_be_visible()
    await page.get_by_role("button", name="Change…").click()
    dialog = page.get_by_role("dialog", name="Change retention")
    customers = dialog.get_by_role("textbox", name=re.compile("customers"))
    await customers.fill("ten")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("Write a number of days")
    await customers.fill("400")
    await expect(dialog).to_contain_text("This erases messages with customers older than 400 days")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("no archive")
    sign_in.complaints[:] = [said for said in sign_in.complaints if "400" not in said]


async def test_a_conversation_is_held_from_its_menu_and_let_go_from_the_list(
    site: Served, sign_in: SignIn
) -> None:
    conv = await site.texts("Hi")
    page = await sign_in("admin")
    desk = Desk(page)
    await desk.open(conv)
    await desk.act("Legal hold…")
    dialog = page.get_by_role("dialog", name="Legal hold")
    await dialog.get_by_role("button", name="Hold").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("Say why")
    await dialog.get_by_role("textbox", name="Why").fill("Case 12")
    await dialog.get_by_role("button", name="Hold").click()
    await desk.toast("It is held")
    await desk.act("Legal hold…")
    await expect(dialog).to_contain_text("Held by Alex Admin")
    await expect(dialog).to_contain_text("Case 12")
    await assert_accessible(page)
    await page.keyboard.press("Escape")
    await at(page, site, "keeping")
    table = page.get_by_role("table", name="Legal holds")
    await expect(table.get_by_role("link", name="+1 416 555 0142")).to_be_visible()
    await expect(table).to_contain_text("Case 12")
    await table.get_by_role("button", name="End the hold of +1 416 555 0142").click()
    await page.get_by_role("dialog").get_by_role("button", name="End hold").click()
    await expect(page.get_by_text("Nothing is held.")).to_be_visible()
    assert (await site.get("admin", "/v1/holds"))["items"] == []


async def test_one_conversation_is_exported_in_three_forms(site: Served, sign_in: SignIn) -> None:
    conv = await site.texts("<b>Hello</b> & goodbye")
    assert (await site.act("agent1", conv, "note", text="VIP, do not tell")).is_success
    page = await sign_in("admin")
    desk = Desk(page)
    await desk.open(conv)
    await desk.act("Export…")
    dialog = page.get_by_role("dialog", name="Export")
    for form in ("JSON", "CSV"):
        async with page.expect_download() as saved:
            await dialog.get_by_role("link", name=form).click()
        text = (await (await saved.value).path()).read_text(encoding="utf-8")
        assert "<b>Hello</b> & goodbye" in text
        assert "VIP, do not tell" in text
    async with page.context.expect_page() as opened:
        await dialog.get_by_role("link", name="Printable page").click()
    printed = await opened.value
    await expect(printed.get_by_text("<b>Hello</b> & goodbye")).to_be_visible()
    await expect(printed.get_by_text("VIP, do not tell")).to_be_visible()


async def test_the_organisation_is_exported_to_a_file_and_a_part_of_it_is_none(
    site: Served, sign_in: SignIn
) -> None:
    for n in range(30):
        await site.texts(f"message {n}", customer=f"+1416555{n:04d}")
    page = await sign_in("admin")
    await at(page, site, "export")
    async with page.expect_download() as saved:
        await page.get_by_role("button", name="Export everything").click()
    download = await saved.value
    assert re.fullmatch(r"batonbox-\d{4}-\d\d-\d\d\.ndjson", download.suggested_filename)
    lines = [json.loads(line) for line in (await download.path()).read_text().splitlines()]
    assert (lines[0]["kind"], lines[-1]["kind"]) == ("header", "end")
    assert {f"message {n}" for n in range(30)} <= {
        (line.get("body") or {}).get("text") for line in lines if line["kind"] == "message"
    }
    await expect(page.get_by_role("status").filter(has_text="Complete:")).to_contain_text(
        "30 conversations"
    )

    async def cut(route: Route) -> None:
        answer = await route.fetch()
        await route.fulfill(response=answer, body=(await answer.body())[:2000])

    await page.route("**/v1/export", cut)
    await page.get_by_role("button", name="Export everything").click()
    await expect(page.get_by_role("alert")).to_contain_text("broke off")


async def test_an_export_under_way_says_how_far_it_is_and_can_be_stopped(
    site: Served, sign_in: SignIn
) -> None:
    page = await sign_in("admin")
    await at(page, site, "export")
    await page.evaluate(
        """() => {
          const asked = window.fetch;
          window.fetch = (path, request) => path !== "/v1/export" ? asked(path, request)
            : Promise.resolve(new Response(new ReadableStream({start(stream) {
                const say = (text) => stream.enqueue(new TextEncoder().encode(text));
                say('{"kind":"header"}\\n{"kind":"progress","done":420,"total":1000}\\n');
                request.signal.addEventListener("abort", () => stream.error(request.signal.reason));
              }})));
        }"""
    )
    await page.get_by_role("button", name="Export everything").click()
    bar = page.get_by_role("progressbar", name="Export")
    await expect(bar).to_have_attribute("value", "420")
    await expect(page.get_by_text("420 of 1,000 conversations and rooms")).to_be_visible()
    await assert_accessible(page)
    await page.get_by_role("button", name="Stop").click()
    await expect(page.get_by_role("alert")).to_contain_text("Stopped.")
    await expect(page.get_by_role("button", name="Export everything")).to_be_focused()


async def test_members_have_none_of_it(site: Served, sign_in: SignIn) -> None:
    conv = await site.texts("Hi")
    page = await sign_in("agent1")
    desk = Desk(page)
    await desk.open(conv)
    await desk.panel.get_by_role("button", name="More actions").click()
    for name in ("Export…", "Legal hold…"):
        await expect(page.get_by_role("menuitem", name=name)).to_have_count(0)
    for section in ("channels", "keeping", "export"):
        await page.goto(f"{site.url}/admin/{section}")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Admin is for admins")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_everybody_can_use_these_pages(site: Served, sign_in: SignIn, scheme: str) -> None:
    await created(site, "A channel whose name is rather long as names go", "agent1")
    conv = await site.texts("Hi")
    hold = {"on": True, "reason": "A case " * 20}
    assert (await site.act("admin", conv, "hold", **hold)).is_success
    page = await sign_in("admin")
    await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    for section in ("channels", "keeping", "export"):
        await page.set_viewport_size({"width": 1280, "height": 800})
        await at(page, site, section)
        if section == "channels":
            await page.get_by_role("button", name=re.compile("^A channel")).click()
            await page.get_by_role("button", name="Create channel").click()
            await assert_accessible(page)
            await page.keyboard.press("Escape")
        elif section == "keeping":
            await expect(page.get_by_role("table", name="Legal holds")).to_be_visible()
            await page.get_by_role("button", name="Change…").click()
            await assert_accessible(page)
            await page.keyboard.press("Escape")
        await assert_accessible(page)
        await page.set_viewport_size({"width": 320, "height": 640})
        await page.wait_for_function("() => document.documentElement.scrollWidth === 320")
        await assert_accessible(page)


@pytest.mark.parametrize(("width", "text"), [(640, 200), (1280, 200)])
async def test_large_text_scrolls_in_one_direction(
    site: Served, sign_in: SignIn, width: int, text: int
) -> None:
    """All new pages and dialogs: notes, contacts, search, and the pages of admins."""
    conv = await site.texts("A message long enough to wrap on the narrowest screens. " * 4)
    body = {"name": "Lee & Sons " * 5, "numbers": [CUSTOMER], "note": "Pays late"}
    assert (await site.call("admin", "POST", "/v1/contacts", body)).is_success
    await created(site, "A channel whose name is rather long as names go", "agent1")
    page = await sign_in("admin")
    desk = Desk(page)
    await page.set_viewport_size({"width": width, "height": 700})

    async def fits(path: str, *buttons: str) -> None:
        await page.goto(f"{site.url}{path}")
        await page.evaluate(
            "(size) => (document.documentElement.style.fontSize = size)", f"{text}%"
        )
        for name in ("", *buttons):
            if name:
                await page.get_by_role("button", name=name, exact=True).first.click()
                await expect(page.get_by_role("dialog")).to_be_visible()
            await page.wait_for_function(
                """() => document.documentElement.scrollWidth
                     <= document.documentElement.clientWidth"""
            )
            inner = page.locator("dialog[open] .dialog-box")
            if name:
                assert await inner.evaluate("(box) => box.scrollWidth <= box.clientWidth"), name
                await page.keyboard.press("Escape")

    await fits(f"/inboxes/all?filter=open&c={conv}", "Contact")
    await desk.panel.get_by_role("button", name="Note", exact=True).click()
    await expect(desk.panel.get_by_role("button", name="Add note")).to_be_in_viewport()
    await fits("/contacts", "Add contact", "Import…")
    await fits("/admin/channels", "Create channel")
    await fits("/admin/keeping", "Change…")
    await fits("/admin/export")
    await fits("/interactions")
    await page.get_by_role("combobox", name="Search", exact=True).fill("narrowest")
    await expect(page.get_by_role("option").first).to_be_in_viewport()


async def test_with_an_archive_its_figures_are_shown_and_what_is_in_it_is_found_and_read(
    engine_url: str, prefix: str, tmp_path: Path, sign_in: SignIn
) -> None:
    rules: dict[str, Any] = {
        "archive_url": f"sqlite://{tmp_path}/archive.sqlite",
        "archive_keep_messages": 5,
        "archive_sweep_s": 0.02,
    }
    async with served(engine_url, f"{prefix}a", as_demo=True, **rules) as site:
        await site.texts("the only axolotl")
        for n in range(100):
            await site.texts(f"text {n}")
        for _ in range(500):
            told = await site.get("admin", "/v1/archive")
            found = await site.get("admin", "/v1/search?q=axolotl")
            if told["messages"] > 80 and found["messages"]:
                break
            await asyncio.sleep(0.02)
        page = await sign_in("admin", at=site)
        await at(page, site, "keeping")
        await expect(page.get_by_text("moved to the archive as they should be")).to_be_visible()
        await expect(page.get_by_role("definition").nth(1)).to_have_text(re.compile(r"^\d+$"))
        await page.get_by_role("button", name="Change…").click()
        dialog = page.get_by_role("dialog", name="Change retention")
        await dialog.get_by_role("textbox", name=re.compile("customers")).fill("400")
        await dialog.get_by_role("button", name="Save").click()
        await expect(dialog).to_be_hidden()  # it says "400 days" as well
        await expect(page.get_by_text("400 days")).to_be_visible()
        assert (await site.get("admin", "/v1/retention"))["external_days"] == 400
        await assert_accessible(page)
        await page.keyboard.press("Control+k")
        await expect(page.get_by_role("combobox", name="Command or search")).to_be_focused()
        await page.keyboard.type("axolotl")
        await expect(page.get_by_role("group", name="Messages")).to_be_visible()
        await page.keyboard.press("Enter")
        line = Desk(page).messages.locator('[data-n="1"]')
        await expect(line).to_be_focused()
        await expect(line).to_contain_text("the only axolotl")
        await page.context.close()  # before its server
