"""Who a token or a session stands for."""

from __future__ import annotations

import hashlib
import secrets
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import jwt

from batonbox_server.domain.policy import Scope
from batonbox_server.errors import Refused
from batonbox_server.session.ports import Principal
from batonbox_server.store.directory_port import DirectoryStore, Token, User
from batonbox_server.store.sign_in_port import SignInStore

from .directory import LiveDirectory
from .embedding import Embedding
from .scopes import scopes_for

__all__ = ["LIMITS", "Lifetime", "TokenIdentity", "sha256_of"]

_PREFIX: Final = "bb_"
_ALGORITHM: Final = "HS256"
_MAX_TOKEN_CHARS: Final = 4096
_SLIDE_MS: Final = 3600 * 1000
_KEPT_MOST: Final = 8192
# Settings that an API token may override: raised for load tests, never skipped.
LIMITS: Final = frozenset(
    {
        "commands_per_s",
        "commands_burst",
        "commands_in_flight",
        "connections_per_user",
        "subscriptions_max",
        "requests_per_s",
        "requests_burst",
    }
)


T = TypeVar("T")


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()


def _keep(kept: OrderedDict[bytes, T], digest: bytes, what: T) -> None:
    """The oldest goes where there are too many."""
    if len(kept) >= _KEPT_MOST:
        kept.popitem(last=False)
    kept[digest] = what


def sha256_of(secret: str) -> str:
    """How a token's secret is stored: it is 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long sessions last: `idle_s` after they were last used, `max_s` after they began."""

    idle_s: int
    max_s: int

    def end_ms(self, *, made_ms: int, now_ms: int) -> int:
        """When a session ends that is used now."""
        return min(now_ms + 1000 * self.idle_s, made_ms + 1000 * self.max_s)

    @property
    def step_ms(self) -> int:
        """A session's end is written again once it has moved by so much."""
        return min(_SLIDE_MS, 100 * self.idle_s)


