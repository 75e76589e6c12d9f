"""`batonbox-server verify`: put together, by the running server or without one."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import msgspec

from batonbox_server import control
from batonbox_server.config import Settings
from batonbox_server.errors import BatonboxError, FolderInUse, Refused
from batonbox_server.node_organisation import Organisation
from batonbox_server.store.hooks import RedisHooks
from batonbox_server.store.verifying import VerifyingReads
from batonbox_server.tasks import cancel_all, spawn
from batonbox_server.verify.run import Verification

__all__ = ["archive_file", "verified", "verify", "verify_here"]

_STARTING_S: Final = 10.0
_SAY_S: Final = 1.0


async def verified(organisation: Organisation, *, hurry: bool = False) -> AsyncIterator[bytes]:
    """Lines of JSON: {"at": what is looked at} every second, at last {"report"} or {"failed"}.

    `hurry`: nobody is served meanwhile, so that nobody need be spared.
    """
    settings, keys = organisation.settings, organisation.keys
    work = Verification(
        VerifyingReads(organisation.client, keys=keys, hurry=hurry),
        organisation.archive,
        directory=organisation.organisation,
        rooms=organisation.room_store,
        hooks=RedisHooks(organisation.client, organisation.organisation, keys=keys),
        damaged=lambda: asyncio.to_thread(_damage, archive_file(settings)),
    )
    tasks: set[asyncio.Task[Any]] = set()
    running = spawn(tasks, _told(work), name="verify")
    try:
        while not running.done():
            await asyncio.wait({running}, timeout=_SAY_S)
            yield msgspec.json.encode({"at": work.at}) + b"\n"
        yield msgspec.json.encode(running.result()) + b"\n"
    finally:
        await cancel_all(tasks)


async def _told(work: Verification) -> dict[str, Any]:
    try:
        return {"report": (await work.run()).told()}
    except BatonboxError as error:
        code = error.slug if isinstance(error, Refused) else "unavailable"
        return {"failed": code, "message": getattr(error, "message", "") or str(error)}


async def verify_here(organisation: Organisation) -> dict[str, Any]:
    """The report of an organisation that nobody else uses. Raises Refused."""
    return await _last(verified(organisation, hurry=True), lambda _: None)


async def verify(settings: Settings, say: Callable[[str], None]) -> dict[str, Any]:
    """The report, by the running server or without one; `say` hears how far it is.

    Raises Refused, EngineUnavailable, EngineUnsuitable where it could not be made.
    """
    until_s = time.monotonic() + _STARTING_S
    while True:
        async with control.streaming(Path(settings.data_dir), {"op": "verify"}) as pieces:
            if pieces is not None:
                return await _last(_lines(pieces), say)
        organisation = Organisation(settings)
        try:
            await organisation.open()
            return await _last(verified(organisation, hurry=not settings.redis_url), say)
        except FolderInUse:
            # A server is just starting, or it is going down.
            if time.monotonic() > until_s:
                raise
            await asyncio.sleep(0.1)
        finally:
            await organisation.close()


def archive_file(settings: Settings) -> Path | None:
    """The archive's file; None where it is in a database, or nowhere."""
    url = urlsplit(settings.archive_url)
    if url.scheme == "sqlite":
        return Path(unquote(url.path))
    if settings.archive_url or settings.redis_url:
        return None
    return Path(settings.data_dir) / "archive.sqlite"


def _damage(file: Path | None) -> str:
    """What SQLite finds wrong in it, "" for nothing."""
    if file is None or not file.exists():
        return ""
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as database:
            told = [str(row[0]) for row in database.execute("PRAGMA quick_check(3)")]
    except sqlite3.Error as error:
        return f"{file}: {error}"
    return "" if told == ["ok"] else f"{file}: {'; '.join(told)}"


async def _last(lines: AsyncIterator[bytes], say: Callable[[str], None]) -> dict[str, Any]:
    async for line in lines:
        told: dict[str, Any] = msgspec.json.decode(line)
        if "report" in told:
            report: dict[str, Any] = told["report"]
            return report
        if "failed" in told:
            raise Refused(told["failed"], told["message"])
        say(f"looking at {told['at']}")
    raise Refused(
        "unavailable", "The server ended before it had looked at everything; do it again."
    )


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    rest = b""
    async for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line
