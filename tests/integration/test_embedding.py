"""Tokens of an embedding application: what is accepted in place of our own, and what is not."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from batonbox_server.config import ConfigError
from batonbox_server.service.jwks import Jwks
from batonbox_server.wire import Close, Op
from tests.integration.sign_in_harness import Browser
from tests.ports import on_port
from tests.served import Served, served

SECRET = "an embedding application's secret, for tests"
AUDIENCE = "https://inboxes.example.com"


@pytest.fixture
async def site(engine_url: str, prefix: str) -> AsyncIterator[Served]:
    """A node that trusts an application's secret."""
    async with served(engine_url, prefix, jwt_secret=SECRET) as site:
        yield site


def claims(**more: Any) -> dict[str, Any]:
    """Of agent1, for five minutes; None leaves a claim out."""
    given = {"sub": "agent1", "exp": int(time.time()) + 300, **more}
    return {name: value for name, value in given.items() if value is not None}


def shared(secret: str = SECRET, **more: Any) -> str:
    """A token of the shared secret."""
    return jwt.encode(claims(**more), secret, algorithm="HS256")


def by_hand(header: dict[str, Any], body: dict[str, Any], key: bytes) -> str:
    """An HS256 token of any key: PyJWT makes none of a public one."""
    parts = [b64(json.dumps(part).encode()) for part in (header, body)]
    signed = ".".join(parts)
    return f"{signed}.{b64(hmac.digest(key, signed.encode(), 'sha256'))}"


def b64(data: bytes) -> str:
    """As tokens have it."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


async def status(site: Served, token: str, path: str = "/v1/me") -> int:
    """What HTTP answers to a bearer of this token."""
    answer = await site.http.get(path, headers={"authorization": f"Bearer {token}"})
    return answer.status_code


class Keys:
    """A server that publishes keys: `private` by their ids."""

    def __init__(self) -> None:
        self.private: dict[str, Any] = {}
        self.fetches = 0
        self.broken = False
        self.url = ""

    async def give(self, _: Request) -> Response:
        """The key set, or that it is broken."""
        self.fetches += 1
        return JSONResponse(self.published(), status_code=503 if self.broken else 200)

    def published(self) -> dict[str, Any]:
        """The key set."""
        found = []
        for kid, key in self.private.items():
            for algorithm in (jwt.algorithms.RSAAlgorithm, jwt.algorithms.ECAlgorithm,
                              jwt.algorithms.OKPAlgorithm):  # fmt: skip
                try:
                    item = json.loads(algorithm.to_jwk(key.public_key()))
                except (AttributeError, jwt.PyJWTError, TypeError):
                    continue
                found.append({**item, "kid": kid, "use": "sig"})
                break
        return {"keys": found}

    def token(self, kid: str, algorithm: str, **more: Any) -> str:
        """A token signed with this key."""
        body = claims(**{"aud": AUDIENCE, **more})
        return jwt.encode(body, self.private[kid], algorithm=algorithm, headers={"kid": kid})


@pytest.fixture
async def keys() -> AsyncIterator[Keys]:
    """The application's key server, with one key."""
    keys = Keys()
    keys.private["one"] = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    async with on_port(Starlette(routes=[Route("/jwks.json", keys.give)])) as port:
        keys.url = f"http://127.0.0.1:{port}/jwks.json"
        yield keys


async def test_a_token_of_the_shared_secret_stands_for_its_user(site: Served) -> None:
    answer = await site.http.get("/v1/me", headers={"authorization": f"Bearer {shared()}"})
    assert answer.status_code == 200
    assert answer.json()["id"] == "agent1"
    async with Browser(site).line(token=shared()) as line:
        await line.until(Op.WELCOME)
        assert await line.alive()


