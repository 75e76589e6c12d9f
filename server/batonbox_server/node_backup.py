"""`batonbox-server backup` and `restore`: put together, with the running server or without one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

from batonbox_server import __version__, control
from batonbox_server.backup.archive_copy import Snapshot
from batonbox_server.backup.bundle import Writing, extracted
from batonbox_server.backup.frozen import LOG_FOLDER, freeze, let_go
from batonbox_server.config import Settings, masked
from batonbox_server.engine import locate
from batonbox_server.errors import FolderInUse, Refused
from batonbox_server.node_archive import logs_of
from batonbox_server.node_organisation import Organisation
from batonbox_server.node_verify import archive_file, verify_here
from batonbox_server.store.scripts import Scripts

__all__ = ["back_up", "backup_begins", "restore"]

_STARTING_S: Final = 10.0
_RETRY_S: Final = 600.0  # in which a rewrite of the engine's log ends
_OWN_ENGINE: Final = (
    "This server's engine is one of your own: back it up with its own tools (a copy of its RDB or"
    " append-only file), then the archive and the files; docs/backup.md says how."
)
_ARCHIVE, _KEY, _MEDIA = "archive.sqlite", "secrets.key", "media"


async def backup_begins(organisation: Organisation) -> dict[str, Any]:
    """Hold the engine's files as they are now, and tell where everything else is.

    Raises Refused: `conflict` of an engine that is not ours, `unavailable`.
    """
    settings = organisation.settings
    if settings.redis_url:
        raise Refused("conflict", _OWN_ENGINE)
    frozen = await freeze(organisation.client, Path(settings.data_dir))
    known = await organisation.store.known_archive()
    return {**frozen, **_about(organisation, known)}


def _about(organisation: Organisation, known: str) -> dict[str, Any]:
    settings = organisation.settings
    data, file = Path(settings.data_dir).absolute(), archive_file(settings)
    defaults, shown = Settings(), masked(settings)
    return {
        "about": {
            "made_ms": time.time_ns() // 1_000_000,
            "server": __version__,
            "engine": [organisation.client.server_name, organisation.client.server_version],
            "organisation": organisation.directory.name,
            "key_space": settings.key_space,
            "archive": known,
            "key_file": not settings.secrets_key and (data / _KEY).exists(),
            "settings": {
                f.name: shown[f.name]
                for f in fields(settings)
                if getattr(settings, f.name) != getattr(defaults, f.name)
            },
        },
        "archive": str(file.absolute()) if file else "",
        "archive_elsewhere": bool(settings.archive_url) and file is None,
        "media": "" if settings.media_url else str(data / _MEDIA),
        "key": "" if settings.secrets_key else str(data / _KEY),
    }


async def back_up(
    settings: Settings, target: Path, *, with_key: bool, say: Callable[[str], None]
) -> Path:
    """Everything into one file: `target`, or one that is named after the time in that folder.

    `say` hears what is not in it. Raises Refused.
    """
    target = _file_of(target)
    writing = Writing(target)
    try:
        told = await _begun(settings)
        try:
            await asyncio.to_thread(_write, writing, told, with_key=with_key, say=say)
        finally:
            await asyncio.to_thread(let_go, Path(told["folder"]))
    finally:
        writing.give_up()
    return target


def _file_of(target: Path) -> Path:
    if target.is_dir():
        return target / time.strftime("batonbox-%Y%m%d-%H%M%S.tar", time.gmtime())
    return target


async def _begun(settings: Settings) -> dict[str, Any]:
    """By the running server, or with the engine started for it."""
    begun_s = time.monotonic()
    while True:
        try:
            told = await control.ask(Path(settings.data_dir), {"op": "backup"})
        except Refused as refused:
            if refused.slug != "unavailable" or time.monotonic() > begun_s + _RETRY_S:
                raise
            await asyncio.sleep(1.0)
            continue
        if told is not None:
            return told
        organisation = Organisation(settings)
        try:
            await organisation.open()
            return await backup_begins(organisation)
        except FolderInUse:
            # A server is just starting, or it is going down.
            if time.monotonic() > begun_s + _STARTING_S:
                raise
            await asyncio.sleep(0.1)
        finally:
            await organisation.close()


def _write(
    writing: Writing, told: dict[str, Any], *, with_key: bool, say: Callable[[str], None]
) -> None:
    # The archive's moment is behind the engine's: what moves in between is in both. The other way
    # round it could be in neither.
    archive = Path(told["archive"]) if told["archive"] else None
    snapshot = Snapshot(archive) if archive is not None and archive.exists() else None
    try:
        for name, size in told["files"].items():
            writing.add(f"{LOG_FOLDER}/{name}", Path(told["folder"]) / name, size=size)
        if snapshot is not None:
            copied = Path(told["folder"]) / _ARCHIVE
            snapshot.copy(copied)
            writing.add(_ARCHIVE, copied)
    finally:
        if snapshot is not None:
            snapshot.close()
    if told["media"]:
        for file in sorted(Path(told["media"]).glob("??/??/[a-z0-9]*")):
            writing.add(f"{_MEDIA}/{'/'.join(file.parts[-3:])}", file)
    else:
        say("Files of messages are in object storage and not in the backup: copy the bucket.")
    if told["archive_elsewhere"]:
        say("The archive is in a database and not in the backup: run pg_dump now, after this.")
    if with_key and told["key"]:
        writing.add(_KEY, Path(told["key"]))
    writing.finish(told["about"])


async def restore(
    settings: Settings, file: Path, folder: Path, *, say: Callable[[str], None]
) -> dict[str, Any]:
    """Lay a backup into `folder`, which is new or empty, and verify it: the report of that.

    It has its name only once it is verified; a report with findings leaves it beside, as `say`
    tells. Every log begins another epoch. Raises Refused.
    """
    folder, aside = _made_aside(folder)
    done = False
    try:
        told = await asyncio.to_thread(extracted, file, aside)
        _can_read(told)
        report, waiting = await _awakened(_settings_of(settings, told, aside))
        if not report["ok"]:
            done = True
            say(f"It did not verify. It lies in {aside}; nothing else was changed.")
            return report
        await asyncio.to_thread(_named, aside, folder)
        done = True
    finally:
        if not done:
            await asyncio.to_thread(shutil.rmtree, aside, True)
    _tell(told, folder, waiting, say)
    return report


def _made_aside(folder: Path) -> tuple[Path, Path]:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Refused("conflict", f"{folder} is not empty; name a folder that is new.")
    folder = folder.absolute()
    aside = folder.with_name(f"{folder.name}.restoring-{secrets.token_hex(4)}")
    try:
        aside.mkdir(mode=0o700, parents=True)
    except OSError as error:
        raise Refused("bad_request", f"{aside}: {error.strerror}.") from error
    return folder, aside


def _settings_of(settings: Settings, told: dict[str, Any], folder: Path) -> Settings:
    has_archive = _ARCHIVE in told["files"]
    return replace(
        settings,
        data_dir=str(folder),
        redis_url="",
        key_space=told["key_space"],
        archive_url="" if has_archive or not told["archive"] else settings.archive_url,
    )


def _can_read(told: dict[str, Any]) -> None:
    """An older engine, or one of another family, cannot read what this one wrote."""
    name, version = told["engine"]
    here = locate()
    had = tuple(int(part) for part in version.split(".")[:2])
    if here.name != name or here.version[:2] < had:
        found = f"{here.name} {'.'.join(map(str, here.version))}"
        raise Refused(
            "conflict",
            f"The backup is of {name} {version}, and the engine here is {found}: install that one"
            " or a newer one of its kind.",
        )


async def _awakened(settings: Settings) -> tuple[dict[str, Any], int]:
    """Begin new epochs, and verify: the report, and how many messages wait to be sent."""
    organisation = Organisation(settings)
    try:
        await organisation.open()
        waiting = 0
        scripts, keys = Scripts(organisation.client), organisation.keys
        async for prefix in _prefixes(organisation):
            reply = await scripts.restored(prefix, epoch=secrets.token_hex(8))
            waiting += reply[1] if reply[0] == b"ok" else 0
        for prefix in (keys.contacts, keys.org):
            await scripts.restored(prefix, epoch=secrets.token_hex(8))
        return await verify_here(organisation), waiting
    finally:
        await organisation.close()


async def _prefixes(organisation: Organisation) -> AsyncIterator[str]:
    async for log in logs_of(organisation):
        yield organisation.keys.inbox(log)


def _named(aside: Path, folder: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        folder.rmdir()  # an empty one
    aside.rename(folder)
    handle = os.open(folder.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _tell(told: dict[str, Any], folder: Path, waiting: int, say: Callable[[str], None]) -> None:
    made = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(told["made_ms"] / 1000))
    say(f"{folder} is as of {made}, and verified.")
    if waiting:
        say(f"{waiting} messages waited to be sent; carriers that can are asked about them first.")
    if told["archive"] and _ARCHIVE not in told["files"]:
        say(f"Older messages are in archive {told['archive']}: set BATONBOX_ARCHIVE_URL to it.")
    if told["key_space"] != "bb":
        say(f"Serve it with BATONBOX_KEY_SPACE={told['key_space']}.")
    if told["key_file"] and _KEY not in told["files"]:
        say("The key of carriers' secrets was left out: put secrets.key there, or give them anew.")
    if "secrets_key" in told["settings"]:
        say("Set BATONBOX_SECRETS_KEY as it was there: it seals the secrets of carriers.")
    say("Keys and sessions are those of that time; end what was revoked since.")
