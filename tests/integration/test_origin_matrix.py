"""Every endpoint from every kind of page: what a browser is let do, and what a token is."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

import httpx2
import pytest

from batonbox_server.asgi.app import ALL_ENDPOINTS
from batonbox_server.asgi.endpoint import Endpoint
from tests.integration.sign_in_harness import Browser
from tests.served import Served, served

REFUSAL: Final = "This takes the header Origin:"
# Answers of endpoints that ask nobody who they are, and look at no cookie.
COOKIELESS: Final = {"/livez", "/readyz", "/metrics", "/v1/media/{media}", "/v1/session/oidc",
                     "/v1/session/oidc/callback"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Page:
    """From where a browser asks: Origin (`own`: the server's), Sec-Fetch-Site, what that allows."""

    origin: str
    fetch_site: str
    reads: bool
    writes: bool


PAGES: Final = (
    Page("own", "same-origin", reads=True, writes=True),
    Page("https://evil.example", "cross-site", reads=False, writes=False),
    Page("http://127.0.0.1:1", "same-site", reads=False, writes=False),
    Page("null", "cross-site", reads=False, writes=False),
    Page("", "none", reads=True, writes=False),  # an address that was typed, or a link followed
    Page("", "cross-site", reads=False, writes=False),  # an image or a form of another site
)


@pytest.fixture
async def site(engine_url: str, prefix: str) -> AsyncIterator[Served]:
    """One node with everything it can offer."""
    async with served(engine_url, prefix, webhook_secret="whsec_" + "A" * 44) as site:
        yield site


async def signed_in(site: Served, user: str) -> Browser:
    """A browser with a session, by a link: that takes no password's time."""
    code = await site.node.sign_in.make_link(user)
    session = await site.node.sign_in.by_link(code, address="127.0.0.1")
    browser = Browser(site)
    browser.cookie = f"batonbox={session.secret}"
    return browser


def path_of(endpoint: Endpoint) -> str:
    """The endpoint's path with names of nothing: where it is let through it finds nothing to do."""
    return re.sub(r"{\w+}", "nothing", endpoint.path)


async def asked(browser: Browser, endpoint: Endpoint, page: Page, **more: str) -> httpx2.Response:
    """One request from the page, with a body that no endpoint takes."""
    origin = browser.origin if page.origin == "own" else page.origin
    body = None if endpoint.method == "GET" else {"no such field": 1}
    return await browser.call(
        endpoint.method, path_of(endpoint), body,
        origin=origin, sec_fetch_site=page.fetch_site, **more,
    )  # fmt: skip


def stopped(answer: httpx2.Response) -> bool:
    """Whether it was the page that did not please."""
    found = answer.status_code == 403 and REFUSAL in answer.text
    # Nobody is told that another origin may read the answer.
    assert not [name for name in answer.headers if name.startswith("access-control-")]
    return found


def lets(endpoint: Endpoint, page: Page) -> bool:
    """What the page may do there by a cookie."""
    if endpoint.via == "carrier" or endpoint.path in COOKIELESS:
        return True  # a cookie counts for nothing there, see below
    return page.reads if endpoint.method == "GET" else page.writes


IDS: Final = [f"{e.method} {e.path}" for e in ALL_ENDPOINTS]


async def test_what_a_page_may_do_by_the_cookie(site: Served) -> None:
    browser = await signed_in(site, "admin")
    for endpoint in ALL_ENDPOINTS:
        for page in PAGES:
            where = (endpoint.method, endpoint.path, page)
            answer = await asked(browser, endpoint, page)
            assert stopped(answer) is not lets(endpoint, page), (where, answer.text)
            assert answer.status_code < 500 or answer.status_code == 503, (where, answer.text)
            if not stopped(answer) and endpoint.action is not None:
                # It got beyond the door: the cookie was taken for what it is.
                assert answer.status_code != 401, where
            if not await _still(site, browser):
                browser = await signed_in(site, "admin")  # it was let sign out


async def _still(site: Served, browser: Browser) -> bool:
    if not browser.cookie.partition("=")[2].strip('"'):
        return False
    return bool((await browser.look())["signed_in"])


async def test_a_token_needs_no_page_and_a_foreign_cookie_beside_it_counts_for_nothing(
    site: Served,
) -> None:
    bearer = f"Bearer {await site.token('agent1')}"
    admins = await signed_in(site, "admin")
    for endpoint in ALL_ENDPOINTS:
        if endpoint.action is None:
            continue
        for page in PAGES:
            where = (endpoint.method, endpoint.path, page)
            stranger = Browser(site)
            answer = await asked(stranger, endpoint, page, authorization=bearer)
            assert not stopped(answer) and answer.status_code != 401, (where, answer.text)
            # The token's user and not the cookie's: a member, whom administration refuses.
            admins_cookie = admins.cookie
            both = await asked(admins, endpoint, page, authorization=bearer)
            admins.cookie = admins_cookie
            assert both.status_code == answer.status_code, (where, both.text)


async def test_without_either_nobody_gets_in_from_anywhere(site: Served) -> None:
    for endpoint in ALL_ENDPOINTS:
        for page in PAGES:
            answer = await asked(Browser(site), endpoint, page)
            if endpoint.action is not None:
                assert answer.status_code == 401, (endpoint.method, endpoint.path, page)
                assert "www-authenticate" in answer.headers


async def test_a_cookie_is_nothing_to_who_proves_otherwise(site: Served) -> None:
    """Carriers' callbacks and signed links look the same with an admin's cookie and without."""
    browser = await signed_in(site, "admin")
    checked = 0
    for endpoint in ALL_ENDPOINTS:
        if endpoint.via == "carrier" or endpoint.path == "/v1/media/{media}":
            with_it = await asked(browser, endpoint, PAGES[0])
            without = await asked(Browser(site), endpoint, PAGES[0])
            assert with_it.status_code == without.status_code
            assert with_it.status_code in {400, 401, 404}, endpoint.path
            checked += 1
    assert checked >= 6


async def test_no_page_is_told_that_it_may_ask(site: Served) -> None:
    """A preflight of a browser gets no leave, whatever it is for."""
    for path in {path_of(endpoint) for endpoint in ALL_ENDPOINTS}:
        answer = await Browser(site).call(
            "OPTIONS", path, origin="https://evil.example",
            access_control_request_method="PUT", access_control_request_headers="authorization",
        )  # fmt: skip
        assert answer.status_code == 405, path
        assert not stopped(answer)


async def test_a_token_counts_in_its_header_alone(site: Served) -> None:
    """Nothing in an address gets anybody in: addresses stand in logs and histories."""
    token = await site.token("admin")
    for name in ("token", "access_token", "api_key", "authorization", "tok"):
        for path in ("/v1/me", "/v1/admin/users", "/v1/export"):
            answer = await site.http.get(path, params={name: token})
            assert answer.status_code == 401, (name, path)
    for scheme in ("Basic", "Token", "bearer x,"):
        answer = await site.http.get("/v1/me", headers={"authorization": f"{scheme} {token}"})
        assert answer.status_code == 401, scheme
