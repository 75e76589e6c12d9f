"""docs/administration.md is run from its first block to its last, in an empty folder."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from batonbox_server.gen import ROOT
from tests.ports import free_port
from tests.programs import program

PAGE: Final = (ROOT / "docs" / "administration.md").read_text(encoding="utf-8")
_FENCE: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_END: Final = "---- end of block ----"


@dataclass(frozen=True, slots=True)
class Block:
    """Commands, and what the page says they print: "json" (as far as shown) or "text"."""

    commands: str
    kind: str
    says: str


def blocks() -> list[Block]:
    """Those of the page; an output belongs to the commands before it."""
    fences = _FENCE.findall(PAGE)
    assert {kind for kind, _ in fences} <= {"sh", "json", "text"}
    found = []
    for (kind, commands), (after, says) in zip(fences, [*fences[1:], ("sh", "")], strict=True):
        if kind == "sh":
            found.append(Block(commands, after if after != "sh" else "", says))
    return found


@contextmanager
def shell(script: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """`sh` on the script, in a session of its own: what it leaves running ends with it."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("BATONBOX_", "CURL_"))}
    environment |= {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "BATONBOX_PORT": str(free_port()),
        "NO_PROXY": "*",
    }
    with subprocess.Popen(
        ["sh", "-eu", "-c", script],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def shown_in(says: Any, printed: Any) -> bool:
    """Whether what the page shows is there: further fields may be, and "…" is anything."""
    if isinstance(says, dict) and isinstance(printed, dict):
        return all(name in printed and shown_in(says[name], printed[name]) for name in says)
    if isinstance(says, list) and isinstance(printed, list):
        return len(says) == len(printed) and all(map(shown_in, says, printed))
    if isinstance(says, str) and isinstance(printed, str):
        return fits(says, printed)
    return bool(says == printed)


def fits(says: str, printed: str) -> bool:
    """As it stands there, "…" is anything."""
    return re.fullmatch(".*".join(map(re.escape, says.split("…"))), printed, re.DOTALL) is not None


def check(block: Block, printed: str) -> None:
    """What the page says against what was printed."""
    if block.kind == "json":
        wrong = not shown_in(json.loads(block.says), json.loads(printed))
    else:
        wrong = block.kind == "text" and not fits(block.says.strip(), printed.strip())
    assert not wrong, f"{block.commands}\nprinted\n{printed}\nand the page says\n{block.says}"


def test_every_block_prints_what_the_page_says(tmp_path: Path) -> None:
    program("curl", package="curl")
    found = blocks()
    assert len(found) > 20
    script = "".join(f"{block.commands}\necho '{_END}'\n" for block in found)
    with shell(script, tmp_path) as process:
        printed, errors = process.communicate(timeout=100)
    outputs = printed.split(f"{_END}\n")
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
