"""The identity provider: where it is, and what its answers are worth (OpenID Connect Core 1.0)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote_plus

import httpx2
import jwt

from batonbox_server.errors import Refused
from batonbox_server.store.oidc_port import NoEntry
from batonbox_server.tls import trusting

from .embedding import check_jwks_url
from .jwks import Jwks

__all__ = ["Client", "Provider"]

_FRESH_S: Final = 3600.0
_PAUSE_S: Final = 5.0
_MAX_BYTES: Final = 256 * 1024
_LEEWAY_S: Final = 30
_OLDEST_S: Final = 600  # an ID token is made for this sign-in
_SUBJECT_CHARS: Final = 255
_ASYMMETRIC: Final = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
_REQUIRED: Final = ["iss", "sub", "aud", "exp", "iat", "nonce"]
Claims = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """This server as the provider knows it; without a secret it is a public client."""

    id: str
    secret: str
    redirect_uri: str
    scope: str


@dataclass(frozen=True, slots=True)
class _Metadata:
    authorization: str
    token: str
    jwks: str
    userinfo: str
    names_itself: bool  # its answers say who they are from (RFC 9207)


class Provider:
    """Raises NoEntry: `provider` when it cannot be asked, `answer` when what it says does not hold.

    What it publishes of itself is kept for an hour, and longer while it cannot be read again. Close
    it with `aclose`.
    """

    def __init__(
        self,
        issuer: str,
        client: Client,
        *,
        timeout_s: float = 5.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.issuer = issuer
        self._client = client
        self._timeout_s = timeout_s
        self._now = now
        self._http = httpx2.AsyncClient(
            timeout=timeout_s, follow_redirects=False, verify=trusting()
        )
        self._lock = asyncio.Lock()
        self._metadata: _Metadata | None = None
        self._read = self._tried = -float("inf")
        self._jwks: tuple[str, Jwks] | None = None

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()
        if self._jwks is not None:
            await self._jwks[1].aclose()

    async def address(self, *, state: str, nonce: str, verifier: str) -> str:
        """Where to send a browser that signs in."""
        digest = hashlib.sha256(verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self._client.id,
            "redirect_uri": self._client.redirect_uri,
            "scope": self._client.scope,
            "state": state,
            "nonce": nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        metadata = await self._about()
        return str(httpx2.URL(metadata.authorization).copy_merge_params(asked))

    async def claims(
        self, code: str, *, verifier: str, nonce: str, said_by: str | None, wanted: tuple[str, ...]
    ) -> Claims:
        """What the provider says of whoever brought the code.

        `said_by` is the `iss` that came with it. What is `wanted` and not in the ID token is asked
        for at its userinfo endpoint, if it has one.
        """
        metadata = await self._about()
        if said_by != self.issuer and (said_by is not None or metadata.names_itself):
            raise NoEntry("answer", "the code came from another issuer")
        tokens = await self._exchange(metadata, code, verifier)
        claims = await self._verified(metadata, tokens.get("id_token"), nonce)
        if metadata.userinfo and any(name not in claims for name in wanted):
            more = await self._userinfo(metadata, tokens.get("access_token"))
            if more.get("sub") != claims["sub"]:
                raise NoEntry("answer", "userinfo is about somebody else")
            claims = {**more, **claims}
        return claims

    async def _about(self) -> _Metadata:
        if not self._fresh():
            async with self._lock:
                if not self._fresh() and self._now() - self._tried >= _PAUSE_S:
                    await self._discover()
        if self._metadata is None:
            raise NoEntry("provider", "its configuration could not be read a moment ago")
        return self._metadata

    def _fresh(self) -> bool:
        return self._metadata is not None and self._now() - self._read < _FRESH_S

    async def _discover(self) -> None:
        self._tried = self._now()
        url = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
        try:
            self._metadata = _metadata_in(await self._json("GET", url), self.issuer)
        except NoEntry:
            if self._metadata is None:
                raise
            return  # what was known before goes on serving
        self._read = self._tried

    async def _exchange(self, metadata: _Metadata, code: str, verifier: str) -> Claims:
        client = self._client
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": client.redirect_uri,
            "code_verifier": verifier,
        }
        if not client.secret:
            return await self._json("POST", metadata.token, data={**form, "client_id": client.id})
        # Both are form-encoded first (RFC 6749, 2.3.1).
        auth = httpx2.BasicAuth(quote_plus(client.id), quote_plus(client.secret))
        return await self._json("POST", metadata.token, data=form, auth=auth)

    async def _userinfo(self, metadata: _Metadata, token: Any) -> Claims:
        bearer = {"authorization": f"Bearer {token}"}
        return await self._json("GET", metadata.userinfo, headers=bearer)

    async def _verified(self, metadata: _Metadata, token: Any, nonce: str) -> Claims:
        """The claims of an ID token that is signed, for us, of now, and of this sign-in."""
        if not isinstance(token, str):
            raise NoEntry("answer", "there is no ID token in it")
        try:
            key = await self._key(metadata, jwt.get_unverified_header(token))
            claims: Claims = jwt.decode(
                token,
                key.key,
                algorithms=[key.algorithm_name],
                issuer=self.issuer,
                audience=self._client.id,
                leeway=_LEEWAY_S,
                options={"require": _REQUIRED},
            )
            self._check(claims, nonce)
        except (jwt.PyJWTError, ValueError, OverflowError) as error:
            raise NoEntry("answer", f"its ID token is refused: {error}") from error
        return claims

    async def _key(self, metadata: _Metadata, header: Mapping[str, Any]) -> jwt.PyJWK:
        if self._jwks is None or self._jwks[0] != metadata.jwks:
            if self._jwks is not None:
                await self._jwks[1].aclose()
            self._jwks = metadata.jwks, Jwks(metadata.jwks, timeout_s=self._timeout_s)
        kid = header.get("kid")
        if not isinstance(kid, str) or not kid:
            raise jwt.InvalidTokenError("its header has no kid")
        try:
            key = await self._jwks[1].key(kid)
        except Refused as refused:
            code = "provider" if refused.slug == "unavailable" else "answer"
            raise NoEntry(code, refused.message) from refused
        # What is allowed follows from the key, never from what the token says of itself.
        if key.algorithm_name not in _ASYMMETRIC:
            raise jwt.InvalidKeyError("its key is of a kind that is not used here")
        return key

    def _check(self, claims: Claims, nonce: str) -> None:
        """What PyJWT does not look at; raises ValueError."""
        audiences, party = claims["aud"], claims.get("azp")
        if isinstance(audiences, list) and len(audiences) > 1 and party is None:
            raise ValueError("it is for several, and does not say who asked for it")
        if party is not None and party != self._client.id:
            raise ValueError("another client asked for it")
        if not hmac.compare_digest(str(claims["nonce"]).encode(), nonce.encode()):
            raise ValueError("its nonce is not that of this sign-in")
        if time.time() - int(claims["iat"]) > _OLDEST_S + _LEEWAY_S:
            raise ValueError("it was made long ago")
        if not 0 < len(claims["sub"]) <= _SUBJECT_CHARS:
            raise ValueError("its sub is empty or too long")

    async def _json(self, method: str, url: str, **more: Any) -> Claims:
        """A bounded answer within the time; raises NoEntry."""
        try:
            async with asyncio.timeout(self._timeout_s):
                status, body = await self._ask(method, url, **more)
        except (httpx2.HTTPError, TimeoutError, ValueError) as error:
            raise NoEntry("provider", f"{url}: {type(error).__name__}") from error
        try:
            found = json.loads(body)
        except ValueError:
            found = None
        if status != 200 or not isinstance(found, dict):
            said = found.get("error") if isinstance(found, dict) else None
            code = "answer" if 400 <= status < 500 and method == "POST" else "provider"
            raise NoEntry(code, f"{url}: {status} {str(said or '')[:100]}")
        return found

    async def _ask(self, method: str, url: str, **more: Any) -> tuple[int, bytes]:
        body = bytearray()
        async with self._http.stream(method, url, **more) as answer:
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > _MAX_BYTES:
                    raise ValueError("more than such an answer takes")
        return answer.status_code, bytes(body)


def _metadata_in(found: Claims, issuer: str) -> _Metadata:
    if found.get("issuer") != issuer:
        said = str(found.get("issuer"))[:200]
        raise NoEntry("provider", f"it calls itself {said!r}: set BATONBOX_OIDC_ISSUER to that")
    names = ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint")
    urls = [found.get(name, "") for name in names]
    for name, url in zip(names, urls, strict=True):
        try:
            if url or name != "userinfo_endpoint":
                check_jwks_url(str(url))
        except ValueError as error:
            raise NoEntry("provider", f"{name} must be {error}") from error
    names_itself = found.get("authorization_response_iss_parameter_supported") is True
    authorization, token, jwks, userinfo = map(str, urls)
    return _Metadata(authorization, token, jwks, userinfo, names_itself)
