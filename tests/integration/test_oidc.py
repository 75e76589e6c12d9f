"""Signing in at a real OpenID provider, and every way in which that is refused."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from batonbox_server.config import ConfigError
from batonbox_server.domain.model import Role
from batonbox_server.errors import Refused
from batonbox_server.service.identity import sha256_of
from batonbox_server.store.directory_port import User
from tests.integration.oidc_harness import Visitor, asked_of, error_of, trusting
from tests.integration.sign_in_harness import PASSWORD, Browser
from tests.oidc_process import (
    OpenIdProvider,
    openid_provider,
    signed_in_at,
)
from tests.ports import free_port
from tests.served import Served, served


@pytest.fixture
def port() -> int:
    """Of the node: the provider has to know it first."""
    return free_port()


@pytest.fixture
async def provider(port: int) -> AsyncIterator[OpenIdProvider]:
    """The provider's process."""
    async with openid_provider(f"http://127.0.0.1:{port}/v1/session/oidc/callback") as provider:
        yield provider


@pytest.fixture
async def site(
    engine_url: str, prefix: str, port: int, provider: OpenIdProvider
) -> AsyncIterator[Served]:
    """A node that trusts it, and makes nobody a member."""
    async with trusting(provider.issuer, engine_url, prefix, port=port) as site:
        yield site


async def test_somebody_whom_the_provider_names_is_signed_in(site: Served) -> None:
    async with Visitor(site) as ana:
        assert (await ana.http.get("/v1/session")).json()["oidc"] == {"name": "Example Org"}
        sent = await ana.begin(next="/inboxes/sales?filter=done")
        asked = asked_of(sent)
        assert asked["redirect_uri"] == f"{site.url}/v1/session/oidc/callback"
        assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
        answer = await ana.back(await signed_in_at(sent, "sub-1"))
        assert answer.headers["location"] == "/inboxes/sales?filter=done"
        cookies = answer.headers.get_list("set-cookie")
        session = next(c for c in cookies if c.startswith("batonbox="))
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(session.split("; "))
        assert await ana.who() == "agent1"
        assert [c.name for c in ana.http.cookies.jar] == ["batonbox"], "the other one is gone"
        listed = (await ana.http.get("/v1/sessions")).json()["items"]
        assert [(s["current"], s["address"]) for s in listed] == [(True, "127.0.0.1")]
    found = await site.get("admin", "/v1/admin/audit?actor=agent1")
    told = [(item["action"], item["detail"].get("by")) for item in found["items"]]
    assert told[:2] == [("sign_in", "oidc"), ("identity_linked", None)]
    # Known by the provider's own id from now on, whatever it calls them.
    async with Visitor(site) as again:
        await again.sign_in("sub-1")
        assert await again.who() == "agent1"


async def test_a_callback_works_once_and_in_the_browser_that_began(site: Served) -> None:
    async with Visitor(site) as ana, Visitor(site) as eve:
        address = await signed_in_at(await ana.begin(), "sub-1")
        assert error_of(await eve.back(address)) == "state"
        assert await eve.who() == ""
        # Whoever showed it elsewhere has used it up.
        assert error_of(await ana.back(address)) == "state"
        good = await signed_in_at(await ana.begin(), "sub-1")
        jar = {cookie.name: cookie.value or "" for cookie in ana.http.cookies.jar}
        assert error_of(await ana.back(good)) == ""
        await ana.http.delete("/v1/session", headers={"origin": site.url})
        assert await ana.who() == ""
        for name, value in jar.items():
            ana.http.cookies.set(name, value)
        assert error_of(await ana.back(good)) == "state"
        assert await ana.who() == ""


async def test_a_sign_in_that_nobody_ends_is_forgotten(site: Served) -> None:
    async with Visitor(site) as ana:
        state = asked_of(await ana.begin())["state"]
        key = f"{site.node.keys.org}:oidc_state:{sha256_of(state)}"
        assert 590 <= int(await site.node.client.execute("TTL", key)) <= 600
        [cookie] = ana.http.cookies.jar
        assert cookie.path == "/v1/session/oidc/callback"
        assert cookie.expires and 590 <= cookie.expires - time.time() <= 601
        assert "HttpOnly" in cookie._rest and cookie._rest["SameSite"] == "Lax"  # type: ignore[attr-defined]
        await site.node.client.execute("DEL", key)
        address = f"/v1/session/oidc/callback?state={state}&code=x"
        assert error_of(await ana.back(address)) == "state"


