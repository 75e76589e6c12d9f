"""Programs that tests need and the project does not bring; see `tests/ensure-programs`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

import pytest

__all__ = ["program"]

# Debian keeps daemons where a user's PATH need not lead.
_PATH: Final = os.pathsep.join(
    (
        os.environ.get("PATH", os.defpath),
        "/usr/sbin",
        *(str(folder) for folder in Path("/usr/lib/postgresql").glob("*/bin")),
    )
)


def program(*names: str, package: str) -> str:
    """The first of these that is there; else the test is skipped, and in CI it fails."""
    for name in names:
        found = shutil.which(name, path=_PATH)
        if found is not None:
            return found
    remedy = f"no {names[0]} on PATH: install Debian's package `{package}` for this test"
    if os.environ.get("CI"):
        pytest.fail(remedy)
    pytest.skip(remedy)
