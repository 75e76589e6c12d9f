"""What the search index reads of the logs, on nobody's behalf: who may see it is asked later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from batonbox_server.store.port import Head, LogEntry

__all__ = ["CONTACTS", "ScanStore", "Scanned", "Thread"]

CONTACTS = "@contacts"  # names the contacts' log among those of inboxes and rooms


@dataclass(frozen=True, slots=True)
class Thread:
    """A conversation's or a room's row, and its lines (as `wire.MESSAGE_FIELDS`), ascending."""

    row: dict[str, Any]
    lines: Sequence[list[Any]]


@dataclass(frozen=True, slots=True)
class Scanned:
    """A log at (epoch, seq, tip), `next` the cursor behind these threads, "" at the end.

    `total`: its conversations, those that are in the archive alone too.
    """

    epoch: str
    seq: int
    tip: str
    next: str
    total: int
    threads: Sequence[Thread]


class ScanStore(Protocol):
    """A log is an inbox's id, a room's, or CONTACTS. Raises Refused("unavailable")."""

    async def ends(self, logs: Sequence[str]) -> Mapping[str, tuple[str, int, str]]:
        """(epoch, seq, tip) of those that there are."""

    async def end(self, log: str, *, at: int) -> Head:
        """See `InboxStore.head`."""

    async def entries(self, log: str, *, first: int, last: int) -> list[LogEntry]:
        """See `InboxStore.range`."""

    async def scan(self, log: str, *, after: str, n: int) -> Scanned | None:
        """Threads with all lines that the engine has; None: there is no such log.

        A row that changes while the scan goes on comes once more, and is never missed.
        """

    async def trimmed(self, convs: Sequence[str]) -> Mapping[str, tuple[int, int]]:
        """Of those that the engine has a row of: which lines count in the archive.

        Those above the first number are not erased, those up to the second have left.
        """

    async def is_away(self, conv: str, *, pair: str) -> bool:
        """Whether it is the conversation of "our|customer", though the engine has no row of it."""