async def test_two_tabs_do_not_disturb_each_other(site: Served) -> None:
    async with Visitor(site) as ana:
        first, second = await ana.begin(), await ana.begin()
        assert error_of(await ana.back(await signed_in_at(first, "sub-1"))) == ""
        assert error_of(await ana.back(await signed_in_at(second, "sub-1"))) == ""


async def test_a_wrong_state_is_refused(site: Served) -> None:
    async with Visitor(site) as ana:
        address = await signed_in_at(await ana.begin(), "sub-1")
        state = asked_of(address)["state"]
        for wrong in ("", "x", state[:-1] + ("A" if state[-1] != "A" else "B"), "é;=" * 15):
            answer = await ana.http.get(
                "/v1/session/oidc/callback", params={**asked_of(address), "state": wrong}
            )
            assert (answer.status_code, error_of(answer)) == (303, "state")
        assert await ana.who() == ""


async def test_somebody_elses_code_is_worth_nothing(site: Served) -> None:
    """The provider compares the verifier with the challenge that the code was made for."""
    async with Visitor(site) as ana, Visitor(site) as eve:
        stolen = asked_of(await signed_in_at(await ana.begin(), "sub-1"))
        mine = asked_of(await eve.begin())
        with capture_logs() as logged:
            answer = await eve.http.get(
                "/v1/session/oidc/callback", params={**stolen, "state": mine["state"]}
            )
        assert error_of(answer) == "answer"
        # Before any nonce is looked at.
        [told] = [entry["why"] for entry in logged if entry["event"] == "oidc_sign_in_refused"]
        assert told.endswith("400 invalid_grant")
        assert await eve.who() == ""


async def test_who_declines_is_told_so(site: Served) -> None:
    async with Visitor(site) as ana:
        assert error_of(await ana.sign_in("", next="/settings")) == "denied"
        answer = await ana.http.get("/v1/session/oidc/callback")
        assert error_of(answer) == "state"


async def test_a_second_identity_does_not_get_a_user_who_has_one(site: Served) -> None:
    async with Visitor(site) as ana, Visitor(site) as eve:
        await ana.sign_in("sub-1")
        assert error_of(await eve.sign_in("sub-2")) == "linked"
        assert await eve.who() == ""
        # Until an admin unlinks the first.
        path = "/v1/admin/users/agent1/identity"
        assert (await site.call("agent2", "DELETE", path)).status_code == 403
        assert (await site.call("admin", "DELETE", path)).status_code == 204
        await eve.sign_in("sub-2")
        assert await eve.who() == "agent1"
        assert (await site.call("admin", "DELETE", path.replace("1/", "9/"))).status_code == 404


async def test_an_identity_that_was_unlinked_meanwhile_begins_no_session(
    site: Served, provider: OpenIdProvider
) -> None:
    identity = f"{provider.issuer} sub-1"
    async with Visitor(site) as ana:
        await ana.sign_in("sub-1")
    assert (await site.node.sign_in.by_identity("agent1", identity)).user.id == "agent1"
    assert (await site.call("admin", "DELETE", "/v1/admin/users/agent1/identity")).is_success
    with pytest.raises(Refused, match="no more"):
        await site.node.sign_in.by_identity("agent1", identity)


async def test_who_is_unknown_is_refused(site: Served) -> None:
    async with Visitor(site) as nora:
        for login in ("sub-new", "sub-bare"):
            assert error_of(await nora.sign_in(login)) == "unknown"
            assert await nora.who() == ""
    assert len(site.node.directory.users) == len((await site.node.organisation.state()).users)


async def test_who_is_unknown_becomes_a_member_where_that_is_wanted(
    engine_url: str, prefix: str, port: int, provider: OpenIdProvider
) -> None:
    given = (provider.issuer, engine_url, prefix)
    async with (
        trusting(*given, port=port, oidc_provision="member") as site,
        Visitor(site) as nora,
        Visitor(site) as bare,
    ):
        await nora.sign_in("sub-new")
        made = site.node.directory.users["newcomer-nora"]
        assert made == User("newcomer-nora", "Nora Newcomer", Role.MEMBER)
        assert await nora.who() == made.id
        assert error_of(await bare.sign_in("sub-bare")) == "unknown"
        # The identity goes with the user: who comes again is somebody new.
        await site.node.administration.delete_user(made.id)
        assert await nora.who() == ""
        await site.node.administration.create_user(User(made.id, "Other", Role.MEMBER))
        await nora.sign_in("sub-new")
        assert await nora.who() == "newcomer-nora-2"


