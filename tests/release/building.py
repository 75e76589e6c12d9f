"""Both distributions as a release has them, and environments that have nothing but those."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["ROOT", "Environment", "Packages", "built", "contents", "rebuilt"]

ROOT: Final = Path(__file__).parents[2]
PROJECTS: Final = {"batonbox-server": ROOT, "batonbox": ROOT / "client_sdk"}
_TIMEOUT_S: Final = 300


@dataclass(frozen=True, slots=True)
class Packages:
    """One distribution's files."""

    wheel: Path
    sdist: Path


def built(folder: Path) -> dict[str, Packages]:
    """Wheel and sdist of each, made from the working tree."""
    made = {}
    for name, project in PROJECTS.items():
        into = folder / name
        _run([sys.executable, "-m", "hatchling", "build", "-d", str(into)], cwd=project)
        (wheel,), (sdist,) = into.glob("*.whl"), into.glob("*.tar.gz")
        made[name] = Packages(wheel, sdist)
    return made


def rebuilt(sdist: Path, folder: Path) -> Path:
    """The wheel that an sdist makes, where there is no Node to build a page with."""
    _run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check",
         "--no-index", "--no-deps", "--no-build-isolation", "-w", str(folder), str(sdist)],
        more={"BATONBOX_NODE": "no-node-here"},
    )  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    return wheel


def contents(package: Path) -> dict[str, bytes]:
    """The files in a wheel or an sdist, by name; of an sdist without its folder."""
    if package.suffix == ".whl":
        with zipfile.ZipFile(package) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    found = {}
    with tarfile.open(package) as tar:
        for member in tar:
            file = tar.extractfile(member)
            if file is not None:
                found[member.name.partition("/")[2]] = file.read()
    return found


class Environment:
    """A virtual environment with these wheels and what they need; nothing else is on its PATH."""

    def __init__(self, folder: Path, *wheels: Path) -> None:
        self.bin = folder / "bin"
        _run([sys.executable, "-m", "venv", "--without-pip", str(folder)])
        _run([sys.executable, "-m", "pip", "--python", str(folder), "install", "--quiet",
              "--disable-pip-version-check", "-c", str(ROOT / "constraints.txt"),
              *map(str, wheels)])  # fmt: skip
        self.variables = {"PATH": str(self.bin), "HOME": str(folder)}

    def command(self, program: str, *args: str) -> list[str]:
        """To be started by whoever likes."""
        return [str(self.bin / program), *args]

    def run(self, program: str, *args: str, cwd: Path, **more: str) -> str:
        """What it prints; it has to end well."""
        return _run(self.command(program, *args), cwd=cwd, only=self.variables | more)


def _run(
    command: list[str],
    *,
    cwd: Path = ROOT,
    more: Mapping[str, str] | None = None,
    only: Mapping[str, str] | None = None,
) -> str:
    environment = {**os.environ, **(more or {})} if only is None else only
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=_TIMEOUT_S,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout
