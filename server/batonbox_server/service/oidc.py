"""Signing in at an identity provider: out with a state, back with a code, in with a session."""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import structlog

from batonbox_server.domain.model import Role
from batonbox_server.errors import Refused
from batonbox_server.store.directory_port import User
from batonbox_server.store.oidc_port import Begun, Identity, NoEntry, OidcStore

from .directory import LiveDirectory
from .embedding import check_jwks_url
from .identity import sha256_of
from .invites import free_id
from .oidc_provider import Client, Provider
from .sign_in import Session, SignIn
from .texts import check_id, check_name

__all__ = ["CALLBACK", "TTL_S", "Answer", "Going", "Mapping", "Oidc", "is_state"]

_log = structlog.get_logger(__name__)
CALLBACK: Final = "/v1/session/oidc/callback"
TTL_S: Final = 600
_STATE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_CODE_CHARS: Final = 4096
_CLAIM_CHARS: Final = 200


@dataclass(frozen=True, slots=True)
class Going:
    """Where the browser goes, and what it has to bring back besides the state."""

    url: str
    state: str
    browser: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the browser brings back; `issuer` None: nothing was said of it."""

    state: str
    code: str = ""
    error: str = ""
    issuer: str | None = None


@dataclass(frozen=True, slots=True)
class Mapping:
    """`claim` names the user; with `provision` whoever is unknown becomes a member."""

    claim: str
    provision: bool

    @property
    def wanted(self) -> tuple[str, ...]:
        """Claims that have to be known."""
        return (self.claim, "email_verified") if self.claim == "email" else (self.claim,)

    def named(self, claims: dict[str, Any]) -> str:
        """Whom the claims name; "" for nobody: an address that is not verified is anybody's."""
        given = claims.get(self.claim)
        if self.claim == "email" and claims.get("email_verified") is not True:
            return ""
        return given if isinstance(given, str) and len(given) <= _CLAIM_CHARS else ""


