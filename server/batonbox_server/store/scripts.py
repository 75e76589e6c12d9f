"""Lua as first-class code: one verb per file, a header as signature, includes, calls by name.

A header reads, in this order: `#!lua`, what the verb does, `KEYS[1] ...`, `derives` and every key
the flattened body spells, `ARGV[n] name`, `Returns {"word", ...} | ...`.  A header that disagrees
with its body is a ValueError when the folder is loaded; a wrong name in a call is a TypeError.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from batonbox_server.errors import EngineUnavailable, OutcomeUnknown, Refused
from batonbox_server.store.connect import EngineClient

FOLDER: Final = Path(__file__).parent / "lua"
_UNWRITTEN: Final = frozenset({b"idle", b"not_found"})
_INCLUDE: Final = re.compile(r'^--- @include "([\w/]+)"$', re.MULTILINE)
_KEY: Final = re.compile(r'\bkey\("(\w+)"')
_WRITES: Final = re.compile(r"\b(?:commit|commit_log|finish|refuse)\(cx")
_STATUS: Final = re.compile(r'\{"([a-z_]+)"[,}]')


@dataclass(frozen=True, slots=True)
class Script:
    """One verb: its flattened source, its SHA-1 as the engine names it, its arguments in order.

    `writes`: it may append to the log.
    """

    name: str
    source: bytes
    sha: str
    params: tuple[str, ...]
    statuses: frozenset[str]
    writes: bool


def load_folder(folder: Path = FOLDER) -> dict[str, Script]:
    """Every script of the folder; raises ValueError where a header disagrees with its body."""
    return {path.stem: load_script(path, folder) for path in sorted(folder.glob("*.lua"))}


@cache
def _own() -> dict[str, Script]:
    """Those of this package, read once: every store has them, and a node has a dozen stores."""
    return load_folder()


class Scripts:
    """`await scripts.assign(prefix, conv=..., actor=..., ...)`: one attribute per file.

    Scripts take effect in the order of the calls, which hand them to the engine, awaited or not.
    Raises (awaited) Refused("unavailable") when it is down, and when the outcome stays unknown.
    Every script may be sent again: it is idempotent by a stored reply, a provider id or its nature.
    `on_write(prefix)` is called after every script that may have appended to the prefix's log; one
    that answers `idle` or `not_found` has not.
    """

    def __init__(self, client: EngineClient, folder: Path | None = None) -> None:
        self._client = client
        self._scripts = load_folder(folder) if folder else _own()
        client.know({script.sha: script.source for script in self._scripts.values()})
        self.on_write: Callable[[str], None] | None = None

    def __getattr__(self, name: str) -> Callable[..., Awaitable[list[Any]]]:
        try:
            script = self._scripts[name]
        except KeyError:
            raise AttributeError(f"there is no script {name}.lua") from None

        def call(prefix: str, **args: Any) -> Awaitable[list[Any]]:
            return self._call(script, prefix, args)

        setattr(self, name, call)  # looked up once
        return call

    def _call(self, script: Script, prefix: str, args: dict[str, Any]) -> Awaitable[list[Any]]:
        """Hands the call to the engine at once; await its answer."""
        if tuple(args) != script.params:
            if set(args) != set(script.params):
                names = ", ".join(script.params)
                raise TypeError(f"{script.name} takes {names}, not {sorted(args)}")
            args = {name: args[name] for name in script.params}
        handed: asyncio.Future[Any] | EngineUnavailable
        try:
            handed = self._client.evaluate(script.sha, prefix, args.values())
        except EngineUnavailable as error:
            handed = error
        return self._answered(script, prefix, handed)

    async def _answered(
        self, script: Script, prefix: str, handed: asyncio.Future[Any] | EngineUnavailable
    ) -> list[Any]:
        try:
            if isinstance(handed, EngineUnavailable):
                raise handed
            reply: list[Any] = await handed
        except OutcomeUnknown as error:
            raise Refused("unavailable", str(error)) from error
        except EngineUnavailable as error:
            raise Refused("unavailable") from error
        if script.writes and reply[0] not in _UNWRITTEN and self.on_write is not None:
            self.on_write(prefix)
        return reply


def load_script(path: Path, folder: Path = FOLDER) -> Script:
    """One file with its includes from `folder`; raises ValueError as `load_folder`."""
    text = path.read_text(encoding="utf-8")
    body = _flatten(text, folder, set())
    params = tuple(re.findall(r"^-- ARGV\[\d+\] (\w+)$", text, re.MULTILINE))
    _check(path.stem, text, body, params)
    source = body.encode()
    statuses = frozenset(_STATUS.findall(_header(text, "Returns")))
    sha = hashlib.sha1(source, usedforsecurity=False).hexdigest()
    writes = _WRITES.search(text) is not None
    return Script(path.stem, source, sha, params, statuses, writes)


def _flatten(text: str, folder: Path, included: set[str]) -> str:
    def include(match: re.Match[str]) -> str:
        name = match.group(1)
        if name in included:
            return ""
        included.add(name)
        return _flatten((folder / f"{name}.lua").read_text(encoding="utf-8"), folder, included)

    return _INCLUDE.sub(include, text)


def _header(text: str, word: str) -> str:
    match = re.search(rf"^-- {word} (.*)$", text, re.MULTILINE)
    return match.group(1) if match else ""


def _check(name: str, text: str, body: str, params: tuple[str, ...]) -> None:
    if not text.startswith("#!lua\n-- ") or "\n-- KEYS[1] " not in text:
        raise ValueError(f"{name}.lua: begin with #!lua, what it does, KEYS[1]")
    numbers = [int(n) for n in re.findall(r"^-- ARGV\[(\d+)\] \w+$", text, re.MULTILINE)]
    if numbers != list(range(1, len(params) + 1)) or len(params) > 8:
        raise ValueError(f"{name}.lua: ARGV are numbered from 1, at most 8")
    declared, used = set(_header(text, "derives").split()), set(_KEY.findall(body))
    if declared != used:
        raise ValueError(f"{name}.lua: derives differs from the keys used: {declared ^ used}")
    code = "\n".join(line for line in body.splitlines() if not line.startswith("--"))
    promised = set(_STATUS.findall(_header(text, "Returns")))
    returned = set(_STATUS.findall(code)) & promised
    if not promised or returned != promised:
        raise ValueError(f"{name}.lua: Returns promises {promised - returned}, never returned")
