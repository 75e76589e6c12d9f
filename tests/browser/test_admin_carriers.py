"""Carrier accounts: added, changed, deleted; their secrets go in and never come out."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import expect

from tests.browser.admin_kit import at, looked_over, row
from tests.browser.kit import SignIn
from tests.served import SUPPORT, Served, served

SID = "AC" + "0123456789abcdef" * 2
TOKEN = "not a real token of anybody's"
PUBLIC = "https://desk.example.org"


@pytest_asyncio.fixture(loop_scope="session")
async def site(engine_url: str, prefix: str) -> AsyncIterator[Served]:
    """A demo server that carriers could reach."""
    async with served(engine_url, prefix, as_demo=True, public_url=PUBLIC) as site:
        yield site


async def test_an_account_is_added_changed_and_deleted(site: Served, sign_in: SignIn) -> None:
    page = await sign_in("admin")
    said: list[str] = []
    page.on("websocket", lambda ws: ws.on("framereceived", lambda data: said.append(str(data))))
    main = await at(page, site, "/admin/carriers", "Carriers")
    table = main.get_by_role("table", name="Carriers")
    await expect(row(table, "Simulated phones")).to_contain_text("settings")
    await looked_over(page)

    await main.get_by_role("button", name="Add account").click()
    dialog = page.get_by_role("dialog", name="Add carrier account")
    add = dialog.get_by_role("button", name="Add account")
    await add.click()
    await expect(dialog.get_by_role("alert")).to_contain_text("Give the account a name")
    await dialog.get_by_label("Name", exact=True).fill("Main line")
    await expect(dialog.get_by_label("Id", exact=True)).to_have_value("main-line")
    await add.click()
    await expect(dialog.get_by_role("alert")).to_contain_text("Write the account SID.")
    await dialog.get_by_label("Account SID").fill("AC12")
    await dialog.get_by_label("Auth token").fill(TOKEN)
    await dialog.get_by_label("Messages per second").fill("2.5")
    await add.click()
    await expect(dialog.get_by_role("alert")).to_contain_text("32 hexadecimal digits")
    await looked_over(page)
    await dialog.get_by_label("Account SID").fill(SID)
    await add.click()
    await expect(dialog).to_be_hidden()

    await expect(row(table, "Main line")).to_contain_text("Twilio")
    await expect(row(table, "Main line")).to_contain_text("Set")
    detail = main.get_by_role("region", name="Main line")
    await expect(detail).to_contain_text("2.5 per second")
    inbound = detail.get_by_role("textbox", name="Address for messages")
    await expect(inbound).to_have_value(f"{PUBLIC}/v1/carriers/main-line/inbound#rc=5&rp=5xx,ct,rt")
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await detail.get_by_role("button", name="Copy address for messages").click()
    copied = await page.evaluate("() => navigator.clipboard.readText()")
    assert copied == await inbound.input_value()
    await looked_over(page)

    await detail.get_by_role("button", name="Edit").click()
    dialog = page.get_by_role("dialog", name="Edit carrier account")
    secret = dialog.get_by_label("Auth token")
    await expect(secret).to_have_value("")
    await expect(secret).to_have_attribute("placeholder", "Set. Type to replace.")
    await dialog.get_by_label("Name", exact=True).fill("First line")
    await looked_over(page)
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog).to_be_hidden()
    await expect(row(table, "First line")).to_contain_text("Set")  # what was not typed stays

    number = {"carrier": "main-line"}
    path = f"/v1/admin/numbers/{SUPPORT}"
    assert (await site.call("admin", "PATCH", path, number)).is_success
    await at(page, site, "/admin/numbers", "Numbers")
    numbers = page.get_by_role("table", name="Numbers")
    await expect(row(numbers, "+1 416 555 0101")).to_contain_text("First line")
    await row(numbers, "+1 416 555 0101").get_by_role("button", name="Edit").click()
    dialog = page.get_by_role("dialog", name="Edit +1 416 555 0101")
    await expect(dialog.get_by_label("Carrier")).to_have_value("main-line")
    await page.keyboard.press("Escape")

    main = await at(page, site, "/admin/carriers", "Carriers")
    await table.get_by_role("button", name="First line").click()
    detail = main.get_by_role("region", name="First line")
    await expect(detail).to_contain_text("Used by +1 416 555 0101.")
    await detail.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog", name="Delete carrier account")
    await dialog.get_by_role("button", name="Delete account").click()
    await expect(dialog.get_by_role("alert")).to_contain_text(SUPPORT)
    await looked_over(page)
    assert (await site.call("admin", "PATCH", path, {"carrier": "loopback"})).is_success
    await dialog.get_by_role("button", name="Delete account").click()
    await expect(dialog).to_be_hidden()
    await expect(row(table, "First line")).to_have_count(0)
    await expect(main.get_by_role("button", name="Add account")).to_be_focused()
    assert TOKEN not in await page.content()
    assert not any(TOKEN in data for data in said)
    # Chromium's own words about refusals.
    sign_in.complaints[:] = [c for c in sign_in.complaints if "the server responded" not in c]


async def test_no_answer_has_the_secret(site: Served, sign_in: SignIn) -> None:
    page = await sign_in("admin")
    answers: list[str] = []

    async def keep(route: object) -> None:
        got = await route.fetch()  # type: ignore[attr-defined]
        answers.append(await got.text())
        await route.fulfill(response=got)  # type: ignore[attr-defined]

    await page.route("**/v1/admin/**", keep)
    main = await at(page, site, "/admin/carriers", "Carriers")
    await main.get_by_role("button", name="Add account").click()
    dialog = page.get_by_role("dialog", name="Add carrier account")
    await dialog.get_by_label("Name", exact=True).fill("Main")
    await dialog.get_by_label("Account SID").fill(SID)
    await dialog.get_by_label("Auth token").fill(TOKEN)
    await dialog.get_by_role("button", name="Add account").click()
    await expect(main.get_by_role("region", name="Main")).to_be_visible()
    await page.reload()
    await expect(row(main, "Twilio")).to_contain_text("Set")
    assert len(answers) >= 3
    assert not any(TOKEN in answer for answer in answers)


async def test_a_gateway_says_what_belongs_into_its_configuration(
    site: Served, sign_in: SignIn
) -> None:
    page = await sign_in("admin")
    main = await at(page, site, "/admin/carriers", "Carriers")
    await main.get_by_role("button", name="Add account").click()
    dialog = page.get_by_role("dialog", name="Add carrier account")
    await dialog.get_by_role("combobox", name="Carrier").select_option("kannel")
    await dialog.get_by_label("Name", exact=True).fill("Gateway")
    await dialog.get_by_label("Address of its smsbox").fill("http://127.0.0.1:9/cgi-bin/sendsms")
    await dialog.get_by_label("User name").fill("batonbox")
    await dialog.get_by_label("Password").fill(TOKEN)
    await looked_over(page)
    await dialog.get_by_role("button", name="Add account").click()
    detail = main.get_by_role("region", name="Gateway")
    setup = detail.get_by_role("textbox", name="For kannel.conf")
    await expect(setup).to_have_value(re.compile("group = sms-service"))
    await detail.get_by_role("button", name="Check").click()
    await expect(detail.get_by_role("status")).not_to_be_empty()
    await expect(detail.get_by_role("status").locator(".problem")).to_be_visible()
    await looked_over(page)


class TestUnreachable:
    """A server that has not been told its address."""

    @pytest_asyncio.fixture(loop_scope="session")
    async def site(self, engine_url: str, prefix: str) -> AsyncIterator[Served]:
        """Without a public URL."""
        async with served(engine_url, prefix, as_demo=True) as site:
            yield site

    async def test_the_page_says_what_is_missing(self, site: Served, sign_in: SignIn) -> None:
        made = {"id": "main", "kind": "twilio", "name": "Main", "secret": TOKEN}
        body = {**made, "config": {"account_sid": SID}}
        assert (await site.call("admin", "POST", "/v1/admin/carriers", body)).status_code == 201
        page = await sign_in("admin")
        main = await at(page, site, "/admin/carriers", "Carriers")
        await expect(row(main, "Twilio")).to_contain_text("Look at this")
        await main.get_by_role("button", name="Main", exact=True).click()
        detail = main.get_by_role("region", name="Main")
        await expect(detail).to_contain_text("Set BATONBOX_PUBLIC_URL")
        await expect(detail.get_by_role("textbox")).to_have_count(0)
        await looked_over(page)


async def test_a_member_has_no_such_page(site: Served, sign_in: SignIn) -> None:
    page = await sign_in("agent1")
    await page.goto(f"{site.url}/admin/carriers")
    main = page.get_by_role("main")
    await expect(main.get_by_role("heading", name="Admin is for admins")).to_be_visible()
    assert (await site.call("agent1", "GET", "/v1/admin/carriers")).status_code == 403