@pytest.mark.parametrize(
    "wrong",
    [
        {"secret": "some other application's secret, of some length"},
        {"exp": int(time.time()) - 60},
        {"exp": int(time.time()) + 25 * 3600},
        {"exp": None},
        {"exp": 1e300},
        {"sub": None},
        {"sub": 7},
        {"sub": "nobody"},
        {"scope": "openid"},
        {"scope": ["act"]},
        {"tok": "", "lim": {"commands_per_s": 9e9}, "scp": ["admin"]},
    ],
    ids="-".join,  # the time is in their values
)
async def test_a_token_that_does_not_hold_is_refused(site: Served, wrong: dict[str, Any]) -> None:
    assert await status(site, shared(**wrong)) == 401
    async with Browser(site).line(token=shared(**wrong)) as line:
        assert await line.close_code() in {Close.UNAUTHORIZED, Close.EXPIRED}


async def test_a_token_without_signature_is_refused(site: Served) -> None:
    assert await status(site, jwt.encode(claims(), "", algorithm="none")) == 401


async def test_issuer_and_audience_are_held_to_when_set(engine_url: str, prefix: str) -> None:
    given: dict[str, Any] = {"jwt_secret": SECRET, "jwt_issuer": "crm", "jwt_audience": AUDIENCE}
    async with served(engine_url, prefix, **given) as site:
        assert await status(site, shared(iss="crm", aud=AUDIENCE)) == 200
        assert await status(site, shared(iss="other", aud=AUDIENCE)) == 401
        assert await status(site, shared(iss="crm", aud="other")) == 401
        assert await status(site, shared(aud=AUDIENCE)) == 401
        assert await status(site, shared(iss="crm")) == 401


async def test_our_own_tokens_and_an_applications_are_not_mistaken(site: Served) -> None:
    made = await site.call("agent1", "POST", "/v1/connection-tokens")
    ours = made.json()["token"]
    assert await status(site, ours) == 200
    body = jwt.decode(ours, options={"verify_signature": False})
    body.pop("tok")
    secret = await site.node.organisation.secret()
    assert await status(site, jwt.encode(body, secret, algorithm="HS256")) == 401
    assert await status(site, shared(**{**body, "tok": "", "lim": {}, "scp": []})) == 401


async def test_scope_narrows_and_never_widens(site: Served) -> None:
    conv = await site.texts("Hello")
    path = f"/v1/conversations/{conv}/assign"

    async def assign(token: str) -> int:
        answer = await site.http.post(path, headers={"authorization": f"Bearer {token}"}, json={})
        return answer.status_code

    assert await assign(shared(scope="openid read")) == 403
    assert await assign(shared(scope="read act")) == 200
    assert await status(site, shared(scope="read act admin"), "/v1/admin/users") == 403
    assert await status(site, shared(sub="admin"), "/v1/admin/users") == 200
    assert await status(site, shared(sub="admin", scope="read act"), "/v1/admin/users") == 403


async def test_a_connection_closes_when_its_token_ends(site: Served) -> None:
    # Accepted for the leeway only, it is past its end already.
    async with Browser(site).line(token=shared(exp=int(time.time()) - 5)) as line:
        assert await line.close_code() == Close.EXPIRED


async def test_deactivation_closes_the_sockets_and_ends_the_tokens(site: Served) -> None:
    async with (
        Browser(site).line(token=shared()) as line,
        Browser(site).line(token=shared(sub="agent2")) as other,
    ):
        await line.until(Op.WELCOME)
        await other.until(Op.WELCOME)
        await site.node.administration.deactivate_user("agent1")
        assert await line.close_code() == Close.REVOKED
        assert await other.alive()
    assert await status(site, shared()) == 401


async def test_a_connection_token_made_with_one_keeps_its_scope_over_a_reload(site: Served) -> None:
    bearer = {"authorization": f"Bearer {shared(scope='read')}"}
    made = await site.http.post("/v1/connection-tokens", headers=bearer)
    body = jwt.decode(made.json()["token"], options={"verify_signature": False})
    assert body["scp"] == ["read"]
    async with Browser(site).line(token=made.json()["token"]) as line:
        await line.until(Op.WELCOME)
        await site.node.directory._look_at_tokens()
        assert await line.alive()


