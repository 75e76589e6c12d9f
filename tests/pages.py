"""The documents' pages, their blocks of one kind, and a shell that runs a few; see tests/docs."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from batonbox_server.gen import ROOT
from tests.ports import free_port

__all__ = ["fences", "page", "shell"]

_FENCE: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def page(name: str) -> str:
    """A page below the repository's root."""
    return (ROOT / name).read_text(encoding="utf-8")


def fences(text: str, *kinds: str) -> list[tuple[str, str]]:
    """A page's fenced blocks with their kinds; of these kinds only, if any are given."""
    return [(kind, body) for kind, body in _FENCE.findall(text) if not kinds or kind in kinds]


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
