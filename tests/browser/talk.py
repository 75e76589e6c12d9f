"""A person at Interactions: by the words and roles that people and screen readers get."""

from __future__ import annotations

import re
from typing import Any

from playwright.async_api import Locator, Page

from tests.browser.desk import expect
from tests.served import Served

__all__ = ["Talk", "channel", "direct", "post"]


async def channel(
    site: Served, name: str, *members: str, private: bool = False, by: str = "admin"
) -> str:
    """A new channel with these in it, and who makes it."""
    body = {"name": name, "private": private, "members": list(members)}
    answer = await site.call(by, "POST", "/v1/rooms", body)
    assert answer.is_success, answer.text
    return str(answer.json()["conv"])


async def direct(site: Served, user: str, other: str) -> str:
    """The room of these two."""
    answer = await site.call(user, "POST", "/v1/rooms/direct", {"user": other})
    assert answer.is_success, answer.text
    return str(answer.json()["conv"])


async def post(site: Served, user: str, room: str, text: str, **more: Any) -> int:
    """Somebody writes in a room; the number of the line."""
    answer = await site.call(user, "POST", f"/v1/rooms/{room}/post", {"text": text, **more})
    assert answer.is_success, answer.text
    return int(answer.json()["n"])


class Talk:
    """One tab of one person, at Interactions."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.nav = page.get_by_role("navigation", name="Main")
        self.list = page.get_by_role("region", name="Interactions", exact=True)
        self.panel = page.get_by_role("region", name="Conversation", exact=True)
        self.messages = self.panel.get_by_role("log", name="Messages")
        self.composer = self.panel.get_by_role("textbox", name=re.compile("^Write to "))
        self.members = self.panel.get_by_role("complementary", name="Members")
        self.toasts = page.get_by_role("region", name="Notifications")

    async def enter(self) -> None:
        """By the tab, until the list is there."""
        await self.nav.get_by_role("link", name=re.compile("^Interactions")).click()
        await expect(self.list.get_by_role("group", name="Filter")).to_be_visible()

    async def filter(self, name: str) -> None:
        """All, External, Direct or Channels."""
        button = self.list.get_by_role("button", name=name, exact=True).and_(
            self.page.locator("[aria-pressed]")
        )
        await button.click()
        await expect(button).to_have_attribute("aria-pressed", "true")

    def row(self, conv: str) -> Locator:
        """A row of the list."""
        return self.list.locator(f'a[data-conv="{conv}"]')

    async def order(self) -> list[str]:
        """Ids of the rows, from the top."""
        rows = await self.list.locator("a[data-conv]").all()
        placed = []
        for row in rows:
            box = await row.bounding_box()
            placed.append((box["y"] if box else 0.0, await row.get_attribute("data-conv") or ""))
        return [conv for _, conv in sorted(placed)]

    async def open(self, conv: str) -> None:
        """Click the row and wait for the messages."""
        await self.row(conv).click()
        await expect(self.messages).to_be_visible()

    @property
    def new(self) -> Locator:
        """The first text below the line that says where new ones begin."""
        return self.messages.locator("#unread-divider + .group .bubble-text").first

    async def back(self) -> None:
        """To the list, where only one of the two fits."""
        button = self.panel.get_by_role("button", name="Back")
        if await button.count():
            await button.click()
        await expect(self.list).to_be_visible()

    async def send(self, text: str) -> None:
        """Write in the open room and press Enter's button."""
        await self.composer.fill(text)
        await self.panel.get_by_role("button", name="Send", exact=True).click()

    def line(self, n: int) -> Locator:
        """A line of the open room."""
        return self.messages.locator(f'[data-n="{n}"]')

    async def expect_texts(self, want: list[str]) -> None:
        """Until the open room shows exactly these posts."""
        await expect(self.messages.locator(".bubble-text")).to_have_text(want)

    async def expect_unread(self, rooms: int, words: str = "") -> None:
        """Until the tab says that so many rooms have something new."""
        link = self.nav.get_by_role("link", name=re.compile("^Interactions"))
        if rooms:
            await expect(link).to_contain_text(f"{rooms} with new messages{words}")
        else:
            await expect(link).not_to_contain_text("with new messages")

    async def act(self, item: str) -> None:
        """An entry of the room's 3-dot menu."""
        await self.panel.get_by_role("button", name="More actions").click()
        await self.page.get_by_role("menuitem", name=item, exact=True).click()
