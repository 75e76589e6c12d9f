"""The unit file: systemd understands all of it, and what it confines it to is little."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.programs import program

UNIT: Final = Path(__file__).parents[2] / "deploy" / "systemd" / "batonbox.service"
# Of 10: an unconfined service has 9.6, and this one had 1.2 when it was measured.
EXPOSED_MOST: Final = 2.0


def analyzed(unit: Path, *words: str) -> str:
    """What systemd says of the unit; offline, of this file and nothing that is installed."""
    analyze = program("systemd-analyze", package="systemd")
    found = subprocess.run(
        [analyze, *words, str(unit)], capture_output=True, text=True, timeout=60, check=False
    )
    said = found.stdout + found.stderr
    if found.returncode:
        raise ValueError(said)
    return said


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """A copy of the unit whose programs are there."""
    text = UNIT.read_text(encoding="utf-8")
    assert "/opt/batonbox/bin/batonbox-server" in text
    copy = tmp_path / UNIT.name
    copy.write_text(text.replace("/opt/batonbox/bin/batonbox-server", sys.executable))
    return copy


def exposure(unit: Path) -> float:
    """The overall exposure level, from 0 to 10."""
    said = analyzed(unit, "security", "--offline=true", "--no-pager")
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
    assert found is not None, said
    return float(found[1])


def test_systemd_understands_every_line(unit: Path) -> None:
    assert analyzed(unit, "verify", "--man=no") == ""
    unit.write_text(unit.read_text() + "\nProtectEverything=yes\n")
    assert "ProtectEverything" in analyzed(unit, "verify", "--man=no")


def test_little_is_exposed(unit: Path) -> None:
    assert exposure(unit) <= EXPOSED_MOST
    # A unit without its confinement is told apart.
    kept = [line for line in unit.read_text().splitlines() if not _confines(line)]
    unit.write_text("\n".join(kept))
    assert exposure(unit) > 5


def _confines(line: str) -> bool:
    return line.startswith(("Protect", "Private", "Restrict", "SystemCall", "Capability", "No"))
