"""npm packages that tests run by Node: installed by the test run, as their lock file says."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from web_client.build_hook import NotBuiltError, node_binary, npm_of

__all__ = ["node_with"]

# As for the page: no install scripts, and no minutes of waiting for a registry that is away.
_CI: Final = (
    "ci",
    "--ignore-scripts",
    "--fetch-retries=1",
    "--fetch-retry-mintimeout=500",
    "--fetch-timeout=20000",
)
_TIMEOUT_S: Final = 90


@cache
def node_with(folder: Path) -> Path:
    """The Node, once the packages of `folder` are there. Without them: skipped, in CI failed."""
    try:
        node = node_binary()
        _install(node, folder)
    except (NotBuiltError, subprocess.SubprocessError, OSError) as error:
        said = getattr(error, "stderr", None) or b""
        remedy = f"no packages for {folder.name}: {error} {said.decode(errors='replace')[-2000:]}"
        if os.environ.get("CI"):
            pytest.fail(remedy)
        pytest.skip(remedy)
    return node


def _install(node: Path, folder: Path) -> None:
    lock_file, modules = folder / "package-lock.json", folder / "node_modules"
    wanted, stamp = hashlib.sha256(lock_file.read_bytes()).hexdigest(), modules / ".stamp"
    with lock_file.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # several workers want it at once
        if stamp.is_file() and stamp.read_text(encoding="ascii") == wanted:
            return
        environment = {name: value for name, value in os.environ.items() if name != "NODE_ENV"}
        path = os.pathsep.join([str(node.parent), environment.get("PATH", os.defpath)])
        subprocess.run(
            [str(node), str(npm_of(node)), *_CI],
            cwd=folder,
            env={**environment, "PATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_TIMEOUT_S,
            check=True,
        )
        stamp.write_text(wanted, encoding="ascii")
