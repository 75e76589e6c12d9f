"""Each room of the browser client imports only what the table of ARCHITECTURE.md allows."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

import pytest

SOURCES = Path(__file__).parents[2] / "server" / "web_client" / "src"
ROOMS: dict[str, set[str]] = {
    "wire": set(),
    "contract": {"wire"},
    "pwa": set(),
    "styles": set(),
    "net": {"contract", "wire"},
    "tabs": {"contract", "wire", "store/replies"},
    "store": {"contract", "wire", "net", "tabs"},
    "ui": {"contract", "pwa", "styles"},
    "main": {"contract", "styles", "net", "store", "ui"},
}
SIGNALS = {"@preact/signals"}
PACKAGES = {
    "contract": SIGNALS,
    "store": SIGNALS,
    "tabs": SIGNALS,
    "ui": SIGNALS | {"preact", "preact/hooks"},
}
IMPORT = re.compile(r"""(?:\bfrom|\bimport)\s*\(?\s*["']([^"']+)["']""")
FILES = sorted(p.relative_to(SOURCES).as_posix() for p in SOURCES.rglob("*.ts*"))


def room_of(path: str) -> str:
    """The first folder, or the file's own name."""
    return PurePosixPath(path).parts[0].split(".")[0]


def refused(path: str, name: str) -> bool:
    """Whether the file at `path` may not import `name`."""
    room = room_of(path)
    if not name.startswith("."):
        return name not in PACKAGES.get(room, set())
    folder = (SOURCES / path).parent
    target = (folder / name).resolve().relative_to(SOURCES.resolve()).as_posix()
    return room_of(target) != room and not {room_of(target), target} & ROOMS[room]


@pytest.mark.parametrize("path", FILES)
def test_a_file_imports_only_what_its_room_may(path: str) -> None:
    assert room_of(path) in ROOMS, "a new room: give it a row here and in ARCHITECTURE.md"
    names = IMPORT.findall((SOURCES / path).read_text(encoding="utf-8"))
    assert [name for name in names if refused(path, name)] == []


def test_the_rule_catches_what_it_is_for() -> None:
    assert refused("ui/row.tsx", "../store/rows")
    assert refused("ui/row.tsx", "../wire")
    assert refused("store/core.ts", "../ui/words")
    assert refused("store/core.ts", "preact")
    assert refused("tabs/outbox.ts", "../store/core")
    assert not refused("ui/row.tsx", "./words")
    assert not refused("store/core.ts", "../net/socket")
    assert IMPORT.findall('const a = () => import("./b");\nimport "./c.css";') == ["./b", "./c.css"]
