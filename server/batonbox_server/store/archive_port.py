"""Where old messages and finished conversations go, so that the engine's memory stays bounded.

What is written here is kept through a crash before the method returns: only then the engine lets go
of it. Every write may come twice, from any node.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

__all__ = ["Archive", "ArchiveStatus", "ArchivedRow", "Line", "OwnArchive"]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a thread: `packed` is the MessagePack array of `wire.MESSAGE_FIELDS`.

    `reason`, where it failed, is its last element. `read_ms`: when the engine told it; what comes
    later with an earlier one is late, and what is kept stays.
    """

    n: int
    seq: int
    at_ms: int
    packed: bytes
    read_ms: int = 0


@dataclass(frozen=True, slots=True)
class ArchivedRow:
    """A done conversation that the engine holds no row of.

    `row` is its public map; `raw` the engine's fields, to put it back as it was. `read_ms` as a
    line's. Rows whose conversation is back in the engine stay here: the engine's word counts
    (dropping one could hit what was moved again meanwhile).
    """

    conv: str
    last_ms: int
    row: dict[str, Any]
    raw: dict[str, bytes] = field(default_factory=dict)
    read_ms: int = 0


@dataclass(frozen=True, slots=True)
class ArchiveStatus:
    """How much is there; `kind` is sqlite or postgresql, `id` made at random with the archive."""

    kind: str
    id: str
    lines: int
    rows: int
    size_bytes: int


class Archive(Protocol):
    """Raises Refused("unavailable") when it cannot be reached."""

    async def put_lines(self, *, conv: str, lines: Sequence[Line]) -> int:
        """Keep lines by (conv, n), over what was kept under the same and was read no later.

        0, or the `read_ms` of what was read later and stays in the place of some: the engine must
        not let go of these.
        """

    async def lines(self, *, conv: str, first: int, last: int) -> list[Line]:
        """Those that are here, ascending."""

    async def put_row(self, row: ArchivedRow) -> int:
        """Keep a row by its conversation; over what was kept, and returning, as `put_lines`."""

    async def row(self, *, conv: str) -> ArchivedRow | None: ...

    async def drop_row(self, *, conv: str) -> None:
        """The engine has the row again; the lines stay."""

    async def rows(
        self, *, inbox: str, after_ms: int | None, n: int, ascending: bool = False
    ) -> list[ArchivedRow]:
        """Rows of an inbox below `after_ms` newest first, or above it oldest first; None: all."""

    async def purge(self, *, conv: str, upto: int, whole: bool = False) -> None:
        """Erase lines up to number `upto`, and with `whole` the row and every line.

        A row that was read before the engine erased them loses its preview.
        """

    async def purge_log(self, *, log: str) -> None:
        """Erase everything of a deleted inbox or room, named by its id."""

    async def expired(
        self, *, before_ms: int, rooms: bool, after: str = "", n: int = 200
    ) -> list[tuple[str, int]]:
        """(conv, n) of conversations whose lines up to number n are older, by conv.

        Lines of a history that a failover lost may stand behind newer ones: these count by those.
        """

    def walk(self, *, log: str = "", after: str = "") -> AsyncIterator[tuple[str, list[Line]]]:
        """Every conversation (of one log) with its lines, by id behind `after`.

        A log is named by its inbox or room. A long conversation comes in several pieces.
        """

    async def logs(self) -> list[str]:
        """Every inbox and room that something is here of."""

    async def belongs(self, *, owner: str) -> str:
        """Whose archive this is: the first that asked, remembered for ever."""

    async def expect(self, *, archive: str) -> None:
        """Only the one of this id will do from now on; a missing one is not made any more."""

    async def status(self) -> ArchiveStatus: ...

    async def aclose(self) -> None: ...


class OwnArchive(Archive, Protocol):
    """An archive that is used only where this engine's messages are in it."""

    @property
    def there(self) -> bool:
        """Whether this server has one at all."""

    async def claim(self) -> None:
        """From now on this engine's messages are in it; whatever is put calls it first.

        Raises Refused("unavailable") where they are in another, or it is another engine's.
        """
