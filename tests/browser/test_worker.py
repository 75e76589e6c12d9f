"""The page as an installed app: what Chromium asks of one, and clicks on its notifications."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from playwright.async_api import Page, async_playwright, expect

from tests.browser.conftest import _FLAGS, chromium
from tests.served import Served

CLICK = """async (conv) => {
    await self.registration.showNotification("+1 416 555 0142", { tag: conv });
    const [notification] = await self.registration.getNotifications({ tag: conv });
    self.dispatchEvent(new NotificationEvent("notificationclick", { notification }));
    return (await self.registration.getNotifications()).length;
}"""


@pytest_asyncio.fixture(loop_scope="session")
async def page(site: Served, tmp_path: Path) -> AsyncIterator[Page]:
    """Ana at the Inboxes, in an ordinary profile: no app can be installed in a private one.

    It takes a browser: what only shows pages has no apps.
    """
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            tmp_path / "profile", executable_path=chromium(), args=_FLAGS
        )
        await context.grant_permissions(["notifications"])
        page = await context.new_page()
        code = await site.node.sign_in.make_link("agent1")
        await page.goto(f"{site.url}/sign-in#code={code}")
        await page.wait_for_url("**/inboxes/**")
        await page.mouse.move(100, 100)
        await page.evaluate("() => navigator.serviceWorker.ready.then(() => true)")
        yield page
        await context.close()


async def test_chromium_would_install_it(page: Page) -> None:
    devtools = await page.context.new_cdp_session(page)
    assert (await devtools.send("Page.getInstallabilityErrors"))["installabilityErrors"] == []
    assert (await devtools.send("Page.getAppId"))["appId"].endswith("/inboxes")


async def test_a_click_on_a_notification_opens_its_conversation(site: Served, page: Page) -> None:
    conv = await site.texts("Hi, is my order ready?")
    (worker,) = page.context.service_workers
    loads = await page.evaluate("() => performance.timeOrigin")
    assert await worker.evaluate(CLICK, conv) == 0
    await expect(page).to_have_url(re.compile(r"[?&]c=" + re.escape(conv.replace(":", "%3A"))))
    await expect(page.get_by_role("log", name="Messages")).to_contain_text("is my order ready")
    assert await page.evaluate("() => performance.timeOrigin") == loads
