"""The audit log: a take-over is in it; it can be narrowed, paged and exported."""

from __future__ import annotations

import csv
import io
import json

from playwright.async_api import Locator, Page, expect

from tests.browser.admin_kit import at, looked_over, row
from tests.browser.desk import Desk
from tests.browser.kit import SignIn
from tests.served import Served


async def opened(page: Page, site: Served) -> tuple[Locator, Locator]:
    """The main part and its table."""
    main = await at(page, site, "/admin/audit", "Audit log")
    return main, main.get_by_role("table", name="Audit log")


async def test_a_take_over_is_in_the_log(site: Served, sign_in: SignIn) -> None:
    conv = await site.texts("Hi")
    assert (await site.act("agent1", conv, "assign")).is_success
    page = await sign_in("admin")
    desk = Desk(page)
    await desk.open(conv)
    await desk.panel.get_by_role("button", name="Take over").click()
    await (
        page.get_by_role("dialog", name="Take over").get_by_role("button", name="Take over").click()
    )
    await desk.status("Assigned to you")

    main, table = await opened(page, site)
    people = site.node.directory.users
    entry = row(table, "took over +1 416 555 0142 from")
    await expect(entry).to_contain_text(f"took over +1 416 555 0142 from {people['agent1'].name}")
    await expect(entry.get_by_role("cell").nth(1)).to_have_text(people["admin"].name)
    await expect(entry).to_contain_text("127.0.0.1")
    await expect(entry).to_contain_text("Sales")
    await looked_over(page)
    await entry.get_by_role("link").click()
    await page.wait_for_url(f"**/inboxes/all**c={conv}**")
    await expect(desk.messages).to_be_visible()
    assert main is not None


async def test_filters_narrow_it_by_keyboard_and_the_export_follows(
    site: Served, sign_in: SignIn
) -> None:
    conv = await site.texts("Hi")
    assert (await site.act("agent1", conv, "assign")).is_success
    assert (await site.act("agent1", conv, "done")).is_success
    other = await site.texts("Second", customer="+14165550143")
    assert (await site.act("agent2", other, "assign")).is_success
    page = await sign_in("admin")
    main, table = await opened(page, site)
    await expect(row(table, "took +1 416 555 0142")).to_be_visible()
    name = site.node.directory.users["agent1"].name
    await main.get_by_role("combobox", name="Who").focus()
    await page.keyboard.type(name)
    await expect(row(table, "+1 416 555 0143")).to_have_count(0)
    await expect(row(table, "marked +1 416 555 0142 as done")).to_be_visible()
    await page.keyboard.press("Tab")
    await page.keyboard.type("assign")
    await expect(row(table, "as done")).to_have_count(0)
    await expect(row(table, "took +1 416 555 0142")).to_be_visible()

    for kind in ("CSV", "NDJSON"):
        async with page.expect_download() as coming:
            await main.get_by_role("link", name=f"Export {kind}").click()
        told = await (await coming.value).path()
        text = told.read_text(encoding="utf-8")
        found = (
            list(csv.DictReader(io.StringIO(text)))
            if kind == "CSV"
            else [json.loads(line) for line in text.splitlines()]
        )
        assert [(one["actor"], one["action"], one["conv"]) for one in found] == [
            ("agent1", "assign", conv)
        ]

    await main.get_by_role("button", name="Clear").click()
    await expect(row(table, "+1 416 555 0143")).not_to_have_count(0)
    await main.get_by_label("From", exact=True).fill("2026-03-02")
    await main.get_by_label("To", exact=True).fill("2026-03-01")
    await expect(main.get_by_role("alert")).to_contain_text("lies after")
    await main.get_by_label("From", exact=True).fill("2020-01-01")
    await main.get_by_label("To", exact=True).fill("2020-01-02")
    await expect(main).to_contain_text("Nothing matches.")


async def test_older_entries_come_when_asked_for(site: Served, sign_in: SignIn) -> None:
    conv = await site.texts("Hi")
    for _ in range(30):
        assert (await site.act("agent1", conv, "assign")).is_success
        token = (await site.get("agent1", f"/v1/conversations/{conv}"))["own_tok"]
        assert (await site.act("agent1", conv, "return", own_tok=token)).is_success
    page = await sign_in("admin")
    main, table = await opened(page, site)
    await expect(table.get_by_role("row")).to_have_count(51)
    await main.get_by_role("button", name="Show older").click()
    await expect(row(table, "took +1 416 555 0142")).to_have_count(30)
    await expect(row(table, "to the inbox")).to_have_count(30)


async def test_a_member_is_not_let_in(site: Served, sign_in: SignIn) -> None:
    page = await sign_in("agent1")
    await page.goto(f"{site.url}/admin/audit")
    await expect(page.get_by_role("main")).to_be_attached()
    await expect(page.get_by_role("table", name="Audit log")).to_have_count(0)
