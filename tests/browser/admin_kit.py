"""What the tests of the admin pages share."""

from __future__ import annotations

from playwright.async_api import Locator, Page, expect

from tests.browser.kit import assert_accessible
from tests.served import Served

__all__ = ["assert_fits", "at", "looked_over", "row"]


async def at(page: Page, site: Served, path: str, heading: str) -> Locator:
    """Go to an address, and wait for its heading; the page's main part."""
    await page.goto(site.url + path)
    main = page.get_by_role("main")
    await expect(main.get_by_role("heading", name=heading).first).to_be_visible()
    return main


def row(within: Locator | Page, text: str) -> Locator:
    """The row of a table that says so."""
    return within.get_by_role("row").filter(has_text=text)


async def assert_fits(page: Page) -> None:
    """The page is no wider than the screen: tables scroll inside."""
    await page.wait_for_function(
        "() => document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )


async def looked_over(page: Page) -> None:
    """No barrier in light or dark, and nothing wider than a narrow screen."""
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        # Half-way from one colour to another there is no contrast.
        await page.wait_for_function(
            "() => !document.getAnimations().some((one) => one instanceof CSSTransition)"
        )
        await assert_accessible(page)
    await page.set_viewport_size({"width": 320, "height": 700})
    await assert_fits(page)
    await page.set_viewport_size({"width": 1280, "height": 800})
    await assert_fits(page)
