"""What signing in at an identity provider needs from the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from batonbox_server.errors import BatonboxError
from batonbox_server.store.directory_port import User

__all__ = ["Begun", "Identity", "NoEntry", "OidcStore"]


class NoEntry(BatonboxError):
    """Why somebody who comes from the provider is not let in; the page has words for `code`.

    `next` is where they wanted to go, where that is known.
    """

    def __init__(self, code: str, why: str = "") -> None:
        super().__init__(f"{code}: {why}" if why else code)
        self.code = code
        self.next = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody as the provider knows them: a subject means something at its issuer alone."""

    issuer: str
    subject: str

    @property
    def text(self) -> str:
        """As it is stored; no issuer holds a blank."""
        return f"{self.issuer} {self.subject}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A sign-in under way: what must hold when the browser comes back.

    `browser`: the hash of what its cookie carries. `verifier`: the secret half of PKCE.
    """

    browser: str
    nonce: str
    verifier: str
    next: str


class OidcStore(Protocol):
    """Identities stand beside the directory, at most one per user, and go with the user."""

    async def begin(self, state: str, begun: Begun, *, ttl_s: int) -> None:
        """Keep it for so long, by the hash of its state."""

    async def take(self, state: str) -> Begun | None:
        """What was begun with this state, once; None when it is unknown, used or expired."""

    async def identify(self, identity: Identity, *, claim: str, fresh: User | None) -> User:
        """Whose identity it is.

        IDENTITY_LINKED when that was decided only now: the user whose id is `claim`, if no other
        identity of this issuer is theirs; else `fresh`, who is made.

        Raises NoEntry: `unknown`, `linked`, `inactive`, `bot`; Refused("conflict") when the id of
        `fresh` was taken meanwhile.
        """

    async def forget(self, user: str) -> bool:
        """The user's identity is theirs no more; IDENTITY_DELETED. False: they had none.

        Refused("not_found") without the user.
        """