class TokenIdentity:
    """Implements `session.ports.Identity`: API tokens, connection tokens, and sessions."""

    def __init__(
        self,
        store: DirectoryStore,
        sessions: SignInStore,
        directory: LiveDirectory,
        *,
        secret: bytes,
        connection_token_s: int,
        lifetime: Lifetime,
        used: Callable[[str], None] = lambda _: None,
        embedding: Embedding | None = None,
    ) -> None:
        self._embedding = embedding
        self._used = used
        self._store = store
        self._sessions = sessions
        self._lifetime = lifetime
        self._directory = directory
        self._secret = secret
        self._connection_token_s = connection_token_s
        # By the hash of the token: whoever comes back after a storm brings the same one.
        self._verified: OrderedDict[bytes, dict[str, Any]] = OrderedDict()
        self._known: OrderedDict[bytes, Principal] = OrderedDict()

    async def authenticate(self, token: str) -> Principal:
        """See the port."""
        if not token or len(token) > _MAX_TOKEN_CHARS:
            raise Refused("unauthorized")
        if self._embedding is not None and self._embedding.made(token):
            return await self._by_embedding(self._embedding, token)
        if token.startswith(_PREFIX):
            principal = await self._by_api_token(token)
        else:
            principal = await self._by_connection_token(token)
        _keep(self._known, _digest(token), principal)
        return principal

    def recognise(self, token: str) -> Principal | None:
        """See the port."""
        known = self._known.get(_digest(token))
        if known is None or not self._directory.watches(known.token):
            return None
        user = self._directory.users.get(known.user)
        if user is None or not user.active or str(user.role) != known.role:
            return None
        if known.exp_ms and known.exp_ms <= time.time() * 1000:
            return None
        self._used(known.token)
        return known

    async def authenticate_session(self, secret: str) -> Principal:
        """See the port."""
        token = None
        if 0 < len(secret) <= _MAX_TOKEN_CHARS:
            token = await self._store.token(sha256_of(secret))
        if token is None or token.kind != "session":
            raise Refused("unauthorized", "This session has ended; sign in again.")
        expires_ms = await self._slide(token)
        return await self._principal(token.user, expires_ms, {}, token.id, token.scopes)

    async def make_token(
        self,
        *,
        user: str,
        label: str = "",
        limits: Mapping[str, int] | None = None,
        scopes: Collection[Scope] | None = None,
    ) -> tuple[Token, str]:
        """A new API token and its secret, which is nowhere else.

        Without `scopes` it may what its user may. Raises Refused: `not_found`, `bad_request`.
        """
        granted = await self.scopes_of_new(user, scopes)
        secret = _PREFIX + secrets.token_urlsafe(32)
        now_ms = int(time.time() * 1000)
        token = Token(
            f"tok_{uuid.uuid4().hex}", user, now_ms, label, dict(limits or {}), scopes=granted
        )
        await self._store.add_token(token, sha256=sha256_of(secret))
        return token, secret

    async def scopes_of_new(self, user: str, wanted: Collection[Scope] | None) -> tuple[str, ...]:
        """What `make_token` would give; raises as it does."""
        if user not in self._directory.users:
            await self._directory.refresh()  # made a moment ago through another node
        if user not in self._directory.users:
            raise Refused("not_found", f"There is no user {user!r}.")
        return scopes_for(self._directory.users[user], wanted)

    def connection_token(self, principal: Principal) -> tuple[str, int]:
        """A token for connections in browsers, and its end in epoch ms."""
        now_s = int(time.time())
        end_s = now_s + self._connection_token_s
        if principal.exp_ms:
            end_s = min(end_s, principal.exp_ms // 1000)
        claims = {
            "sub": principal.user,
            "tok": principal.token,
            "lim": dict(principal.limits),
            "scp": sorted(principal.scopes),
            "iat": now_s,
            "exp": end_s,
        }
        return jwt.encode(claims, self._secret, algorithm=_ALGORITHM), end_s * 1000

    async def _by_api_token(self, secret: str) -> Principal:
        token = await self._store.token(sha256_of(secret))
        if token is None or token.kind != "api":
            raise Refused("unauthorized", "This token is unknown or was revoked.")
        return await self._principal(token.user, 0, token.limits, token.id, token.scopes)

    async def _by_connection_token(self, text: str) -> Principal:
        claims = self._claims(text)
        token = str(claims["tok"])
        if token and not await self._store.token_alive(token):
            raise Refused("unauthorized", "The token behind this one was revoked.")
        return await self._principal(
            str(claims["sub"]), int(claims["exp"]) * 1000, claims["lim"], token, claims["scp"]
        )

    async def _by_embedding(self, embedding: Embedding, text: str) -> Principal:
        claims = await embedding.verify(text)
        user = await self._user(claims.user)
        usual = scopes_for(user, None)
        scopes = usual if claims.scopes is None else [s for s in usual if s in claims.scopes]
        return Principal(user.id, str(user.role), claims.exp_ms, scopes=frozenset(scopes))

    async def _principal(
        self,
        name: str,
        exp_ms: int,
        limits: Mapping[str, float],
        token: str,
        scopes: Collection[str],
    ) -> Principal:
        user = await self._user(name)
        # Nothing waits from here until the connection is counted: no revocation slips between.
        # Made by somebody who came with an application's token, it has none of ours behind it.
        if token:
            if not self._directory.watch_token(token, user.id):
                raise Refused("unauthorized", "This token was revoked.")
            self._used(token)
        return Principal(user.id, str(user.role), exp_ms, limits, token, frozenset(scopes))

    async def _slide(self, token: Token) -> int:
        """A session that is used lasts longer; returns its end."""
        now_ms = int(time.time() * 1000)
        end_ms = self._lifetime.end_ms(made_ms=token.created_ms, now_ms=now_ms)
        if end_ms - token.expires_ms < self._lifetime.step_ms:
            return token.expires_ms
        await self._sessions.slide(token.id, expires_ms=end_ms)
        return end_ms

    def _claims(self, text: str) -> dict[str, Any]:
        """What a connection token says; its signature is verified once, its end every time."""
        digest = _digest(text)
        claims = self._verified.get(digest)
        if claims is None:
            claims = self._verify(text)
            _keep(self._verified, digest, claims)
        elif claims["exp"] <= time.time():
            del self._verified[digest]
            raise Refused("token_expired")
        return claims

    def _verify(self, text: str) -> dict[str, Any]:
        required = ["sub", "tok", "lim", "scp", "exp"]
        try:
            return jwt.decode(
                text, self._secret, algorithms=[_ALGORITHM], options={"require": required}
            )
        except jwt.ExpiredSignatureError as error:
            raise Refused("token_expired") from error
        except jwt.PyJWTError as error:
            raise Refused("unauthorized") from error

    async def _user(self, name: str) -> User:
        if name not in self._directory.users:
            # Made a moment ago through another node.
            await self._directory.refresh()
        user = self._directory.users.get(name)
        if user is None:
            raise Refused("unauthorized", "The user of this token is no more.")
        if not user.active:
            raise Refused("unauthorized", "The user of this token is deactivated; ask an admin.")
        return user
