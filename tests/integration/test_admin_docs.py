"""docs/administration.md is run from its first block to its last, in an empty folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pages import END, Block, blocks, check, page, shell
from tests.programs import program


def test_every_block_prints_what_the_page_says(tmp_path: Path) -> None:
    program("curl", package="curl")
    found = blocks(page("docs/administration.md"))
    assert len(found) > 20
    script = "".join(f"{block.commands}\necho '{END}'\n" for block in found)
    with shell(script, tmp_path) as process:
        printed, errors = process.communicate(timeout=100)
    outputs = printed.split(f"{END}\n")
    for block, output in zip(found, outputs, strict=False):
        check(block, output)
    last = f"{found[min(len(outputs), len(found)) - 1].commands}\nprinted\n{outputs[-1]}{errors}"
    assert process.returncode == 0, last
    assert len(outputs) == len(found) + 1, last


def test_an_output_that_is_not_as_shown_is_noticed() -> None:
    """The check itself."""
    shown = Block("", "json", '{"items": [{"id": "in_…", "live": true}]}')
    check(shown, '{"items": [{"id": "in_1", "live": true, "more": 1}], "next": null}')
    for wrong in (
        '{"items": []}',
        '{"items": [{"id": "in_1", "live": false}]}',
        '{"items": [{"id": "out", "live": true}]}',
        '{"items": [{"id": "in_1"}]}',
    ):
        with pytest.raises(AssertionError):
            check(shown, wrong)
    with pytest.raises(AssertionError):
        check(Block("", "text", "Hi …"), "Ho there")
