"""The scripts as one library of functions: one verb per file, a header as signature, includes.

A header reads, in this order: `#!lua`, what the verb does, `KEYS[1] ...`, `derives` and every key
the flattened body spells, `writes nothing` where that is so, `ARGV[n] name`, `Returns {"word", ...}
| ...`.  A header that disagrees with its body is a ValueError when the folder is loaded.

The engine keeps a library's compiled functions, so that a call runs the verb and nothing else; as a
script of its own every call would make all included functions anew.  Names carry a hash of the
whole: versions live side by side, and none is ever replaced by another.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = [
    "FOLDER",
    "LIBRARIES",
    "Library",
    "Script",
    "load_folder",
    "load_script",
    "shift_clock",
]

FOLDER: Final = Path(__file__).parent / "lua"
# How the names of our libraries begin, whatever their version.
LIBRARIES: Final = "batonbox_"
_VERSION: Final = "@version@"
_INCLUDE: Final = re.compile(r'^--- @include "([\w/]+)"$', re.MULTILINE)
_WRITES_NOTHING: Final = "\n-- writes nothing\n"
_COMMENT: Final = re.compile(r"^\s*(?:#!|--).*\n", re.MULTILINE)
_KEY: Final = re.compile(r'\bkey\("(\w+)"')
_WRITES: Final = re.compile(r"\b(?:commit|commit_log|finish|refuse)\(cx")
_STATUS: Final = re.compile(r'\{"([a-z_]+)"[,}]')
_TIME: Final = 'call("TIME")'  # by then
# What scripts do twenty times each, without a call or a look at globals: `SLOT` and `call` are set
# by `use` (lib/keys).
_CHEAPER: Final = (
    (re.compile(r'\bkey\("(\w+)"\)'), r'(SLOT .. "\1")'),
    (re.compile(r'\bkey\("(\w+)", '), r'(SLOT .. "\1:" .. '),
    (re.compile(r"\bredis\.call\("), "call("),
)
# What stands in its place where somebody's tests have a key with seconds to add to it.
_SHIFTED: Final = """local function shifted_time()
  local t = redis.call("TIME")
  local ahead_s = tonumber(redis.call("GET", "@key@")) or 0
  local us = t[1] * 1000000 + t[2] + math.floor(ahead_s * 1000000)
  return {math.floor(us / 1000000), us % 1000000}
end
"""
_shifted_by = ""


@dataclass(frozen=True, slots=True)
class Library:
    """What the engine is given, and under which name it keeps it."""

    name: str
    source: bytes


@dataclass(frozen=True, slots=True)
class Script:
    """One verb: the function's name in the engine, its library, its arguments in order.

    `writes`: it may append to the log.
    """

    name: str
    function: str
    library: Library
    params: tuple[str, ...]
    statuses: frozenset[str]
    writes: bool


def shift_clock(key: str) -> None:
    """From now on scripts add the seconds at `key` to the engine's clock; only for `for_tests`.

    Of one engine alone: no script declares the key.
    """
    global _shifted_by
    _shifted_by = key


def load_folder(folder: Path = FOLDER) -> dict[str, Script]:
    """Every script of the folder; raises ValueError where a header disagrees with its body."""
    return _load(sorted(folder.glob("*.lua")), folder)


def load_script(path: Path, folder: Path = FOLDER) -> Script:
    """One file alone, with its includes from `folder`; raises ValueError as `load_folder`."""
    return _load([path], folder)[path.stem]


def _load(paths: list[Path], folder: Path) -> dict[str, Script]:
    texts = {path.stem: path.read_text(encoding="utf-8") for path in paths}
    source = _clocked(_cheaper(_composed(texts, folder)))
    version = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()[:12]
    library = Library(LIBRARIES + version, source.replace(_VERSION, version).encode())
    return {name: _script(name, text, folder, library) for name, text in texts.items()}


def _script(name: str, text: str, folder: Path, library: Library) -> Script:
    params = tuple(re.findall(r"^-- ARGV\[\d+\] (\w+)$", text, re.MULTILINE))
    _check(name, text, _flatten(text, folder, {}), params)
    statuses = frozenset(_STATUS.findall(_header(text, "Returns")))
    function = f"{name}_{library.name.removeprefix(LIBRARIES)}"
    writes = _WRITES.search(text) is not None
    return Script(name, function, library, params, statuses, writes)


def _composed(texts: dict[str, str], folder: Path) -> str:
    """A scope for each set of includes that is no part of another; a verb stands in the first one
    that has all of its own."""
    needs: dict[str, dict[str, None]] = {}
    for name, text in texts.items():
        needs[name] = {}
        _flatten(text, folder, needs[name])
    scopes: list[tuple[dict[str, None], list[str]]] = []
    for name in sorted(texts, key=lambda name: (-len(needs[name]), name)):
        for included, names in scopes:
            if needs[name].keys() <= included.keys():
                names.append(name)
                break
        else:
            scopes.append((needs[name], [name]))
    parts = [_scope(included, names, texts, folder) for included, names in scopes]
    return f"#!lua name={LIBRARIES}{_VERSION}\n" + "".join(parts)


def _cheaper(source: str) -> str:
    for pattern, replacement in _CHEAPER:
        source = pattern.sub(replacement, source)
    return source


def _clocked(source: str) -> str:
    if not _shifted_by:
        return source
    begin, rest = source.split("\n", 1)
    prelude = _SHIFTED.replace("@key@", _shifted_by)
    return f"{begin}\n{prelude}{rest.replace(_TIME, 'shifted_time()')}"


def _scope(included: dict[str, None], names: list[str], texts: dict[str, str], folder: Path) -> str:
    shared = _flatten("".join(f'--- @include "{name}"\n' for name in included), folder, {})
    functions = [
        f'redis.register_function{{function_name="{name}_{_VERSION}",\n'
        f"flags={{{_flags(texts[name])}}}, callback=function(KEYS, ARGV)\n"
        f"use(KEYS[1])\n{_COMMENT.sub('', texts[name])}\nend}}\n"
        for name in names
    ]
    return f"do\n{_COMMENT.sub('', shared)}\n{''.join(functions)}end\n"


def _flags(text: str) -> str:
    """Of a function that writes nothing: the engine holds it to that, and serves it while it takes
    no writes (its memory is full, too few replicas are there, its disk is)."""
    return '"no-writes"' if _WRITES_NOTHING in text else ""


def _flatten(text: str, folder: Path, included: dict[str, None]) -> str:
    """The text with what it includes, each file once; `included` gets their names in order."""

    def include(match: re.Match[str]) -> str:
        name = match.group(1)
        if name in included:
            return ""
        included[name] = None
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
