"""The archive of a node, put together: which one it is, who moves things there, how that goes."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from batonbox_server.archive.adopting import Adopted, adopt
from batonbox_server.archive.choice import chosen
from batonbox_server.archive.guarded import GuardedArchive, Known
from batonbox_server.config import ConfigError, Settings
from batonbox_server.errors import Refused
from batonbox_server.service.archiver import Archiver, Bounds, Retention
from batonbox_server.store.archive_port import Archive
from batonbox_server.store.waiting import RedisWaiting
from batonbox_server.store.waiting_port import Waiting

if TYPE_CHECKING:
    from batonbox_server.node_organisation import Organisation

__all__ = [
    "adopt_archive",
    "archive_of",
    "archive_report",
    "archive_text",
    "archiver_of",
    "logs_of",
]

_DAY_MS: Final = 86_400_000


def archive_of(settings: Settings, known: Known, *, secret: bytes) -> GuardedArchive:
    """The archive that the settings name; nothing is opened yet. Raises ConfigError."""
    archive = _chosen(settings, settings.archive_url)
    return GuardedArchive(archive, known, owner=_owner(secret))


def _chosen(settings: Settings, url: str) -> Archive | None:
    folder, embedded = Path(settings.data_dir), not settings.redis_url
    try:
        return chosen(url, folder=folder, embedded=embedded)
    except ValueError as error:
        raise ConfigError(f"BATONBOX_ARCHIVE_URL: {error}") from error


def _file(settings: Settings) -> str:
    """Where it is beside an embedded engine, even where the engine is another by now."""
    return f"sqlite://{quote(str(Path(settings.data_dir).absolute()))}/archive.sqlite"


def _owner(secret: bytes) -> str:
    # The archive remembers whose it is without being told the secret.
    return hashlib.sha256(b"archive" + secret).hexdigest()[:16]


async def adopt_archive(organisation: Organisation, *, source: str, give_up: bool) -> Adopted:
    """Put the archive that the settings name in the place of another; see `archive.adopting`.

    `source` is the URL of the one in use, "" for the file in the data folder. Raises ConfigError.
    """
    settings, secret = organisation.settings, await organisation.organisation.secret()
    new = _chosen(settings, settings.archive_url)
    if new is None:
        raise ConfigError("Set BATONBOX_ARCHIVE_URL to the archive that shall be used.")
    old = None if give_up else _chosen(settings, source or _file(settings))
    try:
        return await adopt(new, organisation.store, owner=_owner(secret), copy_of=old)
    finally:
        for archive in (new, old):
            if archive is not None:
                await archive.aclose()


def archiver_of(
    node: Organisation,
    retention: Retention | None = None,
    *,
    on_round: Callable[[], Awaitable[None]] | None = None,
) -> Archiver:
    """Who moves things there; not started yet."""
    settings = node.settings
    return Archiver(
        node.store,
        RedisWaiting(node.client, keys=node.keys),
        node.archive,
        lambda: logs_of(node),
        bounds=Bounds(
            keep=max(1, settings.archive_keep_messages),
            done_days=settings.archive_done_days,
            sweep_s=settings.archive_sweep_s,
            memory_max=settings.engine_memory_max,
            lease_s=settings.job_lease_s,
        ),
        holder=secrets.token_hex(8),
        retention=retention,
        on_round=on_round,
    )


async def logs_of(node: Organisation) -> AsyncIterator[str]:
    """Every inbox and every room there may be."""
    for inbox in list(node.directory.inboxes):
        yield inbox
    after = ""
    while rooms := await node.room_store.all_rooms(after=after):
        for after in rooms:
            yield after


async def archive_report(organisation: Organisation) -> dict[str, Any]:
    """What `batonbox-server archive status` tells. `trouble` is "" while all is well.

    Sizes in bytes; `oldest_waiting_ms` since when a conversation is done that should have left
    (Unix time, 0: none).
    """
    known, memory = await organisation.store.known_archive(), await organisation.store.memory()
    told: dict[str, Any] = {"kind": "none", "id": "", "lines": 0, "rows": 0, "size_bytes": 0}
    trouble = ""
    try:
        status = await organisation.archive.status()
        told = {name: getattr(status, name) for name in told}
    except Refused as refused:
        trouble = refused.message
    waits = await _waiting(organisation)
    bounds = [organisation.settings.engine_memory_max, memory.bound]
    return {
        **told,
        "known_id": known,
        "trouble": trouble,
        "engine_memory_used": memory.used,
        "engine_memory_bound": min((each for each in bounds if each), default=0),
        "waiting": sum(each.crowded + each.due for each in waits),
        "oldest_waiting_ms": min((each.oldest_ms for each in waits if each.oldest_ms), default=0),
        "holds": sum(each.holds for each in waits),
        "conversations_away": sum(each.away for each in waits),
    }


async def _waiting(organisation: Organisation) -> list[Waiting]:
    settings = organisation.settings
    store = RedisWaiting(organisation.client, keys=organisation.keys)
    before_ms = round(time.time() * 1000 - settings.archive_done_days * _DAY_MS)
    keep = max(1, settings.archive_keep_messages)
    return [
        await store.waiting(log=log, keep=keep, before_ms=before_ms)
        async for log in logs_of(organisation)
    ]


def archive_text(report: dict[str, Any]) -> str:
    """A report for people."""
    oldest_ms = report["oldest_waiting_ms"]
    oldest = f", the oldest {_age(time.time() - oldest_ms / 1000)}" if oldest_ms else ""
    used, bound = report["engine_memory_used"], report["engine_memory_bound"]
    over = "; over it: logs and open conversations stay" if used > bound else ""
    lines = [
        f"archive        {report['kind']} {report['id'] or report['known_id']}".rstrip(),
        f"messages       {report['lines']}",
        f"conversations  {report['rows']}, {report['conversations_away']} of them there alone",
        f"size           {_mib(report['size_bytes'])}",
        f"engine         {_mib(used)}" + (f" of {_mib(bound)}{over}" if bound else ", no bound"),
        f"waiting        {report['waiting']}{oldest}",
        f"held           {report['holds']}",
    ]
    return "\n".join(
        [*lines, *([f"trouble        {report['trouble']}"] if report["trouble"] else [])]
    )


def _age(seconds: float) -> str:
    """As exact as it is of use."""
    for unit, of_s in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * of_s:
            return f"{seconds / of_s:.1f} {unit}"
    return f"{max(0.0, seconds):.0f} seconds"


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / 2**20:.1f} MiB"
