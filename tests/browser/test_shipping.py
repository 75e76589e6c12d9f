"""How the page is shipped: headers, caching, size, installability, and what happens without it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx2
import pytest
from playwright.async_api import expect
from starlette.applications import Starlette
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from batonbox_server.asgi.edge import Edge
from batonbox_server.asgi.web import WebClient
from tests.browser.desk import Desk
from tests.browser.kit import SignIn
from tests.served import Served, served

PAGES = ("/", "/inboxes", "/inboxes/all", "/inboxes/sales?filter=done", "/interactions",
         "/contacts", "/admin", "/phone", "/settings", "/sign-in", "/setup")  # fmt: skip
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data: blob:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "manifest-src": "'self'",
    "worker-src": "'self'",
    "media-src": "'self' blob:",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    "object-src": "'none'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "batonbox-sw",
}
FIRST_LOAD_MAX_BYTES = 40_000


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_carries_the_headers(site: Served, path: str) -> None:
    answer = await site.http.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    told = dict(
        rule.split(" ", 1) for rule in answer.headers["content-security-policy"].split("; ")
    )
    assert told == POLICY
    for name, value in (
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cache-control", "no-cache"),
    ):
        assert answer.headers[name] == value
    assert "camera=()" in answer.headers["permissions-policy"]
    assert "strict-transport-security" not in answer.headers
    again = await site.http.get(path, headers={"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304
    head = await site.http.head(path)
    assert (head.status_code, head.content) == (200, b"")


async def test_over_tls_the_page_insists_on_it(site: Served) -> None:
    answer = await site.http.get("/", headers={"x-forwarded-proto": "https"})
    assert answer.headers["strict-transport-security"].startswith("max-age=")


async def test_assets_are_kept_for_ever_and_nothing_else_is_served(site: Served) -> None:
    html = (await site.http.get("/")).text
    assert "<style" not in html and " style=" not in html
    assert not re.search(r"<script(?![^>]*\bsrc=)", html)
    for path in re.findall(r'(?:src|href)="(/assets/[^"]+)"', html):
        answer = await site.http.get(path, headers={"accept-encoding": "gzip"})
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        if len(answer.content) > 1024:
            assert answer.headers["content-encoding"] == "gzip"
    for path in ("/assets/none.js", "/assets/..%2f..%2fconfig.py", "/nothing", "/.stamp", "/web"):
        answer = await site.http.get(path)
        assert answer.status_code == 404, path
        assert answer.headers["content-type"] == "application/problem+json"


async def test_the_first_load_is_small(site: Served, sign_in: SignIn) -> None:
    """Everything of ours that the Inboxes load before anybody presses anything."""
    page = await sign_in("agent1")
    await page.reload()
    await Desk(page).ready()
    loaded = await page.evaluate(
        """() => performance.getEntriesByType("resource")
             .map((entry) => new URL(entry.name).pathname)
             .filter((path) => path.endsWith(".js") && path.startsWith("/assets/"))"""
    )
    assert loaded
    sizes = {}
    for path in loaded:
        sent = await site.http.head(path, headers={"accept-encoding": "gzip"})
        sizes[path] = int(sent.headers["content-length"])
    assert sum(sizes.values()) <= FIRST_LOAD_MAX_BYTES, sizes


async def test_it_can_be_installed_and_its_worker_fetches_nothing(
    site: Served, sign_in: SignIn
) -> None:
    page = await sign_in("agent1")
    await page.evaluate("() => navigator.serviceWorker.ready.then(() => true)")
    devtools = await page.context.new_cdp_session(page)
    manifest = await devtools.send("Page.getAppManifest")
    assert not manifest["errors"]
    told = await devtools.send("Page.getInstallabilityErrors")
    errors = [e["errorId"] for e in told["installabilityErrors"]]
    assert not set(errors) - {"in-incognito"}, errors  # every test's profile is one
    worker = (await site.http.get("/sw.js")).text
    assert "fetch" not in worker
    shown = json.loads(manifest["data"])
    assert (shown["name"], shown["display"]) == ("batonbox", "standalone")
    for icon in shown["icons"]:
        assert (await site.http.get(icon["src"])).status_code == 200


async def test_a_link_that_was_used_asks_to_sign_in_and_says_why(
    site: Served, sign_in: SignIn
) -> None:
    page = await sign_in("agent1")
    code = await site.node.sign_in.make_link("agent1")
    used = await site.http.post(
        "/v1/session/link", json={"code": code}, headers={"origin": site.url}
    )
    assert used.status_code == 200
    await page.context.clear_cookies()
    await page.goto(f"{site.url}/sign-in#code={code}")
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await expect(page.get_by_role("main")).to_contain_text("This link")
    await expect(page).not_to_have_url(re.compile("code="))
    assert [c for c in sign_in.complaints if "401" not in c] == []
    sign_in.complaints.clear()


async def test_markup_in_a_message_is_text(site: Served, sign_in: SignIn) -> None:
    attack = '<img src=x onerror="window.hacked = 1"><script>window.hacked = 1</script>'
    conv = await site.texts(attack)
    ana = Desk(await sign_in("agent1"))
    await expect(ana.row(conv)).to_contain_text("<img")
    await ana.open(conv)
    await ana.expect_texts([attack])
    assert await ana.js("() => window.hacked") is None


async def test_a_page_elsewhere_cannot_use_the_session(site: Served, sign_in: SignIn) -> None:
    page = await sign_in("agent1")
    cookies = {c["name"]: c["value"] for c in await page.context.cookies()}
    cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
    url = site.url.replace("http", "ws") + "/v1/ws"

    async def greeted(origin: str) -> bool:
        headers = {"origin": origin, "cookie": cookie}
        try:
            async with connect(
                url,
                subprotocols=[Subprotocol("batonbox.v1.json")],
                additional_headers=headers,
            ) as socket:
                await socket.send('[0,"","test"]')
                return str(await socket.recv()).startswith("[16,")
        except InvalidStatus:
            return False
        except Exception as error:
            if "ConnectionClosed" not in type(error).__name__:
                raise
            return False

    assert await greeted(site.url)
    assert not await greeted("https://elsewhere.example")
    assert not await greeted("http://127.0.0.1:1")


async def test_without_a_bundle_the_page_says_what_to_do(tmp_path: Path) -> None:
    app = Edge(Starlette(routes=WebClient(tmp_path / "none").routes))
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://box") as http:
        answer = await http.get("/inboxes/all")
    assert answer.status_code == 200
    assert "make setup" in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_the_simulator_is_absent_without_its_carrier(
    engine_url: str, prefix: str, sign_in: SignIn
) -> None:
    async with served(engine_url, f"{prefix}w", loopback=False) as plain:
        _, password = "agent1", "a long enough password"
        path = "/v1/admin/users/agent1/password"
        assert (await plain.call("admin", "PUT", path, {"password": password})).is_success
        page = await sign_in("agent1")
        await page.goto(plain.url + "/sign-in")
        await page.get_by_role("textbox", name="User").fill("agent1")
        await page.get_by_role("textbox", name="Password").fill(password)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("navigation", name="Main")).to_be_visible()
        await expect(page.get_by_role("link", name="Phone", exact=True)).to_have_count(0)
        await page.goto("about:blank")


def test_the_lock_file_names_no_registry() -> None:
    lock = Path(__file__).parents[2] / "server" / "web_client" / "package-lock.json"
    assert '"resolved"' not in lock.read_text(encoding="utf-8")
