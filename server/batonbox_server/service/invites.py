"""Inviting people by a link that works once, for a week."""

from __future__ import annotations

import re
import secrets
import time
import unicodedata
import uuid
from collections.abc import Container
from typing import Final

import structlog

from batonbox_server.domain.model import Role
from batonbox_server.errors import Refused
from batonbox_server.store.directory_port import DirectoryStore, Invite

from .administration import Administration
from .directory import LiveDirectory
from .identity import sha256_of
from .passwords import Passwords, check_password
from .sign_in import Session, SignIn
from .texts import check_id, check_name

__all__ = ["Invites", "free_id"]

_log = structlog.get_logger(__name__)
_TTL_MS: Final = 7 * 24 * 3600 * 1000
_DEAD: Final = "This invitation was used or revoked, or has expired; ask an admin for a new one."
_ID_CHARS: Final = 40


class Invites:
    """An invitation says who somebody will be; accepting it adds the password, in one step."""

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

    async def create(
        self, *, user: str | None, name: str, role: Role, inboxes: tuple[str, ...], by: str
    ) -> tuple[Invite, str]:
        """An invitation and its code, which is nowhere else; without `user` the name makes one.

        Raises Refused: `bad_request`, `conflict`, `not_found`.
        """
        name, now_ms = check_name(name, field="name"), int(time.time() * 1000)
        if user is None:
            waiting = {invite.user for invite in await self._organisation.invites()}
            taken = waiting | self._directory.users.keys()
            user = free_id(name, taken=taken)
            while await self._administration.is_kept(user):
                taken.add(user)
                user = free_id(name, taken=taken)
        elif user not in self._directory.users and await self._administration.is_kept(user):
            raise Refused("conflict", f"{user!r} was somebody's whose messages are kept.")
        code = secrets.token_urlsafe(32)
        invite = Invite(
            id=f"inv_{uuid.uuid4().hex}",
            sha256=sha256_of(code),
            user=check_id(user, field="user"),
            name=name,
            role=role,
            inboxes=inboxes,
            by=by,
            created_ms=now_ms,
            expires_ms=now_ms + _TTL_MS,
        )
        await self._organisation.add_invite(invite)
        _log.info("invited", user=invite.user, invite=invite.id, by=by)
        return invite, code

    async def waiting(self) -> list[Invite]:
        """Those that can still be accepted."""
        now_ms = int(time.time() * 1000)
        return [i for i in await self._organisation.invites() if i.expires_ms > now_ms]

    async def revoke(self, invite: str) -> None:
        """End an invitation; Refused("not_found")."""
        if not await self._organisation.drop_invite(invite):
            raise Refused("not_found", "There is no such invitation; it may have been accepted.")

    async def look(self, code: str, *, address: str) -> Invite:
        """Whom the code invites. Raises Refused: `unauthorized`, `rate_limited`."""
        await self._sign_in.attempt(address)
        sha256 = sha256_of(code)
        for invite in await self.waiting():
            if invite.sha256 == sha256:
                await self._sign_in.succeeded(address)
                return invite
        raise Refused("unauthorized", _DEAD)

    async def accept(self, code: str, *, password: str, address: str) -> Session:
        """Make the user and sign them in. Raises Refused as `look`, and `conflict`."""
        check_password(password)
        invite = await self.look(code, address=address)
        if await self._administration.is_kept(invite.user):  # came and went meanwhile
            raise Refused("conflict", f"{invite.user!r} was somebody's whose messages are kept.")
        hash_ = await self._passwords.hash(password)
        user = await self._administration.accept_invite(invite.sha256, password=hash_)
        _log.info("invite_accepted", user=user.id, invite=invite.id)
        return await self._sign_in.by_hash(user.id, hash_)


def free_id(name: str, *, taken: Container[str]) -> str:
    """A user id that people recognise and can type; random where the name has no Latin letters."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    base = (
        re.sub(r"[^a-z0-9]+", "-", plain)[:_ID_CHARS].strip("-") or f"user-{secrets.token_hex(4)}"
    )
    found, number = base, 1
    while found in taken:
        number += 1
        found = f"{base}-{number}"
    return found