async def test_published_keys_verify_by_their_own_algorithm_alone(
    engine_url: str, prefix: str, keys: Keys
) -> None:
    keys.private["two"] = ec.generate_private_key(ec.SECP256R1())
    keys.private["three"] = ed25519.Ed25519PrivateKey.generate()
    given: dict[str, Any] = {"jwt_jwks_url": keys.url, "jwt_audience": AUDIENCE}
    async with served(engine_url, prefix, **given) as site:
        assert await status(site, keys.token("one", "RS256")) == 200
        assert await status(site, keys.token("two", "ES256")) == 200
        assert await status(site, keys.token("three", "EdDSA")) == 200
        assert await status(site, keys.token("one", "RS256", aud="other")) == 401
        assert await status(site, keys.token("one", "RS256", aud=None)) == 401
        assert await status(site, keys.token("one", "PS256")) == 401
        strange = Keys()
        strange.private["one"] = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        assert await status(site, strange.token("one", "RS256")) == 401
        # A public key is no secret: HS256 with it proves nothing.
        public = (
            keys.private["one"]
            .public_key()
            .public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
        forged = by_hand({"alg": "HS256", "kid": "one"}, claims(aud=AUDIENCE), public)
        assert await status(site, forged) == 401
        assert keys.fetches == 1


async def test_an_unknown_key_is_looked_for_once_in_a_while(keys: Keys) -> None:
    clock = [1000.0]
    jwks = Jwks(keys.url, now=lambda: clock[0])
    try:
        assert (await jwks.key("one")).key_id == "one"
        keys.private["new"] = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        for _ in range(5):
            with pytest.raises(Exception, match="not published"):
                await jwks.key("new")
        assert keys.fetches == 1
        clock[0] += 11
        assert (await jwks.key("new")).key_id == "new"
        keys.private.pop("one")
        clock[0] += 601
        with pytest.raises(Exception, match="not published"):
            await jwks.key("one")
        keys.broken = True
        clock[0] += 601
        assert (await jwks.key("new")).key_id == "new"
        with pytest.raises(Exception, match="BATONBOX_JWT_JWKS_URL"):
            await jwks.key("other")
    finally:
        await jwks.aclose()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"jwt_secret": "short"}, "32 bytes"),
        ({"jwt_jwks_url": "https://example.com/jwks"}, "JWT_AUDIENCE"),
        ({"jwt_jwks_url": "http://example.com/jwks", "jwt_audience": "a"}, "https"),
    ],
)
async def test_settings_that_do_not_go_together_are_refused(
    engine_url: str, prefix: str, given: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        async with served(engine_url, prefix, **given):
            pass


async def test_a_bots_token_never_widens_to_administration(site: Served) -> None:
    body = {"id": "robot", "name": "Robot", "role": "member", "bot": True}
    assert (await site.call("admin", "POST", "/v1/admin/users", body)).is_success
    bearer = {"authorization": f"Bearer {shared(sub='robot', scope='read act admin')}"}
    made = await site.http.post("/v1/connection-tokens", headers=bearer)
    found = jwt.decode(made.json()["token"], options={"verify_signature": False})
    assert found["scp"] == ["act", "read"]


async def test_a_connection_is_refreshed_with_the_next_token(site: Served) -> None:
    async with Browser(site).line(token=shared()) as line:
        await line.until(Op.WELCOME)
        await line.socket.send(json.dumps([Op.REFRESH, 1, shared(exp=int(time.time()) + 600)]))
        assert (await line.until(Op.OK))[1] == 1
        assert await line.alive()
        # Its end counts from now on; it is accepted for the leeway only.
        await line.socket.send(json.dumps([Op.REFRESH, 2, shared(exp=int(time.time()) - 5)]))
        assert await line.close_code() == Close.EXPIRED
