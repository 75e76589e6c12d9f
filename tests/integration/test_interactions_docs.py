"""docs/interactions.md is run from its first block to its last."""

from __future__ import annotations

from pathlib import Path

from tests.pages import END, blocks, check, page, shell
from tests.programs import program


def test_every_block_prints_what_the_page_says(tmp_path: Path) -> None:
    program("curl", package="curl")
    found = blocks(page("docs/interactions.md"))
    assert len(found) >= 8
    script = "".join(f"{block.commands}\necho '{END}'\n" for block in found)
    with shell(script, tmp_path) as process:
        printed, errors = process.communicate(timeout=60)
    outputs = printed.split(f"{END}\n")
    for block, output in zip(found, outputs, strict=False):
        check(block, output)
    last = f"{found[min(len(outputs), len(found)) - 1].commands}\nprinted\n{outputs[-1]}{errors}"
    assert process.returncode == 0, last
    assert len(outputs) == len(found) + 1, last
