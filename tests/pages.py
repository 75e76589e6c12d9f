"""The documents' pages: their blocks, what they say is printed, and a shell that runs them."""

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

from batonbox_server.gen import ROOT
from tests.ports import free_port

__all__ = ["END", "Block", "blocks", "check", "fences", "page", "shell"]

_FENCE: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
END: Final = "---- end of block ----"


def page(name: str) -> str:
    """A page below the repository's root."""
    return (ROOT / name).read_text(encoding="utf-8")


def fences(text: str, *kinds: str) -> list[tuple[str, str]]:
    """A page's fenced blocks with their kinds; of these kinds only, if any are given."""
    return [(kind, body) for kind, body in _FENCE.findall(text) if not kinds or kind in kinds]


@dataclass(frozen=True, slots=True)
class Block:
    """Commands, and what the page says they print: "json" (as far as shown) or "text"."""

    commands: str
    kind: str
    says: str


def blocks(text: str) -> list[Block]:
    """Those of a page; an output belongs to the commands before it."""
    fenced = fences(text)
    assert {kind for kind, _ in fenced} <= {"sh", "json", "text"}
    found = []
    for (kind, commands), (after, says) in zip(fenced, [*fenced[1:], ("sh", "")], strict=True):
        if kind == "sh":
            found.append(Block(commands, after if after != "sh" else "", says))
    return found


@contextmanager
def shell(script: str, folder: Path, **more: str) -> Iterator[subprocess.Popen[str]]:
    """`sh` on the script, in a session of its own: what it leaves running ends with it.

    `more` are variables of its environment.
    """
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("BATONBOX_", "CURL_"))}
    environment |= {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "BATONBOX_PORT": str(free_port()),
        "NO_PROXY": "*",
        **more,
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
