"""Signing in over HTTP: who gets in, what the cookie is worth, and from which pages."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from batonbox_server import __version__
from batonbox_server.errors import Refused
from batonbox_server.service import passwords
from batonbox_server.service.identity import sha256_of
from batonbox_server.store.directory_port import Token
from batonbox_server.wire import Close, Op
from tests.integration.sign_in_harness import PASSWORD, Browser, person, until
from tests.served import Served, served

FOREIGN = "http://evil.example"


@pytest.fixture
async def site(engine_url: str, prefix: str) -> AsyncIterator[Served]:
    """One node with the demo organisation, two of whom have a password."""
    async with served(engine_url, prefix, origins="https://desk.example") as site:
        for user in ("agent1", "admin"):
            await site.node.sign_in.set_password(user, PASSWORD)
        yield site


async def test_who_gets_in(site: Served) -> None:
    browser = Browser(site)
    assert await browser.look() == {
        "signed_in": False, "setup": False, "demo": False, "loopback": True, "simulator": False,
        "build": site.node.pump.build, "version": __version__, "oidc": None,
    }  # fmt: skip
    answer = await browser.sign_in("agent1")
    assert answer.json() == {
        "user": {
            "id": "agent1",
            "name": "Ana",
            "role": "member",
            "active": True,
            "bot": False,
            "away": "",
        }
    }
    seen = await browser.look()
    assert (seen["signed_in"], seen["user"]["id"], seen["simulator"]) == (True, "agent1", False)
    assert (await browser.call("GET", "/v1/me")).json()["id"] == "agent1"
    async with browser.line() as line:
        assert (await line.until(Op.WELCOME))[5] == seen["build"]
    assert (await (await person(site, "admin")).look())["simulator"] is True


async def test_every_way_not_to_get_in_looks_alike(site: Served) -> None:
    told = []
    for user, password in (
        ("agent1", "wrong horse"),
        ("agent1", ""),
        ("agent1", "x" * 1000),
        ("agent2", PASSWORD),  # has no password
        ("nobody", PASSWORD),
        ("", PASSWORD),
        ("no/such\u0000id", PASSWORD),
    ):
        browser = Browser(site)
        answer = await browser.sign_in(user, password)
        assert "set-cookie" not in answer.headers
        told.append({**answer.json(), "request_id": "", "status": answer.status_code})
    assert told == [told[0]] * len(told)
    assert (told[0]["status"], told[0]["code"]) == (401, "unauthorized")
    assert told[0]["detail"] == "Wrong user or password."


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"user": "agent1"},
        {"user": 1, "password": "x"},
        {"user": "a", "password": "b", "c": 1},
        {"user": "agent1", "password": "x" * 1025},
    ],
)
async def test_a_body_that_is_none_is_refused(site: Served, body: Any) -> None:
    answer = await Browser(site).call("POST", "/v1/session", body)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


async def test_the_cookie_over_http_and_over_tls(
    site: Served, engine_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = await person(site, "agent1")
    assert plain.cookie.startswith("batonbox=")
    assert _attributes(plain) == {"httponly", "max-age=7776000", "path=/", "samesite=strict"}
    secure = await person(site, "agent1", https=True)
    assert secure.cookie.startswith("__Host-batonbox=")
    assert _attributes(secure) == _attributes(plain) | {"secure"}
    assert (await secure.call("GET", "/v1/me")).status_code == 200
    # Each name counts in its own world only.
    secret = secure.cookie.partition("=")[2]
    over_http = Browser(site)
    over_http.cookie = f"__Host-batonbox={secret}"
    assert (await over_http.call("GET", "/v1/me")).status_code == 401
    over_tls = Browser(site, https=True)
    over_tls.cookie = f"batonbox={secret}"
    assert (await over_tls.call("GET", "/v1/me")).status_code == 401
    # What a proxy says counts only if it is trusted.
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "10.9.8.7")
    async with served(engine_url, prefix) as wary:
        liar = Browser(wary, https=True)
        assert (await liar.sign_in("agent1")).status_code == 403
        liar.origin = wary.url
        assert (await liar.sign_in("agent1")).status_code == 200
        assert liar.cookie.startswith("batonbox=")


def _attributes(browser: Browser) -> set[str]:
    return {part.strip().lower() for part in browser.set_cookie.split(";")[1:]}


# Origin ("own", "port", "none" or itself), Sec-Fetch-Site -> may read, may write
PAGES = [
    ("own", "same-origin", True, True),
    ("own", "", True, True),
    ("https://desk.example", "cross-site", True, True),
    ("https://desk.example/", "cross-site", False, False),
    ("https://desk.example.evil.example", "cross-site", False, False),
    ("http://desk.example", "cross-site", False, False),
    (FOREIGN, "cross-site", False, False),
    (FOREIGN, "", False, False),
    ("port", "same-site", False, False),
    ("tls", "", False, False),
    ("localhost", "", False, False),
    ("null", "", False, False),
    ("none", "none", True, False),
    ("none", "", True, False),
    ("none", "same-origin", True, False),
    ("none", "cross-site", False, False),
]


def _origin(site: Served, name: str) -> str:
    host = site.url.removeprefix("http://")
    port = host.partition(":")[2]
    return {
        "own": site.url,
        "port": "http://127.0.0.1:1",
        "tls": f"https://{host}",
        "localhost": f"http://localhost:{port}",
        "none": "",
    }.get(name, name)


async def test_from_which_pages_the_cookie_counts(site: Served) -> None:
    """Reading, writing, signing in and out, and the websocket, page by page; tokens from any."""
    conv = await site.texts("hello")
    token = await site.token("agent1")
    for name, fetch_site, reads, writes in PAGES:
        page = (name, fetch_site)
        browser = await person(site, "agent1")
        sent = {"origin": _origin(site, name), "sec_fetch_site": fetch_site}
        for path in ("/v1/me", "/v1/session", f"/v1/conversations/{conv}"):
            answer = await browser.call("GET", path, **sent)
            assert (answer.status_code == 200) is reads, (page, path)
            assert answer.status_code in {200, 403}, (page, path)
        for method, path, body in (
            ("POST", f"/v1/conversations/{conv}/unread", {}),
            ("POST", "/v1/connection-tokens", None),
            ("PUT", "/v1/me/password", {"old": PASSWORD, "new": PASSWORD}),
            ("POST", "/v1/session", {"user": "agent1", "password": PASSWORD}),
            ("DELETE", "/v1/session", None),
        ):
            answer = await browser.call(method, path, body, **sent)
            assert answer.is_success is writes, (page, path, answer.text)
            if not writes:
                assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), page
                assert site.url in answer.json()["detail"], page
            # With a token the same request needs no page at all.
            if not path.startswith("/v1/session") and "password" not in path:
                stranger = Browser(site)
                bearer = {"authorization": f"Bearer {token}"}
                answer = await stranger.call(method, path, body, **sent, **bearer)
                assert answer.is_success, (page, path, answer.text)
        # Signing in is guarded without a cookie too: nobody is signed in as somebody else.
        answer = await Browser(site).call(
            "POST", "/v1/session", {"user": "agent1", "password": PASSWORD}, **sent
        )
        assert answer.is_success is writes, page


@pytest.mark.parametrize(
    ("name", "with_cookie", "code"),
    [
        ("own", True, 0),
        ("https://desk.example", True, 0),
        ("port", True, Close.FORBIDDEN),
        ("localhost", True, Close.FORBIDDEN),
        ("none", True, Close.FORBIDDEN),
        ("own", False, Close.UNAUTHORIZED),
        ("none", False, Close.UNAUTHORIZED),
    ],
)
async def test_from_which_pages_a_websocket_may_use_the_cookie(
    site: Served, name: str, with_cookie: bool, code: int
) -> None:
    browser = await person(site, "agent1") if with_cookie else Browser(site)
    async with browser.line(origin=_origin(site, name)) as line:
        if not code:
            assert (await line.until(Op.WELCOME))[2] == "agent1"
            return
        assert await line.close_code() == code
        assert line.reason.startswith("This takes the header Origin" if with_cookie else "Sign in")
    # A token is a token, from any port of this machine.
    async with browser.line(origin=_origin(site, name), token=await site.token("agent2")) as line:
        assert (await line.until(Op.WELCOME))[2] == "agent2"


async def test_a_foreign_page_gets_no_websocket_at_all(site: Served) -> None:
    browser = await person(site, "agent1")
    with pytest.raises(Exception, match="403"):
        async with browser.line(origin=FOREIGN):
            pass


async def test_a_session_is_no_token_and_a_token_no_session(site: Served) -> None:
    browser = await person(site, "agent1")
    secret = browser.cookie.partition("=")[2]
    bearer = {"authorization": f"Bearer {secret}"}
    assert (await Browser(site).call("GET", "/v1/me", **bearer)).status_code == 401
    # Not even one whose random secret begins as an API token's do.
    unlucky = Token("ses_unlucky", "agent1", 1, kind="session", expires_ms=2**52)
    await site.node.organisation.add_token(unlucky, sha256=sha256_of("bb_unlucky"), most=50)
    answer = await Browser(site).call("GET", "/v1/me", authorization="Bearer bb_unlucky")
    assert answer.status_code == 401
    await site.node.organisation.delete_token(unlucky.id)
    other = Browser(site)
    other.cookie = f"batonbox={await site.token('agent1')}"
    assert (await other.call("GET", "/v1/me")).status_code == 401
    assert (await other.look())["signed_in"] is False
    # It is not among the tokens an admin sees and revokes one by one.
    listed = await site.get("admin", "/v1/admin/users/agent1/tokens")
    assert [token["id"][:4] for token in listed["items"]] == ["tok_"]
    session = await site.node.organisation.token(sha256_of(secret))
    assert session is not None
    path = f"/v1/admin/users/agent1/tokens/{session.id}"
    assert (await site.call("admin", "DELETE", path)).status_code == 404


@pytest.mark.parametrize(("length", "status"), [(7, 400), (8, 204), (256, 204), (257, 400)])
async def test_a_passwords_length(site: Served, length: int, status: int) -> None:
    secret = "é" * length
    path = "/v1/admin/users/agent2/password"
    assert (await site.call("admin", "PUT", path, {"password": secret})).status_code == status
    admin = await person(site, "admin")
    answer = await admin.call("PUT", "/v1/me/password", {"old": PASSWORD, "new": secret})
    assert answer.status_code == status
    assert ((await Browser(site).sign_in("agent2", secret)).status_code == 200) is (status == 204)


async def test_who_may_set_whose_password(site: Served) -> None:
    path = "/v1/admin/users/{}/password"
    body = {"password": "another horse"}
    assert (await site.call("agent1", "PUT", path.format("agent2"), body)).status_code == 403
    assert (await site.call("admin", "PUT", path.format("nobody"), body)).status_code == 404
    browser = await person(site, "agent1")
    wrong = await browser.call("PUT", "/v1/me/password", {"old": "x", "new": "another horse"})
    assert (wrong.status_code, wrong.json()["code"]) == (403, "forbidden")
    assert (await Browser(site).sign_in("agent1")).status_code == 200


async def test_the_loop_goes_on_while_a_password_is_verified(
    site: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the loop, verification would wait for what only the loop can do."""
    waiting, go = threading.Semaphore(0), threading.Event()
    real = passwords._HASHER

    class Gate:
        """Argon2, once the test lets it."""

        def verify(self, known: str, password: str) -> bool:
            waiting.release()
            assert go.wait(60), "nobody opened the gate: the loop was held up"
            return real.verify(known, password)

        def hash(self, password: str) -> str:
            return real.hash(password)

    monkeypatch.setattr(passwords, "_HASHER", Gate())
    most = passwords._THREADS + passwords._WAITING
    # From addresses of their own, so that only the queue is full.
    people = [Browser(site, address=f"192.0.2.{n}") for n in range(most)]
    loop = asyncio.get_running_loop()
    tries = [loop.create_task(one.sign_in("agent1")) for one in people]
    under_way = site.node.sign_in._passwords
    try:
        await until(lambda: _is(under_way._under_way, 5))
        assert waiting.acquire(timeout=20)
        assert waiting.acquire(timeout=20)
        assert not waiting.acquire(blocking=False), "more than two at a time"
        assert (await site.http.get("/livez")).status_code == 200
    finally:
        go.set()
    answers = await asyncio.gather(*tries)
    # The user's own limit lets five through at once; others were not even begun.
    assert [a.status_code for a in answers].count(200) == 5


