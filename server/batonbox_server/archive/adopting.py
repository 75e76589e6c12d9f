"""Another archive in the place of the one that an engine's messages are in."""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

from batonbox_server.errors import Refused
from batonbox_server.store.archive_port import Archive

__all__ = ["Adopted", "adopt"]

_ROWS: Final = 200


class Engine(Protocol):
    """What the engine remembers; see `store.archiving_port`."""

    async def known_archive(self) -> str: ...

    async def adopt_archive(self, *, archive: str) -> None: ...


class Adopted(NamedTuple):
    """The archive that counts from now on, and what was copied into it."""

    id: str
    lines: int
    rows: int


async def adopt(
    archive: Archive, engine: Engine, *, owner: str, copy_of: Archive | None = None
) -> Adopted:
    """Make `archive` the engine's, with everything of `copy_of`; without, the old one is given up.

    No server may run meanwhile. Done again after a failure it copies again, over what is there.

    Raises:
        Refused: `conflict` where either is another engine's, `copy_of` not the one in use, or not
            everything was copied.
    """
    if await archive.belongs(owner=owner) != owner:
        raise Refused("conflict", "The new archive belongs to another engine's organisation.")
    lines = rows = 0
    if copy_of is not None:
        known = await engine.known_archive()
        if (await copy_of.status()).id != known:
            raise Refused("conflict", f"Messages are in archive {known}, which this is not.")
        lines, rows = await _copy(copy_of, archive)
        has = (await copy_of.status()).rows
        if rows != has:
            raise Refused(
                "conflict",
                f"{rows} of {has} conversations were copied. Stop every server of this engine,"
                " and do it again.",
            )
    name = (await archive.status()).id
    await engine.adopt_archive(archive=name)
    return Adopted(name, lines, rows)


async def _copy(old: Archive, new: Archive) -> tuple[int, int]:
    lines = rows = 0
    async for conv, some in old.walk():
        await new.put_lines(conv=conv, lines=some)
        lines += len(some)
    for log in await old.logs():
        after_ms: int | None = None
        while found := await old.rows(inbox=log, after_ms=after_ms, n=_ROWS, ascending=True):
            for row in found:
                await new.put_row(row)
            rows, after_ms = rows + len(found), found[-1].last_ms
    return lines, rows
