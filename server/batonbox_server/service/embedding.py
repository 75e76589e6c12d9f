"""JSON Web Tokens that an embedding application signs for its own people."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import jwt

from batonbox_server.domain.policy import ALL_SCOPES
from batonbox_server.errors import Refused

from .jwks import Jwks

__all__ = ["Claims", "Embedding", "check_jwks_url"]

_SHARED: Final = "HS256"
# What is allowed by the kind of the key, never by what the token says of itself.
_BY_KIND: Final[Mapping[str, str]] = {"RSA": "RS256", "EC": "ES256", "OKP": "EdDSA"}
_LEEWAY_S: Final = 30
_LONGEST_S: Final = 24 * 3600
_SECRET_BYTES: Final = 32
_NO_SCOPE: Final = f"The token's scope names none of {', '.join(ALL_SCOPES)}."


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says: whose it is, its end, and what it is for (None: everything)."""

    user: str
    exp_ms: int
    scopes: Collection[str] | None


class Embedding:
    """Verifies tokens made with a shared secret, or with a key whose public half is published.

    Raises ValueError that tells the remedy when the settings do not go together.
    """

    def __init__(
        self, *, secret: str = "", jwks: Jwks | None = None, issuer: str = "", audience: str = ""
    ) -> None:
        if secret and len(secret.encode()) < _SECRET_BYTES:
            raise ValueError(f"a secret of at least {_SECRET_BYTES} bytes; make a random one")
        if jwks is not None and not audience:
            raise ValueError("BATONBOX_JWT_AUDIENCE is needed: others may use the same keys")
        self._secret = secret
        self._jwks = jwks
        self._issuer = issuer
        self._audience = audience

    @staticmethod
    def made(token: str) -> bool:
        """Whether the token can only be an application's: our own name the token behind them.

        This decides who looks at it, not whether it is good.
        """
        try:
            return "tok" not in jwt.decode(token, options={"verify_signature": False})
        except jwt.PyJWTError:
            return False

    async def verify(self, token: str) -> Claims:
        """Raises Refused: `unauthorized`, `token_expired`, `unavailable`."""
        try:
            header = jwt.get_unverified_header(token)
            key, algorithm = await self._key(header)
            claims = self._decoded(token, key, algorithm)
        except jwt.ExpiredSignatureError as error:
            raise Refused("token_expired") from error
        except (jwt.PyJWTError, OverflowError) as error:
            raise Refused("unauthorized", f"This token is refused: {error}.") from error
        exp_s = int(claims["exp"])
        if exp_s > time.time() + _LONGEST_S + _LEEWAY_S:
            raise Refused("unauthorized", "This token's exp is more than 24 hours ahead.")
        return Claims(claims["sub"], exp_s * 1000, _scopes(claims))

    async def _key(self, header: dict[str, Any]) -> tuple[Any, str]:
        if header.get("alg") == _SHARED and self._secret:
            return self._secret, _SHARED
        kid = header.get("kid")
        if self._jwks is None or header.get("alg") not in _BY_KIND.values():
            raise jwt.InvalidAlgorithmError("its algorithm is not one this server was set up for")
        if not isinstance(kid, str) or not kid:
            raise jwt.InvalidTokenError("its header has no kid")
        key = await self._jwks.key(kid)
        algorithm = _BY_KIND.get(key.key_type or "")
        if algorithm is None:
            raise jwt.InvalidKeyError("its key is of a kind that is not used here")
        return key.key, algorithm

    def _decoded(self, token: str, key: Any, algorithm: str) -> dict[str, Any]:
        required = ["sub", "exp"]
        required += ["iss"] if self._issuer else []
        required += ["aud"] if self._audience else []
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            issuer=self._issuer or None,
            audience=self._audience or None,
            leeway=_LEEWAY_S,
            options={"require": required, "verify_aud": bool(self._audience)},
        )
        if "tok" in claims:
            raise jwt.InvalidTokenError("tok is a claim of this server's own tokens")
        return claims


def check_jwks_url(url: str) -> None:
    """Raises ValueError unless nobody on the way can swap the keys."""
    parts = urlsplit(url)
    local = parts.hostname in {"localhost", "127.0.0.1", "::1"}
    if not parts.hostname or parts.scheme not in ({"https", "http"} if local else {"https"}):
        raise ValueError("an https:// URL (http:// on this machine only)")


def _scopes(claims: dict[str, Any]) -> Collection[str] | None:
    """Words of others (openid, profile) say nothing here; a scope without ours allows nothing."""
    text = claims.get("scope")
    if text is None:
        return None
    named = set(text.split()) & set(ALL_SCOPES) if isinstance(text, str) else set()
    if not named:
        raise Refused("unauthorized", _NO_SCOPE)
    return named
