"""An empty data folder, and nothing but browsers: from the printed link to an answered customer."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.browser.desk import Desk
from tests.browser.kit import PATIENCE_MS
from tests.chaos.processes import Server

PASSWORD = "correct horse"


class People:
    """One browser profile per person; whatever a page complains about fails the test."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._pages: list[Page] = []
        self.complaints: list[str] = []

    async def page(self) -> Page:
        """Somebody sits down at a machine of their own."""
        context = await self._browser.new_context(viewport={"width": 1280, "height": 800})
        context.set_default_timeout(PATIENCE_MS)
        page = await context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on(
            "console",
            lambda said: (
                self.complaints.append(said.text) if said.type in {"error", "warning"} else None
            ),
        )
        self._pages.append(page)
        return page

    async def leave(self) -> None:
        """Everybody goes home."""
        for page in self._pages:
            await page.context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def people(browser: Browser) -> AsyncIterator[People]:
    """Browsers without anybody signed in."""
    them = People(browser)
    yield them
    await them.leave()
    assert not them.complaints, them.complaints


@pytest_asyncio.fixture(loop_scope="session")
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """`batonbox-server serve` on an empty folder."""
    server = Server(tmp_path / "data", demo=False)
    await server.start()
    yield server
    await server.stop()


async def fill(page: Page, **fields: str) -> None:
    """Write into fields by their labels."""
    for label, value in fields.items():
        await page.get_by_label(label.replace("_", " "), exact=True).fill(value)


async def set_up(page: Page, server: Server) -> None:
    """As the console says."""
    link = re.search(r"http://\S+/setup#token=\S+", server.log.read_text())
    assert link is not None, server.log.read_text()
    await page.goto(link[0])
    await fill(page, Organisation="Acme Ltd", Your_name="Dana Smith", User="dana")
    await fill(page, Password=PASSWORD, Password_again=PASSWORD)
    await page.get_by_role("button", name="Set up and sign in").click()
    await page.wait_for_url("**/inboxes/**")


async def to_admin(page: Page, section: str) -> None:
    """By the links alone."""
    await page.get_by_role("navigation", name="Main").get_by_role("link", name="Admin").click()
    links = page.get_by_role("navigation", name="Admin")
    await links.get_by_role("link", name=section, exact=True).click()
    await expect(page.get_by_role("heading", name=section, exact=True)).to_be_visible()


async def invite(page: Page, name: str) -> str:
    """The link that is shown."""
    await page.get_by_role("button", name="Invite", exact=True).click()
    dialog = page.get_by_role("dialog", name="Invite to the team")
    await dialog.get_by_label("Name").fill(name)
    await dialog.get_by_role("button", name="Create invitation").click()
    made = page.get_by_role("dialog", name=f"Invitation for {name}")
    link = await made.get_by_label("Link", exact=True).input_value()
    await made.get_by_role("button", name="Done").click()
    return link


async def accept(page: Page, link: str) -> Desk:
    """A new member chooses a password, and is there."""
    await page.goto(link)
    await fill(page, Password=PASSWORD, Password_again=PASSWORD)
    await page.get_by_label("Password again").press("Enter")
    await page.wait_for_url("**/inboxes/**")
    return Desk(page)


@pytest.mark.timeout(120)
async def test_the_first_day_of_an_organisation(server: Server, people: People) -> None:
    dana = await people.page()
    await set_up(dana, server)
    await dana.get_by_role("link", name="Send yourself a first text").click()
    texts = dana.get_by_role("log", name="Phone messages")
    await expect(texts).to_contain_text("No number to text to yet")
    await to_admin(dana, "Team")
    ana = await accept(await people.page(), await invite(dana, "Ana Diaz"))
    bo = await accept(await people.page(), await invite(dana, "Bo Lind"))

    await to_admin(dana, "Inboxes")
    await dana.get_by_role("button", name="Add inbox").first.click()
    dialog = dana.get_by_role("dialog", name="Add inbox")
    await dialog.get_by_label("Name").fill("Sales")
    await dialog.get_by_label("Kind").select_option(label="Department")
    await dialog.get_by_role("checkbox", name="Ana Diaz").check()
    await dialog.get_by_role("checkbox", name="Bo Lind").check()
    await dialog.get_by_role("button", name="Add inbox").click()
    sales = dana.get_by_role("row").filter(has_text="Sales")
    await expect(sales).to_contain_text("Comes into being with its first number")
    await expect(ana.nav).not_to_contain_text("Sales")

    await to_admin(dana, "Numbers")
    await dana.get_by_role("button", name="Add number").first.click()
    dialog = dana.get_by_role("dialog", name="Add number")
    await dialog.get_by_label("Phone number").fill("+1 416 555 0100")
    await dialog.get_by_label("Delivers to").select_option(label="Sales")
    await dialog.get_by_role("button", name="Add number").click()
    # On pages that have been open all the time.
    for member in (ana, bo):
        await expect(member.nav.get_by_role("link", name=re.compile("^Sales"))).to_be_visible()

    await dana.get_by_role("link", name="Phone", exact=True).click()
    phone = dana.get_by_role("region", name="Phone")
    await phone.get_by_role("textbox", name="Text message").fill("Is my order ready?")
    await phone.get_by_role("button", name="Send text").click()
    for member in (ana, bo):
        await member.expect_totals(1, 0)
    await ana.list.locator("[data-conv]").first.click()
    await ana.assign()
    await ana.send("Yes, come by.")
    await expect(ana.messages).to_contain_text("Delivered")
    await expect(phone.get_by_role("log", name="Phone messages")).to_contain_text("Yes, come by.")
    await bo.expect_totals(0, 0)
    await bo.list.get_by_role("button", name=re.compile("^Assigned to others")).wait_for()
