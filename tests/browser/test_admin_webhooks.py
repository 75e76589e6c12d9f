"""Webhooks: added, tested against a receiver on a port of its own, looked into, deleted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import expect

from tests.browser.admin_kit import at, looked_over, row
from tests.browser.kit import SignIn
from tests.served import Served, served


class Receiver:
    """Answers every call with `status`, and keeps what it was sent."""

    def __init__(self) -> None:
        self.status = 200
        self.heads: list[bytes] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One call."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        )
        await reader.readexactly(length)
        self.heads.append(head.lower())
        answer = f"HTTP/1.1 {self.status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        writer.write(answer.encode())
        await writer.drain()
        writer.close()


@pytest_asyncio.fixture(loop_scope="session")
async def site(engine_url: str, prefix: str) -> AsyncIterator[Served]:
    """A demo server that may call receivers on this machine."""
    async with served(engine_url, prefix, as_demo=True, webhooks_private=True) as site:
        yield site


@pytest_asyncio.fixture(loop_scope="session")
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver that listens."""
    it = Receiver()
    server = await asyncio.start_server(it.serve, "127.0.0.1", 0)
    it.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    async with server:
        yield it


async def test_a_webhook_is_added_tested_resent_and_deleted(
    site: Served, sign_in: SignIn, receiver: Receiver
) -> None:
    page = await sign_in("admin")
    main = await at(page, site, "/admin/webhooks", "Webhooks")
    await expect(main).to_contain_text("No webhooks yet.")
    await main.get_by_role("button", name="Add webhook").click()
    dialog = page.get_by_role("dialog", name="Add webhook")
    await dialog.get_by_role("button", name="Add webhook").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("Write the address")
    await dialog.get_by_label("Address").fill(receiver.url)
    await dialog.get_by_label("Label").fill("Orders")
    await looked_over(page)
    await dialog.get_by_role("button", name="Add webhook").click()
    shown = page.get_by_role("dialog", name="The webhook's secret")
    secret = await shown.get_by_role("textbox", name="Secret").input_value()
    assert secret.startswith("whsec_")
    await shown.get_by_role("button", name="Done").click()
    await expect(shown).to_be_hidden()
    assert secret not in await page.content()

    hooks = main.get_by_role("table", name="Webhooks")
    await expect(row(hooks, "Orders")).to_contain_text("All events")
    await expect(row(hooks, "Orders")).to_contain_text("Active")
    await hooks.get_by_role("button", name="Orders").click()
    detail = main.get_by_role("region", name="Orders")
    await detail.get_by_role("button", name="Send a test").click()
    await expect(detail.get_by_role("status")).to_contain_text("took the test. Answered 200 in")
    assert b"webhook-signature:" in receiver.heads[0]
    log = detail.get_by_role("table", name="Deliveries")
    await expect(row(log, "Delivered").first).to_contain_text("Answered 200")
    await looked_over(page)

    receiver.status = 500
    await detail.get_by_role("button", name="Send a test").click()
    await expect(detail.get_by_role("status")).to_contain_text("did not take the test")
    await detail.get_by_role("button", name="Failed", exact=True).click()
    await expect(row(log, "Delivered")).to_have_count(0)
    receiver.status = 200
    await detail.get_by_role("button", name="All", exact=True).click()
    before = len(receiver.heads)
    await log.get_by_role("button", name="Resend").last.click()
    await expect(page.get_by_role("region", name="Notifications")).to_contain_text("Delivered")
    assert len(receiver.heads) > before

    await detail.get_by_role("button", name="New secret").click()
    asks = page.get_by_role("dialog", name="New secret")
    await asks.get_by_role("button", name="Make a new secret").click()
    fresh = await shown.get_by_role("textbox", name="Secret").input_value()
    assert fresh != secret
    await page.keyboard.press("Escape")
    await detail.get_by_role("button", name="Switch off").click()
    await expect(row(hooks, "Orders")).to_contain_text("Off")
    await detail.get_by_role("button", name="Delete").click()
    asks = page.get_by_role("dialog", name="Delete webhook")
    await asks.get_by_role("button", name="Delete webhook").click()
    await expect(main).to_contain_text("No webhooks yet.")


async def test_a_webhook_by_keyboard_alone(
    site: Served, sign_in: SignIn, receiver: Receiver
) -> None:
    page = await sign_in("admin")
    main = await at(page, site, "/admin/webhooks", "Webhooks")
    press, focused = page.keyboard.press, page.locator(":focus")

    async def tab_to(name: str) -> None:
        for _ in range(60):
            await press("Tab")
            if await focused.count() and name in (
                await focused.get_attribute("aria-label") or await focused.inner_text()
            ):
                return
        raise AssertionError(f"the key Tab never reaches {name!r}")

    await tab_to("Add webhook")
    await press("Enter")
    dialog = page.get_by_role("dialog", name="Add webhook")
    await expect(dialog.get_by_label("Address")).to_be_focused()
    await page.keyboard.type(receiver.url)
    await press("Tab")
    await page.keyboard.type("Orders")
    await press("Enter")
    shown = page.get_by_role("dialog", name="The webhook's secret")
    await expect(shown.get_by_role("textbox", name="Secret")).to_be_focused()
    await press("Escape")
    await expect(shown).to_be_hidden()
    await expect(main.get_by_role("button", name="Add webhook")).to_be_focused()
    await tab_to("Orders")
    await press("Enter")
    detail = main.get_by_role("region", name="Orders")
    await expect(detail).to_be_visible()
    await tab_to("Send a test")
    await press("Enter")
    await expect(detail.get_by_role("status")).to_contain_text("took the test")
    await tab_to("Switch off")
    await press("Space")
    await expect(row(main.get_by_role("table", name="Webhooks"), "Orders")).to_contain_text("Off")
