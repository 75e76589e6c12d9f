"""Customers' files, fetched from their carriers; and files that nobody wants any more, erased."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import structlog

from batonbox_server.carriers.fetch_port import Fetched, Fetcher, FetchFailed
from batonbox_server.carriers.port import Carrier, SecretUnreadable
from batonbox_server.domain.media import TAKEN_WORDS, File, file_name, media_type, type_of
from batonbox_server.errors import BatonboxError
from batonbox_server.store.media_port import Expected, MediaFiles, MediaStore
from batonbox_server.tasks import cancel_all, spawn

__all__ = ["MediaWorker"]

_log = structlog.get_logger(__name__)
_AT_ONCE: Final = 8
_ERASE: Final = 100
_SWEEP_S: Final = 30.0
_FIRST_PAUSE_MS: Final = 1000
_LONGEST_PAUSE_MS: Final = 600_000


class MediaWorker:
    """Every node looks; a lease gives each file to one of them, and a dead one's to another.

    `carrier_of` is a carrier by its id, None when there is none now.
    """

    def __init__(
        self,
        store: MediaStore,
        files: MediaFiles,
        fetcher: Fetcher,
        carrier_of: Callable[[str], Carrier | None],
        *,
        max_bytes: int,
        timeout_s: float,
        attempts: int,
        poll_s: float = 1.0,
    ) -> None:
        self._store = store
        self._files = files
        self._fetcher = fetcher
        self._carrier_of = carrier_of
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._attempts = attempts
        self._poll_s = poll_s
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._fetching: set[asyncio.Task[Any]] = set()

    def start(self) -> None:
        """Begin to look."""
        spawn(self._tasks, self._run(), name="media")
        spawn(self._tasks, self._tidy(), name="media-erase")

    async def aclose(self) -> None:
        """Stop; what was being fetched is fetched again when its lease has ended."""
        await cancel_all(self._tasks)
        await cancel_all(self._fetching)

    def poke(self) -> None:
        """There is something to fetch: look now."""
        self._wake.set()

    async def _run(self) -> None:
        while True:
            room = _AT_ONCE - len(self._fetching)
            if room and await self._lease(room) == room:
                continue
            try:
                async with asyncio.timeout(self._poll_s):
                    await self._wake.wait()
            except TimeoutError:
                continue
            self._wake.clear()

    async def _lease(self, room: int) -> int:
        # A write follows the fetch: the lease is longer than both.
        lease_ms = int(1000 * (2 * self._timeout_s + 5))
        try:
            found = await self._store.lease(lease_ms=lease_ms, n=room)
        except BatonboxError as error:
            _log.warning("media_lease_failed", error=str(error))
            return 0
        except Exception:  # the next look may go well
            _log.exception("media_lease_failed")
            return 0
        for expected in found:
            task = spawn(self._fetching, self._fetch(expected), name=f"fetch {expected.id}")
            task.add_done_callback(lambda _: self._wake.set())  # there is room for another
        return len(found)

    async def _fetch(self, expected: Expected) -> None:
        try:
            await self._settle(expected)
        except BatonboxError as error:  # its lease ends, and it is fetched again
            _log.warning("media_fetch_unsettled", media=expected.id, error=str(error))

    async def _settle(self, expected: Expected) -> None:
        try:
            await self._store.settle(await self._bring(expected))
        except FetchFailed as error:
            told = {"media": expected.id, "attempt": expected.attempt, "reason": error.reason}
            if not error.permanent and expected.attempt < self._attempts:
                _log.info("media_fetch_failed", **told)
                await self._store.postpone(expected.id, after_ms=_pause_ms(expected.attempt))
            else:
                _log.warning("media_not_fetched", **told)
                lost = File(expected.id, "", 0, expected.name)
                await self._store.settle(lost, reason=error.reason)

    async def _bring(self, expected: Expected) -> File:
        """The file, fetched and written; raises FetchFailed."""
        try:
            found = await self._fetcher.fetch(
                expected.url,
                headers_of=lambda url: self._headers(expected.carrier, url),
                max_bytes=self._max_bytes,
                timeout_s=self._timeout_s,
            )
            kind = _kind(found)
            await self._files.write(expected.id, found.data)
        except FetchFailed:
            raise
        except Exception as error:  # a full disk, a fault of ours: told in the end, not for ever
            _log.exception("media_not_kept", media=expected.id)
            raise FetchFailed(
                "it could not be kept; see the server's log", permanent=False
            ) from error
        return File(expected.id, kind, len(found.data), file_name(expected.name, kind))

    def _headers(self, carrier: str, url: str) -> Mapping[str, str]:
        found = self._carrier_of(carrier)
        try:
            return found.media_headers(url) if found else {}
        except SecretUnreadable as error:
            raise FetchFailed(str(error), permanent=False) from error

    async def _tidy(self) -> None:
        while True:
            try:
                while await self.erase_some():
                    pass
            except (BatonboxError, OSError) as error:
                _log.warning("media_erase_failed", error=str(error))
            except Exception:  # the next turn may go well
                _log.exception("media_erase_failed")
            await asyncio.sleep(_SWEEP_S * (0.5 + random.random()))  # noqa: S311

    async def erase_some(self) -> bool:
        """Erase a batch of what nobody wants; whether there was any."""
        began_s = time.monotonic()
        ids = await self._store.sweep(n=_ERASE)
        for media in ids:
            await self._files.erase(media)
        await self._store.erased(ids)
        if ids:
            _log.info("media_erased", files=len(ids), ms=round(1000 * (time.monotonic() - began_s)))
        return bool(ids)


def _kind(found: Fetched) -> str:
    if not found.data:
        raise FetchFailed("it is empty", permanent=True)
    # What a carrier calls it is no reason to lose a file whose bytes say what it is.
    kind = type_of(found.data, found.type) or type_of(found.data, "")
    if not kind:
        said = media_type(found.type)[:80] or "no type"
        raise FetchFailed(f"{said} is not taken, only {TAKEN_WORDS}", permanent=True)
    return kind


def _pause_ms(attempt: int) -> int:
    longest = min(_LONGEST_PAUSE_MS, _FIRST_PAUSE_MS * 4 ** min(attempt - 1, 10))
    return int(longest * (0.5 + random.random() / 2))  # noqa: S311
