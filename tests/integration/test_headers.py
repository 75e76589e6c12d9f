"""The headers of every answer: of every endpoint, page, file and refusal, over HTTP and TLS."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Final

import httpx2
import pytest
from starlette.routing import Route

from batonbox_server.asgi.app import ALL_ENDPOINTS
from tests.integration.media_harness import PNG, mine, uploaded
from tests.served import Served, served

# As `document.write` of another site would find it: nothing may be loaded, nothing may frame it.
CLOSED: Final = ("default-src 'none'", "frame-ancestors 'none'")
EVERYWHERE: Final = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


@pytest.fixture
async def site(engine_url: str, prefix: str) -> AsyncIterator[Served]:
    """One node with everything it can offer."""
    async with served(engine_url, prefix, webhook_secret="whsec_" + "A" * 44) as site:
        yield site


def asked(site: Served) -> list[tuple[str, str]]:
    """Every route there is, with names of nothing, and some that there are not."""
    found = {(e.method, e.path) for e in ALL_ENDPOINTS}
    found |= {
        (method, route.path)
        for route in site.node.app.routes
        if isinstance(route, Route)
        for method in route.methods or ()
    }
    found |= {("GET", "/no/such/thing"), ("POST", "/"), ("TRACE", "/v1/me"), ("GET", "/assets/x")}
    return sorted((method, re.sub(r"{\w+(:path)?}", "nothing", path)) for method, path in found)


def check(answer: httpx2.Response, where: object) -> None:
    """What every answer has to say."""
    for name, value in EVERYWHERE.items():
        assert answer.headers.get(name) == value, (where, name, answer.headers.get(name))
    policy = answer.headers["content-security-policy"]
    assert all(rule in policy for rule in CLOSED) or "sandbox" in policy, (where, policy)
    assert "unsafe-inline" not in policy and "unsafe-eval" not in policy, (where, policy)
    assert "*" not in policy, (where, policy)
    assert answer.headers.get("cache-control"), where
    assert "x-powered-by" not in answer.headers


async def test_every_answer_is_told_how_little_it_may(site: Served) -> None:
    tokens = {"admin": await site.token("admin"), "agent1": await site.token("agent1"), "": ""}
    seen: set[int] = set()
    for user, token in tokens.items():
        headers = {"authorization": f"Bearer {token}"} if token else {}
        for method, path in asked(site):
            if method == "DELETE" and path == "/v1/sessions":
                continue  # would end what the others are asked with
            answer = await site.http.request(method, path, headers=headers)
            check(answer, (user, method, path, answer.status_code))
            if path.startswith("/v1/") and "json" in answer.headers.get("content-type", ""):
                assert answer.headers["cache-control"] == "no-store", (method, path)
            seen.add(answer.status_code)
    assert seen >= {200, 400, 401, 403, 404, 405}, seen


async def test_strict_transport_where_there_is_tls_and_nowhere_else(site: Served) -> None:
    for path in ("/", "/v1/me", "/livez", "/no/such/thing", "/openapi.json"):
        plain = await site.http.get(path)
        assert "strict-transport-security" not in plain.headers, path
        tls = await site.http.get(path, headers={"x-forwarded-proto": "https"})
        assert tls.headers["strict-transport-security"] == "max-age=31536000", path


async def test_what_a_member_uploads_is_no_page_of_ours(site: Served) -> None:
    conv = await mine(site)
    media = await uploaded(site, PNG)
    assert (await site.act("agent1", conv, "reply", text="", media=[media])).is_success
    link = await site.call("agent1", "GET", f"/v1/conversations/{conv}/messages/3/media/0")
    file = await site.http.get(link.headers["location"])
    check(file, "a file")
    assert file.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert file.headers["content-disposition"].startswith("attachment")


async def test_an_export_to_look_at_is_a_world_of_its_own(site: Served) -> None:
    conv = await site.texts("<script>alert(1)</script>")
    shown = await site.call("admin", "GET", f"/v1/conversations/{conv}/export?format=html")
    check(shown, "an export")
    assert "sandbox" in shown.headers["content-security-policy"]
    assert "<script>alert" not in shown.text
