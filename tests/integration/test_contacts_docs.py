"""docs/contacts.md and docs/export.md are run from their first block to their last."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pages import END, blocks, check, page, shell
from tests.programs import program


@pytest.mark.parametrize("name", ["contacts", "export"])
def test_every_block_prints_what_the_page_says(tmp_path: Path, name: str) -> None:
    program("curl", package="curl")
    found = blocks(page(f"docs/{name}.md"))
    assert len(found) >= 3
    script = "".join(f"{block.commands}\necho '{END}'\n" for block in found)
    with shell(script, tmp_path) as process:
        printed, errors = process.communicate(timeout=60)
    outputs = printed.split(f"{END}\n")
    for block, output in zip(found, outputs, strict=False):
        check(block, output)
    last = f"{found[min(len(outputs), len(found)) - 1].commands}\nprinted\n{outputs[-1]}{errors}"
    assert process.returncode == 0, last
    assert len(outputs) == len(found) + 1, last
