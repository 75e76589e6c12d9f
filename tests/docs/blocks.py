"""The documents' pages as Markdown has it: their fenced blocks, and the marks before them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt

from batonbox_server.gen import ROOT

__all__ = ["MARKS", "PAGES", "Block", "Malformed", "blocks_of", "parsed"]

# Whatever is published; `*.in.md` is what others are made from.
PAGES: Final = sorted(
    str(path.relative_to(ROOT))
    for pattern in ("*.md", "docs/**/*.md", "deploy/**/*.md", "examples/**/*.md")
    for path in ROOT.glob(pattern)
    if not path.name.endswith(".in.md")
    and not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
)
# What a comment right before a block may say; see docs/writing.md.
MARKS: Final = frozenset({"begins", "file", "goes on", "not run", "repeated", "run by"})
_COMMENT: Final = re.compile(r"<!--\s*(.*?)\s*-->", re.DOTALL)
_DIRECTIVE: Final = re.compile(r"\{[\w-]+\}")
_MARKDOWN: Final = MarkdownIt("commonmark").enable("table")


class Malformed(Exception):
    """A page is not written as docs/writing.md says; the message says where, and what to do."""


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its kind ("sh", "python", ...), text, place and marks.

    `follows`: it stands right behind another one, with nothing said in between.
    """

    page: str
    line: int
    kind: str
    text: str
    marks: dict[str, str] = field(default_factory=dict)
    follows: bool = False

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@cache
def blocks_of(page: str) -> tuple[Block, ...]:
    """Those of a page below the repository's root, from its first to its last."""
    return parsed((ROOT / page).read_text(encoding="utf-8"), page)


def parsed(text: str, page: str = "a page") -> tuple[Block, ...]:
    """The blocks of a text; raises Malformed."""
    found, marks, before = list[Block](), dict[str, str](), ""
    for token in _MARKDOWN.parse(text):
        line = (token.map or [0])[0] + 1
        if token.type == "code_block":
            raise Malformed(f"{page}:{line}: indented code; fence it, and say what kind it is")
        if token.type == "html_block":
            marks |= _marks(token.content)
            continue
        if token.type == "fence":
            kind = token.info.strip()
            if not _DIRECTIVE.match(kind):
                follows = before == "fence"
                if strange := marks.keys() - MARKS:
                    raise Malformed(f"{page}:{line}: {strange} is no mark; {sorted(MARKS)} are")
                found.append(Block(page, line, kind, token.content, marks, follows))
                marks = {}
        if lost := marks.keys() & MARKS:
            raise Malformed(f"{page}:{line}: {lost} stands before no block")
        marks, before = {}, token.type
    if lost := marks.keys() & MARKS:
        raise Malformed(f"{page}: {lost} stands before no block")
    return tuple(found)


def _marks(html: str) -> dict[str, str]:
    marks = {}
    for said in _COMMENT.findall(html):
        name, _, value = said.partition(":")
        marks[name] = value.strip()
    return marks


def folder_of(path: str) -> Path:
    """Where a page's relative links begin."""
    return (ROOT / path).parent
