"""Passwords: their policy, and hashing them where it does not hold up the event loop."""

from __future__ import annotations

import asyncio
import functools
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from batonbox_server.errors import Refused

__all__ = ["Passwords", "check_password", "random_password"]

T = TypeVar("T")
_SHORTEST: Final = 8
_LONGEST: Final = 256
# argon2id as OWASP advises: 19 MiB, two passes, one lane; some 40 ms of one core.
_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_THREADS: Final = 2
_WAITING: Final = 16
_BUSY_RETRY_MS: Final = 1000
# Without letters and digits that look alike.
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"


def check_password(password: str, *, field: str = "password") -> str:
    """The password if it is long enough, and not too long; raises Refused("bad_request")."""
    if not _SHORTEST <= len(password) <= _LONGEST:
        raise Refused("bad_request", f"{field}: {_SHORTEST} to {_LONGEST} characters.")
    return password


def random_password() -> str:
    """A password of 79 random bits that can be read aloud and typed."""
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))
    return "-".join(groups)


class Passwords:
    """Two threads of its own and a bounded queue; whoever comes beyond is refused, `rate_limited`.

    `close` when done.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="passwords")
        self._under_way = 0

    def close(self) -> None:
        """End the threads once they have finished what they are at."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def hash(self, password: str) -> str:
        """What is stored of the password."""
        return await self._run(lambda: _HASHER.hash(password))

    async def verify(self, hash_: str | None, password: str) -> bool:
        """Whether the hash is the password's; with None, False after the same work."""
        return await self._run(lambda: _matches(hash_, password))

    async def _run(self, work: Callable[[], T]) -> T:
        if self._under_way >= _THREADS + _WAITING:
            raise Refused(
                "rate_limited", "Too many people sign in at once.", retry_ms=_BUSY_RETRY_MS
            )
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._under_way -= 1


def _matches(hash_: str | None, password: str) -> bool:
    try:
        _HASHER.verify(hash_ or _dummy(), password)
    except (Argon2Error, InvalidHashError):
        return False
    return hash_ is not None


@functools.cache
def _dummy() -> str:
    return _HASHER.hash(secrets.token_hex(16))
