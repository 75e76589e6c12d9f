"""Pieces the browser tests share besides the fixtures."""

from __future__ import annotations

from typing import Protocol

from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Page

from tests.served import Served

__all__ = ["PATIENCE_MS", "SignIn", "assert_accessible", "watch_notifications"]

#: How long a test waits for what must come. Speed is not tested by it: machines that run the tests
#: differ by a factor of four, and three browsers share two cores.
PATIENCE_MS = 20_000


class SignIn(Protocol):
    """A browser of its own for a user, signed in and at the Inboxes.

    `complaints` of the pages fail a test at its end; it takes out those that it provoked.
    """

    complaints: list[str]

    async def __call__(
        self, user: str, *, at: Served | None = None, url: str = "", network_fails: bool = False
    ) -> Page:
        """`at`: another server than the test's `site`; `url`: by way of another address.

        `network_fails` (implied by it): Chromium's own complaints about that are expected.
        """


async def watch_notifications(page: Page) -> None:
    """From the next load on: the window is never in front; what it notifies is kept."""
    await page.context.grant_permissions(["notifications"])
    await page.add_init_script(
        """
        document.hasFocus = () => false;
        window.notifications = [];
        window.Notification = class extends EventTarget {
          static permission = "granted";
          static requestPermission() { return Promise.resolve("granted"); }
          constructor(title, options) {
            super();
            window.notifications.push({title, ...options});
          }
          close() {}
        };
        """
    )
    await page.evaluate("() => localStorage.setItem('batonbox.pref.notifications', 'true')")
    await page.reload()


async def assert_accessible(page: Page) -> None:
    """axe has nothing to say about the page as it stands."""
    found = await Axe().run(page)
    wrong = [
        (rule["id"], [node["html"][:200] for node in rule["nodes"]])
        for rule in found.response["violations"]
    ]
    assert not wrong, wrong
