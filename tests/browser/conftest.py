"""A real server and a real Chromium; a page that complains on its console fails its test."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Generator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright, expect

from tests.browser.kit import PATIENCE_MS, SignIn
from tests.programs import program
from tests.served import Served, served

_HERE = Path(__file__).parent
_CHROMIUM = ("chromium", "chromium-browser")
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# What Chromium itself says when a test takes the network away; nothing the page could prevent.
_NETWORK = re.compile(r"WebSocket connection to |net::ERR_")
_FAILED = pytest.StashKey[bool]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One loop for this folder: the browser outlives a test."""
    for item in items:
        if item.path.is_relative_to(_HERE) and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember failures, so that fixtures can take a picture."""
    report = yield
    if report.when == "call":
        item.stash[_FAILED] = report.failed
    return report


def chromium() -> str:
    """Debian's browser."""
    return program(*_CHROMIUM, package="chromium")


def shell() -> str:
    """The same engine without a browser around it, at half the CPU; else the browser."""
    return program("chromium-headless-shell", *_CHROMIUM, package="chromium-headless-shell")


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One browser per worker; tests get contexts of their own."""
    path = shell()
    expect.set_options(timeout=PATIENCE_MS)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=_FLAGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def site(engine_url: str, prefix: str) -> AsyncIterator[Served]:
    """A demo server of the test's own."""
    async with served(engine_url, prefix, as_demo=True) as site:
        yield site


class Pages:
    """Opens pages and keeps what they complain about."""

    def __init__(self, browser: Browser, site: Served) -> None:
        self._browser = browser
        self._site = site
        self.pages: list[Page] = []
        self.complaints: list[str] = []
        self._network_fails = False

    async def __call__(
        self, user: str, *, at: Served | None = None, url: str = "", network_fails: bool = False
    ) -> Page:
        """See `kit.SignIn`."""
        self._network_fails |= network_fails or bool(url)
        context = await self._browser.new_context(viewport={"width": 1280, "height": 800})
        context.on("page", self._watch)
        context.set_default_timeout(PATIENCE_MS)
        page = await context.new_page()
        site = at or self._site
        code = await site.node.sign_in.make_link(user)
        await page.goto(f"{url or site.url}/sign-in#code={code}")
        await page.wait_for_url("**/inboxes/**")
        return page

    def _watch(self, page: Page) -> None:
        self.pages.append(page)
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))

    def _said(self, message: ConsoleMessage) -> None:
        if message.type not in {"error", "warning"}:
            return
        if self._network_fails and _NETWORK.search(message.text):
            return
        self.complaints.append(f"{message.type}: {message.text}")

    async def close(self, shots: Path | None) -> None:
        """End every context, with a picture of each page where the test failed."""
        for number, page in enumerate(self.pages):
            if shots is not None and not page.is_closed():
                await page.screenshot(path=shots.with_suffix(f".{number}.png"))
        for context in {page.context for page in self.pages}:
            await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def sign_in(
    browser: Browser, site: Served, request: pytest.FixtureRequest
) -> AsyncIterator[SignIn]:
    """Signs people in by a one-click link, each in a browser profile of their own."""
    pages = Pages(browser, site)
    yield pages
    shots = None
    if request.node.stash.get(_FAILED, False):
        folder = _HERE / "failures"
        folder.mkdir(exist_ok=True)
        shots = folder / re.sub(r"\W+", "-", request.node.name)
    await pages.close(shots)
    assert not pages.complaints, "\n".join(pages.complaints)