async def test_deactivated_users_and_bots_stay_out(site: Served) -> None:
    body = {"id": "robot", "name": "Robot", "role": "member", "bot": True}
    assert (await site.call("admin", "POST", "/v1/admin/users", body)).is_success
    async with Visitor(site) as ana:
        assert error_of(await ana.sign_in("sub-robot")) == "bot"
        await ana.sign_in("sub-1")
        await site.node.administration.deactivate_user("agent1")
        assert await ana.who() == ""
        assert error_of(await ana.sign_in("sub-1")) == "inactive"
        await site.node.administration.reactivate_user("agent1", inboxes=())
        await ana.sign_in("sub-1")
        assert await ana.who() == "agent1"


async def test_without_the_provider_passwords_still_work(
    site: Served, provider: OpenIdProvider
) -> None:
    async with Visitor(site) as ana:
        address = await signed_in_at(await ana.begin(), "sub-1")
        await provider.stop()
        assert error_of(await ana.back(address)) == "provider"
    await site.node.sign_in.set_password("agent1", PASSWORD)
    assert (await Browser(site).sign_in("agent1")).status_code == 200


async def test_a_provider_that_was_never_there(engine_url: str, prefix: str, port: int) -> None:
    issuer = f"http://localhost:{free_port()}"
    async with trusting(issuer, engine_url, prefix, port=port) as site, Visitor(site) as ana:
        assert (await ana.begin(next="/settings")) == "/sign-in?next=%2Fsettings#error=provider"


async def test_a_public_client_has_no_secret(engine_url: str, prefix: str, port: int) -> None:
    redirect_uri = f"http://127.0.0.1:{port}/v1/session/oidc/callback"
    async with (
        openid_provider(redirect_uri, secret="") as provider,
        trusting(provider.issuer, engine_url, prefix, port=port, oidc_client_secret="") as site,
        Visitor(site) as ana,
    ):
        await ana.sign_in("sub-1")
        assert await ana.who() == "agent1"


async def test_the_wrong_secret_gets_nobody_in(
    engine_url: str, prefix: str, port: int, provider: OpenIdProvider
) -> None:
    given: dict[str, Any] = {"port": port, "oidc_client_secret": "another one"}
    async with trusting(provider.issuer, engine_url, prefix, **given) as site, Visitor(site) as ana:
        assert error_of(await ana.sign_in("sub-1")) == "answer"


async def test_attempts_are_limited_as_any_others(
    engine_url: str, prefix: str, port: int, provider: OpenIdProvider
) -> None:
    given: dict[str, Any] = {"sign_in_address_burst": 3, "sign_in_address_every_s": 3600.0}
    async with (
        trusting(provider.issuer, engine_url, prefix, port=port, **given) as site,
        Visitor(site) as ana,
    ):
        for _ in range(4):  # those that go well do not count
            assert error_of(await ana.sign_in("sub-1")) == ""
        limited = "/sign-in#error=rate_limited"
        begun = [await ana.begin() for _ in range(4)]
        assert limited not in begun[:2]
        assert begun[-1] == limited
        assert error_of(await ana.back("/v1/session/oidc/callback?state=x&code=y")) == (
            "rate_limited"
        )


async def test_next_leads_nowhere_else(site: Served) -> None:
    async with Visitor(site) as ana:
        for path in (
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "/a\r\nb: c",
            "x",
        ):
            answer = await ana.sign_in("sub-1", next=path)
            assert answer.headers["location"] == "/"


async def test_without_a_provider_the_page_is_told(engine_url: str, prefix: str) -> None:
    async with served(engine_url, prefix) as site, Visitor(site) as ana:
        assert await ana.begin() == "/sign-in#error=off"
        assert error_of(await ana.back("/v1/session/oidc/callback")) == "off"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"public_url": ""}, "PUBLIC_URL"),
        ({"oidc_client_id": ""}, "CLIENT_ID"),
        ({"oidc_issuer": ""}, "OIDC_ISSUER is needed"),
        ({"public_url": "http://inboxes.example.com"}, "PUBLIC_URL: an https"),
        ({"public_url": "https://inboxes.example.com/desk"}, "host and port alone"),
        ({"oidc_issuer": "http://login.example.com"}, "ISSUER: an https"),
        ({"oidc_provision": "admin"}, "off or member"),
    ],
    ids=str,
)
async def test_settings_that_do_not_go_together_are_refused(
    engine_url: str, prefix: str, given: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        async with trusting(
            "https://login.example.com", engine_url, prefix, **{"port": 1, **given}
        ):
            pass
