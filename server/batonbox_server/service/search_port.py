"""Search over messages, conversations and contacts, whoever keeps the index.

An index is a projection of the logs: it may be thrown away at any time and is made again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = [
    "Card",
    "Change",
    "Gone",
    "Hit",
    "Message",
    "Move",
    "Place",
    "Progress",
    "Purged",
    "SearchIndex",
    "Standing",
    "Talk",
    "card_line",
]


@dataclass(frozen=True, slots=True)
class Hit:
    """Where a query was found, and the text around it.

    `kind` is message (conv, n, at_ms), conversation (conv: by its customer's number or their
    contact's name; at_ms: its last activity known here), contact (id).
    `marks` are (start, end) in characters of `excerpt`.
    """

    kind: str
    conv: str = ""
    n: int = 0
    at_ms: int = 0
    id: str = ""
    excerpt: str = ""
    marks: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the index is: `behind` log entries; `done` of `total` conversations are read.

    Until `complete` something may be missing; what is found is right all the same.
    """

    complete: bool
    behind: int
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Message:
    """A message's text as it is now; "" takes it out.

    `old`: what is known already is newer. `edit`: what is known already has its time.
    """

    conv: str
    n: int
    at_ms: int
    text: str
    old: bool = False
    edit: bool = False


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation is there; `customer` is a number, "" of a room."""

    conv: str
    customer: str
    last_ms: int


@dataclass(frozen=True, slots=True)
class Card:
    """A contact as it is now."""

    id: str
    name: str
    numbers: tuple[str, ...]
    note: str


@dataclass(frozen=True, slots=True)
class Purged:
    """The messages of a conversation up to number `upto` are no more."""

    conv: str
    upto: int


@dataclass(frozen=True, slots=True)
class Gone:
    """A conversation or a contact is no more."""

    id: str


Change = Message | Talk | Card | Purged | Gone


@dataclass(frozen=True, slots=True)
class Place:
    """How far the index is in one log: at a position, and in the reading of what was before it.

    `step`: rows, archive, or "" once all has been read; `walked` is the cursor of this step.
    """

    epoch: str
    seq: int
    tip: str
    step: str = ""
    walked: str = ""
    done: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class Move:
    """What changed in a log, in this order, and where the index stands with it."""

    log: str
    changes: Sequence[Change]
    place: Place


def card_line(name: str, numbers: Sequence[str], note: str) -> str:
    """What the excerpt of a contact is taken from."""
    return f"{name} · {', '.join(numbers)}" + (f" · {note}" if note else "")


class Standing(Protocol):
    """How far the index is in some logs; what it finds is as they were there, or newer."""

    def progress_in(self, logs: Collection[str]) -> Progress: ...

    def seqs_in(self, logs: Collection[str]) -> Mapping[str, int]: ...


class SearchIndex(Protocol):
    """One per node (SQLite FTS5), or the engine's own (FT.SEARCH).

    Raises Refused("unavailable") when it cannot be written or asked. `shared`: other nodes write
    it, too, and who is overtaken by one is `unavailable`.
    """

    @property
    def shared(self) -> bool: ...

    async def find(
        self, q: str, *, logs: Sequence[str], kinds: frozenset[str], after: str, n: int
    ) -> tuple[list[Hit], str]:
        """Hits in these inboxes and rooms alone, the newest first, and the cursor ("" at the end).

        Words are prefixes; case and diacritics do not count; a phone number is found in whatever
        notation. Of several kinds at once up to `n` hits each come, and no cursor.
        Refused("bad_request") of a query without a letter or digit.
        """

    def matches(self, q: str, texts: Sequence[str]) -> list[tuple[tuple[int, int], ...] | None]:
        """Where each of these one-line texts has what is asked for; None: it has not all of it."""

    def shown(self, q: str, text: str) -> tuple[str, tuple[tuple[int, int], ...]] | None:
        """A hit's excerpt and marks, if this text is one."""

    async def places(self) -> Mapping[str, Place]:
        """Every log of which something is known."""

    async def apply(self, log: str, changes: Sequence[Change], *, place: Place) -> None:
        """`apply_all` of one log."""

    async def apply_all(self, moves: Sequence[Move]) -> None:
        """Do the changes of each log and stand at its place: in one step, or not at all.

        That holds for each log; of those that are told together some may have been done when it
        raises. Refused("unavailable") of a log that nothing is known of: it takes `restart` first.
        """

    async def restart(self, log: str, *, place: Place) -> None:
        """Forget what is known of the log, and stand at `place`."""

    async def drop(self, log: str) -> None:
        """The log is no more."""

    async def clear(self) -> None:
        """Forget everything."""

    async def aclose(self) -> None: ...
