"""An archive that is used only where it is the one that this engine's messages are in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final, Protocol

from batonbox_server.errors import Refused
from batonbox_server.store.archive_port import Archive, ArchivedRow, ArchiveStatus, Line

__all__ = ["GuardedArchive", "Known"]

_NONE: Final = (
    "Older messages are in archive {known}, which this server was started without: set"
    " BATONBOX_ARCHIVE_URL to where it is."
)
_ANOTHER: Final = (
    "This is archive {found}; older messages are in archive {known}. Let BATONBOX_ARCHIVE_URL"
    " name that one, or put its file back. Nothing is moved until then."
)
_THEIRS: Final = (
    "Archive {found} belongs to another engine's organisation. Let BATONBOX_ARCHIVE_URL name one"
    " that is empty. Nothing is moved until then."
)


class Known(Protocol):
    """What the engine remembers of its archive; see `store.archiving_port`."""

    async def claim_archive(self, *, archive: str) -> str: ...

    async def known_archive(self) -> str: ...


class GuardedArchive:
    """Implements `store.archive_port.Archive` before another one, or before none.

    Until something was moved there is nothing to be read, nothing is asked, and another archive may
    be chosen. `owner` tells this organisation from every other.
    """

    def __init__(self, inner: Archive | None, known: Known, *, owner: str) -> None:
        self._inner = inner
        self._known = known
        self._owner = owner
        self._sure = self._claimed = False

    @property
    def there(self) -> bool:
        """Whether this server has an archive at all."""
        return self._inner is not None

    async def claim(self) -> None:
        """From now on this engine's messages are in this archive; whatever is put calls it.

        Raises Refused("unavailable") where they are in another, or it is another engine's.
        """
        if self._claimed or self._inner is None:
            return
        await self._open()
        found = (await self._inner.status()).id  # of another than is known, it is refused here
        if await self._inner.belongs(owner=self._owner) != self._owner:
            raise Refused("unavailable", _THEIRS.format(found=found))
        known = await self._known.claim_archive(archive=found)
        if known != found:
            raise Refused("unavailable", _ANOTHER.format(found=found, known=known))
        await self._inner.expect(archive=found)
        self._sure = self._claimed = True

    async def _open(self) -> Archive | None:
        """None: nothing was ever moved."""
        if self._sure:
            return self._inner
        known = await self._known.known_archive()
        if not known:
            return None
        if self._inner is None:
            raise Refused("unavailable", _NONE.format(known=known))
        await self._inner.expect(archive=known)
        self._sure = True
        return self._inner

    async def _used(self) -> Archive:
        """For what is moved: the first of it makes this the engine's archive."""
        await self.claim()
        archive = await self._open()
        if archive is None:
            raise Refused("unavailable", "This server has no archive.")
        return archive

    async def put_lines(self, *, conv: str, lines: Sequence[Line]) -> int:
        """See the port."""
        return await (await self._used()).put_lines(conv=conv, lines=lines)

    async def lines(self, *, conv: str, first: int, last: int) -> list[Line]:
        """See the port."""
        archive = await self._open()
        return [] if archive is None else await archive.lines(conv=conv, first=first, last=last)

    async def put_row(self, row: ArchivedRow) -> int:
        """See the port."""
        return await (await self._used()).put_row(row)

    async def row(self, *, conv: str) -> ArchivedRow | None:
        """See the port."""
        archive = await self._open()
        return None if archive is None else await archive.row(conv=conv)

    async def drop_row(self, *, conv: str) -> None:
        """See the port."""
        if (archive := await self._open()) is not None:
            await archive.drop_row(conv=conv)

    async def rows(
        self, *, inbox: str, after_ms: int | None, n: int, ascending: bool = False
    ) -> list[ArchivedRow]:
        """See the port."""
        archive = await self._open()
        if archive is None:
            return []
        return await archive.rows(inbox=inbox, after_ms=after_ms, n=n, ascending=ascending)

    async def purge(self, *, conv: str, upto: int, whole: bool = False) -> None:
        """See the port."""
        if (archive := await self._open()) is not None:
            await archive.purge(conv=conv, upto=upto, whole=whole)

    async def purge_log(self, *, log: str) -> None:
        """See the port."""
        if (archive := await self._open()) is not None:
            await archive.purge_log(log=log)

    async def expired(
        self, *, before_ms: int, rooms: bool, after: str = "", n: int = 200
    ) -> list[tuple[str, int]]:
        """See the port."""
        archive = await self._open()
        if archive is None:
            return []
        return await archive.expired(before_ms=before_ms, rooms=rooms, after=after, n=n)

    async def walk(
        self, *, log: str = "", after: str = ""
    ) -> AsyncIterator[tuple[str, list[Line]]]:
        """See the port."""
        archive = await self._open()
        if archive is not None:
            async for piece in archive.walk(log=log, after=after):
                yield piece

    async def logs(self) -> list[str]:
        """See the port."""
        archive = await self._open()
        return [] if archive is None else await archive.logs()

    async def status(self) -> ArchiveStatus:
        """See the port; kind "none" where there is none, or none was needed so far."""
        if self._inner is None:
            await self._open()
            return ArchiveStatus("none", "", 0, 0, 0)
        await self._open()
        return await self._inner.status()

    async def belongs(self, *, owner: str) -> str:
        """See the port."""
        return await (await self._used()).belongs(owner=owner)

    async def expect(self, *, archive: str) -> None:
        """See the port."""
        if self._inner is not None:
            await self._inner.expect(archive=archive)

    async def aclose(self) -> None:
        """See the port."""
        if self._inner is not None:
            await self._inner.aclose()
