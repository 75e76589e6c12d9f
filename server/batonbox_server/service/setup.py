"""First start: an empty organisation gets its name and its first admin."""

from __future__ import annotations

import hmac
import secrets

import structlog

from batonbox_server.domain.model import Role
from batonbox_server.errors import Refused
from batonbox_server.store.directory_port import DirectoryStore, User

from .administration import Administration
from .directory import LiveDirectory
from .identity import sha256_of
from .passwords import Passwords, check_password
from .sign_in import Session, SignIn
from .texts import check_id, check_name

__all__ = ["Setup"]

_log = structlog.get_logger(__name__)
_DEAD_OFFER = (
    "This set-up link is not the one the server printed last; "
    "look at its console, or start it again for a new one."
)


class Setup:
    """By the link of the server's console, or by whoever owns the server's data."""

    def __init__(
        self,
        organisation: DirectoryStore,
        directory: LiveDirectory,
        administration: Administration,
        sign_in: SignIn,
        passwords: Passwords,
    ) -> None:
        self._organisation = organisation
        self._directory = directory
        self._administration = administration
        self._sign_in = sign_in
        self._passwords = passwords

    @property
    def wanted(self) -> bool:
        """Whether there is nobody yet."""
        return not self._directory.users

    async def offer(self) -> str:
        """A token that sets up the organisation once; "": not empty. Earlier ones end."""
        if not self.wanted:
            return ""
        token = secrets.token_urlsafe(32)
        await self._organisation.offer_setup(sha256_of(token))
        return token

    async def by_token(
        self, token: str, *, organisation: str, admin: User, password: str, address: str
    ) -> Session:
        """Set up, and sign the admin in.

        Raises Refused: `conflict`, `unauthorized`, `rate_limited`, `bad_request`, `unavailable`.
        """
        await self._directory.refresh()
        if not self.wanted:
            raise Refused("conflict", "This server is set up already; sign in, or ask an admin.")
        await self._sign_in.attempt(address)
        offered = await self._organisation.setup_offered()
        if not hmac.compare_digest(offered, sha256_of(token)):
            _log.info("setup_refused", address=address)
            raise Refused("unauthorized", _DEAD_OFFER)
        await self._sign_in.succeeded(address)
        hash_ = await self.create(organisation=organisation, admin=admin, password=password)
        return await self._sign_in.by_hash(admin.id, hash_)

    async def create(self, *, organisation: str, admin: User, password: str) -> str:
        """Set up; returns the hash of the password. Raises Refused: `conflict`, `bad_request`."""
        name = check_name(organisation, field="organisation")
        user = User(
            check_id(admin.id, field="user"), check_name(admin.name, field="name"), Role.ADMIN
        )
        hash_ = await self._passwords.hash(check_password(password))
        await self._administration.set_up(name, user, password=hash_)
        _log.info("set_up", user=user.id)
        return hash_
