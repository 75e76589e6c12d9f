"""One's own sessions: seen, and ended one by one."""

from __future__ import annotations

from playwright.async_api import expect

from tests.browser.admin_kit import at, looked_over, row
from tests.browser.kit import SignIn
from tests.served import Served


async def test_a_session_that_is_ended_goes_to_sign_in_at_once(
    site: Served, sign_in: SignIn
) -> None:
    page = await sign_in("agent1")
    other = await sign_in("agent1")
    settings = await at(page, site, "/settings", "Settings")
    sessions = settings.get_by_role("table", name="Sessions")
    await expect(sessions.get_by_role("button", name="Sign out")).to_have_count(2)
    here = row(sessions, "This browser")
    await expect(here).to_contain_text("Chrome")
    await expect(here).to_contain_text("127.0.0.1")
    await looked_over(page)
    theirs = sessions.get_by_role("row").filter(has_not_text="This browser")
    await theirs.get_by_role("button", name="Sign out").click()
    # Nobody touched the other page.
    await expect(other.get_by_role("heading", name="Sign in")).to_be_visible()
    await expect(sessions.get_by_role("button", name="Sign out")).to_have_count(1)
    await expect(here).to_be_visible()

    await here.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_sign_out_everywhere_ends_all(site: Served, sign_in: SignIn) -> None:
    page = await sign_in("agent1")
    other = await sign_in("agent1")
    settings = await at(page, site, "/settings", "Settings")
    await settings.get_by_role("button", name="Sign out everywhere").click()
    for ended in (page, other):
        await expect(ended.get_by_role("heading", name="Sign in")).to_be_visible()
