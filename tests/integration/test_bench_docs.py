"""docs/bench.md is run from its first block to its last."""

from __future__ import annotations

from pathlib import Path

from tests.pages import END, blocks, check, page, shell
from tests.programs import program


def test_every_block_prints_what_the_page_says(tmp_path: Path) -> None:
    program("curl", package="curl")
    found = blocks(page("docs/bench.md"))
    assert len(found) == 3
    script = "".join(f"{block.commands}\necho '{END}'\n" for block in found)
    with shell(script, tmp_path) as process:
        printed, errors = process.communicate(timeout=100)
    outputs = printed.split(f"{END}\n")
    assert process.returncode == 0, outputs[-1] + errors
    assert len(outputs) == len(found) + 1
    for block, output in zip(found, outputs, strict=False):
        check(block, output)
