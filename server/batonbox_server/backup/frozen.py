"""The embedded engine's files as of one moment, held by hard links while it goes on writing.

The append-only log is several files that are only appended to, and a list of them; a rewrite makes
new ones. So while none is under way, the first bytes of each file, as many as it has now, are all
that was acknowledged until now.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import time
from pathlib import Path
from typing import Any, Final, Protocol

from batonbox_server.errors import Refused

__all__ = ["FROZEN", "LOG_FOLDER", "freeze", "let_go"]

LOG_FOLDER: Final = "appendonlydir"
FROZEN: Final = "backup."  # how the names of folders with links begin
_SETTING: Final = "auto-aof-rewrite-percentage"
_AS_STARTED: Final = 100  # see engine/configuration.py
_WAIT_S: Final = 20.0
_POLL_S: Final = 0.05
_STALE_S: Final = 86_400.0


class Engine(Protocol):
    """What is asked of it."""

    async def ask(self, *args: str | bytes | int) -> Any: ...


async def freeze(engine: Engine, data: Path) -> dict[str, Any]:
    """{"folder": of the links, "files": {name: bytes that count}}; `let_go` of it afterwards.

    Raises Refused("unavailable") while the engine rewrites its log for longer than some seconds.
    """
    await asyncio.to_thread(_drop_stale, data)
    await engine.ask("CONFIG", "SET", _SETTING, 0)
    try:
        await _no_rewrite(engine)
        return await asyncio.to_thread(_link, data)
    finally:
        with contextlib.suppress(Refused):  # an engine that died begins anew as it was configured
            await engine.ask("CONFIG", "SET", _SETTING, _AS_STARTED)


def let_go(folder: Path) -> None:
    """Remove the links."""
    shutil.rmtree(folder, ignore_errors=True)


async def _no_rewrite(engine: Engine) -> None:
    until_s = time.monotonic() + _WAIT_S
    while True:
        raw = await engine.ask("INFO", "persistence")
        lines = (raw.decode() if isinstance(raw, bytes) else str(raw)).splitlines()
        if {"aof_rewrite_in_progress:0", "aof_rewrite_scheduled:0"} <= set(lines):
            return
        if time.monotonic() > until_s:
            raise Refused("unavailable", "The engine rewrites its log just now; retry.")
        await asyncio.sleep(_POLL_S)


def _link(data: Path) -> dict[str, Any]:
    folder = data / f"{FROZEN}{secrets.token_hex(8)}"
    folder.mkdir(mode=0o700)
    try:
        (listed,) = (data / LOG_FOLDER).glob("*.manifest")
        files = {}
        for name in _named_in(listed):
            files[name] = _held(data / LOG_FOLDER / name, folder / name)
        shutil.copyfile(listed, folder / listed.name)
        files[listed.name] = (folder / listed.name).stat().st_size
    except (OSError, ValueError) as error:
        let_go(folder)
        raise Refused("unavailable", f"{data / LOG_FOLDER} cannot be copied: {error}.") from error
    return {"folder": str(folder.absolute()), "files": files}


def _named_in(listed: Path) -> list[str]:
    """Those that count, by lines `file NAME seq N type b` (base) or `i` (what follows)."""
    names = []
    for line in listed.read_text(encoding="utf-8").splitlines():
        words = line.split()
        if not line.startswith("#") and words[words.index("type") + 1] in {"b", "i"}:
            names.append(words[words.index("file") + 1].strip('"'))
    return names


def _held(file: Path, link: Path) -> int:
    try:
        os.link(file, link)
    except OSError:  # a file system without links
        shutil.copyfile(file, link)
    return link.stat().st_size


def _drop_stale(data: Path) -> None:
    """Of backups that were killed."""
    for folder in data.glob(f"{FROZEN}*"):
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > _STALE_S:
                let_go(folder)
