"""What signing in needs from the store: passwords, one-click links, sessions' ends, attempts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Failed attempts to sign in: so many at once, then one per `every`, by user and by address."""

    user_burst: int
    user_every_ms: int
    address_burst: int
    address_every_ms: int


class SignInStore(Protocol):
    """Everything here stands beside the directory and is in nothing that clients are sent."""

    async def password(self, user: str) -> str | None:
        """The hash of the user's password, None for none."""

    async def set_password(
        self, user: str, hash_: str, *, keep: str = "", before: str | None = None
    ) -> bool:
        """Replace it and end the user's sessions but `keep`, in one step; Refused("not_found").

        False, and nothing done, when `before` is given and is not the hash that stands ("": none).
        """

    async def end_sessions(self, user: str) -> int:
        """Revoke every session of the user, as `delete_token` does; returns how many."""

    async def sweep_sessions(self, *, n: int) -> int:
        """Revoke up to n sessions that have expired; returns how many."""

    async def slide(self, token: str, *, expires_ms: int) -> None:
        """Let a session last longer."""

    async def count_failure(self, user: str) -> None:
        """A sign-in of an existing user failed: the next one that succeeds tells how many did.

        "" for a user that does not exist: it takes the same work.
        """

    async def add_link(self, user: str, *, sha256: str, ttl_ms: int) -> None:
        """Keep a single-use code by its hash; `DirectoryStore.add_token` uses it up."""

    async def link(self, sha256: str) -> str | None:
        """Whom the code signs in, None when it is used up, expired or unknown."""

    async def take_attempt(self, user: str, *, address: str, rates: Rates) -> int:
        """Count an attempt against the user ("": nobody) and the address.

        Returns 0, or how many ms to wait; then it counts against neither.
        """

    async def return_attempt(self, user: str, *, address: str, rates: Rates, good: bool) -> None:
        """It was no failure. `good`: the user signed in, so that this address is theirs: attempts
        from there and attempts from elsewhere are counted apart from now on.
        """
