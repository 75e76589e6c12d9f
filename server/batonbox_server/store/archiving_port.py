"""How the engine lets go of old lines and of finished conversations, and takes them back.

A log is an inbox's or a room's; `log` is its id (`inbox` or `~c...`), `conv` a conversation's id,
or a room's own. Nothing leaves the engine that the archive does not have: a caller reads, writes to
the archive, waits until that is durable, and only then says `trim` or `evict` with what was read;
the engine refuses when it is not that any more. Any of it may come twice, and from several nodes.

The order for lines: `crowded` -> `lines_out` -> `Archive.put_lines` -> `trim`. For a conversation
that is done: `done_before` -> (lines as above, with `keep` 0, until `lines_out` has none and says
`all_out`) -> `row_out` -> `Archive.put_row` -> `evict`. For the retention rule: `expired_here`
(lines as above, with `keep` 0 and `before_ms`) and `Archive.expired` -> `purge` -> the files of the
lines from `Archive.lines` up to `Purged.n` -> `Archive.purge(conv, upto=Purged.n,
whole=Purged.whole)`; whatever dies in between is found again by `Archive.expired`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from batonbox_server.store.archive_port import ArchivedRow, Line

__all__ = ["SENT_FINAL_MS", "ArchivingStore", "Convs", "Hold", "LinesOut", "Memory", "Purged"]

# A message that a carrier took and said no more about for so long is taken to be over.
SENT_FINAL_MS: Final = 3 * 86_400_000


@dataclass(frozen=True, slots=True)
class LinesOut:
    """The oldest lines in the engine that may leave, ascending; `digest` proves them to `trim`.

    `all_out`: no line of this conversation is left in the engine.
    """

    lines: Sequence[Line]
    digest: str
    all_out: bool = False


@dataclass(frozen=True, slots=True)
class Convs:
    """Conversations and the cursor behind them, "" at the end."""

    convs: Sequence[str]
    next: str = ""


@dataclass(frozen=True, slots=True)
class Purged:
    """Lines up to `n` are erased for everybody, in the archive not yet.

    `whole`: the conversation is gone, and everything that the archive has of it goes. `held`: it is
    held, nothing more was erased. `again`: there is more than one step erases.
    """

    n: int
    whole: bool = False
    held: bool = False
    again: bool = False


@dataclass(frozen=True, slots=True)
class Hold:
    """Who said, when and why, that nothing of a conversation or room is erased."""

    conv: str
    reason: str
    by: str
    since_ms: int


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that the engine's data takes, and its own bound (0: none)."""

    used: int
    bound: int


class ArchivingStore(Protocol):
    """Every method may come twice. Raises Refused("unavailable") when the engine is down."""

    async def lease_archiving(self, *, log: str, holder: str, lease_ms: int) -> bool:
        """Whether `holder` moves this log's things until the lease ends, or still does."""

    async def crowded(self, *, log: str, keep: int, n: int = 50, skip: int = 0) -> list[str]:
        """Conversations with more lines in the engine than `keep` and a few, the fullest first.

        `skip`: how many of them could not be moved just now.
        """

    async def lines_out(
        self, *, conv: str, keep: int, n: int = 200, before_ms: int | None = None
    ) -> LinesOut:
        """The oldest lines but the newest `keep`, up to the first whose delivery is not over.

        `before_ms`: none that is as new.
        """

    async def trim(self, *, conv: str, out: LinesOut) -> int | None:
        """The archive has these: how many left now; None: they have changed since, read them anew.

        0 where another let go of them before.
        """

    async def done_before(self, *, log: str, before_ms: int, after: str = "", n: int = 50) -> Convs:
        """Conversations that are done, not held, not changed since `before_ms`, oldest first."""

    async def row_out(self, *, conv: str) -> ArchivedRow | None:
        """The row of a conversation that may leave; None: it may not."""

    async def evict(self, *, row: ArchivedRow) -> bool:
        """The archive has this row and all its lines; False: it has changed since."""

    async def thaw(self, *, row: ArchivedRow) -> bool:
        """Put a row back as it was, or it is there; False: it is no more, or has been another."""

    async def expired_here(
        self, *, log: str, before_ms: int, after: str = "", n: int = 100
    ) -> Convs:
        """Conversations with a line in the engine that is older, held ones too."""

    async def purge(self, *, conv: str, upto: int) -> Purged:
        """Erase lines up to number `upto` that have left the engine, unless it is held.

        Becomes an event PURGED. A done conversation with no line left is erased wholly.
        """

    async def hold(
        self, *, conv: str, actor: str, cid: str, on: bool, reason: str = ""
    ) -> Hold | None:
        """Keep everything of it from now on, or no longer; what holds it now."""

    async def holds(self, *, log: str) -> list[Hold]:
        """All of one log, the oldest first."""

    async def claim_archive(self, *, archive: str) -> str:
        """The id of the archive that this engine's things are in: this one, if there was none."""

    async def known_archive(self) -> str:
        """That id; "" before anything was moved."""

    async def is_deleted(self, *, log: str) -> bool:
        """Whether an inbox is no more, of an engine that has not lost everything."""

    async def adopt_archive(self, *, archive: str) -> None:
        """From now on another archive; only while no server runs, which would not notice."""

    async def now_ms(self) -> int:
        """The engine's clock, by which messages have their time."""

    async def memory(self) -> Memory:
        """What the engine says of itself."""
