"""An empty server, from the link on its console to the signed-in Inboxes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, expect

from tests.browser.kit import PATIENCE_MS, assert_accessible
from tests.served import Served, served


@pytest_asyncio.fixture(loop_scope="session")
async def empty_site(engine_url: str, prefix: str) -> AsyncIterator[Served]:
    """A server with nobody in it."""
    async with served(engine_url, prefix, empty=True) as site:
        yield site


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page whose complaints fail the test, but for the answers that a form asked for."""
    complaints: list[str] = []

    def said(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE_MS)
    page = await context.new_page()
    page.on("console", said)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    await context.close()
    assert not complaints, complaints


async def fill(page: Page, **fields: str) -> None:
    """Write into fields by their labels."""
    for label, value in fields.items():
        await page.get_by_label(label.replace("_", " "), exact=True).fill(value)


async def test_from_an_empty_server_to_the_inboxes(empty_site: Served, page: Page) -> None:
    site = empty_site
    # Whoever comes without the link learns where it is.
    await page.goto(site.url)
    await expect(page.get_by_role("heading", name="Set up batonbox")).to_be_focused()
    await expect(page.get_by_text("#token=…")).to_be_visible()
    await assert_accessible(page)

    token = await site.node.setup.offer()
    await page.goto(f"{site.url}/setup#token={token}")
    await expect(page.get_by_label("Organisation")).to_be_focused()
    assert page.url == f"{site.url}/setup"
    await assert_accessible(page)
    submit = page.get_by_role("button", name="Set up and sign in")
    await submit.click()
    await expect(page.get_by_role("alert")).to_have_text("Fill in every field.")
    await fill(page, Organisation="Acme Ltd", Your_name="Dana Smith", User="Dana S")
    await fill(page, Password="correct horse", Password_again="correct hose")
    await submit.click()
    await expect(page.get_by_role("alert")).to_contain_text("The two passwords differ.")
    await fill(page, Password_again="correct horse")
    await submit.click()
    await expect(page.get_by_role("alert")).to_contain_text("user:")
    await assert_accessible(page)
    # By keyboard alone.
    await fill(page, User="dana")
    await page.get_by_label("Password again").press("Enter")
    await page.wait_for_url("**/inboxes/all**")
    await expect(page.get_by_role("navigation", name="Main")).to_be_visible()
    await expect(page.get_by_role("link", name="Admin")).to_be_visible()
    state = await site.node.organisation.state()
    assert (state.name, state.users["dana"].name) == ("Acme Ltd", "Dana Smith")

    # The link is used up: signed in or not, the page says so.
    await page.goto("about:blank")
    await page.goto(f"{site.url}/setup#token={token}")
    await expect(page.get_by_text("This server is set up already.")).to_be_visible()
    await page.get_by_role("link", name="Go to the Inboxes").click()
    await page.wait_for_url("**/inboxes/all**")


async def test_an_invitation_leads_a_new_member_in(site: Served, page: Page) -> None:
    made = await site.call(
        "admin", "POST", "/v1/admin/invites", {"name": "Zoe Case", "inboxes": ["sales"]}
    )
    # Somebody else is signed in on this machine: the link is still the new member's.
    await page.goto(f"{site.url}/sign-in#code={await site.node.sign_in.make_link('agent1')}")
    await page.wait_for_url("**/inboxes/**")
    await page.goto("about:blank")
    await page.goto(made.json()["link"])
    await expect(page.get_by_role("heading", name="Join your team")).to_be_visible()
    assert page.url == f"{site.url}/sign-in"
    await expect(page.get_by_text("Welcome to Demo, Zoe Case.")).to_be_visible()
    await expect(page.get_by_label("User")).to_have_value("zoe-case")
    await expect(page.get_by_label("Password", exact=True)).to_be_focused()
    await assert_accessible(page)
    await fill(page, Password="correct horse", Password_again="correct horse")
    await page.get_by_label("Password again").press("Enter")
    await page.wait_for_url("**/inboxes/**")
    await expect(page.get_by_role("navigation", name="Main")).to_contain_text("Sales")

    await page.goto("about:blank")
    await page.goto(made.json()["link"])
    await expect(page.get_by_text("This invitation was used or revoked")).to_be_visible()
    await assert_accessible(page)


async def test_a_wrong_link_is_refused_in_words(empty_site: Served, page: Page) -> None:
    await empty_site.node.setup.offer()
    await page.goto(f"{empty_site.url}/setup#token=wrong")
    await fill(page, Organisation="Acme Ltd", Your_name="Dana Smith", User="dana")
    await fill(page, Password="correct horse", Password_again="correct horse")
    await page.get_by_role("button", name="Set up and sign in").click()
    await expect(page.get_by_role("alert")).to_contain_text("not the one the server printed last")
    assert (await empty_site.node.organisation.state()).users == {}
