"""Error replies that say: not now. The engine looked at its own state and did nothing."""

from __future__ import annotations

from typing import Final

import structlog
from redis.exceptions import (
    ClusterDownError,
    MasterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as NotServed

__all__ = ["Unserved", "demoted", "why_unserved"]

_log = structlog.get_logger(__name__)
_TOLD_EVERY_S: Final = 10.0
# Functions begin with `#!lua`, so that the engine refuses them before their first line, never
# half-way: what is answered so had no effect.
_KINDS: Final = (
    (OutOfMemoryError, "its memory is full (maxmemory)"),
    (ReadOnlyError, "it is a replica"),
    (MasterDownError, "it is a replica without its primary"),
    (ClusterDownError, "its cluster is down"),
    (TryAgainError, "its cluster moves this slot"),
    (NotServed, "it is not ready"),  # LOADING and the like
)
# Those for which redis-py has no class of their own begin with a word.
_WORDS: Final = {
    "NOREPLICAS": "too few of its replicas are there (min-replicas-to-write)",
    "MISCONF": "it cannot write to its disk",
    "BUSY": "a script has run for too long",
}


def why_unserved(error: Exception) -> str:
    """Why the engine did nothing, in words; "" where the error is the command's own."""
    for kind, why in _KINDS:
        if isinstance(error, kind):
            return why
    return _WORDS.get(str(error).partition(" ")[0], "") if type(error) is ResponseError else ""


def demoted(error: Exception) -> bool:
    """Whether another engine is the one to ask: a connection to this one stays useless."""
    return isinstance(error, ReadOnlyError | MasterDownError)


class Unserved:
    """Tells the log, now and then: under load every command is answered so."""

    def __init__(self) -> None:
        self._told_s = float("-inf")
        self._count = 0

    def tell(self, error: Exception, why: str, now_s: float) -> None:
        """One more was refused."""
        self._count += 1
        if now_s - self._told_s >= _TOLD_EVERY_S:
            _log.error("engine_refuses", why=why, error=str(error), commands=self._count)
            self._told_s, self._count = now_s, 0
