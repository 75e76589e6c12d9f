"""docs/security.md: every threat has a defence and a test, and every test it names is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "security.md"
NAMED: Final = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
ATTACKERS: Final = 12


def sections() -> dict[str, list[list[str]]]:
    """The rows of each section's table of threats, by its title."""
    found: dict[str, list[list[str]]] = {}
    for part in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        title, _, text = part.partition("\n")
        if "| threat | defence | test |" not in text:
            continue
        lines = [line for line in text.splitlines() if line.startswith("|")]
        rows = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]
        found[title] = rows[2:]
    return found


@cache
def named_in(path: str) -> frozenset[str]:
    """The names of the test functions in a file."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, kinds))


def test_every_threat_has_a_defence_and_a_test() -> None:
    found = sections()
    assert len(found) == ATTACKERS, list(found)
    for title, rows in found.items():
        assert len(rows) >= 3, title
        for row in rows:
            assert len(row) == 3 and all(row), (title, row)
            assert NAMED.search(row[2]), f"{title}: {row[0]} names no test"


def test_every_test_that_is_named_exists() -> None:
    named = NAMED.findall(PAGE.read_text(encoding="utf-8"))
    assert len(named) > 80
    missing = [
        f"{path}::{name}"
        for path, name in named
        if not (ROOT / path).is_file() or not name.startswith("test_") or name not in named_in(path)
    ]
    assert missing == []


def test_what_looks_like_a_test_is_named_in_full() -> None:
    """A test without its function, or a function without its file, would be looked up nowhere."""
    text = PAGE.read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and "tests/" in line]
    loose = [p for row in rows for p in re.findall(r"`(tests/[^`]*)`", row) if "::" not in p]
    assert loose == []
    assert not re.findall(r"`(?!tests/)[\w/]*::test_\w+`", text)


def test_what_is_not_defended_is_said() -> None:
    _, _, left = PAGE.read_text(encoding="utf-8").partition("\n## Not defended\n")
    assert left.count("\n- **") >= 8