class Oidc:
    """Authorization code with PKCE; close it with `aclose`.

    Raises NoEntry, with what is told to the person who signs in, and nothing but that.
    """

    def __init__(
        self,
        store: OidcStore,
        provider: Provider,
        sign_in: SignIn,
        directory: LiveDirectory,
        *,
        name: str,
        mapping: Mapping,
        secure: bool,
    ) -> None:
        self._store = store
        self._provider = provider
        self._sign_in = sign_in
        self._directory = directory
        self._mapping = mapping
        self.name = name
        self.secure = secure

    @classmethod
    def taken_from(
        cls, settings: Any, store: OidcStore, sign_in: SignIn, directory: LiveDirectory
    ) -> Oidc:
        """By the settings `oidc_*` and `public_url`; raises ValueError that tells the remedy."""
        url, claim = _checked(settings), settings.oidc_user_claim
        scope = "openid profile email" if claim.startswith("email") else "openid profile"
        client = Client(
            id=settings.oidc_client_id,
            secret=settings.oidc_client_secret,
            redirect_uri=f"{url}{CALLBACK}",
            scope=scope,
        )
        return cls(
            store,
            Provider(settings.oidc_issuer, client),
            sign_in,
            directory,
            name=settings.oidc_name,
            mapping=Mapping(claim, settings.oidc_provision == "member"),
            secure=url.startswith("https:"),
        )

    async def aclose(self) -> None:
        """Close the connections to the provider."""
        await self._provider.aclose()

    async def begin(self, *, next_: str, address: str) -> Going:
        """Counts as an attempt to sign in until it has gone well."""
        state, browser, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(4))
        begun = Begun(browser=sha256_of(browser), nonce=nonce, verifier=verifier, next=next_)
        try:
            await self._sign_in.attempt(address)
            url = await self._provider.address(state=state, nonce=nonce, verifier=verifier)
            await self._store.begin(state, begun, ttl_s=TTL_S)
        except (NoEntry, Refused) as error:
            raise _told(error, address, next_) from error
        return Going(url, state, browser)

    async def finish(self, answer: Answer, *, browser: str, address: str) -> tuple[Session, str]:
        """A session, and where its owner wanted to go; works once per state."""
        next_ = ""
        try:
            begun = await self._taken(answer.state, browser, address)
            next_ = begun.next
            session = await self._session(answer, begun)
            await self._sign_in.succeeded(address)
        except (NoEntry, Refused) as error:
            raise _told(error, address, next_) from error
        return session, next_

    async def forget(self, user: str) -> None:
        """The user's identity is theirs no more, and may be another's; Refused("not_found")."""
        await self._store.forget(user)

    async def _taken(self, state: str, browser: str, address: str) -> Begun:
        begun = await self._store.take(state) if is_state(state) else None
        if begun is None or not hmac.compare_digest(sha256_of(browser), begun.browser):
            await self._sign_in.attempt(address)
            raise NoEntry("state", "it was not begun in this browser, or not of late")
        return begun

    async def _session(self, answer: Answer, begun: Begun) -> Session:
        if answer.error or not 0 < len(answer.code) <= _CODE_CHARS:
            code = "denied" if answer.error == "access_denied" else "answer"
            raise NoEntry(code, f"it answered {answer.error[:100]!r} and no code")
        claims = await self._provider.claims(
            answer.code,
            verifier=begun.verifier,
            nonce=begun.nonce,
            said_by=answer.issuer,
            wanted=self._mapping.wanted,
        )
        identity = Identity(self._provider.issuer, claims["sub"])
        user = await self._user(identity, claims)
        return await self._sign_in.by_identity(user.id, identity.text)

    async def _user(self, identity: Identity, claims: dict[str, Any]) -> User:
        claim = self._mapping.named(claims)
        await self._directory.refresh()
        fresh = self._fresh(claim, claims) if self._mapping.provision and claim else None
        return await self._store.identify(identity, claim=claim, fresh=fresh)

    def _fresh(self, claim: str, claims: dict[str, Any]) -> User:
        try:
            name = check_name(str(claims.get("name") or claim), field="name")
        except Refused:
            name = claim
        try:
            user = check_id(claim, field="user")
        except Refused:
            user = free_id(claim, taken=self._directory.users)
        return User(user, name, Role.MEMBER)


def is_state(text: str) -> bool:
    """Whether it can be a state that `begin` made."""
    return _STATE.fullmatch(text) is not None


def _told(error: NoEntry | Refused, address: str, next_: str) -> NoEntry:
    if isinstance(error, Refused):
        known = error.slug in {"rate_limited", "unavailable"}
        error = NoEntry(error.slug if known else "failed", error.message)
    error.next = next_
    _log.warning("oidc_sign_in_refused", why=str(error), address=address)
    return error


def _checked(settings: Any) -> str:
    """The public URL, without a slash; raises ValueError."""
    for name in ("oidc_issuer", "oidc_client_id", "public_url"):
        if not getattr(settings, name):
            raise ValueError(f"BATONBOX_{name.upper()} is needed to sign in at a provider")
    for name in ("oidc_issuer", "public_url"):
        try:
            check_jwks_url(getattr(settings, name))
        except ValueError as error:
            raise ValueError(f"BATONBOX_{name.upper()}: {error}") from error
    if " " in settings.oidc_issuer or not settings.oidc_user_claim or not settings.oidc_name:
        raise ValueError("BATONBOX_OIDC_ISSUER, _USER_CLAIM and _NAME: none may be empty or broken")
    if settings.oidc_provision not in {"off", "member"}:
        raise ValueError("BATONBOX_OIDC_PROVISION: off or member")
    parts = urlsplit(settings.public_url)
    if parts.path.strip("/") or parts.query or parts.fragment or parts.username is not None:
        raise ValueError("BATONBOX_PUBLIC_URL: scheme, host and port alone")
    return str(settings.public_url).rstrip("/")
