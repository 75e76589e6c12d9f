"""A person at the page: everything by the words and roles that people and screen readers get."""

from __future__ import annotations

import re
from typing import Any

from playwright.async_api import Locator, Page, TimeoutError, expect  # noqa: A004

__all__ = ["Desk", "expect"]


class Desk:
    """One tab of one person."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.list = page.get_by_role("region", name="Conversations", exact=True)
        self.panel = page.get_by_role("region", name="Conversation", exact=True)
        self.messages = self.panel.get_by_role("log", name="Messages")
        self.composer = self.panel.get_by_role("textbox", name="Write a message")
        self.toasts = page.get_by_role("region", name="Notifications")
        self.connection = page.get_by_role("status", name="Connection")
        self.pending = page.locator("[data-pending]")
        self.nav = page.get_by_role("navigation", name="Main")

    async def go(self, path: str) -> None:
        """Open an address of the same site and wait until the lists are there."""
        base = re.match(r"https?://[^/]+", self.page.url)
        assert base is not None, self.page.url
        await self.page.goto(base[0] + path)
        await self.ready()

    async def ready(self) -> None:
        """Until the first snapshots have been shown."""
        await expect(self.list.locator("button[aria-expanded]").first).to_be_visible()

    # The list

    def row(self, conv: str) -> Locator:
        """A conversation's row in the list."""
        return self.list.locator(f'[data-conv="{conv}"]')

    def section(self, name: str) -> Locator:
        """A section's heading."""
        return self.list.get_by_role("button", name=re.compile(f"^{name}"))

    def flag(self, conv: str, kind: str) -> Locator:
        """The row's flag, `mine` or `other`."""
        return self.row(conv).locator(f'[data-flag="{kind}"]')

    def badge(self, conv: str, colour: str = "") -> Locator:
        """The row's badge, `blue` or `green`, or any."""
        wanted = f'[data-badge="{colour}"]' if colour else "[data-badge]"
        return self.row(conv).locator(wanted)

    async def order(self) -> list[str]:
        """Ids of the rows as they stand, from the top."""
        rows = await self.list.locator("[data-conv]").all()
        placed = []
        for row in rows:
            box = await row.bounding_box()
            placed.append((box["y"] if box else 0.0, await row.get_attribute("data-conv") or ""))
        return [conv for _, conv in sorted(placed)]

    async def totals(self) -> tuple[int, int]:
        """(blue, green) of the Inboxes tab, as read out."""
        text = await self.nav.get_by_role("link", name=re.compile("^Inboxes")).inner_text()
        blue = re.search(r"(\d+) new unassigned", text)
        green = re.search(r"(\d+) new for you", text)
        return int(blue[1]) if blue else 0, int(green[1]) if green else 0

    async def expect_totals(self, blue: int, green: int) -> None:
        """Until the Inboxes tab says so."""
        link = self.nav.get_by_role("link", name=re.compile("^Inboxes"))
        for count, words in ((blue, "new unassigned"), (green, "new for you")):
            if count:
                await expect(link).to_contain_text(re.compile(rf"\b{count} {words}"))
            else:
                await expect(link).not_to_contain_text(words)

    # One conversation

    async def open(self, conv: str) -> None:
        """Click the row and wait for the thread."""
        await self.row(conv).click()
        await expect(self.messages).to_be_visible()

    async def assign(self) -> None:
        """Press Assign to Me in the composer's place."""
        await self.panel.get_by_role("button", name="Assign to Me").click()

    async def press(self) -> bool:
        """Assign to Me if it can still be pressed: somebody else's claim takes the button away."""
        try:
            await self.panel.get_by_role("button", name="Assign to Me").click(timeout=1000)
        except TimeoutError:
            return False
        return True

    async def send(self, text: str) -> None:
        """Write and press Send."""
        await self.composer.fill(text)
        await self.panel.get_by_role("button", name="Send", exact=True).click()

    async def act(self, item: str) -> None:
        """An entry of the 3-dot menu."""
        await self.panel.get_by_role("button", name="More actions").click()
        await self.page.get_by_role("menuitem", name=item, exact=True).click()

    async def transfer(self, name: str, note: str = "") -> None:
        """Transfer to a colleague by name."""
        await self.act("Transfer")
        dialog = self.page.get_by_role("dialog", name="Transfer")
        await dialog.get_by_role("option", name=re.compile(f"^{name}")).click()
        if note:
            await dialog.get_by_role("textbox", name="Note").fill(note)
        await dialog.get_by_role("button", name="Transfer", exact=True).click()
        await expect(dialog).to_be_hidden()

    async def status(self, text: str) -> None:
        """Until the thread's header says so."""
        await expect(self.panel.locator("header")).to_contain_text(text)

    async def texts(self) -> list[str]:
        """Texts of the messages both ways (no system lines), in order."""
        return [t.strip() for t in await self.messages.locator(".bubble-text").all_inner_texts()]

    async def expect_texts(self, want: list[str]) -> None:
        """Until the thread shows exactly these messages."""
        await expect(self.messages.locator(".bubble-text")).to_have_text(want)

    async def toast(self, text: str) -> None:
        """Until a toast says so."""
        await expect(self.toasts).to_contain_text(text)

    async def js(self, expression: str, argument: Any = None) -> Any:
        """Evaluate in the page."""
        return await self.page.evaluate(expression, argument)