async def _is(value: int, wanted: int) -> bool:
    return value == wanted


async def test_a_full_queue_refuses_and_counts_against_nobody(
    engine_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(engine_url, prefix, sign_in_user_burst=100) as site:
        await site.node.sign_in.set_password("agent1", PASSWORD)
        go = threading.Event()
        real = passwords._HASHER

        class Gate:
            def verify(self, known: str, password: str) -> bool:
                assert go.wait(60)
                return real.verify(known, password)

        monkeypatch.setattr(passwords, "_HASHER", Gate())
        most = passwords._THREADS + passwords._WAITING
        people = [Browser(site, address=f"192.0.2.{n}") for n in range(most)]
        loop = asyncio.get_running_loop()
        tries = [loop.create_task(one.sign_in("agent1")) for one in people]
        queue = site.node.sign_in._passwords
        try:
            await until(lambda: _is(queue._under_way, most))
            late = await Browser(site, address="198.51.100.1").sign_in("agent1")
            assert (late.status_code, late.json()["code"]) == (429, "rate_limited")
            assert int(late.headers["retry-after"]) >= 1
        finally:
            go.set()
        assert {a.status_code for a in await asyncio.gather(*tries)} == {200}
        assert await site.node.client.execute("KEYS", f"{prefix}{{org}}:try:*") == []


async def test_a_password_that_was_replaced_begins_no_session(site: Served) -> None:
    """Verified a moment ago, replaced since: the session would outlive the password."""
    before = await site.node.sessions.password("agent1")
    await site.node.sign_in.set_password("agent1", "another horse")
    late = Token("ses_late", "agent1", 1, kind="session", expires_ms=2**52)
    with pytest.raises(Refused) as refused:
        await site.node.organisation.add_token(
            late, sha256="0" * 64, proof=f"password:{before}", most=50
        )
    assert refused.value.slug == "conflict"
    assert await site.node.organisation.token_alive("ses_late") is False
