"""Signing people in and out: passwords and one-click links to sessions."""

from __future__ import annotations

import secrets
import time
import uuid
from dataclasses import dataclass, replace
from typing import Final

import structlog

from batonbox_server.errors import Refused
from batonbox_server.origin import act_as, acting
from batonbox_server.session.ports import Principal
from batonbox_server.store.directory_port import DirectoryStore, Token, User
from batonbox_server.store.sign_in_port import Rates, SignInStore

from .directory import LiveDirectory
from .identity import Lifetime, sha256_of
from .passwords import Passwords, check_password, random_password

__all__ = ["SESSIONS_MOST", "Session", "SignIn"]

_log = structlog.get_logger(__name__)
SESSIONS_MOST: Final = 50
_LINK_TTL_MS: Final = 5 * 60 * 1000
_WRONG: Final = "Wrong user or password."
_BOT: Final = "This is a bot: it has no password, and signs in with an API key alone."
_NOT_LINKED: Final = "This identity is the user's no more; sign in again."
_DEAD_LINK: Final = "This link was used, or has expired; make a new one, or sign in by password."


@dataclass(frozen=True, slots=True)
class Session:
    """A session that has just begun: its secret is nowhere else."""

    user: User
    secret: str
    max_age_s: int


class SignIn:
    """Everything that begins, ends or guards a session; sockets close on every node at once.

    Only failures count against a user: see `SignInStore.take_attempt`.
    """

    def __init__(
        self,
        store: SignInStore,
        organisation: DirectoryStore,
        directory: LiveDirectory,
        passwords: Passwords,
        *,
        lifetime: Lifetime,
        rates: Rates,
    ) -> None:
        self._store = store
        self._organisation = organisation
        self._directory = directory
        self._passwords = passwords
        self._lifetime = lifetime
        self._rates = rates

    async def by_password(self, user: str, password: str, *, address: str) -> Session:
        """Begin a session. Raises Refused: `unauthorized`, `rate_limited`, `unavailable`."""
        known = await self._verified(user, password, address=address, wrong=_wrong())
        return await self._begin(user, proof=f"password:{known}", wrong=_WRONG)

    async def by_link(self, code: str, *, address: str) -> Session:
        """Begin a session with a code of `make_link`, which works once. Raises as `by_password`."""
        await self.attempt(address)
        sha256 = sha256_of(code)
        user = await self._store.link(sha256)
        if user is None:
            raise Refused("unauthorized", _DEAD_LINK)
        session = await self._begin(user, proof=f"link:{sha256}", wrong=_DEAD_LINK)
        await self.succeeded(address)
        return session

    async def by_hash(self, user: str, hash_: str) -> Session:
        """Begin a session of somebody whose password was just set to this hash."""
        return await self._begin(user, proof=f"password:{hash_}", wrong=_WRONG)

    async def by_identity(self, user: str, identity: str) -> Session:
        """Begin a session of somebody whom the identity provider vouches for, by this identity."""
        return await self._begin(user, proof=f"oidc:{identity}", wrong=_NOT_LINKED)

    async def attempt(self, address: str) -> None:
        """Count an attempt to come in by a secret; Refused("rate_limited") beyond the limits."""
        await self._attempt("", address)

    async def succeeded(self, address: str) -> None:
        """The attempt was no failure."""
        await self._store.return_attempt("", address=address, rates=self._rates, good=True)

    async def sign_out(self, secret: str) -> None:
        """End the session of this secret, if there is one."""
        token = await self._organisation.token(sha256_of(secret))
        if token is not None and token.kind == "session":
            # Nobody has to be signed in to sign out: the act is that of the session itself.
            origin = replace(acting.get().origin, token=token.id)
            with act_as(token.user, origin):
                await self._organisation.delete_token(token.id)

    async def sign_out_everywhere(self, user: str) -> None:
        """End every session of the user."""
        await self._store.end_sessions(user)

    async def change_password(
        self, principal: Principal, *, old: str, new: str, address: str
    ) -> None:
        """The user's own way; ends their other sessions. Raises Refused: `forbidden`, ..."""
        check_password(new, field="new")
        wrong = Refused("forbidden", "The old password is not right.")
        before = await self._verified(principal.user, old, address=address, wrong=wrong)
        fresh = await self._passwords.hash(new)
        done = await self._store.set_password(
            principal.user, fresh, keep=principal.token, before=before
        )
        if not done:
            raise Refused("conflict", "The password was changed meanwhile; sign in again.")

    async def set_password(self, user: str, password: str) -> None:
        """An admin's way; ends every session of the user. Raises Refused("not_found")."""
        check_password(password)
        if await self._bot(user):
            raise Refused("conflict", _BOT)
        await self._store.set_password(user, await self._passwords.hash(password))

    async def first_password(self, user: str) -> str | None:
        """Give a user who has none a random password, and tell it; None: they have one."""
        if await self._bot(user) or await self._store.password(user) is not None:
            return None
        made = random_password()
        fresh = await self._passwords.hash(made)
        return made if await self._store.set_password(user, fresh, before="") else None

    async def make_link(self, user: str) -> str:
        """A code that signs the user in once, within five minutes; raises Refused("not_found")."""
        if user not in self._directory.users:
            raise Refused("not_found", f"There is no user {user!r}.")
        if self._directory.users[user].bot:
            raise Refused("conflict", _BOT)
        if not self._directory.users[user].active:
            raise Refused("conflict", f"{user!r} is deactivated; reactivate them first.")
        code = secrets.token_urlsafe(32)
        await self._store.add_link(user, sha256=sha256_of(code), ttl_ms=_LINK_TTL_MS)
        return code

    async def _verified(self, user: str, password: str, *, address: str, wrong: Refused) -> str:
        """The hash that stands for the user, if the password is theirs; raises `wrong`."""
        await self._attempt(user, address)
        found = self._directory.users.get(user)
        if found is not None and found.bot:
            raise Refused(wrong.slug, _BOT)
        known = await self._store.password(user)
        try:
            good = await self._passwords.verify(known, password)
        except Refused:  # not even tried
            await self._store.return_attempt(user, address=address, rates=self._rates, good=False)
            raise
        if not good or known is None:
            await self._store.count_failure(user if known is not None else "")
            _log.info("sign_in_refused", user=user if known else "", address=address)
            raise wrong
        await self._store.return_attempt(user, address=address, rates=self._rates, good=True)
        return known

    async def _bot(self, user: str) -> bool:
        if user not in self._directory.users:
            await self._directory.refresh()  # made a moment ago through another node
        found = self._directory.users.get(user)
        return found is not None and found.bot

    async def _attempt(self, user: str, address: str) -> None:
        wait_ms = await self._store.take_attempt(user, address=address, rates=self._rates)
        if wait_ms:
            seconds = -(-wait_ms // 1000)
            raise Refused(
                "rate_limited", f"Too many attempts; try again in {seconds} s.", retry_ms=wait_ms
            )

    async def _begin(self, user: str, *, proof: str, wrong: str) -> Session:
        secret, now_ms = secrets.token_urlsafe(32), int(time.time() * 1000)
        origin = acting.get().origin
        token = Token(
            f"ses_{uuid.uuid4().hex}",
            user,
            now_ms,
            kind="session",
            expires_ms=self._lifetime.end_ms(made_ms=now_ms, now_ms=now_ms),
            agent=origin.agent,
            address=origin.address,
        )
        try:
            await self._organisation.add_token(
                token, sha256=sha256_of(secret), proof=proof, most=SESSIONS_MOST
            )
        except Refused as refused:
            if refused.slug in {"not_found", "conflict"}:
                raise Refused("unauthorized", wrong) from refused
            raise
        if user not in self._directory.users:
            await self._directory.refresh()
        _log.info("signed_in", user=user, session=token.id)
        return Session(self._directory.users[user], secret, self._lifetime.max_s)


def _wrong() -> Refused:
    return Refused("unauthorized", _WRONG)
