"""Every block of README and docs is run, or looked at and said to be left out, and why."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from batonbox_server.gen import ROOT
from tests.docs.blocks import PAGES, Malformed, blocks_of, parsed
from tests.docs.kinds import CHECKS, REASONS, RUN, Wrong
from tests.docs.story import told
from tests.programs import program

TOLD = [page for page in PAGES if re.search("^ *```(sh|python)", (ROOT / page).read_text(), re.M)]


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_of_a_kind_that_is_looked_at(page: str) -> None:
    for block in blocks_of(page):
        assert block.kind in CHECKS, f"{block}: {block.kind!r} is none of {sorted(CHECKS)}"
        try:
            CHECKS[block.kind](block.text)
        except Wrong as error:
            raise AssertionError(f"{block}: {error}") from error


@pytest.mark.parametrize("page", PAGES)
def test_who_leaves_a_block_out_says_why(page: str) -> None:
    for block in blocks_of(page):
        if "not run" in block.marks:
            assert block.kind in RUN, f"{block}: nobody would run it"
            assert block.marks["not run"] in REASONS, f"{block}: say one of {sorted(REASONS)}"
        if "run by" in block.marks:
            path, _, test = block.marks["run by"].partition("::")
            assert f"def {test}(" in (ROOT / path).read_text(encoding="utf-8"), block
        if "file" in block.marks:
            assert any(
                block.marks["file"] in other.text or Path(block.marks["file"]).stem in other.text
                for other in blocks_of(page)
                if other.line > block.line and other.kind == "sh"
            ), f"{block}: nothing uses that file afterwards"


def test_few_are_left_out() -> None:
    runnable = [block for page in PAGES for block in blocks_of(page) if block.kind in RUN]
    reasons = Counter(b.marks["not run"] for b in runnable if "not run" in b.marks)
    assert reasons.keys() <= REASONS
    assert reasons.total() < len(runnable) / 4, reasons


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", TOLD)
async def test_every_block_does_what_the_page_says(page: str, tmp_path: Path) -> None:
    program("curl", package="curl")
    await told(blocks_of(page), tmp_path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Do\n\n    make it\n", "indented code"),
        ("<!-- not rum: takes minutes -->\n```sh\ntrue\n```\n", "is no mark"),
        ("<!-- repeated -->\n\nThen\n", "before no block"),
        ("<!-- goes on -->\n", "before no block"),
    ],
)
def test_a_page_that_is_not_written_so_is_noticed(text: str, says: str) -> None:
    with pytest.raises(Malformed, match=says):
        parsed(text)


@pytest.mark.parametrize(
    "text",
    [
        "```sh\nfalse\n```\n",
        "```sh\necho Ho\n```\n\n```text\nHi …\n```\n",
        '```sh\necho \'{"items": []}\'\n```\n\n```json\n{"items": [1]}\n```\n',
        "```python\nraise SystemExit(3)\n```\n",
        "```python\nawait conv.reply('x')\nassert conv.now.status == 'done'\n```\n",
        "```python\ndef test_it():\n    assert False\n```\n",
        "<!-- goes on -->\n```sh\nfalse\n```\n",
    ],
)
async def test_what_does_not_happen_as_shown_is_noticed(text: str, tmp_path: Path) -> None:
    begins = "" if "await" in text else "<!-- begins: nothing -->\n"
    with pytest.raises(AssertionError):
        await told(parsed(begins + text), tmp_path)
