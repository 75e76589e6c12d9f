"""Signing in at an identity provider, in a real browser at a real provider's pages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.kit import PATIENCE_MS, assert_accessible
from tests.integration.oidc_harness import trusting
from tests.integration.sign_in_harness import PASSWORD
from tests.oidc_process import OpenIdProvider, openid_provider
from tests.ports import free_port
from tests.served import Served

CONTINUE = "Continue with Example Org"


@asynccontextmanager
async def both(engine_url: str, prefix: str) -> AsyncIterator[tuple[Served, OpenIdProvider]]:
    """A provider on one site, and a node that trusts it on another."""
    port = free_port()
    redirect_uri = f"http://127.0.0.1:{port}/v1/session/oidc/callback"
    async with (
        openid_provider(redirect_uri) as provider,
        trusting(provider.issuer, engine_url, prefix, port=port) as site,
    ):
        yield site, provider


@asynccontextmanager
async def opened(browser: Browser, url: str) -> AsyncIterator[Page]:
    """A page in a profile of its own; at its end it has complained of nothing."""
    complaints: list[str] = []
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE_MS)
    try:
        page = await context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(url)
        yield page
    finally:
        await context.close()
    assert not complaints


async def at_the_provider(page: Page, login: str) -> None:
    """Through its pages: who one is, and that this server may know."""
    await page.get_by_placeholder("Enter any login").fill(login)
    await page.get_by_placeholder("and password").fill("any")
    await page.get_by_role("button", name="Sign-in").click()
    await page.get_by_role("button", name="Continue").click()


async def test_somebody_comes_in_by_their_provider(
    browser: Browser, engine_url: str, prefix: str
) -> None:
    async with (
        both(engine_url, prefix) as (site, _),
        opened(browser, f"{site.url}/inboxes/sales?filter=done") as page,
    ):
        await expect(page.get_by_role("link", name=CONTINUE)).to_be_visible()
        await assert_accessible(page)
        await page.get_by_role("link", name=CONTINUE).click()
        await at_the_provider(page, "sub-1")
        # The Strict cookie was set by an answer to the other site's redirect, and serves.
        await page.wait_for_url(f"{site.url}/inboxes/sales?filter=done")
        await expect(page.get_by_role("heading", name="Inboxes")).to_be_attached()
        me = await page.evaluate("fetch('/v1/me').then((answer) => answer.json())")
        assert me["id"] == "agent1"
        [cookie] = await page.context.cookies(site.url)
        assert (cookie["sameSite"], cookie["httpOnly"]) == ("Strict", True)
        await page.reload()
        await expect(page.get_by_role("heading", name="Inboxes")).to_be_attached()


async def test_what_goes_wrong_is_told_in_words_and_passwords_still_work(
    browser: Browser, engine_url: str, prefix: str
) -> None:
    async with (
        both(engine_url, prefix) as (site, provider),
        opened(browser, f"{site.url}/settings") as page,
    ):
        await site.node.sign_in.set_password("agent1", PASSWORD)
        await page.get_by_role("link", name=CONTINUE).click()
        await at_the_provider(page, "sub-new")
        alert = page.get_by_role("alert")
        await expect(alert).to_contain_text("Example Org knows you, but nobody of that name")
        assert page.url == f"{site.url}/sign-in?next=%2Fsettings", "the code is out of the address"
        await assert_accessible(page)
        await provider.stop()
        await page.goto(f"{site.url}/v1/session/oidc/callback?state=x&code=y")
        await expect(alert).to_contain_text("took too long")
        await page.get_by_label("User").fill("agent1")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("heading", name="Inboxes")).to_be_attached()


async def test_a_provider_that_is_down_is_told_in_words(
    browser: Browser, engine_url: str, prefix: str
) -> None:
    port = free_port()
    issuer = f"http://localhost:{free_port()}"
    async with (
        trusting(issuer, engine_url, prefix, port=port) as site,
        opened(browser, site.url) as page,
    ):
        await page.get_by_role("link", name=CONTINUE).click()
        await expect(page.get_by_role("alert")).to_contain_text("does not work at the moment")
        await expect(page.get_by_label("Password")).to_be_visible()


@pytest.mark.parametrize("code", ["<img src=x onerror=alert(1)>", "constructor"])
async def test_an_unknown_error_has_words_too(
    browser: Browser, engine_url: str, prefix: str, code: str
) -> None:
    issuer = f"http://localhost:{free_port()}"
    async with (
        trusting(issuer, engine_url, prefix, port=free_port()) as site,
        opened(browser, f"{site.url}/sign-in#error={code}") as page,
    ):
        await expect(page.get_by_role("alert")).to_contain_text("did not work. Try again.")
