"""ID tokens that a provider should never make, and what becomes of them: nobody gets in."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.integration.oidc_harness import Visitor, asked_of, error_of, trusting
from tests.oidc_process import CLIENT
from tests.ports import free_port, on_port
from tests.served import Served

Claims = dict[str, Any]


class Forger:
    """A provider that signs whatever it is told to; `tokens` makes its answer of a nonce."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.nonce = ""
        self.token: Callable[[Claims], str] = self.signed
        self.userinfo: Claims = {}
        self.metadata: Claims = {}
        self.padding = 0
        self.issuer = ""

    async def answer(self, request: Request) -> Response:
        """A page, or for a code the tokens."""
        if request.method == "POST":
            token = self.token(self.claims())
            value: Claims = {"id_token": token, "access_token": "x", "token_type": "Bearer"}
        else:
            value = self.pages()[request.url.path]
        body = json.dumps(value).encode() + b" " * self.padding
        return Response(body, media_type="application/json")

    def pages(self) -> dict[str, Claims]:
        """What it publishes."""
        item = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        about = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/auth",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "userinfo_endpoint": f"{self.issuer}/me",
            **self.metadata,
        }
        return {
            "/.well-known/openid-configuration": about,
            "/jwks": {"keys": [{**item, "kid": "one", "use": "sig"}]},
            "/me": self.userinfo,
        }

    def claims(self, **more: Any) -> Claims:
        """Those of a good token; None leaves one out."""
        now = int(time.time())
        good = {
            "iss": self.issuer,
            "sub": "somebody",
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": self.nonce,
            "preferred_username": "agent1",
            **more,
        }
        return {name: value for name, value in good.items() if value is not None}

    def signed(self, claims: Claims) -> str:
        """By the published key."""
        return jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": "one"})

    def with_claims(self, **more: Any) -> None:
        """From now on its tokens say this."""
        self.token = lambda claims: self.signed(
            {name: value for name, value in {**claims, **more}.items() if value is not None}
        )


@pytest.fixture
async def forger() -> AsyncIterator[Forger]:
    """The provider, serving."""
    forger = Forger()
    app = Starlette(routes=[Route("/{path:path}", forger.answer, methods=["GET", "POST"])])
    async with on_port(app) as port:
        forger.issuer = f"http://localhost:{port}"
        yield forger


@pytest.fixture
async def site(engine_url: str, prefix: str, forger: Forger) -> AsyncIterator[Served]:
    """A node that trusts it."""
    async with trusting(forger.issuer, engine_url, prefix, port=free_port()) as site:
        yield site


async def outcome(site: Served, forger: Forger, **more: str) -> tuple[str, str]:
    """What a sign-in comes to: the error, and who is signed in."""
    async with Visitor(site) as ana:
        asked = asked_of(await ana.begin())
        forger.nonce = asked["nonce"]
        params = {"state": asked["state"], "code": "code", **more}
        answer = await ana.http.get("/v1/session/oidc/callback", params=params)
        assert (answer.status_code, answer.text) == (303, "")
        return error_of(answer), await ana.who()


async def test_a_good_token_signs_in(site: Served, forger: Forger) -> None:
    assert await outcome(site, forger) == ("", "agent1")
    assert await outcome(site, forger, iss=forger.issuer) == ("", "agent1")
    forger.with_claims(aud=[CLIENT, "other"], azp=CLIENT)
    assert await outcome(site, forger) == ("", "agent1")
    forger.with_claims(exp=int(time.time()) - 5)  # clocks differ
    assert await outcome(site, forger) == ("", "agent1")


def wrong_claims() -> list[Claims]:
    """What a token must not say; None: must not leave out."""
    now = int(time.time())
    return [
        {"nonce": "of another sign-in"},
        {"nonce": None},
        {"aud": "another client"},
        {"aud": ["another client", "and another"]},
        {"aud": [CLIENT, "other"]},
        {"aud": [CLIENT, "other"], "azp": "other"},
        {"azp": "other"},
        {"aud": None},
        {"iss": "http://localhost:1"},
        {"iss": None},
        {"exp": now - 120},
        {"exp": None},
        {"iat": now + 600},
        {"iat": now - 3600},
        {"iat": None},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 256},
    ]


async def test_a_token_that_does_not_hold_is_refused(site: Served, forger: Forger) -> None:
    for wrong in wrong_claims():
        forger.with_claims(**wrong)
        assert (wrong, await outcome(site, forger)) == (wrong, ("answer", ""))


async def test_a_signature_by_anything_but_the_published_key_is_refused(
    site: Served, forger: Forger
) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    curve = ec.generate_private_key(ec.SECP256R1())
    named = {"kid": "one"}
    makers: list[Callable[[Claims], Any]] = [
        lambda claims: jwt.encode(claims, "", algorithm="none", headers=named),
        lambda claims: jwt.encode(claims, other, algorithm="RS256", headers=named),
        lambda claims: jwt.encode(claims, curve, algorithm="ES256", headers=named),
        lambda claims: jwt.encode(claims, "k" * 32, algorithm="HS256", headers=named),
        lambda claims: jwt.encode(claims, forger.key, algorithm="PS256", headers=named),
        lambda claims: jwt.encode(claims, forger.key, algorithm="RS256"),
        lambda claims: jwt.encode(claims, forger.key, algorithm="RS256", headers={"kid": "two"}),
        lambda claims: forger.signed(claims)[:-8],
        lambda _: "nonsense",
        lambda _: None,
    ]
    for number, maker in enumerate(makers):
        forger.token = maker
        assert (number, await outcome(site, forger)) == (number, ("answer", ""))


async def test_an_answer_of_another_issuer_is_refused(site: Served, forger: Forger) -> None:
    assert await outcome(site, forger, iss="https://other.example.com") == ("answer", "")


async def test_userinfo_counts_only_for_whom_the_token_is(site: Served, forger: Forger) -> None:
    forger.with_claims(preferred_username=None)
    forger.userinfo = {"sub": "somebody else", "preferred_username": "agent1"}
    assert await outcome(site, forger) == ("answer", "")
    forger.userinfo = {"sub": "somebody", "preferred_username": "agent1", "iss": "x"}
    assert await outcome(site, forger) == ("", "agent1")


async def test_an_address_counts_only_when_it_is_verified(
    engine_url: str, prefix: str, forger: Forger
) -> None:
    asked = {"oidc_user_claim": "email", "oidc_provision": "member"}
    async with trusting(forger.issuer, engine_url, prefix, port=free_port(), **asked) as site:
        forger.userinfo = {"sub": "somebody"}
        for said in (None, False, "true"):
            forger.with_claims(email="nora@example.com", email_verified=said)
            assert await outcome(site, forger) == ("unknown", "")
        forger.with_claims(email="nora@example.com", email_verified=True)
        error, user = await outcome(site, forger)
        assert not error
        assert user.startswith("nora")


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "http://localhost:1"},
        {"authorization_endpoint": None},
        {"token_endpoint": "http://login.example.com/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
    ids=str,
)
async def test_a_configuration_that_does_not_hold_is_refused(
    site: Served, forger: Forger, wrong: Claims
) -> None:
    forger.metadata = wrong
    async with Visitor(site) as ana:
        assert await ana.begin() == "/sign-in#error=provider"


async def test_an_answer_without_end_is_not_read(site: Served, forger: Forger) -> None:
    forger.padding = 300_000
    async with Visitor(site) as ana:
        assert await ana.begin() == "/sign-in#error=provider"
